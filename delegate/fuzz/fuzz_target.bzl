"""Fuzz targets: a program for libFuzzer, and a test that runs what is in the tree through the same function."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")
load("//bazel:copts.bzl", "ORACLE_COPTS")

def fuzz_target(name, srcs, corpus, deps, **kwargs):
    """Defines NAME, to be built with --config=fuzz, and NAME_corpus_test, an ordinary test.

    Args:
      name: the program's name.
      srcs: defines LLVMFuzzerTestOneInput.
      corpus: a folder of inputs.
      deps: of srcs.
      **kwargs: for all three targets.
    """
    cc_library(
        name = name + "_function",
        testonly = True,
        srcs = srcs,
        copts = ORACLE_COPTS,
        deps = deps,
        alwayslink = True,
        **kwargs
    )

    # Without the config there is no coverage to be guided by, and no fuzzer to link.
    cc_binary(
        name = name,
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name + "_function"],
        **kwargs
    )
    cc_test(
        name = name + "_corpus_test",
        srcs = ["run_corpus.cc"],
        args = ["delegate/fuzz/" + corpus],
        data = native.glob([corpus + "/*"]),
        deps = [":" + name + "_function"],
        **kwargs
    )
