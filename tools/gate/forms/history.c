#include "forms.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_line(gate_history *history, const char *path, size_t number, const char *line,
                     gate_problems *problems)
{
  gate_problems found = {0};
  gate_set *set = gate_read_text(path, line, strlen(line), (gate_read_options){0}, &found);
  for (size_t i = 0; i < found.count; i++)
    gate_wrong(problems, "%s:%zu: %s", path, number, found.texts[i]);
  if (!set || found.count > 0) return;
  history->sets =
      arena_grow(history->sets, history->count, &history->capacity, sizeof *history->sets);
  history->sets[history->count++] = set;
}

gate_history gate_history_read(const char *path, gate_problems *problems)
{
  gate_history history = {0};
  char *text;
  size_t length, number = 0;
  if (!gate_file_read(path, &text, &length, problems)) return history;
  for (const char *line; (line = strsep(&text, "\n"));) {
    number++;
    if (line[strspn(line, " \t\r")] != '\0') add_line(&history, path, number, line, problems);
  }
  return history;
}

bool gate_history_add(const char *path, const gate_text *line, gate_problems *problems)
{
  gate_text whole = {0};
  struct stat status;
  const size_t size = stat(path, &status) == 0 ? (size_t)status.st_size : 0;
  if (size + line->length >= GATE_FILE_BYTES_MAX)
    return gate_wrong(
        problems,
        "failed to write %s: it would be larger than 64 MiB; accel-gate history prune "
        "--history %s --keep 500",
        path, path);
  FILE *file = size > 0 ? fopen(path, "re") : NULL;
  if (file && fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n') gate_text_add(&whole, "\n");
  if (file) fclose(file);
  gate_text_add_bytes(&whole, line->bytes, line->length);
  return gate_file_append(path, &whole, problems);
}

bool gate_history_prune(const char *path, size_t keep, size_t *dropped_out, gate_problems *problems)
{
  gate_text kept = {0};
  char *line = NULL;
  size_t room = 0, count = 0;
  FILE *file = fopen(path, "re");
  if (!file) return gate_wrong(problems, "failed to read %s: %s", path, strerror(errno));
  while (getline(&line, &room, file) > 0) count++;
  *dropped_out = count > keep ? count - keep : 0;
  rewind(file);
  for (size_t i = 0; kept.length < GATE_FILE_BYTES_MAX; i++) {
    const ssize_t length = getline(&line, &room, file);
    if (length <= 0) break;
    if (i >= *dropped_out) gate_text_add_bytes(&kept, line, (size_t)length);
  }
  const bool is_read = !ferror(file) && (*dropped_out == 0 || kept.length < GATE_FILE_BYTES_MAX);
  free(line);
  fclose(file);
  if (!is_read) return gate_wrong(problems, "failed to read %s: keep fewer lines", path);
  return *dropped_out == 0 || gate_file_write(path, &kept, problems);
}

gate_numbers gate_history_series(const gate_history *history, const char *id, const char *name,
                                 const gate_set ***runs_out)
{
  gate_numbers series = {0};
  const gate_set **runs = arena_take(history->count, sizeof *runs);
  for (size_t i = 0; i < history->count; i++) {
    const gate_set *run = history->sets[i];
    const gate_metric *metric = gate_set_metric(run, id, name);
    if (!metric || isnan(gate_metric_main(metric))) continue;
    if (gate_machine_difference(run, history->sets[history->count - 1])) continue;
    runs[series.count] = run;
    gate_numbers_add(&series, gate_metric_main(metric));
  }
  *runs_out = runs;
  return series;
}
