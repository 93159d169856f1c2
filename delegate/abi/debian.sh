# Sourced: packages of a Debian suite, downloaded and unpacked into a directory without touching the system. apt works on a
# state of its own, with the mirror and keys this machine already uses.

# Exits with 77, the customary code for "skipped".
skip() {
  echo "$(basename "$0"): skipped: $*" >&2
  exit 77
}

# open_suite DIRECTORY SUITE: reads the suite's index. Everything is kept below DIRECTORY.
open_suite() {
  command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || skip "needs apt-get and dpkg-deb"
  # The archive this machine gets dpkg itself from.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(SITE)' 2> /dev/null |
    sed -n 's/^Debian Debian //p' | head -n 1)
  [ -n "$mirror" ] || skip "apt is not configured for a Debian archive"
  state=$1/apt
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts"
  : > "$state/status"
  echo "deb $mirror $2 main" > "$state/sources.list"
  apt_tool apt-get update >&2 || skip "cannot read the index of $2"
}

# apt_tool apt-get|apt-cache ARGUMENT...: on that state.
apt_tool() {
  tool=$1
  shift
  "$tool" -qq -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts="$state/parts" \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$state/parts" -o APT::Sandbox::User= \
    -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@"
}
