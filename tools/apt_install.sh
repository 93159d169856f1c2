#!/usr/bin/env bash
# Installs Debian packages with apt-get, through sudo when not root, or says what to install by hand.
#
# usage: tools/apt_install.sh PACKAGE...
set -euo pipefail

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

by_hand="install by hand: apt-get install --no-install-recommends $*"
command -v apt-get >/dev/null || die "$* missing, and there is no apt-get: install by other means"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die "$* missing, and neither root nor sudo: $by_hand"
  as_root=(sudo)
fi
printf '==> Installing with apt-get: %s\n' "$*"
# A new machine has no package lists, or old ones. An archive of somebody else's may be out of reach.
"${as_root[@]}" apt-get update -qq ||
  printf 'apt-get update failed; going on with the package lists there are\n' >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
  --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" || die "apt-get could not install all of $*: $by_hand"
