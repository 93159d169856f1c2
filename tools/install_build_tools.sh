#!/usr/bin/env bash
# Makes sure that what builds and tests the delegate is there, and installs what is not.
#
# usage: tools/install_build_tools.sh PYTHON [android|arm64]
#
#   PYTHON   the interpreter that the Python module is built for
#   android  also what builds and tests the Android package
#   arm64    also what builds for arm64 Linux, and what estimates cycles there
set -euo pipefail

python=$1
target=${2:-}
here=$(dirname "$0")

# libFuzzer comes with them.
has_sanitizers() {
  local runtime
  for runtime in asan fuzzer; do
    [ -n "$(find "$(clang-19 -print-resource-dir)/lib" -name "libclang_rt.$runtime*" -print -quit)" ] || return 1
  done
}
has_python_headers() {
  "$python" -c 'import os, sysconfig as s, sys
sys.exit(not os.path.exists(os.path.join(s.get_paths()["include"], "Python.h")))'
}
has_pybind11() {
  [ -e /usr/include/pybind11/pybind11.h ] || "$python" -c 'import pybind11' 2>/dev/null
}

# Prints the Debian packages whose contents are missing.
missing() {
  command -v bazel >/dev/null || echo bazel-bootstrap
  if command -v clang-19 >/dev/null; then
    has_sanitizers || echo libclang-rt-19-dev
  else
    echo clang-19 libclang-rt-19-dev
  fi
  command -v readelf >/dev/null || echo binutils
  [ -e /usr/src/googletest/googletest/src/gtest.cc ] || echo googletest
  has_python_headers || echo python3-dev
  has_pybind11 || echo pybind11-dev
  [ "$target" != android ] || missing_for_android
  [ "$target" != arm64 ] || missing_for_arm64
}
# llvm-mca prices what is counted.
missing_for_arm64() {
  command -v aarch64-linux-gnu-g++ >/dev/null || echo g++-aarch64-linux-gnu
  command -v llvm-mca-19 >/dev/null || echo llvm-19
}
has_jdk() {
  [ -e "${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}/include/jni.h" ]
}
missing_for_android() {
  has_jdk || echo default-jdk-headless
  command -v mvn >/dev/null || echo maven
  command -v ld.lld-19 >/dev/null || echo lld-19
  command -v llvm-ar-19 >/dev/null || echo llvm-19
}

read -ra packages <<<"$(missing | xargs)"
[ ${#packages[@]} -gt 0 ] || exit 0
"$here/apt_install.sh" "${packages[@]}"
still=$(missing | xargs)
[ -z "$still" ] || {
  echo "error: still missing after installation, for the delegate and $python: $still" >&2
  exit 1
}
