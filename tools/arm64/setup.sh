#!/bin/sh
# Sets up, in a folder of the checkout, what it takes to run arm64 TFLite on a machine of another architecture:
#
#   tools/arm64/setup.sh [FOLDER [rivals|litert-nightly]]
#
#   FOLDER/root            an arm64 Debian with Python 3.11
#   FOLDER/packages        arm64 wheels: tflite-runtime 2.14, ai-edge-litert 2.3, NumPy
#   FOLDER/litert-2.2      the first ai-edge-litert that takes accelerators
#   FOLDER/litert-nightly  that of the last night that has one, when asked for
#   FOLDER/rivals          arm64 wheels of other runtimes, when asked for: ncnn, ONNX Runtime, MNN
#   FOLDER/emulator        QEMU's user-mode emulation, a current version: what tests run on
#   FOLDER/counter         QEMU 7.2, which unlike Debian's later versions loads plugins, and its libraries
#   FOLDER/libcount_blocks.so         the plugin that counts executed blocks of instructions
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

# Installs the wheels of a requirements file for the emulated Python into a folder; the options in place of --require-hashes, if there are any.
wheels() {
  wanted=$(cksum < "$2")
  checked=${3---require-hashes}
  if [ "$(cat "$1/.installed" 2> /dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$1" "$1.partial"
  platforms=
  for glibc in 2_17 2_24 2_27 2_28 2_34 2_36; do platforms="$platforms --platform manylinux_${glibc}_aarch64"; done
  # shellcheck disable=SC2086
  "$python" -m pip --disable-pip-version-check install --quiet --retries 8 --timeout 60 --no-compile \
    --target "$1.partial" $checked --no-deps --only-binary :all: \
    --implementation cp --python-version 3.11 --abi cp311 $platforms --platform manylinux2014_aarch64 \
    --requirement "$2" || die "pip cannot get the arm64 wheels; see its message above"
  echo "$wanted" > "$1.partial/.installed"
  mv "$1.partial" "$1"
}

say "arm64 TFLite runtimes"
wheels "$folder/packages" "$here/requirements.txt"
wheels "$folder/litert-2.2" "$here/requirements-litert-2.2.txt"
case ${2:-} in
  "") ;;
  rivals)
    say "arm64 runtimes to compare with"
    wheels "$folder/rivals" "$here/requirements-rivals.txt"
    ;;
  litert-nightly)
    say "arm64 LiteRT of the last night"
    # A wheel is gone after some weeks: no hash would stay good.
    wheels "$folder/litert-nightly" "$here/requirements-litert-nightly.txt" --pre
    ;;
  *) die "$2: neither rivals nor litert-nightly" ;;
esac

# Debian's QEMU 7.2 emulates too little of /proc for LiteRT, and its SME is faulty. From 10 on both are good.
say "QEMU"
unpack --only './usr/bin/qemu-aarch64' "$folder/emulator" testing qemu-user ||
  unpack --only './usr/bin/qemu-aarch64' "$folder/emulator" bookworm-backports qemu-user ||
  die "no suite of the archive has a QEMU newer than 7.2"

say "QEMU with plugins"
unpack --dependencies "$folder/counter" bookworm qemu-user

plugin=$folder/libcount_blocks.so
if ! [ -e "$plugin" ] || [ -n "$(find "$here"/*.[ch] -newer "$plugin")" ]; then
  "$compiler" -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -o "$plugin.partial" "$here"/*.c ||
    die "$compiler cannot compile the plugin; set CC to another compiler"
  mv "$plugin.partial" "$plugin"
fi
say "Ready: $folder"
