"""The part of rules_java that Bazel 4's own tools load, over the rules built into it."""

java_binary = native.java_binary
java_import = native.java_import
java_library = native.java_library
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
