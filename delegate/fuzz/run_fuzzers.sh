#!/usr/bin/env bash
# Runs fuzz targets one after the other and says where a failing input lies.
#
# usage: delegate/fuzz/run_fuzzers.sh PROGRAMS CORPUS FINDINGS SECONDS [LIBFUZZER_OPTION...]
#
#   PROGRAMS   folder with graph_fuzzer, options_fuzzer and benchmark_fuzzer, built with --config=fuzz
#   CORPUS     folder for inputs that reach something new, one folder for each target; it grows from run to run
#   FINDINGS   folder for failing inputs
#   SECONDS    for each target
#
# Exits with 1 after all targets ran if one of them failed. No program runs beyond its memory or its time: an input may take 20
# seconds, a process 1.5 GB, one allocation 256 MB.
set -uo pipefail

[ $# -ge 4 ] || { sed -n '2,/^set/p' "$0" | sed '$d' >&2; exit 2; }
programs=$1 corpus=$2 findings=$3 seconds=$4
shift 4
here=$(dirname "$0")
mkdir -p "$findings"

# Names in stack traces, where there is a program that knows them.
symbolizer=$(command -v llvm-symbolizer-19 || command -v llvm-symbolizer || true)
[ -z "$symbolizer" ] || export ASAN_SYMBOLIZER_PATH=$symbolizer
export UBSAN_OPTIONS=print_stacktrace=1
# A failed malloc is the program's to handle.
export ASAN_OPTIONS=allocator_may_return_null=1

failed=
for target in benchmark options graph; do
  program=$programs/${target}_fuzzer
  mkdir -p "$corpus/$target"
  # Longer inputs say the same again, and take longer.
  case $target in graph) length=320 ;; options) length=160 ;; *) length=512 ;; esac
  options=(-max_len=$length -timeout=20 -rss_limit_mb=1536 -malloc_limit_mb=256 -len_control=0 -print_final_stats=1)
  [ ! -e "$here/$target.dict" ] || options+=("-dict=$here/$target.dict")
  log=$findings/$target.log
  printf '==> %s for %s seconds, from %s inputs\n' "$target" "$seconds" "$(find "$here/corpus/$target" "$corpus/$target" -type f | wc -l)"
  if "$program" "${options[@]}" "-max_total_time=$seconds" "-artifact_prefix=$findings/$target-" "$@" \
    "$corpus/$target" "$here/corpus/$target" >"$log" 2>&1; then
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec)' "$log"
    continue
  fi
  failed=yes
  grep -vE '^#[0-9]+\s|^INFO|^stat' "$log" | tail -n 60 >&2
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  cat >&2 <<END
error: $target failed on ${input:-an input that was not written}; all it printed is in $log
  again:           $program -malloc_limit_mb=256 -rss_limit_mb=1536 -timeout=20 $input
  once it is mended, keep the input under a name that says what it was: $here/corpus/$target/
END
done
[ -z "$failed" ]
