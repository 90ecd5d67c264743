#!/usr/bin/env bash
# Builds accel in build/ and runs its tests, with Redis servers of their own.
#
# usage: tools/test.sh [--all] [ARGUMENT OF meson test...]
#
#   tools/test.sh                        what proves that accel does what it promises: 90 s
#   tools/test.sh --suite redis          one suite
#   tools/test.sh redis_test_tls         one test
#   tools/test.sh --list                 what there is
#   tools/test.sh --all                  also what only those need who work on accel: analysers,
#                                        fuzzers, mutants, other compilers, the gate, a browser
#   tools/test.sh --all --suite lint     one suite of all
#
# Installs what is missing (Debian packages, as root or with sudo) and asks nothing; --all needs
# many more of them. Works without network once that is done.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[[ ${1:-} != --help && ${1:-} != -h ]] || help

if [[ ${1:-} == --all ]]; then
  shift
  need_packages "${PACKAGES_ALL[@]}"
  configure build -Dauto_features=enabled
  set -- --setup all "$@"
else
  need_packages "${PACKAGES_TEST[@]}"
  configure build -Dredis=enabled
fi
for argument in "$@"; do
  [[ $argument != --list ]] || exec meson test -C build "$@"
done
run_tests build testlog "$@" || true
left_out=$(sed -n 's/.*ependency \(.*\) found: NO.*/\1/p' build/meson-logs/meson-log.txt)
[ -z "$left_out" ] || say "not installed, so what needs it was left out:" $left_out
tools/summary.py build/meson-logs/testlog.json
