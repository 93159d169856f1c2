#!/bin/sh
# Unpacks the TFLite headers of a Debian suite (testing unless told) into a directory, without touching the system:
#
#   delegate/abi/fetch_headers.sh DIRECTORY [SUITE]
#
# Prints the include path. apt works on a state of its own, with the mirror and keys this machine already uses. Exits with 77,
# the customary code for "skipped", and a reason when there is no apt, no mirror or no such package.
set -eu

skip() {
  echo "fetch_headers.sh: skipped: $*" >&2
  exit 77
}

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
command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || skip "needs apt-get and dpkg-deb"

# The archive this machine gets dpkg itself from.
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(SITE)' 2> /dev/null |
  sed -n 's/^Debian Debian //p' | head -n 1)
[ -n "$mirror" ] || skip "apt is not configured for a Debian archive"

state=$directory/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts"
: > "$state/status"
echo "deb $mirror $suite main" > "$state/sources.list"
apt() {
  apt-get -qq -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts="$state/parts" \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/parts" -o APT::Sandbox::User= \
    -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@"
}
apt update >&2 || skip "cannot read the index of $suite"
(cd "$directory" && apt download "$package") >&2 || skip "$suite has no $package for $(dpkg --print-architecture)"
dpkg-deb -x "$directory/$package"_*.deb "$directory"
[ -f "$include/tensorflow/lite/c/common.h" ] || skip "$package holds no tensorflow/lite/c/common.h"
echo "$include"
