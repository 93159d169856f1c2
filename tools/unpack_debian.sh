#!/bin/sh
# Unpacks Debian packages of any suite and architecture into a folder, without installing anything:
#
#   tools/unpack_debian.sh [--architecture ARCH] [--dependencies] [--only PATTERN] FOLDER SUITE PACKAGE...
#
#   --architecture   the packages' architecture; this machine's unless told
#   --dependencies   all packages they depend on as well, the C library included
#   --only           unpack files of this path only, e.g. './usr/bin/qemu-*'
#
# FOLDER appears complete or not at all, and is left alone when it holds the same packages of the same suite. Neither the
# system's packages nor its lists of them are touched, and no privileges are needed: apt works on a state of its own beside
# FOLDER, with the archive and the keys that this machine's own packages come from. Downloads that were cut off resume.
set -eu

die() {
  echo "unpack_debian.sh: error: $*" >&2
  exit 1
}

usage="usage: $0 [--architecture ARCH] [--dependencies] [--only PATTERN] FOLDER SUITE PACKAGE..."
architecture=
dependencies=
only=./*
while :; do
  case ${1:-} in
    --architecture) architecture=${2:?$usage} && shift 2 ;;
    --dependencies) dependencies=yes && shift ;;
    --only) only=${2:?$usage} && shift 2 ;;
    --*) die "$1 is no option; $usage" ;;
    *) break ;;
  esac
done
[ $# -ge 3 ] || die "$usage"
folder=$1 suite=$2
shift 2

for tool in apt-get dpkg dpkg-deb; do
  command -v "$tool" > /dev/null || die "needs $tool, Debian's package tools"
done
: "${architecture:=$(dpkg --print-architecture)}"
wanted="$suite $architecture ${dependencies:-no} $only $*"
if [ "$(cat "$folder/.unpacked" 2> /dev/null)" = "$wanted" ]; then exit 0; fi

# What was downloaded for another request would be unpacked as well.
[ "$(cat "$folder.apt/wanted" 2> /dev/null)" = "$wanted" ] || rm -rf "$folder.apt"
mkdir -p "$folder.apt"
state=$(cd "$folder.apt" && pwd)
echo "$wanted" > "$state/wanted"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts"
: > "$state/status"

# The Debian archive that this machine's own packages come from. apt knows it once there are package lists.
mirror() {
  apt-get "$@" indextargets --format '$(ORIGIN) $(LABEL) $(SITE)' 2> /dev/null |
    sed -n 's/^Debian Debian //p' | head -n 1
}
archive=$(mirror)
if [ -z "$archive" ]; then
  own="-o Dir::State::lists=$state/own -o APT::Sandbox::User="
  mkdir -p "$state/own/partial"
  # shellcheck disable=SC2086
  apt-get -qq $own update >&2 || die "apt-get cannot read this machine's package lists; see its message above"
  # shellcheck disable=SC2086
  archive=$(mirror $own)
fi
[ -n "$archive" ] || die "apt is not configured for a Debian archive, see /etc/apt/sources.list"

echo "deb $archive $suite main" > "$state/sources.list"
apt() {
  apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User= \
    -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts="$state/parts" \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/parts" \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Acquire::Retries=3 -o Acquire::http::Timeout=30 "$@" >&2
}
apt update || die "cannot read the package index of $suite from $archive"
if [ -n "$dependencies" ]; then
  apt install --yes --no-install-recommends --download-only "$@" ||
    die "cannot get $* and what they depend on for $architecture from $suite"
else
  (cd "$state/cache/archives" && apt download "$@") || die "cannot get $* for $architecture from $suite"
fi

partial=$folder.partial
rm -rf "$partial"
mkdir -p "$partial"
for package in "$state"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" > "$state/files.tar" || die "cannot unpack $package: remove $state and try again"
  # No member of that path is no error: with dependencies, most packages have none.
  tar -x -f "$state/files.tar" -C "$partial" --wildcards "$only" 2> "$state/tar.log" ||
    grep -q "Not found in archive" "$state/tar.log" || die "$(cat "$state/tar.log")"
done
echo "$wanted" > "$partial/.unpacked"
rm -rf "$folder" "$state"
mv "$partial" "$folder"
