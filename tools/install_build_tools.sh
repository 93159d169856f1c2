#!/usr/bin/env bash
# Makes sure that what builds and tests the delegate is there, and installs what is not.
#
# usage: tools/install_build_tools.sh [android|arm64]
#
#   android  also what builds and tests the Android package
#   arm64    also what builds for arm64 Linux, and what estimates cycles there
set -euo pipefail

target=${1:-}
here=$(dirname "$0")
case $target in
  "" | android | arm64) ;;
  *)
    echo "error: $target: neither android nor arm64" >&2
    exit 1
    ;;
esac

# libFuzzer comes with them.
has_sanitizers() {
  local runtime
  for runtime in asan fuzzer; do
    [ -n "$(find "$(clang-19 -print-resource-dir)/lib" -name "libclang_rt.$runtime*" -print -quit)" ] || return 1
  done
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
  command -v aapt >/dev/null || echo aapt
  [ -e /usr/share/android-framework-res/framework-res.apk ] || echo android-framework-res
}

read -ra packages <<<"$(missing | xargs)"
[ ${#packages[@]} -gt 0 ] || exit 0
"$here/apt_install.sh" "${packages[@]}"
still=$(missing | xargs)
[ -z "$still" ] || {
  echo "error: still missing after installation, for the delegate: $still" >&2
  exit 1
}
