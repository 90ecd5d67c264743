/* Instructions: nearly the same on every run, so that a few of each side are enough. The
 * processor's own counter where the benches may have it; else callgrind's, where what set-up costs
 * is the same for few and for many iterations and cancels out. They do not see cache misses, locks
 * or waiting: a second gate beside times, not instead of them. */
#include "ab.h"

#include "file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a thread beside adds, which reads the clock now and then, is lost among enough iterations:
 * cheap ones are made more often. */
enum { FEW = 64, MANY = 64 + 512, MANY_CHEAP = 64 + 8192, CHEAP = 4000, NATIVE = 4096 };

/* Starts `BENCH --count ID ITERATIONS` under valgrind. */
static bool start_count(ab_run *run, gate_child *child, const char *program, const char *id,
                        int iterations)
{
  gate_arena *arena = run->arena;
  const char *const argv[] = {"valgrind",
                              "--tool=callgrind",
                              "--callgrind-out-file=/dev/null",
                              gate_copy_text(arena, program),
                              "--count",
                              gate_copy_text(arena, id),
                              gate_format(arena, "%d", iterations),
                              NULL};
  return gate_child_start(child, arena, argv, NULL, true, run->problems);
}

/* The number behind `label`; NAN if that is not there. */
static double number_behind(const char *output, const char *label)
{
  const char *found = strstr(output, label);
  if (!found) return NAN;
  char digits[32] = "";
  double count;
  found += strlen(label);
  const size_t length = strspn(found, "0123456789");
  if (length == 0 || length >= sizeof digits) return NAN;
  memcpy(digits, found, length);
  return gate_number_parse(digits, &count) ? count : NAN;
}

static int left_ms(const ab_run *run)
{
  const int64_t left = run->end_ms - ab_now_ms();
  return left > 0 ? (int)left : 0;
}

/* "==123== Collected : 123456". */
static double finish_count(ab_run *run, gate_child *child)
{
  const char *output;
  const int code = gate_child_finish(child, left_ms(run), &output);
  return code == 0 ? number_behind(output, "Collected : ") : NAN;
}

/* Per iteration, by the processor; NAN, and why, if it has no counter for us. */
static double count_natively(ab_run *run, const ab_bench *bench, int side, const char **why_out)
{
  gate_arena *arena = run->arena;
  gate_child child;
  const char *output;
  const char *const argv[] = {gate_copy_text(arena, run->programs[bench->program].paths[side]),
                              "--count",
                              gate_copy_text(arena, bench->id),
                              gate_format(arena, "%d", NATIVE),
                              "--perf",
                              NULL};
  *why_out = "the bench does not know --perf";
  if (!gate_child_start(&child, arena, argv, NULL, true, run->problems)) return NAN;
  (void)gate_child_finish(&child, left_ms(run), &output);
  const char *reason = strstr(output, "no counter: ");
  if (reason)
    *why_out = gate_copy_bytes(arena, reason + strlen("no counter: "),
                               strcspn(reason + strlen("no counter: "), "\n"));
  return number_behind(output, "instructions: ") / NATIVE;
}

typedef struct counted {
  double few, many; /* the least of all attempts; INFINITY before the first */
} counted;

/* Two at a time. Other threads of the bench, such as one that reads the clock, run when they like
 * and only ever add: the least is what the bench itself takes. */
static bool count_once(ab_run *run, const ab_bench *bench, int side, int iterations, counted *least)
{
  gate_child few, many;
  const char *program = run->programs[bench->program].paths[side];
  if (!start_count(run, &few, program, bench->id, FEW)) return false;
  if (!start_count(run, &many, program, bench->id, iterations)) {
    gate_child_end(&few);
    return false;
  }
  const double low = finish_count(run, &few), high = finish_count(run, &many);
  if (isnan(low) || isnan(high)) return false;
  least->few = fmin(least->few, low);
  least->many = fmin(least->many, high);
  return true;
}

/* Twice, and more often where the sides differ, since chance may have done that. */
static void count_sides(ab_run *run, ab_bench *bench)
{
  enum { ATTEMPTS = 5 };
  const double same = 0.002;
  counted probe = {INFINITY, INFINITY};
  counted least[AB_SIDES] = {{INFINITY, INFINITY}, {INFINITY, INFINITY}};
  if (!count_once(run, bench, AB_BASE, MANY, &probe)) return;
  const int many = (probe.many - probe.few) / (MANY - FEW) < CHEAP ? MANY_CHEAP : MANY;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (int side = 0; side < AB_SIDES; side++) {
      bench->instructions[side] = NAN;
      if (gate_interrupted() || !count_once(run, bench, side, many, &least[side])) return;
      bench->instructions[side] = (least[side].many - least[side].few) / (many - FEW);
    }
    const double ratio = bench->instructions[AB_NOW] / bench->instructions[AB_BASE];
    if (attempt > 0 && fabs(ratio - 1) < same) return;
  }
}

static bool is_countable(const ab_bench *bench)
{
  return bench->is_on[AB_BASE] && bench->is_on[AB_NOW] && !bench->failure && bench->threads == 1;
}

/* True if every countable bench was counted; else nothing is kept. Both sides by one counter, or
 * they could not be compared. */
static bool count_all_natively(ab_run *run, const char **why_out)
{
  *why_out = "nothing to count";
  for (size_t i = 0; i < run->count; i++) {
    ab_bench *bench = &run->benches[i];
    if (!is_countable(bench)) continue;
    if (gate_interrupted()) return false;
    for (int side = 0; side < AB_SIDES; side++) {
      bench->instructions[side] = count_natively(run, bench, side, why_out);
      if (!(bench->instructions[side] > 0)) return false;
    }
  }
  return true;
}

void ab_counts(ab_run *run, gate_report *report)
{
  const char *why;
  size_t uncounted = 0;
  if (count_all_natively(run, &why)) {
    gate_pairs_set(run->arena, &report->notes, "instructions", "by the processor");
    return;
  }
  gate_pairs_set(run->arena, &report->notes, "instructions",
                 gate_format(run->arena, "by callgrind (%s)", why));
  for (size_t i = 0; i < run->count; i++) {
    ab_bench *bench = &run->benches[i];
    if (!bench->is_on[AB_BASE] || !bench->is_on[AB_NOW] || bench->failure) continue;
    if (gate_interrupted()) return;
    bench->instructions[AB_BASE] = bench->instructions[AB_NOW] = NAN;
    if (is_countable(bench) && left_ms(run) > 0) count_sides(run, bench);
    uncounted += !(bench->instructions[AB_BASE] > 0) || !(bench->instructions[AB_NOW] > 0);
  }
  if (uncounted > 0)
    gate_pairs_set(run->arena, &report->notes, "instructions",
                   gate_format(run->arena,
                               "by callgrind (%s); %s could not be counted (several threads, no "
                               "valgrind, or the time budget was over)",
                               why, gate_some(run->arena, uncounted, "bench", "benches")));
}
