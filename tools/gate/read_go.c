/* The text of Go's benchmarks: `BenchmarkName-8  1000  1234 ns/op  5 allocs/op`, headers
 * `key: value`, and `Unit NAME better=higher`. Lines that are none of these are the program's own
 * output and are passed over; a line that begins as a result and does not go on as one is told. */
#include "read.h"

#include "statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64 };

typedef struct go_reader {
  gate_set *set;
  gate_problems *problems;
  const char *package;   /* of the lines that follow */
  bool has_packages;     /* more than one: names alone are not unique */
  gate_pairs directions; /* unit -> higher or lower, where the text says so */
  size_t line;
  size_t failures; /* of the package that is being read */
} go_reader;

static bool go_wrong(go_reader *reader, const char *what, const char *word)
{
  const char *path = reader->set->path;
  return gate_wrong(reader->problems, path, "failed to parse %s: %s%s at line %zu", path, what,
                    word, reader->line);
}

static size_t split_words(char *line, char **words)
{
  size_t count = 0;
  char *rest = NULL;
  for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest))
    if (count < WORDS_MAX) words[count++] = word;
  return count;
}

static const char *metric_name(const char *unit)
{
  if (strcmp(unit, "ns/op") == 0 || strcmp(unit, "sec/op") == 0) return "time";
  if (strcmp(unit, "MB/s") == 0 || strcmp(unit, "B/s") == 0) return "throughput";
  if (strcmp(unit, "allocs/op") == 0) return "allocs";
  if (strcmp(unit, "B/op") == 0) return "alloc_bytes";
  return unit;
}

static gate_bench *go_bench(go_reader *reader, const char *name)
{
  gate_set *set = reader->set;
  const char *id = reader->has_packages && reader->package
                       ? gate_format(set->arena, "%s.%s", reader->package, name)
                       : name;
  for (size_t i = set->count; i > 0; i--)
    if (strcmp(set->benches[i - 1].id, id) == 0) return &set->benches[i - 1];
  return gate_set_add(set, id);
}

static bool read_result(go_reader *reader, char **words, size_t count)
{
  gate_set *set = reader->set;
  if (gate_id_fault(words[0])) return go_wrong(reader, "a name that ", gate_id_fault(words[0]));
  size_t iterations;
  if (!gate_count_parse(words[1], SIZE_MAX / 16, &iterations))
    return go_wrong(reader, "expected a number of iterations, not ", words[1]);
  if (count % 2 != 0) return go_wrong(reader, "a value without a unit: ", words[count - 1]);
  for (size_t i = 2; i < count; i += 2) {
    double value, factor;
    if (!gate_number_parse(words[i], &value)) return go_wrong(reader, "not a number: ", words[i]);
    const char *unit = gate_unit_canonical(words[i + 1], &factor);
    const bool is_rate = gate_unit_better(unit) == GATE_HIGHER;
    value *= factor;
    if (!isfinite(value) || value < 0 || (value == 0 && (is_rate || strcmp(unit, "ns") == 0)))
      return go_wrong(reader, "out of range: ", words[i]);
    if (gate_id_fault(unit)) return go_wrong(reader, "a unit that ", gate_id_fault(unit));
    const char *told = gate_pairs_get(&reader->directions, words[i + 1]);
    gate_better better = is_rate ? GATE_HIGHER : GATE_LOWER;
    if (told) better = strcmp(told, "higher") == 0 ? GATE_HIGHER : GATE_LOWER;
    gate_bench *bench = go_bench(reader, words[0]);
    const char *name = metric_name(words[i + 1]);
    gate_metric *metric = gate_bench_find_or_null(bench, name);
    if (!metric) metric = gate_bench_add(set, bench, name, unit, better);
    gate_numbers_add(set->arena, &metric->rounds, value);
    metric->is_exact = strcmp(name, "allocs") == 0;
  }
  return true;
}

static void read_header(go_reader *reader, const char *key, const char *value)
{
  gate_set *set = reader->set;
  if (strcmp(key, "pkg") == 0) {
    reader->package = gate_copy_text(set->arena, value);
  } else if (strcmp(key, "cpu") == 0) {
    gate_pairs_set(set->arena, &set->machine, "cpu", value);
  } else if (strcmp(key, "goos") == 0 || strcmp(key, "goarch") == 0) {
    gate_pairs_set(set->arena, &set->build, key, value);
  } else if (strcmp(key, "commit") == 0) {
    set->commit = gate_copy_text(set->arena, value);
  }
}

static void read_unit(go_reader *reader, char **words, size_t count)
{
  for (size_t i = 2; i < count; i++)
    if (strcmp(words[i], "better=higher") == 0 || strcmp(words[i], "better=lower") == 0)
      gate_pairs_set(reader->set->arena, &reader->directions, words[1], words[i] + 7);
}

/* `--- FAIL: BenchmarkX-8`, also behind a name; `--- SKIP: ...`; `FAIL pkg [build failed]` and, of
 * a program that was run by itself, FAIL alone. */
static void read_outcome(go_reader *reader, char **words, size_t count, bool is_result)
{
  gate_set *set = reader->set;
  gate_arena *arena = set->arena;
  char **told = words + (is_result ? 1 : 0);
  const size_t left = count - (is_result ? 1 : 0);
  if (strcmp(words[0], "FAIL") == 0) {
    const char *package = count > 1 ? words[1] : "this program";
    const bool is_told = reader->failures > 0;
    if (count > 1) reader->failures = 0; /* of this package */
    if (is_told || gate_id_fault(package)) return;
    gate_text why = {.arena = arena};
    for (size_t i = 2; i < count; i++) gate_text_printf(&why, i > 2 ? " %s" : "%s", words[i]);
    gate_pairs_set(arena, &set->failed, package,
                   count > 2 ? gate_text_c(&why) : "the text says FAIL");
    if (count == 1) reader->failures++;
    return;
  }
  if (left < 2 || strcmp(told[0], "---") != 0) return;
  const char *id = left > 2 ? told[2] : words[0];
  if (gate_id_fault(id)) return;
  if (strcmp(told[1], "FAIL:") == 0) {
    reader->failures++;
    gate_pairs_set(arena, &set->failed, id, "the text says FAIL");
  } else if (strcmp(told[1], "SKIP:") == 0) {
    gate_pairs_set(arena, &set->skipped, id, "the text says SKIP");
  }
}

static bool is_header(const char *line, size_t *key_length)
{
  *key_length = strcspn(line, ": \t");
  return line[0] >= 'a' && line[0] <= 'z' && line[*key_length] == ':' &&
         strpbrk(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != line;
}

static void read_line(go_reader *reader, char *line)
{
  char *words[WORDS_MAX];
  size_t key_length;
  if (is_header(line, &key_length)) {
    char *value = line + key_length + 1;
    line[key_length] = '\0';
    value += strspn(value, " \t");
    value[strcspn(value, "\r")] = '\0';
    if (!gate_is_utf8(value, strlen(value))) return;
    read_header(reader, line, value);
    return;
  }
  const bool is_result = strncmp(line, "Benchmark", 9) == 0;
  const bool is_unit = strncmp(line, "Unit ", 5) == 0;
  const bool is_outcome = strncmp(line, "--- ", 4) == 0 || strncmp(line, "FAIL", 4) == 0 ||
                          (is_result && strstr(line, "--- "));
  if (!is_result && !is_unit && !is_outcome) return;
  const size_t count = split_words(line, words);
  if (is_outcome) {
    read_outcome(reader, words, count, is_result);
    return;
  }
  if (is_unit) read_unit(reader, words, count);
  /* A name alone: the bench printed something before its result. */
  if (is_result && count > 1) read_result(reader, words, count);
}

static bool has_packages(const char *text)
{
  const char *first = NULL;
  for (const char *at = text; (at = strstr(at, "pkg:")); at++) {
    if (at != text && at[-1] != '\n') continue;
    const size_t length = strcspn(at, "\r\n");
    if (first && (strcspn(first, "\r\n") != length || strncmp(first, at, length) != 0)) return true;
    first = at;
  }
  return false;
}

void gate_read_go(gate_set *set, const char *text, size_t length, gate_problems *problems)
{
  go_reader reader = {.set = set, .problems = problems, .has_packages = has_packages(text)};
  char *copy = gate_copy_bytes(set->arena, text, length);
  for (char *line = copy; line;) {
    char *end = strchr(line, '\n');
    if (end) *end = '\0';
    reader.line++;
    read_line(&reader, line);
    line = end ? end + 1 : NULL;
  }
  for (size_t i = 0; i < set->count; i++)
    for (size_t m = 0; m < set->benches[i].metric_count; m++) {
      gate_metric *metric = &set->benches[i].metrics[m];
      gate_metric_summarise(set->arena, metric, &metric->rounds);
    }
}
