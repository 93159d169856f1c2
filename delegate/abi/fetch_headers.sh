#!/bin/sh
# Unpacks the TFLite headers of a Debian suite (testing unless told) into a directory, without touching the system:
#
#   delegate/abi/fetch_headers.sh DIRECTORY [SUITE]
#
# Prints the include path. Exits with 77, the customary code for "skipped", where they cannot be had; the reason is on stderr.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [SUITE]" >&2; exit 2; }
skip() {
  echo "fetch_headers.sh: skipped, for the reason above" >&2
  exit 77
}

mkdir -p "$1"
headers=$(cd "$1" && pwd)/headers
"$(dirname "$0")/../../tools/unpack_debian.sh" "$headers" "${2:-testing}" libtensorflow-lite-dev || skip
include=$headers/usr/include
[ -f "$include/tensorflow/lite/c/common.h" ] || { echo "the package holds no tensorflow/lite/c/common.h" >&2; skip; }
echo "$include"
