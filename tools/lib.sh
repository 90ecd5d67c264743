# shellcheck shell=bash disable=SC2034
# lib.sh: what the scripts of this folder share; sourced, not run.
#
# A script names the packages it needs and where it builds. Only installing needs root or sudo, and
# nothing is asked. Where all is there, no network is needed.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit

PACKAGES_DEMO=(gcc libc6-dev meson ninja-build pkg-config python3 libsqlite3-dev uthash-dev)
# What proves that accel does what it promises. Keep it short: users install it.
PACKAGES_TEST=("${PACKAGES_DEMO[@]}" libhiredis-dev libcmocka-dev redis-server)
# What those need besides who work on accel.
PACKAGES_ALL=("${PACKAGES_TEST[@]}" g++ clang libclang-rt-14-dev binutils patch clang-format-14
  clang-tidy cppcheck valgrind libglib2.0-dev libtbb-dev)
PACKAGES_ALL+=(libssl-dev openssl)           # rediss://
PACKAGES_ALL+=(libjansson-dev) # accel-gate
PACKAGES_ALL+=(python3-yaml) # the workflows
PACKAGES_ALL+=(chromium chromium-driver) # tests look at the live page and at that of accel-gate
PACKAGES_ALL+=(zlib1g-dev libxml2-utils) # accel-sim
PACKAGES_ALL+=(liblz4-dev) # accel_backends/lz4.h
PACKAGES_ALL+=(libcurl4-openssl-dev zlib1g-dev) # accel_backends/otlp.h
command -v npm >/dev/null || PACKAGES_ALL+=(npm) # its tests
PACKAGES_ALL+=(iproute2) # a test loses packets
PACKAGES_ALL+=(prometheus) # promtool
PACKAGES_ALL+=(gdb) # tools/gdb
PACKAGES_ALL+=(libmicrohttpd-dev libpq-dev postgresql) # the stack
PACKAGES_ALL+=(systemtap-sdt-dev bpftrace) # tests/probes, tools/bpf
PACKAGES_ALL+=(git) # tests of the workflows and of the gate make repositories

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Prints the comment that opens the calling script, and ends it.
help() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# need_packages PACKAGE...: installs those that are missing. The Redis service that redis-server
# may start on port 6379 is none of ours: tests start servers of their own on free ports.
need_packages() {
  local missing=() package as_root=()
  command -v apt-get >/dev/null || {
    say "no apt-get here; these Debian packages are needed in some form: $*"
    return
  }
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  if [ ${#missing[@]} -eq 0 ]; then
    say "installed already: all of the $# packages needed"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "to be installed by root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  "${apt[@]}" update || say "apt-get update failed; trying with the lists that are here"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# configure FOLDER [MESON OPTION...]: prepares a build folder, or brings it up to what is installed.
configure() {
  local folder=$1 again=()
  shift
  [ ! -f "$folder/build.ninja" ] || again=(--reconfigure)
  meson setup "${again[@]}" "$folder" "$@" >"$folder.log" 2>&1 || {
    cat "$folder.log" >&2
    fail "meson setup $folder $* failed"
  }
  rm -f "$folder.log"
}

# run_tests FOLDER LOGBASE [MESON TEST ARGUMENT...]: runs tests, the most of which wait rather than
# compute, and shows the output of those that fail. The log is FOLDER/meson-logs/LOGBASE.json.
run_tests() {
  local folder=$1 logbase=$2 log status=0
  shift 2
  log=$folder/meson-logs/$logbase
  rm -f "$log.json" "$log"-*.json
  meson test -C "$folder" --logbase "$logbase" --print-errorlogs \
    --num-processes $((4 * $(nproc))) "$@" || status=$?
  # meson adds the names of setups and wrappers.
  for named in "$log"-*.json; do [ ! -f "$named" ] || mv "$named" "$log.json"; done
  return "$status"
}

# The tests that speak to Redis, built with another hiredis: configure_hiredis PKG_CONFIG_FOLDER.
HIREDIS_SUITES=(--suite redis --suite contract)
configure_hiredis() {
  PKG_CONFIG_PATH=$1 configure build-hiredis -Dexamples=false
  grep -q 'hiredis found: YES 1\.' build-hiredis/meson-logs/meson-log.txt || {
    say "build-hiredis was configured with another hiredis than 1.2"
    return 1
  }
}

# The builds under sanitizers. Little optimisation: they are built more often than they run long.
configure_asan() {
  configure build-asan -Db_sanitize=address,undefined -Doptimization=1 -Ddebug=true
}
configure_tsan() {
  CC=clang configure build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1 -Ddebug=true
  # This TSan cannot live with more randomness in addresses than kernels once had.
  if [ "$(sysctl -n vm.mmap_rnd_bits 2>/dev/null || echo 28)" -gt 28 ] && setarch -R true; then
    TSAN_ARGUMENTS=(--setup tsan --wrapper "setarch -R")
  fi
}
TSAN_ARGUMENTS=(--setup tsan)
