/* criterion's folder: <id>/new/estimates.json and its neighbours, joined with the run files that
 * our own benches leave beside them. */
#include "forms.h"

#include "file.h"
#include "statistics.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 64 };

/* ---- the files of one entry ---- */

/* {"point_estimate":x,"confidence_interval":{...}} of `key`; NAN with a problem without it. */
static double read_estimate(gate_json *json, const char *key)
{
  json_t *estimate = gate_json_object(json, json->root, key);
  const bool was_wrong = json->is_wrong;
  json->is_wrong = false;
  const double value = gate_json_number(json, estimate, "point_estimate", GATE_POSITIVE);
  if (isnan(value) && !json->is_wrong)
    gate_wrong(json->problems, "missing %s.point_estimate in %s%s", key, json->path,
               json_object_get(json->root, "Mean")
                   ? ", which looks like criterion 0.2's; those of 0.3 and later are read"
                   : "");
  json->is_wrong = was_wrong || isnan(value);
  return value;
}

static void read_estimates(gate_set *set, gate_bench *bench, gate_json *json,
                           gate_read_options options)
{
  gate_metric *time = gate_bench_add(set, bench, "time", "ns", GATE_LOWER);
  time->figures[GATE_MEAN] = read_estimate(json, "mean");
  if (options.needs_median || !options.is_compat)
    time->figures[GATE_MEDIAN] = read_estimate(json, "median");
  if (options.is_compat) return;
  json_t *mean = gate_json_object(json, json->root, "mean");
  json_t *interval = gate_json_object(json, mean, "confidence_interval");
  const double low = gate_json_number(json, interval, "lower_bound", GATE_NOT_NEGATIVE);
  const double high = gate_json_number(json, interval, "upper_bound", GATE_POSITIVE);
  if (low > time->figures[GATE_MEAN] || high < time->figures[GATE_MEAN])
    gate_json_wrong(json, "mean is not between its bounds");
  time->figures[GATE_LOW] = low;
  time->figures[GATE_HIGH] = high;
}

static void read_sample(gate_set *set, gate_bench *bench, gate_json *json)
{
  enum { SAMPLES_MAX = 500 };
  const gate_numbers iterations = gate_json_numbers(json, json->root, "iters", GATE_POSITIVE);
  const gate_numbers times = gate_json_numbers(json, json->root, "times", GATE_POSITIVE);
  if (iterations.count != times.count || times.count == 0)
    gate_json_wrong(json, "iters has %zu numbers, times %zu", iterations.count, times.count);
  if (json->is_wrong) return;
  gate_metric *time = gate_bench_get(set, bench, "time", "ns", GATE_LOWER);
  gate_numbers samples = {0};
  for (size_t i = 0; i < times.count; i++)
    gate_numbers_add(set->arena, &samples, times.values[i] / iterations.values[i]);
  gate_metric_summarise(set->arena, time, &samples);
  if (samples.count <= SAMPLES_MAX) time->samples = samples;
}

static void read_benchmark(gate_set *set, gate_bench *bench, gate_json *json)
{
  const char *full_id = gate_json_text(json, json->root, "full_id");
  json_t *throughput = gate_json_object(json, json->root, "throughput");
  const double elements = gate_json_number(json, throughput, "Elements", GATE_POSITIVE);
  double bytes = gate_json_number(json, throughput, "Bytes", GATE_POSITIVE);
  if (isnan(bytes)) bytes = gate_json_number(json, throughput, "BytesDecimal", GATE_POSITIVE);
  if (full_id && gate_id_fault(full_id))
    gate_json_wrong(json, "full_id %s", gate_id_fault(full_id));
  if (json->is_wrong) return;
  if (full_id) bench->full_id = arena_copy(set->arena, full_id);
  const gate_metric *time = gate_bench_find(bench, "time");
  const double ns = time ? gate_metric_main(time) : NAN;
  if (isnan(ns) || (isnan(elements) && isnan(bytes))) return;
  gate_metric *rate =
      gate_bench_add(set, bench, "throughput", isnan(bytes) ? "elem/s" : "B/s", GATE_HIGHER);
  rate->figures[GATE_MEDIAN] = (isnan(bytes) ? elements : bytes) * 1e9 / ns;
}

bool gate_read_entry_part(gate_set *set, gate_bench *bench, gate_entry_part part, const char *path,
                          const char *text, size_t length, gate_read_options options,
                          gate_problems *problems)
{
  gate_json json;
  if (!gate_json_open(&json, path, text, length, problems)) return false;
  switch (part) {
    case GATE_ESTIMATES: read_estimates(set, bench, &json, options); break;
    case GATE_SAMPLE: read_sample(set, bench, &json); break;
    case GATE_BENCHMARK: read_benchmark(set, bench, &json); break;
  }
  gate_json_release(&json);
  return !json.is_wrong;
}

/* ---- the walk ---- */

typedef struct walk {
  gate_set *set;
  const char *root;
  gate_read_options options;
  gate_problems *problems;
  gate_pairs run_files; /* path -> "" */
  size_t estimates;     /* files seen, good and bad */
  struct stat parents[FOLDER_DEPTH_MAX];
} walk;

/* `folder` is .../<id>/new. Neighbours of the estimates may be missing. */
static void read_entry(walk *state, const char *folder, const char *id)
{
  static const char *const files[] = {"estimates.json", "sample.json", "benchmark.json"};
  const int last = state->options.is_compat ? GATE_ESTIMATES : GATE_BENCHMARK;
  gate_set *set = state->set;
  gate_bench *bench = gate_set_add(set, id);
  bool is_read = true;
  state->estimates++;
  for (int part = GATE_ESTIMATES; part <= last && is_read; part++) {
    char *text;
    size_t length;
    const char *path = arena_format(set->arena, "%s/%s", folder, files[part]);
    if (part != GATE_ESTIMATES && !gate_exists(path)) continue;
    is_read = gate_file_read(set->arena, path, &text, &length, state->problems) &&
              gate_read_entry_part(set, bench, (gate_entry_part)part, path, text, length,
                                   state->options, state->problems);
  }
  if (!is_read) set->count--;
}

static int compare_names(const void *a, const void *b)
{
  return strcmp(((const gate_pair *)a)->key, ((const gate_pair *)b)->key);
}

static bool list_folder(walk *state, const char *folder, gate_pairs *names)
{
  bench_arena *arena = state->set->arena;
  DIR *opened = opendir(folder);
  if (!opened) return gate_wrong(state->problems, "failed to walk %s: %s", folder, strerror(errno));
  for (const struct dirent *entry; (entry = readdir(opened));) {
    names->items =
        arena_grow(arena, names->items, names->count, &names->capacity, sizeof *names->items);
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      names->items[names->count++] = (gate_pair){arena_copy(arena, entry->d_name), ""};
  }
  closedir(opened);
  if (names->count > 1) qsort(names->items, names->count, sizeof *names->items, compare_names);
  return true;
}

static bool is_loop(const walk *state, const struct stat *status, size_t depth)
{
  for (size_t i = 0; i < depth; i++)
    if (state->parents[i].st_ino == status->st_ino && state->parents[i].st_dev == status->st_dev)
      return true;
  return false;
}

static bool is_run_file(const char *name)
{
  const size_t length = strlen(name);
  return strncmp(name, "accel-run-", 10) == 0 && length > 15 &&
         strcmp(name + length - 5, ".json") == 0;
}

/* `id` is the path of `folder` below the root, "" for the root itself. */
static void walk_folder(walk *state, const char *folder, const char *id, size_t depth)
{
  bench_arena *arena = state->set->arena;
  struct stat status;
  gate_pairs names = {0};
  if (depth >= FOLDER_DEPTH_MAX || stat(folder, &status) != 0 || is_loop(state, &status, depth)) {
    gate_wrong(state->problems, "failed to walk %s: %s", folder,
               depth >= FOLDER_DEPTH_MAX ? "folders are nested too deep"
                                         : "a link leads back to a folder above it");
    return;
  }
  state->parents[depth] = status;
  if (!list_folder(state, folder, &names)) return;
  for (size_t i = 0; i < names.count; i++) {
    const char *name = names.items[i].key;
    char *path = arena_format(arena, "%s/%s", folder, name);
    if (depth == 0 && is_run_file(name)) gate_pairs_set(arena, &state->run_files, path, "");
    if (!gate_is_folder(path)) continue;
    char *estimates = arena_format(arena, "%s/estimates.json", path);
    if (strcmp(name, "new") == 0 && *id != '\0' && gate_exists(estimates)) {
      read_entry(state, path, id);
    } else {
      walk_folder(state, path, *id == '\0' ? name : arena_format(arena, "%s/%s", id, name),
                  depth + 1);
    }
  }
}

/* ---- the run files ---- */

static void add_all(bench_arena *arena, gate_pairs *to, const gate_pairs *from)
{
  for (size_t i = 0; i < from->count; i++)
    gate_pairs_set(arena, to, from->items[i].key, from->items[i].value);
}

/* What criterion's files could not say, from the bench's record in a run file. */
static void join_bench(gate_set *set, gate_bench *bench, const gate_bench *record)
{
  bench->definition_hash = record->definition_hash;
  bench->params = record->params;
  bench->target = record->target;
  bench->acceptable = record->acceptable;
  if (strcmp(bench->full_id, bench->id) == 0) bench->full_id = record->full_id;
  for (size_t i = 0; i < record->metric_count; i++) {
    const gate_metric *more = &record->metrics[i];
    const bool is_new = !gate_bench_find(bench, more->name);
    gate_metric *metric = gate_bench_get(set, bench, more->name, more->unit, more->better);
    if (is_new) *metric = *more;
    for (int f = 0; f < GATE_FIGURES; f++)
      if (gate_has(more, (gate_figure)f)) metric->figures[f] = more->figures[f];
    metric->rounds = more->rounds;
    metric->has_operation_percentiles = more->has_operation_percentiles;
  }
}

static void join_run(walk *state, const gate_set *run, bool *is_current)
{
  gate_set *set = state->set;
  add_all(set->arena, &set->machine, &run->machine);
  add_all(set->arena, &set->build, &run->build);
  add_all(set->arena, &set->skipped, &run->skipped);
  add_all(set->arena, &set->failed, &run->failed);
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *record = gate_set_find(run, set->benches[i].id);
    if (!record) continue;
    join_bench(set, &set->benches[i], record);
    is_current[i] = true;
  }
}

static void drop_stale(gate_set *set, const bool *is_current)
{
  size_t kept = 0;
  for (size_t i = 0; i < set->count; i++) {
    if (is_current[i]) {
      set->benches[kept++] = set->benches[i];
    } else {
      gate_pairs_set(set->arena, &set->stale, set->benches[i].id, "not of the newest run");
    }
  }
  set->count = kept;
}

/* Joins the files of the newest run id; entries that none of them lists are stale. */
static void join_runs(walk *state)
{
  gate_set *set = state->set;
  const size_t count = state->run_files.count;
  gate_set **runs = arena_take(set->arena, count, sizeof *runs);
  const gate_set *newest = NULL;
  for (size_t i = 0; i < count; i++) {
    runs[i] = gate_read_file(set->arena, state->run_files.items[i].key, (gate_read_options){0},
                             state->problems);
    if (!runs[i] || !runs[i]->run_id || !runs[i]->started) continue;
    if (!newest || strcmp(runs[i]->started, newest->started) > 0) newest = runs[i];
  }
  if (!newest) return;
  bool *is_current = arena_take(set->arena, set->count, sizeof *is_current);
  set->run_id = newest->run_id;
  set->started = newest->started;
  set->commit = newest->commit;
  for (size_t i = 0; i < count; i++)
    if (runs[i] && runs[i]->run_id && strcmp(runs[i]->run_id, newest->run_id) == 0)
      join_run(state, runs[i], is_current);
  drop_stale(set, is_current);
}

gate_set *gate_read_criterion(bench_arena *arena, const char *folder, gate_read_options options,
                              gate_problems *problems)
{
  if (!gate_exists(folder)) {
    gate_wrong(problems, "criterion dir not found: %s", folder);
    return NULL;
  }
  walk *state = arena_take(arena, 1, sizeof *state);
  state->set = gate_set_new(arena, folder, GATE_FORM_CRITERION);
  state->root = folder;
  state->options = options;
  state->problems = problems;
  const size_t before = problems->count;
  walk_folder(state, folder, "", 0);
  gate_set_sort(state->set);
  if (state->run_files.count > 0) join_runs(state);
  gate_read_finish(state->set, options, problems);
  if (state->estimates == 0 && problems->count == before)
    gate_wrong(problems, "no benchmark estimates found under %s", folder);
  return state->set;
}

/* ---- a folder, or a file ---- */

gate_set *gate_read(bench_arena *arena, const char *path, gate_read_options options,
                    gate_problems *problems)
{
  if (gate_is_folder(path) && !options.is_compat)
    return gate_read_criterion(arena, path, options, problems);
  return gate_read_file(arena, path, options, problems);
}

const char *gate_criterion_folder(bench_arena *arena)
{
  const char *home = getenv("CRITERION_HOME");
  if (home && *home != '\0') return home;
  const char *target = getenv("CARGO_TARGET_DIR");
  if (target && *target != '\0') return arena_format(arena, "%s/criterion", target);
  return "target/criterion";
}
