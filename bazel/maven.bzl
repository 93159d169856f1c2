"""One file from a Maven repository, by its coordinates and checksum.

Maven finds it, with the repositories, mirrors and proxies of the user's own settings, when a target that needs it is built and
not before. Dependencies are not followed: every file is named and pinned in WORKSPACE and bazel/extensions.bzl.
"""

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"

_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files(glob(["**"], exclude = ["BUILD"]))
"""

def _file_name(coordinates):
    """The name under which Maven stores group:artifact:version[:packaging]."""
    parts = coordinates.split(":")
    if len(parts) not in [3, 4]:
        fail("%s is not group:artifact:version[:packaging]" % coordinates)
    return "%s-%s.%s" % (parts[1], parts[2], parts[3] if len(parts) == 4 else "jar")

def _maven_file_impl(ctx):
    coordinates = ctx.attr.artifact
    maven = ctx.which("mvn")
    if not maven:
        fail("%s comes from a Maven repository, and there is no mvn in PATH: apt-get install maven" % coordinates)
    found = ctx.execute([
        maven,
        "--batch-mode",
        "--quiet",
        _PLUGIN,
        "-Dartifact=" + coordinates,
        "-DoutputDirectory=%s" % ctx.path("."),
        "-Dmdep.useBaseVersion=true",
    ], timeout = 300)
    name = _file_name(coordinates)
    if found.return_code != 0 or not ctx.path(name).exists:
        fail("mvn cannot get %s; the repositories it asks are those of your settings.xml. It says:\n%s%s" %
             (coordinates, found.stdout, found.stderr))

    # Bazel computes the checksum of what it downloads, also from a file.
    ctx.download("file://%s" % ctx.path(name), "checked", sha256 = ctx.attr.sha256)
    ctx.delete("checked")
    if ctx.attr.unpack:
        ctx.symlink(name, "archive.zip")
        ctx.extract("archive.zip")
    ctx.symlink(name, "file." + name.split(".")[-1])
    ctx.file("BUILD", _BUILD, executable = False)

maven_file = repository_rule(
    implementation = _maven_file_impl,
    attrs = {
        "artifact": attr.string(mandatory = True, doc = "group:artifact:version[:packaging]; the packaging is jar unless given."),
        "sha256": attr.string(mandatory = True),
        "unpack": attr.bool(doc = "Also unpack it, an AAR for example."),
    },
    doc = "Defines @name//:file.jar (or the packaging's suffix) and, with unpack, what is in it.",
)
