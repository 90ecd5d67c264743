#!/usr/bin/env bash
# Builds accel in build/ and runs all of its tests, with Redis servers of their own.
#
# usage: tools/test.sh [ARGUMENT OF meson test...]
#
#   tools/test.sh                        everything
#   tools/test.sh --suite unit           one suite
#   tools/test.sh --list                 what there is
#
# Installs what is missing (Debian packages, as root or with sudo) and asks nothing. Works without
# network once that is done.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[[ ${1:-} != --help && ${1:-} != -h ]] || help

need_packages "${PACKAGES_TEST[@]}"
configure build
if [[ ${1:-} == --list ]]; then exec meson test -C build --list; fi
run_tests build testlog "$@" || true
tools/summary.py build/meson-logs/testlog.json
