/* criterion's folder: <id>/new/estimates.json and its neighbours, joined with the run files that
 * our own benches leave beside them. */
#include "forms.h"

#include <fnmatch.h>
#include <fts.h>
#include <math.h>
#include <string.h>

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

static void read_estimates(gate_bench *bench, gate_json *json, gate_read_options options)
{
  gate_metric *time = gate_bench_add(bench, "time", "ns");
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

static void read_sample(gate_bench *bench, gate_json *json)
{
  enum { SAMPLES_MAX = 500 };
  const gate_numbers iterations = gate_json_numbers(json, json->root, "iters", GATE_POSITIVE);
  const gate_numbers times = gate_json_numbers(json, json->root, "times", GATE_POSITIVE);
  if (iterations.count != times.count || times.count == 0)
    gate_json_wrong(json, "iters has %zu numbers, times %zu", iterations.count, times.count);
  if (json->is_wrong) return;
  gate_metric *time = gate_bench_get(bench, "time", "ns");
  gate_numbers samples = {0};
  for (size_t i = 0; i < times.count; i++)
    gate_numbers_add(&samples, times.values[i] / iterations.values[i]);
  gate_metric_summarise(time, &samples);
  if (samples.count <= SAMPLES_MAX) time->samples = samples;
}

static void read_benchmark(gate_bench *bench, gate_json *json)
{
  const char *full_id = gate_json_text(json, json->root, "full_id");
  json_t *throughput = gate_json_object(json, json->root, "throughput");
  const double elements = gate_json_number(json, throughput, "Elements", GATE_POSITIVE);
  double bytes = gate_json_number(json, throughput, "Bytes", GATE_POSITIVE);
  if (isnan(bytes)) bytes = gate_json_number(json, throughput, "BytesDecimal", GATE_POSITIVE);
  if (full_id && gate_id_fault(full_id))
    gate_json_wrong(json, "full_id %s", gate_id_fault(full_id));
  if (json->is_wrong) return;
  if (full_id) bench->full_id = arena_copy(full_id);
  const gate_metric *time = gate_bench_find(bench, "time");
  const double ns = time ? gate_metric_main(time) : NAN;
  if (isnan(ns) || (isnan(elements) && isnan(bytes))) return;
  gate_metric *rate = gate_bench_add(bench, "throughput", isnan(bytes) ? "elem/s" : "B/s");
  rate->figures[GATE_MEDIAN] = (isnan(bytes) ? elements : bytes) * 1e9 / ns;
}

bool gate_read_entry_part(gate_bench *bench, gate_entry_part part, const char *path,
                          const char *text, size_t length, gate_read_options options,
                          gate_problems *problems)
{
  gate_json json;
  if (!gate_json_open(&json, path, text, length, problems)) return false;
  switch (part) {
    case GATE_ESTIMATES: read_estimates(bench, &json, options); break;
    case GATE_SAMPLE: read_sample(bench, &json); break;
    case GATE_BENCHMARK: read_benchmark(bench, &json); break;
  }
  gate_json_release(&json);
  return !json.is_wrong;
}

/* ---- the walk ---- */

typedef struct walk {
  gate_set *set;
  gate_read_options options;
  gate_problems *problems;
  gate_pairs run_files; /* path -> "" */
  size_t estimates;     /* files seen, good and bad */
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
    const char *path = arena_format("%s/%s", folder, files[part]);
    if (part != GATE_ESTIMATES && !gate_exists(path)) continue;
    is_read = gate_file_read(path, &text, &length, state->problems) &&
              gate_read_entry_part(bench, (gate_entry_part)part, path, text, length, state->options,
                                   state->problems);
  }
  if (!is_read) set->count--;
}

/* Takes what is an entry, <root>/<id>/new/estimates.json, or a run file. */
static void take_file(walk *state, const FTSENT *found, size_t root_length)
{
  static const char end[] = "/new/estimates.json";
  const size_t length = found->fts_pathlen, end_length = sizeof end - 1;
  const char *path = found->fts_path;
  if (found->fts_level == 1 && fnmatch("accel-run-?*.json", found->fts_name, 0) == 0)
    gate_pairs_set(&state->run_files, path, "");
  if (length <= root_length + 1 + end_length) return;
  if (strcmp(path + length - end_length, end) != 0) return;
  const char *id = path + root_length + 1;
  read_entry(state, arena_copy_bytes(path, length - strlen("/estimates.json")),
             arena_copy_bytes(id, length - root_length - 1 - end_length));
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
  return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void walk_folder(walk *state, const char *folder)
{
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  char *const roots[] = {arena_copy_bytes(folder, length), NULL};
  FTS *walker = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
  for (const FTSENT *found; walker && (found = fts_read(walker));) {
    switch (found->fts_info) {
      case FTS_F: take_file(state, found, length); break;
      case FTS_DC:
        gate_wrong(state->problems, "failed to walk %s: a link leads back to a folder above it",
                   found->fts_path);
        break;
      case FTS_DNR:
      case FTS_ERR:
        gate_wrong(state->problems, "failed to walk %s: %s", found->fts_path,
                   strerror(found->fts_errno));
        break;
      default: break;
    }
  }
  if (walker) fts_close(walker);
}

/* ---- the run files ---- */

/* The newest of the runs; the others become NULL unless they are of the same id. */
static const gate_set *choose_runs(walk *state, gate_set **runs)
{
  const size_t count = state->run_files.count;
  const gate_set *newest = NULL;
  for (size_t i = 0; i < count; i++) {
    runs[i] =
        gate_read_file(state->run_files.items[i].key, (gate_read_options){0}, state->problems);
    if (!runs[i] || !runs[i]->run_id || !runs[i]->started) continue;
    if (!newest || strcmp(runs[i]->started, newest->started) > 0) newest = runs[i];
  }
  for (size_t i = 0; i < count && newest; i++)
    if (runs[i] && (!runs[i]->run_id || strcmp(runs[i]->run_id, newest->run_id) != 0))
      runs[i] = NULL;
  return newest;
}

/* Takes benches from the files of the newest run id, which say more of them than criterion's do;
 * entries that none of them lists are stale. */
static void join_runs(walk *state)
{
  gate_set *set = state->set;
  const size_t count = state->run_files.count;
  gate_set **runs = arena_take(count, sizeof *runs);
  const gate_set *newest = choose_runs(state, runs);
  size_t kept = 0;
  if (!newest) return;
  set->run_id = newest->run_id;
  set->started = newest->started;
  set->commit = newest->commit;
  for (size_t r = 0; r < count; r++) {
    if (!runs[r]) continue;
    gate_pairs_add(&set->machine, &runs[r]->machine);
    gate_pairs_add(&set->build, &runs[r]->build);
    gate_pairs_add(&set->skipped, &runs[r]->skipped);
    gate_pairs_add(&set->failed, &runs[r]->failed);
  }
  for (size_t i = 0; i < set->count; i++) {
    const char *id = set->benches[i].id;
    const gate_bench *record = NULL;
    for (size_t r = 0; r < count && !record; r++)
      if (runs[r]) record = gate_set_find(runs[r], id);
    const bool is_whole = record && gate_bench_find(record, "time") && !state->options.is_compat;
    if (record)
      set->benches[kept++] = is_whole ? *record : set->benches[i];
    else
      gate_pairs_set(&set->stale, id, "not of the newest run");
  }
  set->count = kept;
}

gate_set *gate_read_criterion(const char *folder, gate_read_options options,
                              gate_problems *problems)
{
  if (!gate_exists(folder)) {
    gate_wrong(problems, "criterion dir not found: %s", folder);
    return NULL;
  }
  walk *state = arena_take(1, sizeof *state);
  state->set = gate_set_new(folder, GATE_FORM_CRITERION);
  state->options = options;
  state->problems = problems;
  const size_t before = problems->count;
  walk_folder(state, folder);
  gate_set_sort(state->set);
  if (state->run_files.count > 0) join_runs(state);
  gate_read_finish(state->set, options, problems);
  if (state->estimates == 0 && problems->count == before)
    gate_wrong(problems, "no benchmark estimates found under %s", folder);
  return state->set;
}

gate_set *gate_read(const char *path, gate_read_options options, gate_problems *problems)
{
  const bool is_tree = gate_is_folder(path) && !options.is_compat;
  return is_tree ? gate_read_criterion(path, options, problems)
                 : gate_read_file(path, options, problems);
}
