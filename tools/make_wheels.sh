#!/usr/bin/env bash
# Makes the wheels of a release: for Linux with glibc on x86-64 and 64-bit ARM with the delegate inside, and for everything
# else without it.
#
# usage: tools/make_wheels.sh PYTHON FOLDER
#
#   PYTHON  an interpreter with pip; the wheels are for all
#   FOLDER  takes the wheels
set -euo pipefail

rm -rf "$2"
for delegate in 1 arm64 0; do
  TFLITE_EQ_BUILD_DELEGATE=$delegate "$1" -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$2" .
done
ls -l "$2"
