#!/bin/bash
# Runs an aarch64 program on whatever machine this is: bazel test --config=arm64 passes every test through it.
#
#   TFLITE_EQ_QEMU        the emulator, qemu-aarch64 of PATH by default
#   TFLITE_EQ_QEMU_CPU    the processor it emulates, cortex-a53 by default; --config=a53, a76 and i8mm set it
#   TFLITE_EQ_ARM64_ROOT  where the aarch64 loader and C library are, Debian's cross libraries by default
set -euo pipefail

if [[ $(uname -m) == aarch64 && -z "${TFLITE_EQ_QEMU:-}" ]]; then
  exec "$@"
fi
qemu="${TFLITE_EQ_QEMU:-qemu-aarch64}"
root="${TFLITE_EQ_ARM64_ROOT:-/usr/aarch64-linux-gnu}"
if ! command -v "$qemu" >/dev/null; then
  echo "$0: no emulator $qemu: apt-get install qemu-user, or set TFLITE_EQ_QEMU" >&2
  exit 1
fi
if [[ ! -e "$root/lib/ld-linux-aarch64.so.1" ]]; then
  echo "$0: no aarch64 C library in $root: apt-get install libc6-arm64-cross, or set TFLITE_EQ_ARM64_ROOT" >&2
  exit 1
fi
exec "$qemu" -cpu "${TFLITE_EQ_QEMU_CPU:-cortex-a53}" -L "$root" "$@"
