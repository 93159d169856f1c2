"""A cc toolchain around clang for another target than the machine that builds: paths and flags come from a repository rule.

One file for every cross build (aarch64 Linux, Android): they differ in the target triple, where headers and libraries are, and
which tools lie beside the compiler. The flags mirror Bazel's own toolchain for the host, so that the library and its tests are
compiled alike everywhere.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl", "feature", "flag_group", "flag_set", "tool_path", "with_feature_set")

_COMPILE = [
    ACTION_NAMES.assemble,
    ACTION_NAMES.preprocess_assemble,
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
]

_LINK = [
    ACTION_NAMES.cpp_link_executable,
    ACTION_NAMES.cpp_link_dynamic_library,
    ACTION_NAMES.cpp_link_nodeps_dynamic_library,
]

_ALWAYS = [
    "-U_FORTIFY_SOURCE",
    "-fstack-protector",
    "-fPIC",
    "-no-canonical-prefixes",
    "-Wno-builtin-macro-redefined",
    '-D__DATE__="redacted"',
    '-D__TIMESTAMP__="redacted"',
    '-D__TIME__="redacted"',
]

_OPTIMIZED = ["-g0", "-O2", "-D_FORTIFY_SOURCE=1", "-DNDEBUG", "-ffunction-sections", "-fdata-sections"]

def _flags(actions, flags, mode = None):
    # An empty flag_group is an error.
    if not flags:
        return []
    with_features = [with_feature_set(features = [mode])] if mode else []
    return [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)], with_features = with_features)]

def _clang_toolchain_config_impl(ctx):
    target = ["--target=" + ctx.attr.target]
    features = [
        feature(name = "opt"),
        feature(name = "dbg"),
        feature(name = "fastbuild"),
        feature(name = "supports_pic", enabled = True),
        feature(
            name = "default_compile_flags",
            enabled = True,
            flag_sets = _flags(_COMPILE, target + _ALWAYS + ctx.attr.compile_flags) +
                        _flags(_COMPILE, _OPTIMIZED, "opt") +
                        _flags(_COMPILE, ["-g"], "dbg"),
        ),
        feature(
            name = "default_link_flags",
            enabled = True,
            flag_sets = _flags(_LINK, target + ["-Wl,-z,relro,-z,now"] + ctx.attr.link_flags) +
                        _flags(_LINK, ["-Wl,--gc-sections"], "opt"),
        ),
        # Behind everything else: the libraries that objects and user flags need.
        feature(
            name = "default_link_libs",
            enabled = True,
            flag_sets = _flags(_LINK, ctx.attr.link_libs),
        ),
    ]
    tools = {"cpp": "gcc", "dwp": "gcc", "gcov": "gcc"}  # unused names, which Bazel wants all the same
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        features = features,
        cxx_builtin_include_directories = ctx.attr.builtin_include_directories,
        toolchain_identifier = ctx.attr.target,
        host_system_name = "local",
        target_system_name = ctx.attr.target,
        target_cpu = "aarch64",
        target_libc = "local",
        compiler = "clang",
        abi_version = "local",
        abi_libc_version = "local",
        tool_paths = [
            tool_path(name = name, path = ctx.attr.tools[tools.get(name, name)])
            for name in ["gcc", "ar", "ld", "nm", "objcopy", "objdump", "strip", "cpp", "dwp", "gcov"]
        ],
    )

clang_toolchain_config = rule(
    implementation = _clang_toolchain_config_impl,
    attrs = {
        "target": attr.string(mandatory = True, doc = "The target triple."),
        "tools": attr.string_dict(mandatory = True, doc = "Absolute paths of gcc (the clang driver), ar, ld, nm, objcopy, objdump and strip."),
        "builtin_include_directories": attr.string_list(doc = "Where the compiler finds its own headers and the system's."),
        "compile_flags": attr.string_list(),
        "link_flags": attr.string_list(),
        "link_libs": attr.string_list(),
    },
    provides = [CcToolchainConfigInfo],
)
