/* The founding checkers' texts, byte for byte. */
#include "show.h"

#include <math.h>
#include <string.h>

static void add_check_line(gate_text *out, const char *id, double base, double now, double delta)
{
  const size_t letters = gate_letters(id);
  gate_text_printf(out, "[CHECK] %s%*s base=%10.2fns now=%10.2fns delta=%7.2f%%\n", id,
                   letters < 30 ? (int)(30 - letters) : 0, "", base, now, delta * 100);
}

gate_exit gate_show_seed(gate_text *out, gate_text *errors, const gate_set *base,
                         const gate_set *now, double threshold)
{
  gate_text failures = {.arena = out->arena};
  size_t compared = 0;
  for (size_t i = 0; i < base->count; i++) {
    const char *id = base->benches[i].id;
    const double old = gate_bench_find(&base->benches[i], "time")->figures[GATE_MEAN];
    const gate_bench *current = gate_set_find(now, id);
    for (size_t j = 0; !current && j < now->count; j++)
      if (gate_ids_equal(now->benches[j].id, id)) current = &now->benches[j];
    if (!current) {
      gate_text_printf(out, "[WARN] benchmark missing in current run: %s\n", id);
      continue;
    }
    if (old <= 0) {
      gate_text_printf(out, "[WARN] invalid baseline mean for %s: %s\n", id,
                       gate_number_plain(out->arena, old));
      continue;
    }
    const double mean = gate_bench_find(current, "time")->figures[GATE_MEAN];
    const double delta = (mean - old) / old;
    add_check_line(out, id, old, mean, delta);
    compared++;
    if (gate_exceeds(delta, threshold))
      gate_text_printf(&failures, "  - %s: baseline=%.2fns current=%.2fns delta=%.2f%%\n", id, old,
                       mean, delta * 100);
  }
  if (compared == 0) {
    gate_text_add(errors, "error: no overlapping benchmarks between baseline and current run\n");
    return GATE_EXIT_REGRESSION;
  }
  if (failures.length == 0) {
    gate_text_printf(out, "\n[PASS] no regression over threshold %.2f%%\n", threshold * 100);
    return GATE_EXIT_OK;
  }
  gate_text_printf(out, "\n[FAIL] performance regression exceeded threshold:\n%s",
                   gate_text_c(&failures));
  gate_text_add(errors, "error: regression detected\n");
  return GATE_EXIT_REGRESSION;
}

/* ---- two Go texts ---- */

static const char *const missing_icon = "\xE2\x9A\xA0\xEF\xB8\x8F Missing";

static const char *seed_status(const gate_row *row)
{
  if (row->verdict == GATE_FAIL) return "\xF0\x9F\x94\xB4 Regression";
  if (row->verdict == GATE_IMPROVED) return "\xF0\x9F\x9F\xA2 Improvement";
  return "\xE2\x9C\x85 OK";
}

static void add_seed_row(gate_text *out, const gate_row *row)
{
  const char *label = strcmp(row->key, "median") == 0       ? "Latency (ns/op)"
                      : strcmp(row->key, "throughput") == 0 ? "Throughput (MB/s)"
                                                            : "Allocs/op";
  const double scale = strcmp(row->key, "throughput") == 0 ? 1e6 : 1;
  const char *base = gate_format(out->arena, "%.15g", row->base / scale);
  gate_text_printf(out, "| %s | %s | %s | %.15g | %.2f%% | %s |\n", row->id, label, base,
                   row->now / scale, gate_shown_change(row) * 100, seed_status(row));
}

void gate_show_seed_markdown(gate_text *out, const gate_report *report)
{
  gate_text_add(out, "### Performance Analysis Summary\n\n"
                     "| Benchmark | Metric | Baseline | Current | Change | Status |\n"
                     "|-----------|--------|----------|---------|--------|--------|\n");
  for (size_t i = 0; i < report->count; i++) {
    const gate_row *row = &report->rows[i];
    if (row->verdict == GATE_NEW || row->verdict == GATE_REPORTED) continue;
    if (row->key[0] == '\0') {
      gate_text_printf(out, "| %s | - | - | Not found | - | %s |\n", row->id, missing_icon);
    } else {
      add_seed_row(out, row);
    }
  }
}
