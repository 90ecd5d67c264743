# shellcheck shell=bash disable=SC2034,SC2154
# provoke.sh: faults of the stack that can be caused and undone; sourced by stack.sh.
#
# A fault NAME is a line of PROVOCATIONS, a function provoke_NAME and a function undo_NAME, with _
# for -. docs/cache-ops-runbook.md has an entry for what each makes visible.

# The name, what it does, and the alerts that fire after their time, or "-".
PROVOCATIONS=(
  'redis-down|kills Redis|AccelRemoteFailing'
  'breaker|freezes Redis: calls time out until the breaker opens|AccelBreakerOpen'
  'channel-down|Redis refuses to let anybody listen to the channel|AccelChannelDown'
  'full-redis|Redis has no memory left for writes|-'
  'repairs|kills Redis while users are written: the writes wait for repair|AccelRepairsWaiting'
  'foreign-bytes|another program overwrites the values in Redis every second|-'
  'loader-slow|each row of PostgreSQL takes 0.3 s|AccelLoaderSlow'
  'loader-hanging|each row of PostgreSQL takes 3 s: readers give up after one|AccelLoaderFailing'
  'loader-failing|PostgreSQL refuses to show the table|AccelLoaderFailing'
  'postgres-down|ends PostgreSQL|AccelLoaderFailing'
  'stale|ends PostgreSQL and empties Redis: only expired values are left|AccelServingStale'
  'hot-key|nine of ten reads ask for one user|-'
  'thrash|asks for one id after another, as a crawler|AccelThrashing and AccelHitRatioFell'
)

provocation() { # NAME: its line
  local each
  for each in "${PROVOCATIONS[@]}"; do
    [[ $each != "$1|"* ]] || { printf '%s' "$each" && return; }
  done
  return 1
}

is_provocation() { provocation "$1" >/dev/null; }
provoked() { ls "$dir/provoked" 2>/dev/null || true; }

undo_command() {
  local option=''
  [ "$dir" = "$ROOT/build-stack" ] || option=" --dir $(printf %q "$dir")"
  printf 'tools/stack.sh provoke %s --undo%s' "$1" "$option"
}

list_provocations() {
  local each name text alerts
  for each in "${PROVOCATIONS[@]}"; do
    IFS='|' read -r name text alerts <<<"$each"
    [ "$alerts" = - ] || text+=": $alerts"
    printf '%-15s %s\n' "$name" "$text"
  done
}

provoke() {
  [ ! -f "$dir/provoked/$1" ] || fail "$1 is provoked already; undo: $(undo_command "$1")"
  "provoke_${1//-/_}"
  : >"$dir/provoked/$1"
  say "provoked $1; undo: $(undo_command "$1")"
  pid_of traffic >/dev/null || say "there is no traffic: it shows in what you request yourself"
}

undo() {
  [ -f "$dir/provoked/$1" ] || fail "$1 is not provoked"
  "undo_${1//-/_}"
  rm "$dir/provoked/$1"
  say "$1 is undone"
}

traffic() { printf '%s\n' "$1" >"$dir/pattern"; }
need() { pid_of "$1" >/dev/null || fail "$1 does not run; tools/stack.sh up"; }

provoke_redis_down() {
  need redis
  stop redis KILL
}
undo_redis_down() { start redis; }

provoke_breaker() {
  need redis
  kill -STOP "$(pid_of redis)"
}
undo_breaker() {
  need redis
  kill -CONT "$(pid_of redis)"
}

# Whoever listens is disconnected, and refused when it comes back.
provoke_channel_down() {
  need redis
  redis ACL SETUSER default -subscribe >/dev/null
  redis CLIENT KILL TYPE pubsub >/dev/null
}
undo_channel_down() {
  need redis
  redis ACL SETUSER default +subscribe >/dev/null
}

provoke_full_redis() {
  need redis
  redis CONFIG SET maxmemory 1 maxmemory-policy noeviction >/dev/null
}
undo_full_redis() {
  need redis
  redis CONFIG SET maxmemory 0 >/dev/null
}

provoke_repairs() {
  need redis
  traffic writes
  stop redis KILL
}
undo_repairs() {
  start redis
  traffic mixed
}

# The script is run again and again by a process of its own.
provoke_foreign_bytes() {
  need redis
  launch vandal redis-cli -h 127.0.0.1 -p "$(setting redis)" -r -1 -i 1 EVAL "
    for _, key in ipairs(redis.call('KEYS', '*:users:*')) do
      redis.call('SET', key, 'of another program', 'KEEPTTL')
    end" 0
}
undo_foreign_bytes() { stop vandal; }

# What is read is what no level has. Requests of the pattern before are over then.
start_misses() {
  traffic misses
  sleep 0.3
  redis FLUSHALL >/dev/null
}

# A policy for rows is asked for each row that a query finds.
slow_rows() {
  need postgres
  need redis
  start_misses
  sql -c "ALTER TABLE accelerator_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY slow ON accelerator_users USING (pg_sleep($1)::text = '')"
}
fast_rows() {
  sql -c "DROP POLICY slow ON accelerator_users;
    ALTER TABLE accelerator_users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
  traffic mixed
}

provoke_loader_slow() { slow_rows 0.3; }
undo_loader_slow() { fast_rows; }

provoke_loader_hanging() { slow_rows 3; }
undo_loader_hanging() { fast_rows; }

provoke_loader_failing() {
  need postgres
  need redis
  sql -c 'REVOKE SELECT ON accelerator_users FROM accelerator'
  start_misses
}
undo_loader_failing() {
  sql -c 'GRANT SELECT ON accelerator_users TO accelerator'
  traffic mixed
}

provoke_postgres_down() {
  need postgres
  need redis
  stop postgres INT
  start_misses
}
undo_postgres_down() {
  start postgres
  traffic mixed
}

provoke_stale() {
  need postgres
  need redis
  stop postgres INT
  redis FLUSHALL >/dev/null
}
undo_stale() { start postgres; }

provoke_hot_key() { traffic hot; }
undo_hot_key() { traffic mixed; }

provoke_thrash() { traffic scan; }
undo_thrash() { traffic mixed; }
