"""What WORKSPACE declares for Bazel 4, for MODULE.bazel. A file of its own: Bazel 4 does not know module_extension."""

load("//bazel:jdk.bzl", "jdk")
load("//bazel:maven_files.bzl", "maven_files")
load("//bazel/toolchains:android_ndk.bzl", "android_ndk_toolchain")
load("//bazel/toolchains:linux_arm64.bzl", "linux_arm64_toolchain")

def _local_impl(_ctx):
    jdk(name = "jdk")
    maven_files()
    linux_arm64_toolchain(name = "linux_arm64")
    android_ndk_toolchain(name = "android_ndk")

local = module_extension(implementation = _local_impl)
