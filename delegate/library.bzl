"""Without a C++ runtime: the shared library, one definition for Linux, Android and the host build that the Java tests load, and
programs beside it."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("//bazel:copts.bzl", "COPTS")

# The largest pages that a kernel may have: those of x86 are small, Android and Raspberry Pi 5 have them of 16 KiB.
_PAGES = select({
    "@platforms//os:android": ["-Wl,-z,max-page-size=16384"],
    "@platforms//cpu:x86_64": ["-Wl,-z,max-page-size=4096"],
    "//conditions:default": ["-Wl,-z,max-page-size=16384"],
})

_ANY = [
    "-Wl,-z,defs",
    "-Wl,--gc-sections",
    "-s",
]

# No C++ runtime. Bazel's toolchain names libstdc++ whether or not it is used.
_LINUX = ["-nodefaultlibs", "-Wl,--as-needed", "-lpthread", "-lm", "-lc", "-lgcc"]

# Named whether or not the linker finds it needed: before glibc 2.34 it has the functions of threads (kernels/old_glibc.h).
_OLD_GLIBC = ["-Wl,--no-as-needed", "-l:libpthread.so.0"]
_OLD_GLIBC_LOADING = ["-Wl,--no-as-needed", "-l:libdl.so.2"]

# The NDK's clang links libc and its builtins by itself, and bionic's libc has the threads.
_ANDROID = ["-Wl,--as-needed", "-lm"]

def exporting(script):
    """Link options that export what a version script names; the script has to be among deps, too."""
    return ["-Wl,--version-script=$(location %s)" % script]

def delegate_program(name, linkopts = [], **kwargs):
    """A program that links no C++ runtime either, so that a device needs nothing beside it.

    Args:
      name: the file's name.
      linkopts: libraries beyond those of C.
      **kwargs: passed to cc_binary.
    """
    cc_binary(
        name = name,
        copts = COPTS,
        linkopts = ["-Wl,--gc-sections", "-s"] + linkopts + select({
            "@platforms//os:android": _ANDROID,
            "//conditions:default": _LINUX,
        }),
        **kwargs
    )

def shared_library(name, srcs, deps, linkopts = [], loads_libraries = False, **kwargs):
    """A library that links no C++ runtime.

    Args:
      name: the file's name, and the one that it goes by.
      srcs: its sources.
      deps: what it is made of beside these.
      linkopts: exporting(...).
      loads_libraries: whether it calls dlopen and its kin.
      **kwargs: passed to cc_binary.
    """
    cc_binary(
        name = name,
        srcs = srcs,
        copts = COPTS,
        # Without a name of its own Android's loader refuses it.
        linkopts = _ANY + _PAGES + ["-Wl,-soname," + name] + linkopts + select({
            "@platforms//os:android": _ANDROID,
            "//conditions:default": (_OLD_GLIBC_LOADING if loads_libraries else []) + _OLD_GLIBC + _LINUX,
        }),
        linkshared = True,
        deps = deps,
        **kwargs
    )

def delegate_library(name, linkopts, deps, srcs = ["//delegate:plugin.cc"], stays_loaded = False, **kwargs):
    """The delegate with its entry points, which links no TFLite and no C++ runtime.

    Args:
      name: the file's name.
      linkopts: exporting(...).
      deps: what it has besides the delegate and its entry points.
      srcs: its entry points.
      stays_loaded: whether it stays when everyone has closed it.
      **kwargs: passed to cc_binary.
    """
    shared_library(
        name = name,
        srcs = srcs,
        linkopts = (["-Wl,-z,nodelete"] if stays_loaded else []) + linkopts,
        deps = ["//delegate"] + deps,
        **kwargs
    )
