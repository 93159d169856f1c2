#!/bin/sh
# Unpacks the TFLite headers of a Debian suite (testing unless told) into a directory, without touching the system:
#
#   delegate/abi/fetch_headers.sh DIRECTORY [SUITE]
#
# Prints the include path. Exits with 77, the customary code for "skipped", and a reason when there is no apt, no mirror or no
# such package.
set -eu
. "$(dirname "$0")/debian.sh"

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [SUITE]" >&2; exit 2; }
package=libtensorflow-lite-dev
suite=${2:-testing}
mkdir -p "$1"
directory=$(cd "$1" && pwd)
include=$directory/usr/include
if [ -f "$include/tensorflow/lite/c/common.h" ]; then
  echo "$include"
  exit 0
fi
open_suite "$directory" "$suite"
(cd "$directory" && apt_tool apt-get download "$package") >&2 || skip "$suite has no $package for $(dpkg --print-architecture)"
dpkg-deb -x "$directory/$package"_*.deb "$directory"
[ -f "$include/tensorflow/lite/c/common.h" ] || skip "$package holds no tensorflow/lite/c/common.h"
echo "$include"
