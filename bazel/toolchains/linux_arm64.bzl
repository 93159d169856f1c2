"""The cross compiler for aarch64 Linux: clang, with the libraries and the linker of Debian's g++-aarch64-linux-gnu.

clang rather than that package's gcc 12, as on x86 (bazel/copts.bzl), for the same reason: gcc spills and reloads in the
transforms. Everything is looked for when --config=arm64 is asked for and not before, so that a machine without a cross compiler
builds and tests the rest.
"""

_TARGET = "aarch64-linux-gnu"
_PACKAGES = "apt-get install clang-19 g++-aarch64-linux-gnu"

_BUILD = """
load(":clang_toolchain.bzl", "clang_toolchain")

clang_toolchain(
    name = "toolchain",
    operating_system = "linux",
    target = {target},
    tools = {tools},
    builtin_include_directories = {includes},
    # Atomic operations inline: the calls that replace them are not in every libgcc.
    compile_flags = ["-mno-outline-atomics"],
    link_libs = ["-lstdc++", "-lm"],
)
"""

# Headers, the C++ library and the linker in one.
_PROBE = """
#include <string>
int main(int count, char** words) { return static_cast<int>(std::string(words[0]).size()) + count; }
"""

def _include_directories(ctx, clang):
    """What the compiler searches by itself, as it prints it."""
    found = ctx.execute([clang, "--target=" + _TARGET, "-no-canonical-prefixes", "-E", "-x", "c++", "-v", "probe.cc"])
    lines = found.stderr.split("\n")
    directories = []
    listing = False
    for line in lines:
        if line.startswith("#include <"):
            listing = True
        elif line.startswith("End of search list"):
            listing = False
        elif listing:
            # Under its own name and behind links: Bazel knows headers by either. Both without the ".." of clang's lists.
            path = ctx.path(line.strip())
            for directory in [str(path), str(path.realpath)]:
                if directory not in directories:
                    directories.append(directory)
    return directories

def _linux_arm64_toolchain_impl(ctx):
    name = ctx.os.environ.get("TFLITE_EQ_CLANG") or "clang-19"
    clang = ctx.which(name)
    if not clang:
        fail("--config=arm64 needs clang, and there is no %s in PATH: %s, or set TFLITE_EQ_CLANG to another clang" % (name, _PACKAGES))
    ctx.file("probe.cc", _PROBE, executable = False)
    probe = ctx.execute([clang, "--target=" + _TARGET, "probe.cc", "-o", "probe", "-lstdc++", "-lm"])
    if probe.return_code != 0:
        fail("%s cannot build a C++ program for %s: %s. It says:\n%s" % (clang, _TARGET, _PACKAGES, probe.stderr))

    tools = {"gcc": str(clang)}
    for tool in ["ar", "ld", "nm", "objcopy", "objdump", "strip"]:
        path = ctx.which("%s-%s" % (_TARGET, tool))
        if not path:
            fail("--config=arm64 needs %s-%s: %s" % (_TARGET, tool, _PACKAGES))
        tools[tool] = str(path)
    for file in ["clang_toolchain.bzl", "clang_toolchain_config.bzl"]:
        ctx.symlink(Label("//bazel/toolchains:" + file), file)
    ctx.file("BUILD", _BUILD.format(
        target = repr(_TARGET),
        tools = repr(tools),
        includes = repr(_include_directories(ctx, clang)),
    ), executable = False)

linux_arm64_toolchain = repository_rule(
    implementation = _linux_arm64_toolchain_impl,
    environ = ["TFLITE_EQ_CLANG", "PATH"],
    local = True,
    doc = "Defines @linux_arm64//:toolchain.",
)
