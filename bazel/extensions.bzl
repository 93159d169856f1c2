"""What WORKSPACE declares for Bazel 4, for MODULE.bazel. A file of its own: Bazel 4 does not know module_extension."""

load("//bazel:python.bzl", "python_headers")
load("//bazel/toolchains:linux_arm64.bzl", "linux_arm64_toolchain")

def _local_impl(_ctx):
    python_headers(name = "python_headers")
    linux_arm64_toolchain(name = "linux_arm64")

local = module_extension(implementation = _local_impl)
