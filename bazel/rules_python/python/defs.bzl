"""The part of rules_python this repository uses, over the rules built into Bazel 4."""

py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
