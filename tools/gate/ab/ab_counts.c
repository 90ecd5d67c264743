/* Instructions, counted by callgrind: nearly the same on every run, so that a few of each side are
 * enough. What set-up costs is the same for few and for many iterations and cancels out. They do
 * not see cache misses, locks or waiting: a second gate beside times, not instead of them. */
#include "ab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a thread beside adds, which reads the clock now and then, is lost among enough iterations:
 * cheap ones are made more often. */
enum { FEW = 64, MANY = 64 + 512, MANY_CHEAP = 64 + 8192, CHEAP = 4000 };

/* Starts `BENCH --count ID ITERATIONS` under valgrind. */
static bool start_count(ab_run *run, gate_child *child, const char *program, const char *id,
                        int iterations)
{
  const char *const argv[] = {"valgrind",
                              "--tool=callgrind",
                              "--callgrind-out-file=/dev/null",
                              program,
                              "--count",
                              id,
                              gate_format("%d", iterations),
                              NULL};
  return gate_child_start(child, argv, true, run->problems);
}

static int left_ms(const ab_run *run)
{
  const int64_t left = run->end_ms - gate_now_ms();
  return left > 0 ? (int)left : 0;
}

/* What callgrind says: "==123== Collected : 123456"; NAN if it says nothing. */
static double finish_count(ab_run *run, gate_child *child)
{
  const char *output;
  unsigned long long count;
  const int code = gate_child_finish(child, left_ms(run), &output);
  const char *found = code == 0 ? strstr(output, "Collected : ") : NULL;
  return found && sscanf(found, "Collected : %llu", &count) == 1 ? (double)count : NAN;
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
  if (!start_count(run, &few, program, bench->about.id, FEW)) return false;
  if (!start_count(run, &many, program, bench->about.id, iterations)) {
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

void ab_counts(ab_run *run, gate_report *report)
{
  size_t uncounted = 0;
  for (size_t i = 0; i < run->count; i++) {
    ab_bench *bench = &run->benches[i];
    if (!bench->is_on[AB_BASE] || !bench->is_on[AB_NOW] || bench->failure) continue;
    if (gate_interrupted()) return;
    bench->instructions[AB_BASE] = bench->instructions[AB_NOW] = NAN;
    if (!bench->has_threads && left_ms(run) > 0) count_sides(run, bench);
    uncounted += !(bench->instructions[AB_BASE] > 0) || !(bench->instructions[AB_NOW] > 0);
  }
  if (uncounted > 0)
    gate_pairs_set(&report->notes, "instructions",
                   gate_format("%s could not be counted (several threads, no valgrind, or the time "
                               "budget was over)",
                               gate_some(uncounted, "bench", "benches")));
}
