#!/usr/bin/env bash
# What the workflows of .github do with the benches, so that it can be run and tested anywhere.
#
# usage: tools/bench_ci.sh base HISTORY BEFORE BRANCH
#        tools/bench_ci.sh changed BASE
#        tools/bench_ci.sh fixtures
#        tools/bench_ci.sh judge [--tolerate] COMMAND...
#        tools/bench_ci.sh history FOLDER COMMIT
#
#   base       prints the commit to compare HEAD with: the last one with a line in HISTORY, so that
#              pushes whose run was dropped are compared too; else BEFORE, what was pushed to; else,
#              as for a branch's first push, where HEAD left BRANCH; else its parent. Nothing: there
#              is nothing to compare with, and why is said.
#   changed    whether anything that benches measure differs between BASE and HEAD: status 0 or 1
#   fixtures   whether the gate judges what is known: figures that are better, a little worse, worse
#   judge      runs COMMAND, a comparison. Status 0 passes, and so does 4, not proven, with a note;
#              1, a regression, fails unless it is to be tolerated, with a warning; others fail.
#              What it wrote by --markdown FILE goes to the page of the run.
#   history    adds a line for COMMIT to the branch bench-history, from FOLDER, and pushes it
#
# $ACCEL_GATE is another gate than build/tools/accel-gate.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[[ ${1:-} != --help && ${1:-} != -h ]] || help

gate=${ACCEL_GATE:-build/tools/accel-gate}
MEASURED=(accel.h accel accel_backends bench tools/gate .github/workflows)

# note KIND TEXT: an annotation of the run.
note() { printf '::%s title=benches::%s\n' "$1" "$2"; }

is_commit() { git rev-parse --quiet --verify "$1^{commit}" >/dev/null; }

# The commits of a history's lines, the newest line first.
commits_of() { [ ! -f "$1" ] || sed -n 's/.*"commit": *"\([0-9a-f]*\)".*/\1/p' "$1" | tac; }

bench_base() {
  local history=$1 before=$2 branch=$3 head commit
  head=$(git rev-parse HEAD)
  while read -r commit; do
    is_commit "$commit" && [ "$commit" != "$head" ] || continue
    git merge-base --is-ancestor "$commit" HEAD || continue
    echo "$commit"
    return
  done < <(commits_of "$history")
  if [[ -n $before && ! $before =~ ^0*$ ]] && is_commit "$before"; then
    echo "$before"
    return
  fi
  commit=$(git merge-base "$branch" HEAD 2>/dev/null) || commit=''
  [ "$commit" != "$head" ] || commit=''
  commit=${commit:-$(git rev-parse --quiet --verify HEAD^ || true)}
  [ -z "$commit" ] || echo "$commit"
  [ -n "$commit" ] || note notice 'no earlier commit to compare with' >&2
}

bench_changed() { ! git diff --quiet "$1" HEAD -- "${MEASURED[@]}"; }

# A fixture's name tells what the gate must make of it.
bench_fixtures() {
  local file base wanted status failed=0 fixtures=tests/gate/fixtures
  for file in "$fixtures"/*-{better,plus10,plus25,minus10,minus30}.json; do
    [ -f "$file" ] || continue
    base=${file%-*}-base.json
    case $file in *-plus25.json | *-minus30.json) wanted=1 ;; *) wanted=0 ;; esac
    status=0
    "$gate" check --no-annotations "$base" "$file" >/dev/null 2>&1 || status=$?
    say "$(basename "$file" .json): status $status"
    [ "$status" -eq "$wanted" ] || { say "it must be $wanted" && failed=1; }
  done
  return "$failed"
}

bench_judge() {
  local tolerates=false status=0
  [[ ${1:-} != --tolerate ]] || { tolerates=true && shift; }
  "$@" || status=$?
  [[ -z ${GITHUB_STEP_SUMMARY:-} || ! $* =~ --markdown\ ([^ ]+) || ! -f ${BASH_REMATCH[1]} ]] ||
    head -c 1000000 "${BASH_REMATCH[1]}" >>"$GITHUB_STEP_SUMMARY"
  [ -z "${GITHUB_OUTPUT:-}" ] || echo "status=$status" >>"$GITHUB_OUTPUT"
  case $status in
    0) return 0 ;;
    1)
      $tolerates || return 1
      note warning 'slower than before; it will fail once it is merged'
      ;;
    4) note notice 'not proven: too few rounds, or too much noise, to call it good or bad' ;;
    *)
      note error "nothing was judged: $1 ended with status $status"
      return "$status"
      ;;
  esac
}

bench_history() {
  local folder=$1 commit=$2 as=(git -c user.name=bench -c user.email=bench@localhost)
  git fetch origin bench-history:bench-history 2>/dev/null || git branch bench-history "$(
    "${as[@]}" commit-tree "$(git hash-object -t tree -w --stdin </dev/null)" -m 'Begin the history'
  )"
  [ -d target/history ] || git worktree add target/history bench-history
  "$gate" history add --history target/history/history.jsonl --criterion-dir "$folder" \
    --commit "$commit"
  cd target/history
  git add history.jsonl
  "${as[@]}" commit -m "Benches of $commit"
  git push origin bench-history
}

case ${1:-} in
  base | changed | fixtures | judge | history) "bench_$1" "${@:2}" ;;
  *) fail "there is no ${1:-command}; see --help" ;;
esac
