#!/usr/bin/env bash
# Runs the benches, and compares them with the committed baseline.
#
# usage: tools/bench.sh [COMMAND] [OPTION...] [-- ARGUMENT OF THE BENCH...]
#
#   local         tests, the bench without Redis, comparison with the baseline; the default
#   redis         the same with Redis
#   bench-local   the bench without Redis
#   bench-redis   the bench with Redis
#   baseline      makes the last results the baseline; with --run-bench after a run without Redis
#   regression    compares the last results with the baseline
#
#   --sample-size N      samples of a bench, at least 10; $SAMPLE_SIZE or 60
#   --runs N             runs, whose medians count; $RUNS or 1
#   --threshold R        slower by more than this part is a regression; $THRESHOLD or 0.15
#   --redis-url URL      $ACCELERATOR_BENCH_REDIS_URL or redis://127.0.0.1:6379
#   --skip-tests         local and redis: no tests
#   --run-bench          baseline: run the bench first
#   --accept REASON      baseline: although it got worse; the reason stays in the file
#   --bench NAME         which one; cache_path_bench
#   --baseline FILE      docs/benchmarks/NAME.json, of packaging_bench bench-pack.json
#   --output FILE        where baseline writes; the same
#   --criterion-dir DIR  results; $CRITERION_HOME or target/criterion
#   -h, --help           this text
#
# Options stand before or after the command, their values behind a blank or "=". Status: that of
# the tests, the bench or the gate if one of them failed, 2 if the arguments are wrong.
#
# Logs go to target/bench-logs/, the runs to target/criterion-runs/, their medians to DIR. What an
# earlier run left in DIR is removed before a run, so that it cannot be taken for this one's.
# $CARGO_TARGET_DIR is another place than target.
# For tests of this script: $BENCH_PROGRAM, $BENCH_GATE and $BENCH_TESTS replace the bench, the gate
# and the tests, and nothing is built.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

log() { printf '[bench.sh] %s\n' "$*"; }
usage() {
  printf 'error: %s; see --help\n' "$*" >&2
  exit 2
}

# ---- arguments ----

command=''
sample_size=${SAMPLE_SIZE:-60}
threshold=${THRESHOLD:-0.15}
runs=${RUNS:-1}
redis_url=${ACCELERATOR_BENCH_REDIS_URL:-redis://127.0.0.1:6379}
bench=cache_path_bench
baseline=''
output=''
reason=''
target=${CARGO_TARGET_DIR:-target}
criterion_dir=${CRITERION_HOME:-$target/criterion}
skip_tests=false
run_bench=false
arguments=()

# take_option NAME VALUE
take_option() {
  [ -n "$2" ] || usage "$1 needs a value"
  case $1 in
    --sample-size) sample_size=$2 ;;
    --threshold) threshold=$2 ;;
    --runs) runs=$2 ;;
    --redis-url) redis_url=$2 ;;
    --bench) bench=$2 ;;
    --baseline) baseline=$2 ;;
    --output) output=$2 ;;
    --accept) reason=$2 ;;
    --criterion-dir) criterion_dir=$2 ;;
  esac
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) help ;;
    --) shift && arguments=("$@") && break ;;
    --sample-size | --threshold | --runs | --redis-url | --bench | --baseline | --output | \
      --accept | --criterion-dir)
      [ $# -ge 2 ] || usage "$1 needs a value"
      take_option "$1" "$2"
      shift
      ;;
    --sample-size=* | --threshold=* | --runs=* | --redis-url=* | --bench=* | --baseline=* | \
      --output=* | --accept=* | --criterion-dir=*)
      take_option "${1%%=*}" "${1#*=}"
      ;;
    --skip-tests) skip_tests=true ;;
    --run-bench) run_bench=true ;;
    local | redis | bench-local | bench-redis | baseline | regression)
      [ -z "$command" ] || usage "one command at a time: $command or $1"
      command=$1
      ;;
    -*) usage "unknown option: $1" ;;
    *) usage "unknown command: $1" ;;
  esac
  shift
done
command=${command:-local}

number='^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$'
[[ $sample_size =~ ^[0-9]{1,6}$ ]] && ((10#$sample_size >= 10)) ||
  usage "--sample-size takes a whole number of at least 10, not \"$sample_size\""
[[ $runs =~ ^[0-9]{1,4}$ ]] && ((10#$runs >= 1)) ||
  usage "--runs takes a whole number of at least 1, not \"$runs\""
[[ $threshold =~ $number ]] && awk -v x="$threshold" 'BEGIN { exit !(x >= 0 && x <= 1) }' ||
  usage "--threshold takes a number from 0 to 1, not \"$threshold\""
[[ $bench =~ ^[a-z0-9_]+$ ]] || usage "--bench takes the name of a bench, not \"$bench\""
[ "$bench" != packaging_bench ] || baseline=${baseline:-docs/benchmarks/bench-pack.json}
baseline=${baseline:-docs/benchmarks/$bench.json}
output=${output:-$baseline}

# ---- steps ----

# The first tier, which is what a user runs: $BENCH_TESTS is a program.
run_tests_first() {
  if $skip_tests; then
    log "tests: skipped as asked"
    return
  fi
  log "tests"
  if [ -n "${BENCH_TESTS:-}" ]; then
    "$BENCH_TESTS"
  else
    need_packages "${PACKAGES_TEST[@]}"
    configure build
    meson test -C build --print-errorlogs
  fi
}

build_bench() {
  program=${BENCH_PROGRAM:-build-bench/bench/harness/$bench}
  [ -z "${BENCH_PROGRAM:-}" ] || return 0
  configure build-bench -Doptimization=2 -Ddebug=false -Db_ndebug=true -Dtests=false \
    -Dexamples=false
  ninja -C build-bench "bench/harness/$bench" >build-bench/bench.log ||
    { cat build-bench/bench.log >&2 && fail "$bench could not be built"; }
}

build_gate() {
  gate=${BENCH_GATE:-build/tools/accel-gate}
  [ -z "${BENCH_GATE:-}" ] || return 0
  configure build
  ninja -C build tools/accel-gate >build/gate.log ||
    { cat build/gate.log >&2 && fail "accel-gate could not be built"; }
}

# run_once LABEL URL FOLDER I: one run, its output shown and kept.
run_once() {
  local label=$1 url=$2 folder=$3 i=$4 file status=0
  file=$target/bench-logs/$label-$(date +%Y%m%d-%H%M%S)-run$i.log
  log "$label: run $i of $runs, log $file"
  ACCELERATOR_BENCH_REDIS_URL=$url ACCEL_BENCH_RUN_ID=$run_id \
    "$program" "--sample-size=$sample_size" "--criterion-dir=$folder/$i" --discard-baseline \
    "${arguments[@]}" 2>&1 | tee "$file" || status=${PIPESTATUS[0]}
  [ "$status" -eq 0 ] && return
  log "$label: run $i failed with status $status"
  exit "$status"
}

# run_series LABEL URL
run_series() {
  local i folders=() folder
  build_bench
  run_id=$(date -u +%Y%m%dT%H%M%SZ)-$$
  folder=$target/criterion-runs/$run_id
  mkdir -p "$target/bench-logs" "$folder"
  tools/merge_runs.py --forget "$criterion_dir" "$bench"
  for ((i = 1; i <= 10#$runs; i++)); do
    run_once "$1" "$2" "$folder" "$i"
    folders+=("$folder/$i")
  done
  tools/merge_runs.py "$criterion_dir" "$bench" "${folders[@]}"
}

# The gate judges the newest run in the folder. One of another bench would be compared with, or
# become, the baseline of this one.
need_run_of_bench() {
  local newest
  [ -d "$criterion_dir" ] || return 0
  newest=$(find "$criterion_dir" -maxdepth 1 -name 'accel-run-*.json' -printf '%T@ %f\n' |
    sort -n | tail -n 1)
  [ -z "$newest" ] || [ "${newest#* }" = "accel-run-$bench.json" ] ||
    fail "the newest run in $criterion_dir is ${newest#* }, not one of $bench: run the bench first"
}

check_regression() {
  need_run_of_bench
  build_gate
  log "comparing with $baseline, threshold $threshold"
  "$gate" check --criterion-dir "$criterion_dir" --baseline "$baseline" --threshold "$threshold"
}

write_baseline() {
  need_run_of_bench
  build_gate
  log "writing $output"
  "$gate" export --criterion-dir "$criterion_dir" --output "$output" ${reason:+--accept "$reason"}
}

without_redis=none # the benches with Redis skip themselves, and say why
case $command in
  local)
    run_tests_first
    run_series local-only "$without_redis"
    check_regression
    ;;
  redis)
    run_tests_first
    run_series redis "$redis_url"
    check_regression
    ;;
  bench-local) run_series local-only "$without_redis" ;;
  bench-redis) run_series redis "$redis_url" ;;
  regression) check_regression ;;
  baseline)
    if $run_bench; then run_series local-only "$without_redis"; fi
    write_baseline
    ;;
esac
log done
