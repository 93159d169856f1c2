#!/bin/sh
# Sets up, in a folder of the checkout, what it takes to run arm64 TFLite on a machine of another architecture:
#
#   tools/arm64/setup.sh [FOLDER]
#
#   FOLDER/root            an arm64 Debian with Python 3.11
#   FOLDER/packages        arm64 wheels: tflite-runtime 2.14, ai-edge-litert 2, NumPy
#   FOLDER/emulator        QEMU's user-mode emulation, a current version: what tests run on
#   FOLDER/counter         QEMU 7.2, which unlike Debian's later versions loads plugins, and its libraries
#   FOLDER/libcount_instructions.so   the plugin that counts instructions
#
# FOLDER is build/arm64 unless told. Everything comes from Debian's archive and the Python package index, by this machine's own
# settings for them (apt's sources, pip's configuration); nothing is installed. Parts that are there are kept, so that calling
# this again costs nothing and an interrupted run goes on where it was. PYTHON names a Python that has pip, CC a C compiler.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../build/arm64}
python=${PYTHON:-python3}

say() { echo "==> $*"; }
die() {
  echo "setup.sh: error: $*" >&2
  exit 1
}
unpack() { "$here/../unpack_debian.sh" "$@"; }

compiler=${CC:-}
for candidate in clang-19 cc gcc clang; do
  [ -n "$compiler" ] || compiler=$(command -v "$candidate" || true)
done
[ -n "$compiler" ] || die "no C compiler for the plugin: apt-get install clang-19, or set CC"
"$python" -m pip --version > /dev/null 2>&1 || die "$python has no pip: apt-get install python3-pip, or set PYTHON"

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

say "arm64 Python 3.11"
unpack --architecture arm64 --dependencies "$folder/root" bookworm python3.11-minimal libpython3.11-stdlib libstdc++6

say "arm64 TFLite runtimes"
wanted=$(cksum < "$here/requirements.txt")
if [ "$(cat "$folder/packages/.installed" 2> /dev/null)" != "$wanted" ]; then
  rm -rf "$folder/packages" "$folder/packages.partial"
  platforms=
  for glibc in 2_17 2_27 2_34 2_36; do platforms="$platforms --platform manylinux_${glibc}_aarch64"; done
  # shellcheck disable=SC2086
  "$python" -m pip --disable-pip-version-check install --quiet --retries 8 --timeout 60 --no-compile \
    --target "$folder/packages.partial" --require-hashes --no-deps --only-binary :all: \
    --implementation cp --python-version 3.11 --abi cp311 $platforms --platform manylinux2014_aarch64 \
    --requirement "$here/requirements.txt" || die "pip cannot get the arm64 wheels; see its message above"
  echo "$wanted" > "$folder/packages.partial/.installed"
  mv "$folder/packages.partial" "$folder/packages"
fi

# Debian's QEMU 7.2 emulates too little of /proc for LiteRT, and its SME is faulty. From 10 on both are good.
say "QEMU"
unpack --only './usr/bin/qemu-aarch64' "$folder/emulator" testing qemu-user ||
  unpack --only './usr/bin/qemu-aarch64' "$folder/emulator" bookworm-backports qemu-user ||
  die "no suite of the archive has a QEMU newer than 7.2"

say "QEMU with plugins"
unpack --dependencies "$folder/counter" bookworm qemu-user

plugin=$folder/libcount_instructions.so
if ! [ "$plugin" -nt "$here/count_instructions.c" ]; then
  "$compiler" -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -o "$plugin.partial" "$here/count_instructions.c" ||
    die "$compiler cannot compile the plugin; set CC to another compiler"
  mv "$plugin.partial" "$plugin"
fi
say "Ready: $folder"
