"""The Java development kit of this machine: JAVA_HOME, or the one whose javac is in PATH.

Looked for when a Java target is built and not before. Bazel 4's own Java rules want a toolchain that it downloads.
"""

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

exports_files(["java", "javac"])

# jni.h for builds that run on this machine; Android's is in the NDK.
cc_library(
    name = "jni",
    hdrs = ["include/jni.h", "include/linux/jni_md.h"],
    includes = ["include", "include/linux"],
)
"""

_REMEDY = "install a JDK from 11 on (apt-get install default-jdk-headless) or set JAVA_HOME to one"

def _home(ctx):
    named = ctx.os.environ.get("JAVA_HOME")
    if named:
        return ctx.path(named)
    javac = ctx.which("javac")
    if not javac:
        fail("no javac in PATH: " + _REMEDY)
    return javac.realpath.dirname.dirname

def _jdk_impl(ctx):
    home = _home(ctx)
    for program in ["java", "javac"]:
        path = home.get_child("bin").get_child(program)
        if not path.exists:
            fail("%s has no bin/%s: %s" % (home, program, _REMEDY))
        ctx.symlink(path, program)
    if not home.get_child("include").get_child("jni.h").exists:
        fail("%s has no include/jni.h: %s" % (home, _REMEDY))
    ctx.symlink(home.get_child("include"), "include")
    ctx.file("BUILD", _BUILD, executable = False)

jdk = repository_rule(
    implementation = _jdk_impl,
    environ = ["JAVA_HOME", "PATH"],
    local = True,
)
