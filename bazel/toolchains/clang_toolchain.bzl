"""What a repository with a cross compiler defines: a cc toolchain for aarch64 and one operating system."""

load("@rules_cc//cc:defs.bzl", "cc_toolchain")
load(":clang_toolchain_config.bzl", "clang_toolchain_config")

def clang_toolchain(name, operating_system, **config):
    """Defines the toolchain `name`.

    Args:
      name: of the toolchain.
      operating_system: as in @platforms//os.
      **config: the attributes of clang_toolchain_config.
    """
    clang_toolchain_config(name = name + "_config", **config)

    # Compiler and libraries are the machine's, by absolute paths.
    native.filegroup(name = name + "_files")
    cc_toolchain(
        name = name + "_cc",
        all_files = name + "_files",
        ar_files = name + "_files",
        as_files = name + "_files",
        compiler_files = name + "_files",
        dwp_files = name + "_files",
        linker_files = name + "_files",
        objcopy_files = name + "_files",
        strip_files = name + "_files",
        supports_param_files = True,
        toolchain_config = name + "_config",
    )
    native.toolchain(
        name = name,
        target_compatible_with = ["@platforms//cpu:aarch64", "@platforms//os:" + operating_system],
        toolchain = name + "_cc",
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
        visibility = ["//visibility:public"],
    )
