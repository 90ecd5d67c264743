/* The compat checker's text, byte for byte. */
#include "command.h"

#include <stdio.h>

static void print_check(const char *id, double base, double now, double delta)
{
  const size_t letters = gate_letters(id);
  printf("[CHECK] %s%*s base=%10.2fns now=%10.2fns delta=%7.2f%%\n", id,
         letters < 30 ? (int)(30 - letters) : 0, "", base, now, delta * 100);
}

static gate_exit fail(const char *text)
{
  fflush(stdout);
  fprintf(stderr, "error: %s\n", text);
  return GATE_EXIT_REGRESSION;
}

gate_exit gate_show_compat(const gate_set *base, const gate_set *now, double threshold)
{
  gate_text failures = {0};
  size_t compared = 0;
  for (size_t i = 0; i < base->count; i++) {
    const char *id = base->benches[i].id;
    const double old = gate_bench_find(&base->benches[i], "time")->figures[GATE_MEAN];
    const gate_bench *current = gate_set_find_spelled(now, id);
    if (!current) {
      printf("[WARN] benchmark missing in current run: %s\n", id);
      continue;
    }
    if (old <= 0) {
      printf("[WARN] invalid baseline mean for %s: %s\n", id, gate_number_plain(old));
      continue;
    }
    const double mean = gate_bench_find(current, "time")->figures[GATE_MEAN];
    const double delta = (mean - old) / old;
    print_check(id, old, mean, delta);
    compared++;
    if (gate_exceeds(delta, threshold))
      gate_text_printf(&failures, "  - %s: baseline=%.2fns current=%.2fns delta=%.2f%%\n", id, old,
                       mean, delta * 100);
  }
  if (compared == 0) return fail("no overlapping benchmarks between baseline and current run");
  if (failures.length == 0) {
    printf("\n[PASS] no regression over threshold %.2f%%\n", threshold * 100);
    return GATE_EXIT_OK;
  }
  printf("\n[FAIL] performance regression exceeded threshold:\n%s", gate_text_c(&failures));
  return fail("regression detected");
}
