"""Libraries that are compiled for an instruction set of their own."""

load("@rules_cc//cc:defs.bzl", "cc_library")

# The product's objects are as bazel/copts.bzl has it; these are what isa_symbols_test looks at besides.
_LEVELS = ["-O0", "-O1", "-Os"]

def isa_library(name, copts, **kwargs):
    """A cc_library, and the same at other levels of optimisation for isa_symbols_test.

    Args:
      name: the library's name; the others are name_O0 and so on.
      copts: options with those of the instruction set.
      **kwargs: passed to cc_library.
    """
    cc_library(name = name, copts = copts, linkstatic = True, **kwargs)
    for level in _LEVELS:
        cc_library(
            name = name + level.replace("-", "_"),
            copts = copts + [level],
            linkstatic = True,
            **dict(kwargs, testonly = True)
        )

def isa_objects(names):
    """The libraries of these names at every level."""
    return [":" + name + suffix for name in names for suffix in [""] + [level.replace("-", "_") for level in _LEVELS]]
