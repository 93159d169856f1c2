"""Every file that comes from a Maven repository."""

load("//bazel:maven.bzl", "maven_file")

def maven_files():
    """Declares them; each is fetched when a target that needs it is built."""

    # The interface that the Java class implements. 2.16.1 is the last version on Maven Central; LiteRT's own has the same package.
    maven_file(
        name = "tensorflow_lite_api",
        artifact = "org.tensorflow:tensorflow-lite-api:2.16.1:aar",
        sha256 = "885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee",
        unpack = True,
    )

    # For tests: the interpreter of Android apps.
    maven_file(
        name = "tensorflow_lite_android",
        artifact = "org.tensorflow:tensorflow-lite:2.16.1:aar",
        sha256 = "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
        unpack = True,
    )
    maven_file(
        name = "junit",
        artifact = "org.junit.platform:junit-platform-console-standalone:1.10.2",
        sha256 = "a1de557821293ce903c213c694165fff532cf92081bac4238b9e05b35f04f43f",
    )
