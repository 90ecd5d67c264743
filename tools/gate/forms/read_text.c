/* Benchmark text. Of Go: `BenchmarkName-8  1000  1234 ns/op  5 allocs/op`, headers `key: value`,
 * and `Unit NAME better=higher`. Of libtest and what speaks like it: `test NAME ... bench:  1,234.5
 * ns/iter (+/- 67)`. Other lines are the program's own output and are passed over; a line that
 * begins as a result and does not go on as one is told. */
#include "forms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64 };

typedef struct text_reader {
  gate_set *set;
  gate_problems *problems;
  const char *package;   /* of the lines that follow */
  bool has_packages;     /* more than one: names alone are not unique */
  gate_pairs directions; /* unit -> higher or lower, where the text says so */
  size_t line;
  size_t failures; /* of the package that is being read */
} text_reader;

static bool text_wrong(text_reader *reader, const char *what, const char *word)
{
  const char *path = reader->set->path;
  return gate_wrong(reader->problems, "failed to parse %s: %s%s at line %zu", path, what, word,
                    reader->line);
}

/* Calls `take` for every line, which ends with NUL; the text is changed. */
static void each_line(text_reader *reader, char *text, void (*take)(text_reader *, char *))
{
  for (char *line; (line = strsep(&text, "\n"));) {
    line[strcspn(line, "\r")] = '\0';
    reader->line++;
    take(reader, line);
  }
}

static size_t split_words(char *line, char **words)
{
  size_t count = 0;
  char *rest = NULL;
  for (char *word = strtok_r(line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
    if (count < WORDS_MAX) words[count++] = word;
  return count;
}

/* ---- Go ---- */

static const char *go_metric(const char *unit, const char *canonical)
{
  static const char *const names[][2] = {{"allocs/op", "allocs"},
                                         {"B/op", "alloc_bytes"},
                                         {"ns", "time"},
                                         {"B/s", "throughput"},
                                         {"elem/s", "throughput"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i][0], unit) == 0 || strcmp(names[i][0], canonical) == 0) return names[i][1];
  return unit;
}

static bool read_value(text_reader *reader, gate_bench *bench, const char *number, const char *unit)
{
  double value, factor;
  if (!gate_number_parse(number, &value)) return text_wrong(reader, "not a number: ", number);
  const char *canonical = gate_unit_canonical(unit, &factor);
  const bool is_rate = gate_unit_better(canonical) == GATE_HIGHER;
  value *= factor;
  if (!isfinite(value) || value < 0 || (value == 0 && (is_rate || strcmp(canonical, "ns") == 0)))
    return text_wrong(reader, "out of range: ", number);
  if (gate_id_fault(canonical)) return text_wrong(reader, "a unit that ", gate_id_fault(canonical));
  const char *told = gate_pairs_get(&reader->directions, unit);
  gate_metric *metric = gate_bench_get(bench, go_metric(unit, canonical), canonical);
  if (told) metric->better = strcmp(told, "higher") == 0 ? GATE_HIGHER : GATE_LOWER;
  gate_numbers_add(&metric->rounds, value);
  metric->is_exact = strcmp(metric->name, "allocs") == 0;
  return true;
}

static bool read_result(text_reader *reader, char **words, size_t count)
{
  gate_set *set = reader->set;
  if (gate_id_fault(words[0])) return text_wrong(reader, "a name that ", gate_id_fault(words[0]));
  if (words[1][strspn(words[1], "0123456789")] != '\0' || strtod(words[1], NULL) < 1)
    return text_wrong(reader, "expected a number of iterations, not ", words[1]);
  if (count % 2 != 0) return text_wrong(reader, "a value without a unit: ", words[count - 1]);
  const bool is_named = reader->has_packages && reader->package;
  gate_bench *bench =
      gate_set_get(set, is_named ? arena_format("%s.%s", reader->package, words[0]) : words[0]);
  for (size_t i = 2; i < count; i += 2)
    if (!read_value(reader, bench, words[i], words[i + 1])) return false;
  return true;
}

static void read_header(text_reader *reader, const char *key, const char *value)
{
  gate_set *set = reader->set;
  if (strcmp(key, "pkg") == 0) {
    reader->package = arena_copy(value);
  } else if (strcmp(key, "cpu") == 0) {
    gate_pairs_set(&set->machine, "cpu", value);
  } else if (strcmp(key, "goos") == 0 || strcmp(key, "goarch") == 0) {
    gate_pairs_set(&set->build, key, value);
  } else if (strcmp(key, "commit") == 0) {
    set->commit = arena_copy(value);
  }
}

/* `FAIL pkg [build failed]`, and FAIL alone of a program that was run by itself: told if none of
 * its benches was. */
static void read_package_failure(text_reader *reader, char **words, size_t count)
{
  gate_set *set = reader->set;
  const char *package = count > 1 ? words[1] : "this program";
  const bool is_told = reader->failures > 0;
  reader->failures = count == 1; /* what follows is of another package */
  if (is_told || gate_id_fault(package)) return;
  gate_text why = {0};
  for (size_t i = 2; i < count; i++) gate_text_printf(&why, i > 2 ? " %s" : "%s", words[i]);
  gate_pairs_set(&set->failed, package, why.length > 0 ? gate_text_c(&why) : "the text says FAIL");
}

/* `--- FAIL: BenchmarkX-8`, `--- SKIP: ...`; also behind a name. */
static void read_outcome(text_reader *reader, char **words, size_t count)
{
  gate_set *set = reader->set;
  const size_t dashes = strcmp(words[0], "---") == 0 ? 0 : 1;
  if (count < dashes + 2 || strcmp(words[dashes], "---") != 0) return;
  const char *id = count > dashes + 2 ? words[dashes + 2] : words[0];
  if (gate_id_fault(id)) return;
  if (strcmp(words[dashes + 1], "FAIL:") == 0) {
    reader->failures++;
    gate_pairs_set(&set->failed, id, "the text says FAIL");
  } else if (strcmp(words[dashes + 1], "SKIP:") == 0) {
    gate_pairs_set(&set->skipped, id, "the text says SKIP");
  }
}

static void read_unit(text_reader *reader, char **words, size_t count)
{
  for (size_t i = 2; i < count; i++)
    if (strcmp(words[i], "better=higher") == 0 || strcmp(words[i], "better=lower") == 0)
      gate_pairs_set(&reader->directions, words[1], words[i] + 7);
}

static bool is_header(const char *line, size_t *key_length)
{
  *key_length = strcspn(line, ": \t");
  return line[0] >= 'a' && line[0] <= 'z' && line[*key_length] == ':';
}

static void read_go_line(text_reader *reader, char *line)
{
  char empty[] = "", *words[WORDS_MAX] = {empty};
  size_t key_length;
  if (is_header(line, &key_length)) {
    const char *value = line + key_length + 1;
    line[key_length] = '\0';
    value += strspn(value, " \t");
    if (gate_is_utf8(value, strlen(value))) read_header(reader, line, value);
    return;
  }
  const bool is_result = strncmp(line, "Benchmark", 9) == 0;
  const bool is_outcome = strncmp(line, "--- ", 4) == 0 || (is_result && strstr(line, "--- "));
  const size_t count = split_words(line, words);
  if (strcmp(words[0], "Unit") == 0 && count > 1) read_unit(reader, words, count);
  if (strcmp(words[0], "FAIL") == 0 && line[0] == 'F') read_package_failure(reader, words, count);
  if (is_outcome) read_outcome(reader, words, count);
  /* A name alone: the bench printed something before its result. */
  if (is_result && !is_outcome && count > 1) read_result(reader, words, count);
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

void gate_read_go(gate_set *set, char *text, gate_problems *problems)
{
  text_reader reader = {.set = set, .problems = problems, .has_packages = has_packages(text)};
  each_line(&reader, text, read_go_line);
}

/* ---- libtest ---- */

/* "1,234.5", without the commas. */
static bool parse_thousands(char *text, double *out)
{
  char *to = text;
  for (const char *from = text; *from != '\0'; from++)
    if (*from != ',') *to++ = *from;
  *to = '\0';
  return gate_number_parse(text, out) && isfinite(*out) && *out >= 0;
}

/* What stands behind "bench:". */
static void read_bench_words(text_reader *reader, const char *id, char *rest)
{
  gate_set *set = reader->set;
  char empty[] = "", *words[WORDS_MAX] = {empty};
  double value, deviation, factor;
  const size_t count = split_words(rest, words);
  const char *unit = count > 1 ? gate_unit_canonical(words[1], &factor) : "";
  if (gate_id_fault(id)) {
    text_wrong(reader, "a name that ", gate_id_fault(id));
  } else if (strcmp(unit, "ns") != 0 || !parse_thousands(words[0], &value)) {
    text_wrong(reader, "expected a time, not ", words[0]);
  } else if (value <= 0) {
    text_wrong(reader, "less than the text can say (use a form with decimals): ", words[0]);
  } else {
    gate_bench *bench = gate_set_get(set, id);
    gate_add_round(bench, "time", "ns", value * factor);
    if (count < 4 || strcmp(words[2], "(+/-") != 0) return;
    words[3][strcspn(words[3], ")")] = '\0';
    if (parse_thousands(words[3], &deviation))
      bench->metrics[0].figures[GATE_DEVIATION] = deviation * factor;
  }
}

static void read_libtest_line(text_reader *reader, char *line)
{
  gate_set *set = reader->set;
  char *result = strstr(line, " ... ");
  if (strncmp(line, "test ", 5) != 0 || !result) return;
  const char *id = line + 5;
  *result = '\0';
  result += 5;
  if (strncmp(result, "bench:", 6) == 0) {
    read_bench_words(reader, id, result + 6);
  } else if (strncmp(result, "FAILED", 6) == 0 && !gate_id_fault(id)) {
    gate_pairs_set(&set->failed, id, "the text says FAILED");
  } else if (strncmp(result, "ignored", 7) == 0 && !gate_id_fault(id)) {
    gate_pairs_set(&set->skipped, id, "the text says ignored");
  }
}

void gate_read_libtest(gate_set *set, char *text, gate_problems *problems)
{
  text_reader reader = {.set = set, .problems = problems};
  each_line(&reader, text, read_libtest_line);
}
