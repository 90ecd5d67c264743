#!/usr/bin/env bash
# Builds the quick start example in build-demo/ and runs it: a cache in front of a real SQLite
# database.
#
# usage: tools/demo.sh [EXAMPLE]
#
#   tools/demo.sh                        examples/01_quickstart.c
#   tools/demo.sh 03_wrappers            another one
#
# Installs what is missing (Debian packages, as root or with sudo) and asks nothing. Works without
# network once that is done.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[[ ${1:-} != --help && ${1:-} != -h ]] || help
example=${1:-01_quickstart}
[ -f "examples/$example.c" ] || fail "there is no examples/$example.c"

need_packages "${PACKAGES_DEMO[@]}"
configure build-demo -Dtests=false -Dbuildtype=release
ninja -C build-demo --quiet "examples/example_$example"
say "running examples/$example.c"
exec "build-demo/examples/example_$example"
