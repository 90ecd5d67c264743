#!/usr/bin/env bash
# Runs the long forms of the tests, for as long as they are given.
#
# usage: tools/soak.sh [--minutes N] [FORM...]
#
#   --minutes N   time for all forms together; 10
#   FORM          stress: the suites stress and model; tsan: stress under ThreadSanitizer; asan:
#                 both under AddressSanitizer and UndefinedBehaviorSanitizer; faults: the faults of
#                 Redis, of a cluster and of the network in full numbers, which take their time;
#                 history: several processes under random faults, and sets that race; stack: a
#                 service under traffic, and every fault of the runbook with its alert; fuzz: the
#                 decoders, a table and a connection, by libFuzzer. All, if none is named.
#                 Every test has an equal share; with 15 minutes each has 60 s and more.
#                 Only if it is named, gate: 20 runs of accel-gate's ab without a change, and 20
#                 with one, which takes 40 minutes; it goes on where it was broken off.
#                 tools/gate_series.py --report --document docs/benchmarks.md keeps the figures.
#
# A form is a function soak_NAME of this script that gets its share of the seconds. Tests that can
# run long read ACCEL_SOAK_SECONDS.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

# run_long FOLDER SECONDS LOG MESON TEST ARGUMENT...: the tests of the suites that are named, one
# after another, each with an equal share of the time.
run_long() {
  local folder=$1 seconds=$2 log=$3 tests suites=() argument
  shift 3
  for argument in "$@"; do [[ $argument != --suite=* ]] || suites+=("$argument"); done
  tests=$(meson test -C "$folder" --list "${suites[@]}" 2>/dev/null | grep -c ' / ') || true
  [ "$tests" -gt 0 ] || fail "there are no tests in ${suites[*]}"
  export ACCEL_SOAK_SECONDS=$((seconds / tests > 0 ? seconds / tests : 1))
  say "$folder: $tests tests of $ACCEL_SOAK_SECONDS s"
  run_tests "$folder" "$log" --num-processes 1 -t 0 "$@" || true
  logs+=("$folder=$folder/meson-logs/$log.json")
}

soak_stress() {
  configure build
  run_long build "$1" soak --suite=stress --suite=model
}

soak_tsan() {
  configure_tsan
  run_long build-tsan "$1" soak-tsan --suite=stress "${TSAN_ARGUMENTS[@]}"
}

soak_asan() {
  configure_asan
  run_long build-asan "$1" soak-asan --suite=stress --suite=model --setup asan
}

soak_faults() {
  configure build
  run_long build "$1" faults --suite=faults
}

soak_history() {
  configure build
  run_long build "$1" history --suite=history
}

soak_stack() {
  configure build -Dauto_features=enabled
  run_long build "$1" stack --suite=stack
}

soak_fuzz() {
  configure build
  run_long build "$1" fuzz --suite=fuzz
}

soak_gate() {
  configure build
  ninja -C build tools/accel-gate >/dev/null
  tools/gate_series.py --minutes $(($1 / 60)) || gate_failed=1
}

minutes=10
gate_failed=0
forms=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) help ;;
    --minutes)
      minutes=${2:-}
      [[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "--minutes takes a whole number"
      shift
      ;;
    *)
      declare -F "soak_$1" >/dev/null || fail "there is no form $1; see --help"
      forms+=("$1")
      ;;
  esac
  shift
done
[ ${#forms[@]} -gt 0 ] || forms=(stress tsan asan faults history stack fuzz)

need_packages "${PACKAGES_ALL[@]}"
logs=()
for form in "${forms[@]}"; do "soak_$form" $((minutes * 60 / ${#forms[@]})); done
[ ${#logs[@]} -eq 0 ] || tools/summary.py "${logs[@]}"
[ "$gate_failed" -eq 0 ] || fail "the gate's series are not what they should be"
