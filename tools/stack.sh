#!/usr/bin/env bash
# Runs the full stack on this machine, without docker: PostgreSQL, Redis, Prometheus with the
# alerts, an OTLP receiver, and the service of examples/14_stack.c with some traffic. All of it
# listens on 127.0.0.1 only.
#
# usage: tools/stack.sh COMMAND [OPTION...]
#
#   up                 starts what does not run yet, and prints where everything is
#   status             prints the same table; its exit status is 1 if something does not run
#   logs [COMPONENT]   prints what a component has written; without a name, the ends of all logs
#   env                prints export lines for tests and examples: eval "$(tools/stack.sh env)"
#   test               runs the suite stack, which starts a stack of its own
#   provoke            lists the faults that can be caused here; docs/cache-ops-runbook.md has them
#   provoke NAME       causes one; with --undo, ends it
#   down               ends what up started, and nothing else; the data stay
#
#   --ports free       up: ports that are free now (the default)
#   --ports standard   up: 5432, 6379, 9090, 4318 and 8090; refused if one of them is taken
#   --with LIST        up: only these of postgres,redis,prometheus,otlp,service,traffic
#   --program FILE     up: the program of the service, instead of one that is built here
#   --quick-alerts     up: all times of the alerts are a sixtieth, so that they can be watched
#   --dir FOLDER       where the state is; build-stack
#   --purge            down: removes the data, the logs and the folder too
#
# `up` installs missing packages (Debian, as root or with sudo) and asks nothing. Exit status: 0; 1:
# failed; 2: the arguments are wrong; 77: a component cannot run on this machine.
set -euo pipefail
started_in=$PWD
source "$(dirname "$0")/lib.sh"
source tools/stack/components.sh
source tools/stack/provoke.sh

usage() {
  printf 'error: %s; see --help\n' "$*" >&2
  exit 2
}

# ---- arguments ----

command=''
dir=build-stack
ports=''
with=''
program=''
name=''
is_quick=false
is_purge=false
is_undo=false

take_option() {
  [ -n "$2" ] || usage "$1 needs a value"
  case $1 in
    --ports) ports=$2 ;;
    --with) with=$2 ;;
    --program) program=$(cd "$started_in" && realpath -m -- "$2") ;;
    --dir) dir=$(cd "$started_in" && realpath -m -- "$2") ;;
  esac
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) help ;;
    --ports | --with | --program | --dir)
      [ $# -ge 2 ] || usage "$1 needs a value"
      take_option "$1" "$2"
      shift
      ;;
    --ports=* | --with=* | --program=* | --dir=*) take_option "${1%%=*}" "${1#*=}" ;;
    --quick-alerts) is_quick=true ;;
    --purge) is_purge=true ;;
    --undo) is_undo=true ;;
    -*) usage "unknown option: $1" ;;
    *)
      if [ -z "$command" ]; then command=$1; elif [ -z "$name" ]; then name=$1; else
        usage "too many arguments: $1"
      fi
      ;;
  esac
  shift
done
[ -n "$command" ] || usage "a command is missing"
[[ $dir == /* ]] || dir=$ROOT/$dir
[[ ${ports:-free} =~ ^(free|standard)$ ]] || usage "--ports is free or standard, not \"$ports\""
[ -z "$program" ] || [ -x "$program" ] || usage "--program: $program is no program"
for each in ${with//,/ }; do
  [[ " ${COMPONENTS[*]} " == *" $each "* ]] || usage "--with: there is no component \"$each\""
done
[ -z "$name" ] || [[ $command =~ ^(logs|provoke)$ ]] || usage "too many arguments: $name"
# So that nobody ends a whole stack with `down --with redis`.
if [ "$command" != up ]; then
  [ -z "$ports$with$program" ] || usage "--ports, --with and --program are for up"
  ! $is_quick || usage "--quick-alerts is for up"
fi
[ "$command" = down ] || ! $is_purge || usage "--purge is for down"
[ "$command" = provoke ] && [ -n "$name" ] || ! $is_undo || usage "--undo is for provoke NAME"

# ---- steps ----

# Only one command at a time changes a stack.
lock() {
  exec 9>"$dir/lock"
  flock -w 120 9 || fail "another command works on $dir"
}

is_any_running() {
  local each
  for each in "${COMPONENTS[@]}"; do ! pid_of "$each" >/dev/null || return 0; done
  return 1
}

# All components; the receiver only where node and npm are, which are large, and the network or what
# npm has got from it before.
all_that_can_run() {
  if has_otlp && install_decoder; then
    printf '%s' "${COMPONENTS[*]}"
  else
    say 'left out: otlp, which needs node, npm and its decoder; --with otlp,... installs them' >&2
    printf '%s' "${COMPONENTS[*]/otlp/}"
  fi
}

# Adds the components of --with to those of a running stack.
extend_components() {
  local each all
  all=$(setting components)
  for each in ${with//,/ }; do [[ " $all " == *" $each "* ]] || all+=" $each"; done
  set_setting components "$all"
}

need_stack() { [ -f "$dir/settings" ] || fail "there is no stack in $dir; tools/stack.sh up"; }

# Prints the table; fails if something that belongs to the stack does not run.
print_table() {
  local each pid status=0
  printf '%-11s %-5s %-8s %s\n' component state pid address
  for each in $(setting components); do
    if pid=$(pid_of "$each"); then
      printf '%-11s %-5s %-8s %s\n' "$each" up "$pid" "$(address "$each")"
    else
      printf '%-11s %-5s %-8s %s\n' "$each" down - "$(address "$each")"
      status=1
    fi
  done
  for each in $(provoked); do say "provoked: $each; undo: $(undo_command "$each")"; done
  return "$status"
}

# Chooses the ports and writes them to the settings. Ports below those that the system gives to
# outgoing connections are not taken by anybody between this choice and the start.
write_settings() {
  local each taken=() free postgres_folder
  postgres_folder=$(setting postgres_folder)
  mapfile -t free < <(free_ports "${#COMPONENTS[@]}")
  mkdir -p "$dir/pids" "$dir/logs" "$dir/provoked"
  {
    printf 'components=%s\n' "${with//,/ }"
    printf 'ports=%s\n' "$ports"
    printf 'is_quick=%s\n' "$is_quick"
    printf 'postgres_folder=%s\n' "$postgres_folder"
    for each in "${!STANDARD_PORTS[@]}"; do
      if [ "$ports" = standard ]; then
        printf '%s=%s\n' "$each" "${STANDARD_PORTS[$each]}"
      else
        printf '%s=%s\n' "$each" "${free[0]}"
        free=("${free[@]:1}")
      fi
    done
  } >"$dir/settings.new"
  for each in ${with//,/ }; do
    [ "$ports" = standard ] && [ -n "${STANDARD_PORTS[$each]:-}" ] || continue
    is_free "${STANDARD_PORTS[$each]}" || taken+=("${STANDARD_PORTS[$each]} ($each)")
  done
  [ ${#taken[@]} -eq 0 ] || {
    rm "$dir/settings.new"
    fail "taken already: port ${taken[*]}; end what listens there, or use --ports free"
  }
  mv "$dir/settings.new" "$dir/settings"
  rm -f "$dir"/provoked/* "$dir/logs"/*
}

# Starts everything that does not run: what depends on nothing at once, then the service.
start_all() {
  local each jobs=() status=0 first=() last=()
  for each in $(setting components); do
    ! pid_of "$each" >/dev/null || continue
    if [[ $each =~ ^(service|traffic)$ ]]; then last+=("$each"); else first+=("$each"); fi
  done
  if [[ " ${last[*]} " == *" service "* ]]; then
    build_service &
    jobs+=($!)
  fi
  for each in "${first[@]}"; do
    start "$each" &
    jobs+=($!)
  done
  for each in "${jobs[@]}"; do wait "$each" || status=1; done
  [ "$status" -eq 0 ] || return 1
  for each in "${last[@]}"; do start "$each" || return 1; done
}

# ---- commands ----

# Whether what ran here last can run again as it did, on the ports that it had.
can_continue() {
  local each port
  [ -f "$dir/settings" ] || return 1
  [ -z "$ports" ] || [ "$ports" = "$(setting ports)" ] || return 1
  ports=$(setting ports)
  with=${with:-$(setting components)}
  $is_quick || is_quick=$(setting is_quick)
  for each in ${with//,/ }; do
    port=$(setting "$each")
    [ -z "$port" ] || is_free "$port" || return 1
  done
  set_setting components "${with//,/ }"
  set_setting is_quick "$is_quick"
  rm -f "$dir"/provoked/*
}

stack_up() {
  local attempt is_continued=true
  mkdir -p "$dir"
  lock
  if is_any_running; then
    [ -z "$ports" ] || [ "$ports" = "$(setting ports)" ] ||
      fail "the stack in $dir runs with --ports $(setting ports); tools/stack.sh down first"
    [ -z "$with" ] || extend_components
    find_tools $(setting components)
    start_all || fail "not everything runs; tools/stack.sh down ends what does"
  else
    can_continue || is_continued=false
    ports=${ports:-free}
    with=${with:-$(all_that_can_run)}
    find_tools ${with//,/ }
    # Another program may have taken a port that was free: then with other ones.
    for attempt in 1 2 3; do
      $is_continued || write_settings
      is_continued=false
      ! start_all || break
      stop_all
      [ "$ports" = free ] && [ "$attempt" -lt 3 ] && lost_a_port || fail "nothing is left running"
    done
  fi
  print_table
}

stack_status() {
  need_stack
  print_table
}

stack_logs() {
  local file
  need_stack
  [ -z "$name" ] || [ -f "$dir/logs/$name.log" ] || fail "$name has no log in $dir/logs"
  for file in "$dir"/logs/${name:-*}.log; do
    [ -n "$name" ] && cat "$file" && continue
    printf '==== %s ====\n' "$(basename "$file" .log)"
    tail -n 10 "$file" | cut -c 1-200
  done
}

stack_env() {
  need_stack
  print_env
}

stack_test() {
  tools/test.sh --all --suite stack
}

stack_provoke() {
  if [ -z "$name" ]; then
    list_provocations
    return
  fi
  is_provocation "$name" || usage "there is no \"$name\" to provoke"
  need_stack
  lock
  if $is_undo; then undo "$name"; else provoke "$name"; fi
}

stack_down() {
  [ -d "$dir" ] || return 0
  [ -f "$dir/settings" ] || [ -z "$(ls -A "$dir")" ] || [ -f "$dir/lock" ] ||
    fail "$dir is not the folder of a stack"
  lock
  stop_all
  rm -f "$dir"/provoked/*
  ! $is_purge || remove_data
}

declare -F "stack_$command" >/dev/null || usage "unknown command: $command"
"stack_$command"
