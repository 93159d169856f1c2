#!/bin/sh
# Unpacks TFLite's library of a Debian suite (testing unless told), which exports the C API, and all it needs into a directory,
# without touching the system:
#
#   delegate/abi/fetch_runtime.sh DIRECTORY [SUITE]
#
# The suite's C library may be newer than this machine's, so its loader is unpacked too. Prints three lines: the loader, its
# library path, and TFLite's library; programs that open it run as
#
#   LOADER --library-path LIBRARY_PATH PROGRAM
#
# Exits with 77, the customary code for "skipped", where it cannot be had; the last line on stderr says why.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [SUITE]" >&2; exit 2; }

mkdir -p "$1"
root=$(cd "$1" && pwd)/root
# The package's name carries the version.
"$(dirname "$0")/../../tools/unpack_debian.sh" --dependencies "$root" "${2:-testing}" '^libtensorflow-lite[0-9.]+$' || exit 77

# The first file of that name, or nothing.
find_library() {
  find "$root/usr/lib" -name "$1" ! -type d 2> /dev/null | sort | head -n 1
}
library=$(find_library 'libtensorflow-lite.so.*')
loader=$(find_library 'ld-linux-*.so.*')
[ -n "$library" ] && [ -n "$loader" ] || { echo "the packages hold no libtensorflow-lite.so or no loader" >&2; exit 77; }
echo "$loader"
dirname "$library"
echo "$library"
