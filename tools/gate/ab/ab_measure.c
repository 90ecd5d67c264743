/* Which benches are measured for how many rounds: more where noise hides a result, all again where
 * one failed. */
#include "ab.h"

#include <stdio.h>
#include <string.h>

static bool is_compared(const ab_bench *bench)
{
  return bench->is_on[AB_BASE] && bench->is_on[AB_NOW] && !bench->failure;
}

/* Keeps active what has a time of one of these verdicts. */
static bool mark(const ab_run *run, const gate_report *report, bool *is_active, gate_verdict a,
                 gate_verdict b)
{
  bool is_any = false;
  for (size_t j = 0; j < run->count; j++) {
    bool is_marked = false;
    for (size_t i = 0; i < report->count && !is_marked; i++) {
      const gate_row *row = &report->rows[i];
      is_marked = strcmp(row->unit, "ns") == 0 && (row->verdict == a || row->verdict == b) &&
                  strcmp(run->benches[j].about.id, row->id) == 0;
    }
    is_active[j] = is_active[j] && is_marked;
    is_any = is_any || is_active[j];
  }
  return is_any;
}

static size_t as_many_again(const ab_options *options, size_t done)
{
  const size_t left = options->rounds_max > done ? options->rounds_max - done : 0;
  return done < left ? done : left;
}

/* Rounds of what is active, and as many again while noise hides something: 10, 20, 40. */
static bool measure_pass(ab_run *run, gate_report *report, bool *is_active, bool is_again)
{
  const int64_t end_ms = is_again ? run->deadline_ms : run->unclear_end_ms;
  size_t done = 0, more = run->options->rounds;
  for (;;) {
    if (!ab_rounds(run, (ab_pass){is_active, is_again, more})) return false;
    ab_judge_rounds(run, report, is_again);
    done += more;
    more = as_many_again(run->options, done);
    if (more == 0 || gate_now_ms() >= end_ms) return true;
    if (!mark(run, report, is_active, GATE_INCONCLUSIVE, GATE_NOISY)) return true;
    printf("%zu more rounds for what is not clear yet\n", more);
  }
}

bool ab_measure(ab_run *run, gate_report *report)
{
  bool *is_active = arena_take(run->count, sizeof *is_active);
  gate_report again = {.limits = run->limits};
  for (size_t i = 0; i < run->count; i++) is_active[i] = is_compared(&run->benches[i]);
  if (!measure_pass(run, report, is_active, false)) return false;
  for (size_t i = 0; i < run->count; i++) is_active[i] = is_compared(&run->benches[i]);
  if (!mark(run, report, is_active, GATE_FAIL, GATE_FAIL)) return true;
  puts("running once again what failed");
  return measure_pass(run, &again, is_active, true);
}
