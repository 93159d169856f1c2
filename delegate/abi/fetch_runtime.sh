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
# Exits with 77, the customary code for "skipped", and a reason when there is no apt, no mirror or no such package.
set -eu
. "$(dirname "$0")/debian.sh"

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [SUITE]" >&2; exit 2; }
suite=${2:-testing}
mkdir -p "$1"
directory=$(cd "$1" && pwd)

# The first file of that name, or nothing.
find_library() {
  find "$directory/usr/lib" -name "$1" ! -type d 2> /dev/null | sort | head -n 1
}

if [ ! -f "$directory/complete" ]; then
  open_suite "$directory" "$suite"
  # The name carries the version.
  package=$(apt_tool apt-cache pkgnames libtensorflow-lite | grep -E '^libtensorflow-lite[0-9.]+$' | sort -V | tail -n 1)
  [ -n "$package" ] || skip "$suite has no libtensorflow-lite for $(dpkg --print-architecture)"
  apt_tool apt-get --yes --no-install-recommends --download-only install "$package" >&2 || skip "$package cannot be downloaded"
  for archive in "$state"/cache/archives/*.deb; do
    dpkg-deb -x "$archive" "$directory"
  done
  : > "$directory/complete"
fi
library=$(find_library 'libtensorflow-lite.so.*')
loader=$(find_library 'ld-linux-*.so.*')
[ -n "$library" ] && [ -n "$loader" ] || skip "the packages hold no libtensorflow-lite.so or no loader"
echo "$loader"
dirname "$library"
echo "$library"
