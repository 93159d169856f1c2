#!/bin/sh
# Unpacks the TFLite headers of a Debian suite (testing unless told) into a directory, without touching the system:
#
#   delegate/abi/fetch_headers.sh DIRECTORY [SUITE]
#
# Prints the include path. Exits with 77, the customary code for "skipped", where they cannot be had; the last line on stderr
# says why.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [SUITE]" >&2; exit 2; }

mkdir -p "$1"
headers=$(cd "$1" && pwd)/headers
"$(dirname "$0")/../../tools/unpack_debian.sh" "$headers" "${2:-testing}" libtensorflow-lite-dev || exit 77
include=$headers/usr/include
[ -f "$include/tensorflow/lite/c/common.h" ] || { echo "the package has no tensorflow/lite/c/common.h" >&2; exit 77; }
echo "$include"
