#!/usr/bin/env bash
# Makes one virtual environment with the project in it, from nothing but a Debian system.
#
# usage: tools/make_venv.sh [--without_project] FOLDER REQUIREMENTS [LOCK]
#
#   FOLDER        the environment, e.g. .venv; made afresh if it is there but unfinished
#   REQUIREMENTS  requirements file to install; NAME.no-deps.txt beside NAME.txt names what is
#                 installed without its dependencies
#   LOCK          constraints file with the exact version of everything, made for Python 3.11;
#                 ignored on other Pythons, where some of these versions do not exist
#
# PYTHON=... chooses the interpreter. Otherwise Python 3.11 is taken if there is one, then 3.10 or
# 3.9: tflite-runtime has no wheels for later ones. What is missing (Python, its venv module) is
# installed by apt_install.sh.
set -euo pipefail

with_project=yes
if [ "${1:-}" = --without_project ]; then
  with_project=no
  shift
fi
folder=$1
requirements=$2
lock=${3:-}
apt_install=$(dirname "$0")/apt_install.sh

say() { printf '==> %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Whether $1 is a Python that has wheels for everything.
is_suitable() {
  "$1" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 12))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 /usr/bin/python3.11 python3.10 python3.9 python3}; do
    if is_suitable "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

python=$(find_python) || {
  [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is not a Python from 3.9 to 3.11"
  "$apt_install" python3-venv # brings Python along
  python=$(find_python) || die "no Python from 3.9 to 3.11 found: install one and set PYTHON to it"
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
say "Making $folder with $python (Python $version)"
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  "$apt_install" "python$version-venv"
fi
rm -rf "$folder"
"$python" -m venv "$folder"

constraints=()
if [ -n "$lock" ] && [ "$version" = 3.11 ]; then
  constraints=(--constraint "$lock")
fi
pip=("$folder/bin/python" -m pip --disable-pip-version-check --retries 8 --timeout 60)
say "Installing $requirements (several hundred MB the first time)"
"${pip[@]}" install --requirement "$requirements" "${constraints[@]}"
if [ -e "${requirements%.txt}.no-deps.txt" ]; then
  "${pip[@]}" install --quiet --no-deps --requirement "${requirements%.txt}.no-deps.txt" "${constraints[@]}"
fi
if [ "$with_project" = yes ]; then
  say "Installing the project itself"
  "${pip[@]}" install --quiet --no-deps --editable .
fi
"$folder/bin/python" -m pip --disable-pip-version-check check ||
  say "pip reports the conflicts above; they are known not to matter if the tests pass"
