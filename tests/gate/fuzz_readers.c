/* libFuzzer's target for the gate's readers: $FUZZ_READER says which. What a reader returns must
 * keep the invariants of record.h, and must survive being written and read again. */
#include "forms/forms.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_true, const char *what)
{
  if (is_true) return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

static void check_set(const gate_set *set)
{
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    demand(gate_id_fault(bench->id) == NULL, "an id is usable");
    demand(i == 0 || strcmp(set->benches[i - 1].id, bench->id) < 0, "ids ascend");
    for (size_t m = 0; m < bench->metric_count; m++)
      for (int f = 0; f < GATE_FIGURES; f++) {
        const double figure = bench->metrics[m].figures[f];
        const bool may_be_negative = bench->metrics[m].unit[0] == '\0' || f == GATE_DEVIATION;
        demand(isnan(figure) || isfinite(figure), "figures are finite");
        demand(isnan(figure) || figure >= 0 || may_be_negative, "what is measured is not below 0");
      }
  }
}

static void check_again(const gate_set *set)
{
  gate_problems problems = {0};
  gate_text text = {0};
  gate_write_own(&text, set, false);
  const gate_set *again =
      gate_read_text("again", gate_text_c(&text), text.length, (gate_read_options){0}, &problems);
  if (problems.count > 0) fprintf(stderr, "%s\n%s\n", problems.texts[0], gate_text_c(&text));
  demand(again && problems.count == 0, "what was written can be read");
  demand(again->count == set->count, "nothing is lost");
}

static gate_set *read_with(const char *reader, const char *text, size_t size,
                           gate_problems *problems)
{
  const gate_read_options options = {.is_compat = strcmp(reader, "seed") == 0,
                                     .needs_median = true};
  if (strcmp(reader, "any") == 0 || options.is_compat)
    return gate_read_text(reader, text, size, options, problems);
  gate_set *set = gate_set_new(reader, GATE_FORM_CRITERION);
  gate_bench *bench = gate_set_add(set, "id");
  static const char *const parts[] = {"estimates", "sample", "benchmark"};
  for (int part = 0; part < 3; part++)
    if (strcmp(reader, parts[part]) == 0)
      (void)gate_read_entry_part(bench, (gate_entry_part)part, reader, text, size, options,
                                 problems);
  gate_read_finish(set, options, problems);
  return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *reader = getenv("FUZZ_READER");
  gate_problems problems = {0};
  const char *text = arena_copy_bytes((const char *)data, size);
  gate_set *set = read_with(reader ? reader : "any", text, size, &problems);
  if (set && problems.count == 0 && strcmp(reader ? reader : "any", "seed") != 0) {
    check_set(set);
    check_again(set);
  }
  arena_end();
  return 0;
}
