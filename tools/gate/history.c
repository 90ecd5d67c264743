#include "history.h"

#include "file.h"
#include "fingerprint.h"
#include "read.h"

#include <math.h>
#include <string.h>

static void add_line(gate_arena *arena, gate_history *history, const char *path, size_t number,
                     const char *line, gate_problems *problems)
{
  gate_problems found = {.arena = arena};
  gate_set *set = gate_read_text(arena, path, line, strlen(line), (gate_read_options){0}, &found);
  for (size_t i = 0; i < found.count; i++)
    gate_wrong(problems, path, "%s:%zu: %s", path, number, found.items[i].text);
  if (!set || found.count > 0) return;
  history->sets =
      gate_grow(arena, history->sets, history->count, &history->capacity, sizeof *history->sets);
  history->sets[history->count++] = set;
}

gate_history gate_history_read(gate_arena *arena, const char *path, gate_problems *problems)
{
  gate_history history = {0};
  char *text;
  size_t length, number = 0;
  if (!gate_file_read(arena, path, &text, &length, problems)) return history;
  for (char *line = text; line;) {
    char *end = strchr(line, '\n');
    if (end) *end = '\0';
    number++;
    if (line[strspn(line, " \t\r")] != '\0')
      add_line(arena, &history, path, number, line, problems);
    line = end ? end + 1 : NULL;
  }
  return history;
}

gate_numbers gate_history_series(gate_arena *arena, const gate_history *history, const char *id,
                                 size_t **places_out)
{
  gate_numbers series = {0};
  size_t *places = gate_take(arena, history->count, sizeof *places);
  const gate_set *last = history->count > 0 ? history->sets[history->count - 1] : NULL;
  for (size_t i = 0; i < history->count; i++) {
    const gate_bench *bench = gate_set_find(history->sets[i], id);
    const gate_metric *time = bench ? gate_bench_find(bench, "time") : NULL;
    if (!time || isnan(gate_metric_main(time))) continue;
    if (gate_difference(arena, history->sets[i], last)) continue;
    places[series.count] = i;
    gate_numbers_add(arena, &series, gate_metric_main(time));
  }
  *places_out = places;
  return series;
}
