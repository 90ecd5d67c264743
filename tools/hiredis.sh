#!/usr/bin/env bash
# Prepares hiredis 1.2 beside the hiredis that the system has, for a build against both.
#
# usage: tools/hiredis.sh
#
# Prints a folder for PKG_CONFIG_PATH. The sources come with an npm package of known checksum; they
# are fetched once, built and kept below ${XDG_CACHE_HOME:-~/.cache}/accel, and belong to nobody's
# repository. Fails with a reason where there is neither that folder nor a network.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[[ ${1:-} != --help && ${1:-} != -h ]] || help

CARRIER=redis-fast-driver
CARRIER_VERSION=2.2.6
CARRIER_SHA256=861baef471f15919da7f0cff7e74fc98c5aa9164791763956c85c195756dff56
VERSION=1.2.0
FILES=(alloc async dict hiredis net read sds sockcompat)

kept=${XDG_CACHE_HOME:-$HOME/.cache}/accel
home=$kept/hiredis-$VERSION-$CARRIER_SHA256
archive=$kept/$CARRIER-$CARRIER_VERSION.tgz

fetch() {
  mkdir -p "$kept"
  command -v npm >/dev/null || need_packages npm >&2
  (cd "$kept" && npm pack --silent "$CARRIER@$CARRIER_VERSION" >/dev/null) ||
    fail "npm could not fetch $CARRIER $CARRIER_VERSION, which carries hiredis $VERSION"
}

check() {
  echo "$CARRIER_SHA256  $archive" | sha256sum --check --quiet - >&2 || {
    rm -f "$archive"
    fail "$CARRIER $CARRIER_VERSION is not what it was: another checksum"
  }
}

# In a folder of its own, which gets its name when all of it is there.
build() {
  local made file
  made=$(mktemp -d "$kept/building.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$made'" EXIT
  tar -xzf "$archive" -C "$made" --strip-components=2 package/deps/hiredis
  mkdir "$made/include" "$made/lib"
  mkdir "$made/include/hiredis"
  cp "$made"/hiredis/*.h "$made/include/hiredis"
  for file in "${FILES[@]}"; do
    "${CC:-cc}" -O2 -g -fPIC -w -c "$made/hiredis/$file.c" -o "$made/lib/$file.o"
  done
  ar rcs "$made/lib/libhiredis.a" "$made"/lib/*.o
  cat >"$made/lib/hiredis.pc" <<END
Name: hiredis
Description: hiredis as a second version to test with
Version: $VERSION
Cflags: -isystem $home/include
Libs: $home/lib/libhiredis.a
END
  rm -rf "$home"
  mv "$made" "$home"
}

if [ ! -f "$home/lib/hiredis.pc" ]; then
  [ -f "$archive" ] || fetch
  check
  build >&2
fi
echo "$home/lib"
