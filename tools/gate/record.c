#include "record.h"

#include "harness/host.h"
#include "harness/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

gate_set *gate_set_new(const char *path, gate_form form)
{
  gate_set *set = arena_take(1, sizeof *set);
  set->path = arena_copy(path);
  set->form = form;
  return set;
}

gate_bench *gate_set_add(gate_set *set, const char *id)
{
  set->benches = arena_grow(set->benches, set->count, &set->capacity, sizeof *set->benches);
  gate_bench *bench = &set->benches[set->count++];
  *bench = (gate_bench){.target = NAN, .acceptable = NAN};
  bench->id = arena_copy(id);
  bench->full_id = bench->id;
  return bench;
}

gate_bench *gate_set_get(gate_set *set, const char *id)
{
  for (size_t i = set->count; i > 0; i--)
    if (strcmp(set->benches[i - 1].id, id) == 0) return &set->benches[i - 1];
  return gate_set_add(set, id);
}

static int compare_benches(const void *a, const void *b)
{
  return strcmp(((const gate_bench *)a)->id, ((const gate_bench *)b)->id);
}

void gate_set_sort(gate_set *set)
{
  if (set->count > 1) qsort(set->benches, set->count, sizeof *set->benches, compare_benches);
}

const gate_bench *gate_set_find(const gate_set *set, const char *id)
{
  const gate_bench wanted = {.id = id};
  if (set->count == 0) return NULL;
  return bsearch(&wanted, set->benches, set->count, sizeof wanted, compare_benches);
}

const gate_bench *gate_set_find_spelled(const gate_set *set, const char *id)
{
  const gate_bench *found = gate_set_find(set, id);
  for (size_t i = 0; !found && i < set->count; i++)
    if (gate_ids_equal(set->benches[i].id, id)) found = &set->benches[i];
  return found;
}

gate_metric *gate_bench_add(gate_bench *bench, const char *name, const char *unit)
{
  bench->metrics = arena_grow(bench->metrics, bench->metric_count, &bench->metric_capacity,
                              sizeof *bench->metrics);
  gate_metric *metric = &bench->metrics[bench->metric_count++];
  *metric = (gate_metric){.better = gate_unit_better(unit)};
  metric->name = arena_copy(name);
  metric->unit = arena_copy(unit);
  for (int i = 0; i < GATE_FIGURES; i++) metric->figures[i] = NAN;
  return metric;
}

gate_metric *gate_bench_get(gate_bench *bench, const char *name, const char *unit)
{
  const gate_metric *found = gate_bench_find(bench, name);
  return found ? &bench->metrics[found - bench->metrics] : gate_bench_add(bench, name, unit);
}

const gate_metric *gate_bench_find(const gate_bench *bench, const char *name)
{
  for (size_t i = 0; i < bench->metric_count; i++)
    if (strcmp(bench->metrics[i].name, name) == 0) return &bench->metrics[i];
  return NULL;
}

void gate_add_round(gate_bench *bench, const char *name, const char *unit, double value)
{
  if (isnan(value)) return;
  gate_metric *metric = gate_bench_get(bench, name, unit);
  gate_numbers_add(&metric->rounds, value);
}

/* Of a single number there are no percentiles. */
void gate_metric_summarise(gate_metric *metric, const gate_numbers *values)
{
  if (values->count == 0) return;
  const stats_percentiles at = stats_percentiles_of(values->values, values->count);
  const struct {
    gate_figure figure;
    double value;
  } found[] = {{GATE_MEAN, stats_mean(values->values, values->count)},
               {GATE_MEDIAN, at.p50},
               {GATE_P05, at.p05},
               {GATE_P50, at.p50},
               {GATE_P95, at.p95},
               {GATE_P99, at.p99}};
  for (size_t i = 0; i < (values->count > 1 ? 6 : 2); i++)
    if (!gate_has(metric, found[i].figure)) metric->figures[found[i].figure] = found[i].value;
  if (metric->sample_count == 0) metric->sample_count = (double)values->count;
}

const gate_metric *gate_set_metric(const gate_set *set, const char *id, const char *name)
{
  const gate_bench *bench = set ? gate_set_find(set, id) : NULL;
  return bench ? gate_bench_find(bench, name) : NULL;
}

bool gate_has(const gate_metric *metric, gate_figure figure)
{
  return !isnan(metric->figures[figure]);
}

double gate_metric_main(const gate_metric *metric)
{
  static const gate_figure order[] = {GATE_MEDIAN, GATE_VALUE, GATE_MEAN, GATE_P50, GATE_P95};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (gate_has(metric, order[i])) return metric->figures[order[i]];
  return NAN;
}

static gate_pair *find_pair(const gate_pairs *pairs, const char *key)
{
  for (size_t i = 0; i < pairs->count; i++)
    if (strcmp(pairs->items[i].key, key) == 0) return &pairs->items[i];
  return NULL;
}

void gate_pairs_set(gate_pairs *pairs, const char *key, const char *value)
{
  gate_pair *pair = find_pair(pairs, key);
  if (!pair) {
    pairs->items = arena_grow(pairs->items, pairs->count, &pairs->capacity, sizeof *pairs->items);
    pair = &pairs->items[pairs->count++];
    pair->key = arena_copy(key);
  }
  pair->value = arena_copy(value);
}

void gate_pairs_add(gate_pairs *pairs, const gate_pairs *more)
{
  for (size_t i = 0; i < more->count; i++)
    gate_pairs_set(pairs, more->items[i].key, more->items[i].value);
}

const char *gate_pairs_get(const gate_pairs *pairs, const char *key)
{
  const gate_pair *pair = find_pair(pairs, key);
  return pair ? pair->value : NULL;
}

typedef struct unit {
  const char *name;
  const char *canonical;
  double factor;
  bool is_shown; /* people read quantities in it */
} unit;

static const unit units[] = {
    {"ns", "ns", 1, false},
    {"us", "ns", 1e3, true},
    {"\xC2\xB5s", "ns", 1e3, false},
    {"ms", "ns", 1e6, true},
    {"s", "ns", 1e9, true},
    {"ns/op", "ns", 1, false},
    {"ns/iter", "ns", 1, false},
    {"us/iter", "ns", 1e3, false},
    {"ms/iter", "ns", 1e6, false},
    {"sec/op", "ns", 1e9, false},
    {"B", "B", 1, false},
    {"kB", "B", 1e3, false},
    {"MB", "B", 1e6, false},
    {"KiB", "B", 1024, true},
    {"MiB", "B", 1024.0 * 1024, true},
    {"GiB", "B", 1024.0 * 1024 * 1024, true},
    {"B/op", "B/op", 1, false},
    {"B/s", "B/s", 1, false},
    {"kB/s", "B/s", 1e3, true},
    {"MB/s", "B/s", 1e6, true},
    {"GB/s", "B/s", 1e9, true},
    {"MiB/s", "B/s", 1024.0 * 1024, false},
    {"elem/s", "elem/s", 1, false},
    {"kelem/s", "elem/s", 1e3, true},
    {"Melem/s", "elem/s", 1e6, true},
    {"Gelem/s", "elem/s", 1e9, true},
    {"items/s", "elem/s", 1, false},
    {"1/op", "1/op", 1, false},
    {"allocs/op", "1/op", 1, false},
};

const char *gate_unit_canonical(const char *name, double *factor_out)
{
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(units[i].name, name) == 0) {
      *factor_out = units[i].factor;
      return units[i].canonical;
    }
  }
  *factor_out = 1;
  return name;
}

/* Four significant digits at least, as displayed: 504, 3.020, 17700. */
static void add_short(gate_text *text, double value)
{
  const double size = fabs(value);
  if (value == floor(value) && size < 1e15) {
    gate_text_printf(text, "%.0f", value);
  } else if (size >= 1e6 || size < 1e-3) {
    gate_text_printf(text, "%.4g", value);
  } else {
    gate_text_printf(text, "%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3, value);
  }
}

const char *gate_unit_shown(double value, const char *canonical, double *factor_out)
{
  unit shown = {.name = canonical, .factor = 1};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (units[i].is_shown && strcmp(units[i].canonical, canonical) == 0 &&
        units[i].factor > shown.factor && units[i].factor <= fabs(value))
      shown = units[i];
  *factor_out = shown.factor;
  if (strncmp(shown.name, "1/", 2) == 0) return shown.name + 1;
  return *shown.name == '\0' ? "" : arena_format(" %s", shown.name);
}

const char *gate_quantity(double value, const char *canonical)
{
  gate_text text = {0};
  double factor;
  if (!isfinite(value)) return "-";
  const char *shown = gate_unit_shown(value, canonical, &factor);
  add_short(&text, value / factor);
  gate_text_add(&text, shown);
  return gate_text_c(&text);
}

gate_better gate_unit_better(const char *canonical)
{
  const size_t length = strlen(canonical);
  const bool is_rate = (length >= 2 && strcmp(canonical + length - 2, "/s") == 0) ||
                       (length >= 4 && strcmp(canonical + length - 4, "/sec") == 0);
  return is_rate ? GATE_HIGHER : GATE_LOWER;
}

const char *gate_id_fault(const char *id)
{
  enum { ID_BYTES_MAX = 1024 };
  const size_t length = strlen(id);
  if (length == 0) return "is empty";
  if (length > ID_BYTES_MAX) return "is longer than 1024 bytes";
  if (!gate_is_utf8(id, length)) return "is not UTF-8";
  for (const char *at = id; *at != '\0'; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7F) return "holds a control letter";
  return NULL;
}

bool gate_ids_equal(const char *a, const char *b)
{
  for (; *a != '\0' && *b != '\0'; a++, b++)
    if ((*a == '/' ? '_' : *a) != (*b == '/' ? '_' : *b)) return false;
  return *a == *b;
}

const char *const gate_figure_names[GATE_FIGURES] = {"mean", "median", "p05", "p50",   "p95",
                                                     "p99",  "lo",     "hi",  "value", "deviation"};

const char *const gate_form_names[GATE_FORMS] = {
    "unknown", "criterion",        "first baseline form", "own, schema 2", "record",
    "Go text", "Google Benchmark", "hyperfine",           "libtest text"};

/* ---- which machine this is ---- */

void gate_pairs_read(gate_pairs *pairs, json_t *object)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    if (json_is_string(value))
      gate_pairs_set(pairs, key, json_string_value(value));
    else if (json_is_number(value))
      gate_pairs_set(pairs, key, arena_format("%.15g", json_number_value(value)));
    else if (json_is_boolean(value))
      gate_pairs_set(pairs, key, json_is_true(value) ? "true" : "false");
  }
}

void gate_set_place(gate_set *set)
{
  if (!set->started) set->started = host_date();
  if (set->machine.count > 0) return;
  json_t *machine = host_machine();
  gate_pairs_read(&set->machine, machine);
  json_decref(machine);
}

static const char *pairs_difference(const gate_pairs *base, const gate_pairs *now,
                                    const char *const *keys)
{
  for (; *keys; keys++) {
    const char *old = gate_pairs_get(base, *keys), *current = gate_pairs_get(now, *keys);
    if (old && current && strcmp(old, current) != 0)
      return arena_format("%s: %s, now %s", *keys, old, current);
  }
  return NULL;
}

const char *gate_machine_difference(const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"cpu", "cores", "flags_hash", NULL};
  return pairs_difference(&base->machine, &now->machine, keys);
}

const char *gate_build_difference(const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"compiler", "compiler_version", "flags", "type", NULL};
  return pairs_difference(&base->build, &now->build, keys);
}
