"""The cross compiler for Android on arm64: the NDK's clang. ANDROID_NDK_HOME says where the NDK is.

Looked for when --config=android_arm64 is asked for and not before.
"""

_TARGET = "aarch64-linux-android21"
_FIRST = 25  # the first without gcc's libraries and with the layout relied on here
_LAST = 28
_REMEDY = ("Set ANDROID_NDK_HOME to the folder of an NDK from r%d to r%d, the one that holds source.properties. " +
           "Android Studio installs it (SDK Manager, SDK Tools, NDK), or `sdkmanager --install 'ndk;27.2.12479018'`, " +
           "or the archive at developer.android.com/ndk/downloads.") % (_FIRST, _LAST)

_BUILD = """
load(":clang_toolchain.bzl", "clang_toolchain")

clang_toolchain(
    name = "toolchain",
    operating_system = "android",
    target = {target},
    tools = {tools},
    builtin_include_directories = {includes},
    # Atomic operations inline: the functions that replace them ask the CPU at start-up, through symbols API 21 lacks.
    compile_flags = ["-mno-outline-atomics"],
    # Devices with 16 KiB pages load nothing else; NDKs before r28 still align to 4 KiB.
    link_flags = ["-Wl,-z,max-page-size=16384"],
    # For programs that use C++'s library; the delegate does not, and archives cost nothing where they are not needed.
    link_libs = ["-lc++_static", "-lc++abi", "-lm"],
)
"""

_PROBE = """
#include <stdlib.h>
int main(int count, char** words) {
  if (words[count] != 0) abort();
  return 0;
}
"""

def _revision(ctx, home):
    """The number before the first dot of Pkg.Revision."""
    properties = home.get_child("source.properties")
    if not properties.exists:
        fail("ANDROID_NDK_HOME is %s, which has no source.properties and so is no NDK. %s" % (home, _REMEDY))
    for line in ctx.read(properties).split("\n"):
        name, _, value = line.partition("=")
        major = value.strip().split(".")[0]
        if name.strip() == "Pkg.Revision" and major.isdigit():
            return int(major)
    fail("%s names no Pkg.Revision. %s" % (properties, _REMEDY))

def _toolchain_folder(ctx, home):
    # Also on Macs with Apple's processors: the folder holds programs for both.
    host = "darwin-x86_64" if ctx.os.name.startswith("mac") else "linux-x86_64"
    folder = home
    for name in ["toolchains", "llvm", "prebuilt", host]:
        folder = folder.get_child(name)
    if not folder.get_child("bin").get_child("clang").exists:
        fail("%s has no bin/clang: the NDK is for another machine, or not complete. %s" % (folder, _REMEDY))
    return folder

def _android_ndk_toolchain_impl(ctx):
    named = ctx.os.environ.get("ANDROID_NDK_HOME")
    if not named:
        fail("--config=android_arm64 needs the Android NDK, and ANDROID_NDK_HOME is not set. " + _REMEDY)
    home = ctx.path(named)
    revision = _revision(ctx, home)
    if revision < _FIRST:
        fail("the NDK in %s is r%d, too old. %s" % (home, revision, _REMEDY))
    if revision > _LAST:
        # buildifier: disable=print
        print("the NDK in %s is r%d; r%d to r%d are known to have the layout expected here" % (home, revision, _FIRST, _LAST))
    folder = _toolchain_folder(ctx, home)

    tools = {}
    for tool, program in {
        "gcc": "clang",
        "ar": "llvm-ar",
        "ld": "ld.lld",
        "nm": "llvm-nm",
        "objcopy": "llvm-objcopy",
        "objdump": "llvm-objdump",
        "strip": "llvm-strip",
    }.items():
        path = folder.get_child("bin").get_child(program)
        if not path.exists:
            fail("%s is missing: the NDK is not complete. %s" % (path, _REMEDY))
        tools[tool] = str(path)
    ctx.file("probe.c", _PROBE, executable = False)
    probe = ctx.execute([tools["gcc"], "--target=" + _TARGET, "probe.c", "-o", "probe"])
    if probe.return_code != 0:
        fail("%s cannot build a program for %s. It says:\n%s" % (tools["gcc"], _TARGET, probe.stderr))

    for file in ["clang_toolchain.bzl", "clang_toolchain_config.bzl"]:
        ctx.symlink(Label("//bazel/toolchains:" + file), file)
    ctx.file("BUILD", _BUILD.format(
        target = repr(_TARGET),
        tools = repr(tools),
        # Bazel knows headers by the name they were opened under, or by that behind links.
        includes = repr([str(folder), str(folder.realpath)]),
    ), executable = False)

android_ndk_toolchain = repository_rule(
    implementation = _android_ndk_toolchain_impl,
    environ = ["ANDROID_NDK_HOME"],
    local = True,
    doc = "Defines @android_ndk//:toolchain.",
)
