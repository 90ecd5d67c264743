/* Instructions by callgrind: the same on every run, so that one run of each side is enough. What
 * set-up costs is the same for few and for many iterations and cancels out. They do not see cache
 * misses, locks or waiting: a second gate beside times, not instead of them. */
#include "ab.h"

#include "file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FEW = 64, MANY = 64 + 512 };

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

/* "==123== Collected : 123456"; NAN if that is not there. */
static double finish_count(gate_child *child)
{
  const char *output;
  if (gate_child_finish(child, &output) != 0) return NAN;
  const char *found = strstr(output, "Collected : ");
  if (!found) return NAN;
  char digits[32] = "";
  double count;
  found += strlen("Collected : ");
  const size_t length = strspn(found, "0123456789");
  if (length == 0 || length >= sizeof digits) return NAN;
  memcpy(digits, found, length);
  return gate_number_parse(digits, &count) ? count : NAN;
}

/* Two at a time. */
static double count_side(ab_run *run, const ab_bench *bench, int side)
{
  gate_child few, many;
  const char *program = run->programs[bench->program].paths[side];
  if (!start_count(run, &few, program, bench->id, FEW)) return NAN;
  if (!start_count(run, &many, program, bench->id, MANY)) {
    gate_child_end(&few);
    return NAN;
  }
  const double low = finish_count(&few), high = finish_count(&many);
  return (high - low) / (MANY - FEW);
}

void ab_counts(ab_run *run, gate_report *report)
{
  size_t uncounted = 0;
  for (size_t i = 0; i < run->count; i++) {
    ab_bench *bench = &run->benches[i];
    if (!bench->is_on[AB_BASE] || !bench->is_on[AB_NOW] || bench->failure) continue;
    if (gate_interrupted()) return;
    for (int side = 0; bench->threads == 1 && side < AB_SIDES; side++)
      bench->instructions[side] = count_side(run, bench, side);
    uncounted += !(bench->instructions[AB_BASE] > 0) || !(bench->instructions[AB_NOW] > 0);
  }
  if (uncounted > 0)
    gate_pairs_set(run->arena, &report->notes, "instructions",
                   gate_format(run->arena,
                               "%s could not be counted (several threads, or no valgrind)",
                               gate_some(run->arena, uncounted, "bench", "benches")));
}
