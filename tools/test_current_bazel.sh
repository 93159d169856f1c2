#!/usr/bin/env bash
# Builds and tests the delegate with the Bazel of Debian testing, which is 7 or newer and reads
# MODULE.bazel; Debian 12's reads WORKSPACE. Not part of `make test`: it needs root and 2 GB.
#
# usage: tools/test_current_bazel.sh FOLDER [SUITE]
#
# FOLDER becomes a root directory of that suite (kept for the next time) with the committed sources
# in it. Nothing but Debian's archive is needed: its Bazel takes rules_cc and the like from Debian's
# packages, googletest is the source package, and modules that Bazel's own tools name and a C++
# build never loads are empty.
set -euo pipefail

[ $# -ge 1 ] && [ "$(id -u)" -eq 0 ] || {
  echo "usage, as root: $0 FOLDER [SUITE]" >&2
  exit 2
}
suite=${2:-testing}
here=$(cd "$(dirname "$0")" && pwd)
repository=$(dirname "$here")
mkdir -p "$1"
root=$(cd "$1" && pwd)

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 "$@"; }

if [ ! -e "$root/.complete" ]; then
  command -v debootstrap >/dev/null || "$here/apt_install.sh" debootstrap
  # The archive this machine gets dpkg itself from.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(SITE)' 2>/dev/null |
    sed -n 's/^Debian Debian //p' | head -n 1)
  [ -n "$mirror" ] || {
    echo "error: apt names no archive of Debian's; is this a Debian system with package lists?" >&2
    exit 1
  }
  debootstrap --variant=minbase "$suite" "$root" "$mirror"
  cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/"
  cp /etc/resolv.conf "$root/etc/"
  in_root apt-get update -qq
  in_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    bazel-bootstrap clang googletest python3-dev pybind11-dev
  touch "$root/.complete"
fi

modules=$root/modules
overrides=()
for name in protobuf zlib apple_support buildozer googletest; do
  mkdir -p "$modules/$name"
  echo "module(name = \"$name\")" >"$modules/$name/MODULE.bazel"
  : >"$modules/$name/BUILD"
  overrides+=("--override_module=$name=/modules/$name")
done
echo 'bazel_dep(name = "rules_cc", version = "0.0.11")' >>"$modules/googletest/MODULE.bazel"
cp "$repository/bazel/googletest.BUILD" "$modules/googletest/BUILD"
ln -sfn /usr/src/googletest/googletest "$modules/googletest/googletest"

rm -rf "$root/source"
mkdir "$root/source"
git -C "$repository" archive HEAD | tar -x -C "$root/source"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
flags="--repo_env=CC=clang ${overrides[*]}"
in_root sh -ec "cd /source
bazel --version
bazel build $flags //delegate:libtflite_eq_delegate.so //delegate/python:libtflite_eq_kernels.so
bazel test $flags --build_tests_only //...
bazel shutdown"
