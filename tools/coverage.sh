#!/usr/bin/env bash
# Measures how much of accel/ and accel_backends/ the tests run: lines, and branches of each.
#
# usage: tools/coverage.sh [--html FOLDER]
#
#   --html FOLDER   also writes every file with what was run of it
#
# Fails below 90 % of the lines, below 80 % of the branches, or if a branch of a decoder is not run
# and its line does not say why (GCOVR_EXCL_BR_LINE: reason). docs/testing.md has the figures.
# Builds in build-coverage/ without optimisation or forced inlining, so that a header's function is
# measured once, and not once for each place where it is inlined. An assertion's branches do not
# count: the one that fails must never be taken.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

SUITES=(unit contract model redis proxy faults)
DECODERS='accel/(bytes|codec|invalidate)\.|accel_backends/redis/wire/(reply|slots|url)\.'
# It looks for copies of a password on stacks, where unoptimised code leaves some.
LEFT_OUT=redis_test_secrets

html=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) help ;;
    --html)
      mkdir -p "${2:?--html takes a folder}"
      html=(--html-details "$2/index.html")
      shift
      ;;
    *) fail "there is no option $1; see --help" ;;
  esac
  shift
done

# report GCOVR ARGUMENT...
report() {
  gcovr --root . --object-directory build-coverage \
    --exclude-branches-by-pattern '.*\bACCEL_ASSERT\(.*' "$@"
}

need_packages "${PACKAGES_TEST[@]}" libssl-dev openssl gcovr
configure build-coverage -Db_coverage=true -Doptimization=0 -Dexamples=false -Dgate=disabled \
  -Dsim=disabled -Dredis=enabled -Dtls=enabled \
  '-Dc_args=-fprofile-update=atomic -Dalways_inline=unused'
find build-coverage -name '*.gcda' -delete
# What a file that is gone has left behind.
find build-coverage -name '*.gcno' | while read -r notes; do
  [ -f "${notes%.gcno}.o" ] || rm "$notes"
done
tests=()
for suite in "${SUITES[@]}"; do
  while read -r name; do tests+=("$name"); done < <(
    meson test -C build-coverage --list --suite "$suite" 2>/dev/null |
      sed -n 's/^accel:.* \/ //p' | grep -vx "$LEFT_OUT"
  )
done
failed=0
run_tests build-coverage coverage "${tests[@]}" || failed=1
tools/summary.py build-coverage/meson-logs/coverage.json || failed=1
[ "$failed" -eq 0 ] || say "tests failed, so what follows is less than it could be"

say
say "decoders:"
report --filter "$DECODERS" --txt - --branches --fail-under-branch 100 || failed=1
say
say "accel/ and accel_backends/:"
# Not /dev/null: gcovr removes its output first, and root would have no /dev/null any more.
report --filter 'accel/' --filter 'accel_backends/' --print-summary \
  --txt build-coverage/lines.txt "${html[@]}" \
  --fail-under-line 90 --fail-under-branch 80 || failed=1
exit "$failed"
