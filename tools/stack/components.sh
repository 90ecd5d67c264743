# shellcheck shell=bash disable=SC2034,SC2154
# components.sh: how each component of the stack is started, asked and ended; sourced by stack.sh.
#
# $dir has: settings, a line NAME=VALUE each; pids/NAME, the process and its start time;
# logs/NAME.log; a folder for the data of each component; provoked/NAME; pattern, what the traffic
# is; service, the program.

COMPONENTS=(postgres redis prometheus otlp service traffic)
declare -A STANDARD_PORTS=(
  [postgres]=5432 [redis]=6379 [prometheus]=9090 [otlp]=4318 [service]=8090
)
declare -A PACKAGES=(
  [postgres]='postgresql' [redis]='redis-server' [prometheus]='prometheus' [otlp]='nodejs npm'
  [service]='gcc libc6-dev pkg-config libhiredis-dev libpq-dev libmicrohttpd-dev
    libcurl4-openssl-dev zlib1g-dev'
  [traffic]='python3'
)
LIBRARIES=(hiredis libpq libmicrohttpd libcurl zlib) # of the service
USERS=10000                                          # rows that users.sql makes

# ---- settings and processes ----

# setting NAME: its value, "" without one.
setting() { sed -n "s/^$1=//p" "$dir/settings" 2>/dev/null || true; }
set_setting() {
  sed -i "/^$1=/d" "$dir/settings"
  printf '%s=%s\n' "$1" "$2" >>"$dir/settings"
}

# free_ports COUNT: that many ports that can be bound now, a line each.
free_ports() {
  python3 - "$1" <<'PYTHON'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    each = socket.socket()
    try:
        each.bind(("127.0.0.1", random.randrange(20000, 32000)))
        held.append(each)
    except OSError:
        each.close()
print("\n".join(str(each.getsockname()[1]) for each in held))
PYTHON
}

is_free() {
  python3 - "$1" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        sys.exit(1)
PYTHON
}

# start_time PID: when it started, in ticks; fails for one that has ended, also if nobody has asked
# for its status yet.
start_time() {
  local fields
  { fields=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -r -a fields <<<"${fields##*) }"
  [ "${fields[0]}" != Z ] && printf '%s' "${fields[19]}"
}

# pid_of NAME: the process that was started under this name, if it still runs. A number that another
# process has by now is not taken for it.
pid_of() {
  local pid start
  read -r pid start 2>/dev/null <"$dir/pids/$1" || return 1
  [ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ] && printf '%s' "$pid"
}

# launch NAME COMMAND...: starts a process that outlives this script.
launch() { launch_from /dev/null "$@"; }
launch_from() {
  local input=$1 name=$2
  shift 2
  setsid "$@" >>"$dir/logs/$name.log" 2>&1 <>"$input" 9>&- &
  printf '%s %s\n' $! "$(start_time $!)" >"$dir/pids/$name"
}

# start NAME: starts a component, unless it runs, and waits until it answers.
start() {
  local tries=2400
  ! pid_of "$1" >/dev/null || return 0
  "launch_$1" || return 1
  until "is_ready_$1"; do
    if ! pid_of "$1" >/dev/null || [ $((tries -= 1)) -eq 0 ]; then
      printf '%s does not start; the end of %s:\n' "$1" "$dir/logs/$1.log" >&2
      tail -n 5 "$dir/logs/$1.log" >&2
      return 1
    fi
    sleep 0.05
  done
  pid_of "$1" >/dev/null # it answers itself, and nobody else on its port
}

# Whether a component ended because somebody took its port.
lost_a_port() {
  grep -qsiE 'address (already )?in use|EADDRINUSE|the port is taken' "$dir"/logs/*.log
}

# stop NAME [SIGNAL]: ends it, and waits for that; after a while with force.
stop() {
  local pid tries=400
  pid=$(pid_of "$1") || return 0
  kill -CONT "$pid" 2>/dev/null || true # it may have been stopped by a provocation
  kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  while pid_of "$1" >/dev/null; do
    [ $((tries -= 1)) -gt 0 ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.05
  done
}

stop_all() {
  local i
  for ((i = ${#COMPONENTS[@]} - 1; i >= 0; i--)); do
    case ${COMPONENTS[i]} in
      postgres) stop postgres INT ;; # does not wait for clients
      *) stop "${COMPONENTS[i]}" ;;
    esac
    rm -f "$dir/pids/${COMPONENTS[i]}"
  done
  stop vandal # of a provocation
}

# answers PORT PATH: whether an HTTP server answers with 200.
answers() {
  local line=''
  {
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3 && read -r -t 10 line <&3
  } 3<>"/dev/tcp/127.0.0.1/$1" 2>/dev/null
  [[ $line == *' 200'* ]]
} 2>/dev/null

# ---- what must be installed ----

has_postgres() { postgres_bin >/dev/null; }
has_redis() { command -v redis-server >/dev/null && command -v redis-cli >/dev/null; }
has_prometheus() { command -v prometheus >/dev/null; }
has_otlp() { command -v node >/dev/null && command -v npm >/dev/null; }
has_service() { [ -n "$program" ] || pkg-config --exists "${LIBRARIES[@]}" 2>/dev/null; }
has_traffic() { command -v python3 >/dev/null; }

# find_tools COMPONENT...: installs what a component needs, where that is not here in any form.
find_tools() {
  local each
  for each in "$@"; do
    "has_$each" || need_packages ${PACKAGES[$each]}
    "has_$each" || {
      say "$each cannot run here; it needs the Debian packages ${PACKAGES[$each]}"
      exit 77
    }
    [ "$each" != otlp ] || install_decoder || exit 77
  done
}

# ---- PostgreSQL ----

# It refuses to run as root, so that root runs it as the user postgres.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then
  as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi

postgres_bin() {
  local bin
  for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) ${PATH//:/ }; do
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && printf '%s' "$bin" && return
  done
  return 1
}

# The folder of the data, which that user must be able to reach.
postgres_folder() {
  local folder
  folder=$(setting postgres_folder)
  [ -z "$folder" ] || [ ! -d "$folder" ] || { printf '%s' "$folder" && return; }
  folder=$dir/postgres
  mkdir -p "$folder"
  [ ${#as_postgres[@]} -eq 0 ] || chown postgres "$folder"
  if ! "${as_postgres[@]}" test -w "$folder"; then
    rmdir "$folder"
    folder=$(mktemp -d /tmp/accel-stack-postgres.XXXXXX)
    chown postgres "$folder"
  fi
  set_setting postgres_folder "$folder"
  printf '%s' "$folder"
}

# A new cluster with the role and the database `accelerator`. Nobody else may connect, the superuser
# neither: any user of this machine can reach a port, and knows this password.
create_cluster() {
  local bin=$1 folder=$2
  rm -rf "$folder/new"
  "${as_postgres[@]}" "$bin/initdb" -D "$folder/new" -U postgres -A reject -E UTF8 --locale=C \
    --no-sync --no-instructions || return 1
  "${as_postgres[@]}" tee "$folder/new/pg_hba.conf" >/dev/null \
    <<<'host accelerator accelerator 127.0.0.1/32 scram-sha-256'
  "${as_postgres[@]}" "$bin/postgres" --single -F -D "$folder/new" postgres <<'SQL' || return 1
CREATE ROLE accelerator LOGIN PASSWORD 'accelerator'
CREATE DATABASE accelerator OWNER accelerator
SQL
  mv "$folder/new" "$folder/data"
}

launch_postgres() {
  local bin folder
  bin=$(postgres_bin) && folder=$(postgres_folder) || return 1
  [ -d "$folder/data" ] || create_cluster "$bin" "$folder" >>"$dir/logs/postgres.log" 2>&1 || {
    tail -n 5 "$dir/logs/postgres.log" >&2
    return 1
  }
  # A killed server leaves its lock, which stands in the way if its number is in use again.
  rm -f "$folder/data/postmaster.pid"
  launch postgres "${as_postgres[@]}" "$bin/postgres" -D "$folder/data" -F -h 127.0.0.1 \
    -p "$(setting postgres)" -c unix_socket_directories= -c shared_buffers=16MB
}

# sql OPTION...: psql as the role accelerator.
sql() {
  PGPASSWORD=accelerator PGCONNECT_TIMEOUT=10 "$(postgres_bin)/psql" -X -q -v ON_ERROR_STOP=1 \
    -h 127.0.0.1 -p "$(setting postgres)" -U accelerator -d accelerator "$@"
}

is_ready_postgres() {
  "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$(setting postgres)" -U accelerator \
    -d accelerator && sql -f tools/stack/users.sql >>"$dir/logs/postgres.log" 2>&1
}

# ---- Redis ----

launch_redis() {
  mkdir -p "$dir/redis"
  launch redis redis-server --bind 127.0.0.1 --port "$(setting redis)" --dir "$dir/redis" \
    --save '' --appendonly no
}

redis() { redis-cli -h 127.0.0.1 -p "$(setting redis)" "$@"; }

is_ready_redis() { [[ $(redis info server 2>/dev/null) == *"process_id:$(pid_of redis)"$'\r'* ]]; }

# ---- Prometheus ----

# The alerts with minutes for hours and seconds for minutes.
quicken() {
  sed -E -e 's/^( +for: [0-9]+)m$/\1s/' -e 's/\[([0-9]+)m\]/[\1s]/g' -e 's/offset 1d/offset 24m/'
}

launch_prometheus() {
  local folder=$dir/prometheus
  mkdir -p "$folder"
  sed "s/127\.0\.0\.1:${STANDARD_PORTS[service]}/127.0.0.1:$(setting service)/" \
    tools/stack/prometheus.yml >"$folder/prometheus.yml"
  if [ "$(setting is_quick)" = true ]; then
    quicken <tools/observability/alerts.yml >"$folder/alerts.yml"
  else
    cp tools/observability/alerts.yml "$folder/alerts.yml"
  fi
  launch prometheus prometheus --config.file="$folder/prometheus.yml" \
    --storage.tsdb.path="$folder/data" --log.level=warn \
    --web.listen-address="127.0.0.1:$(setting prometheus)"
}

is_ready_prometheus() { answers "$(setting prometheus)" /-/ready; }

# ---- the OTLP receiver ----

# It decodes with the official decoder, which npm installs: in a build folder, or in $dir.
decoder_folder() {
  local folder
  for folder in "${ACCEL_OTLP_DECODER:-}" build/tests/otlp/decoder "$dir/decoder"; do
    [ ! -d "$folder/node_modules/@opentelemetry" ] || { printf '%s' "$folder" && return; }
  done
  return 1
}

install_decoder() {
  decoder_folder >/dev/null && return
  say 'installing the decoder of the OTLP receiver with npm' >&2
  python3 tests/otlp/install.py "$dir/decoder" "$dir/decoder.stamp" && decoder_folder >/dev/null
}

# It reads orders (tests/otlp/receiver.js lists them) from a pipe, which it holds open itself.
launch_otlp() {
  rm -f "$dir/orders"
  mkfifo "$dir/orders" || return 1
  export NODE_PATH
  NODE_PATH=$(decoder_folder)/node_modules
  launch_from "$dir/orders" otlp node tests/otlp/receiver.js "$(setting otlp)"
}

is_ready_otlp() { (: 3<>"/dev/tcp/127.0.0.1/$(setting otlp)") 2>/dev/null; }

# ---- the service and its traffic ----

# Builds it without optimisation, as fast as a compiler can, unless it is there and newer than its
# sources.
build_service() {
  local target=$dir/service sources=(accel.h accel accel_backends examples/14_stack*)
  [ -z "$program" ] || return 0
  if [ -x "$target" ] && [ -z "$(find "${sources[@]}" -newer "$target" -print -quit)" ]; then
    return 0
  fi
  "${CC:-gcc}" -std=gnu11 -g -I. examples/14_stack.c examples/14_stack_http.c -o "$target.new" \
    $(pkg-config --cflags --libs "${LIBRARIES[@]}") -pthread &&
    mv "$target.new" "$target"
}

launch_service() {
  if is_free "$(setting postgres)"; then
    say "service needs PostgreSQL, and nobody listens on port $(setting postgres):" \
      '--with postgres,service' >&2
    return 1
  fi
  local environment=(
    "ACCEL_HTTP_PORT=$(setting service)" "ACCEL_POSTGRES_DSN=$(address postgres)"
    "ACCEL_REDIS_URL=$(address redis)" "ACCEL_CAPACITY=${ACCEL_CAPACITY:-2000}"
    "ACCEL_LOCAL_TTL_MS=${ACCEL_LOCAL_TTL_MS:-10000}"
  )
  [[ " $(setting components) " != *' otlp '* ]] ||
    environment+=("OTEL_EXPORTER_OTLP_ENDPOINT=$(address otlp)")
  launch service env "${environment[@]}" "${program:-$dir/service}"
}

is_ready_service() { answers "$(setting service)" /health; }

launch_traffic() {
  [ -f "$dir/pattern" ] || printf 'mixed\n' >"$dir/pattern"
  launch traffic python3 tools/stack/traffic.py "$(address service)" "$dir/pattern" "$USERS" \
    "$dir/logs"
}

is_ready_traffic() { true; }

# ---- addresses ----

address() {
  local host=127.0.0.1:$(setting "$1")
  case $1 in
    postgres) printf 'postgres://accelerator:accelerator@%s/accelerator' "$host" ;;
    redis) printf 'redis://%s' "$host" ;;
    traffic) printf '%s' "$(cat "$dir/pattern" 2>/dev/null)" ;;
    *) printf 'http://%s' "$host" ;;
  esac
}

# ACCELERATOR_ are the names of the Rust crate's stack; the others are those that the examples and
# OpenTelemetry know.
print_env() {
  local each
  for each in $(setting components); do
    case $each in
      redis)
        printf 'export ACCELERATOR_TEST_REDIS_URL=%s\n' "$(address redis)"
        printf 'export ACCELERATOR_REDIS_URL=%s\n' "$(address redis)"
        printf 'export ACCELERATOR_BENCH_REDIS_URL=%s\n' "$(address redis)"
        printf 'export ACCEL_REDIS_URL=%s\n' "$(address redis)"
        ;;
      postgres)
        printf 'export ACCELERATOR_TEST_POSTGRES_DSN=%s\n' "$(address postgres)"
        printf 'export ACCEL_POSTGRES_DSN=%s\n' "$(address postgres)"
        ;;
      otlp)
        printf 'export ACCELERATOR_CLICKSTACK_OTLP_ENDPOINT=%s\n' "$(address otlp)"
        printf 'export ACCELERATOR_CLICKSTACK_OTLP_TRANSPORT=http\n'
        printf 'export OTEL_EXPORTER_OTLP_ENDPOINT=%s\n' "$(address otlp)"
        ;;
      prometheus) printf 'export ACCEL_STACK_PROMETHEUS_URL=%s\n' "$(address prometheus)" ;;
      service) printf 'export ACCEL_STACK_URL=%s\n' "$(address service)" ;;
    esac
  done
}

remove_data() {
  local folder
  folder=$(setting postgres_folder)
  [ -z "$folder" ] || rm -rf "$folder"
  rm -rf "$dir"/{postgres,redis,prometheus,decoder,logs,pids,provoked}
  rm -f "$dir"/{decoder.stamp,orders,service,service.new,pattern,settings,settings.new,lock}
  rmdir "$dir" || fail "$dir has other files too, which stay"
}
