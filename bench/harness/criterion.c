/* The tree of results that criterion.rs keeps, as critcmp and accel-gate read it:
 *
 *   <folder>/<group>/<function>[/<parameter>]/{new,base,NAME}/
 *       tukey.json sample.json estimates.json benchmark.json
 *   <folder>/…/change/estimates.json     against the baseline, as ratios
 *   <folder>/<group>/skipped.json        why the group was left out; ours
 */
#include "result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for a folder, an id's directory and a file's name. */
typedef struct path_text {
  char text[4096];
} path_text;

static path_text path_of(const results *all, const identity *id, const char *where,
                         const char *file)
{
  path_text path;
  snprintf(path.text, sizeof path.text, "%.2000s/%s/%s/%s", all->settings->criterion_path,
           id->directory, where, file);
  return path;
}

/* ---- the files ---- */

static json_t *estimate_of(const stats_estimate *estimate, double level)
{
  return json_pack("{s:{s:f, s:o, s:o}, s:o, s:o}", "confidence_interval", "confidence_level",
                   level, "lower_bound", json_figure(estimate->low), "upper_bound",
                   json_figure(estimate->high), "point_estimate", json_figure(estimate->point),
                   "standard_error", json_figure(estimate->standard_error));
}

static json_t *tukey_of(const stats_fences *fences)
{
  const double list[] = {fences->low_severe, fences->low_mild, fences->high_mild,
                         fences->high_severe};
  return json_figures(list, 4);
}

static json_t *sample_of(const measure_samples *samples)
{
  return json_pack("{s:s, s:o, s:o}", "sampling_mode", samples->is_linear ? "Linear" : "Flat",
                   "iters", json_figures(samples->iterations, samples->count), "times",
                   json_figures(samples->times, samples->count));
}

static json_t *estimates_of(const stats_summary *summary, double level)
{
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", estimate_of(&summary->mean, level),
                   "median", estimate_of(&summary->median, level), "median_abs_dev",
                   estimate_of(&summary->median_deviation, level), "slope",
                   summary->has_slope ? estimate_of(&summary->slope, level) : json_null(),
                   "std_dev", estimate_of(&summary->standard_deviation, level));
}

static json_t *change_of(const stats_change *change, double level)
{
  return json_pack("{s:o, s:o}", "mean", estimate_of(&change->mean, level), "median",
                   estimate_of(&change->median, level));
}

static json_t *throughput_of(const bench_case *bench)
{
  if (bench->bytes > 0) return json_pack("{s:I}", "Bytes", (json_int_t)bench->bytes);
  if (bench->elements > 0) return json_pack("{s:I}", "Elements", (json_int_t)bench->elements);
  return json_null();
}

static json_t *benchmark_of(const bench_case *bench, const identity *id)
{
  const char *const parameter = id->parameter[0] != '\0' ? id->parameter : NULL;
  return json_pack("{s:s, s:s?, s:s?, s:o, s:s, s:s, s:s}", "group_id", bench->group, "function_id",
                   bench->function, "value_str", parameter, "throughput", throughput_of(bench),
                   "full_id", id->full, "directory_name", id->directory, "title", id->title);
}

static bool save(const results *all, const identity *id, const char *where, const char *file,
                 json_t *value)
{
  return result_write(path_of(all, id, where, file).text, json_text(value, false));
}

static bool save_as(const results *all, const result *one, const char *where)
{
  const double level = all->settings->statistics.confidence_level;
  const identity *const id = one->id;
  return save(all, id, where, "tukey.json", tukey_of(&one->summary.fences)) &&
         save(all, id, where, "sample.json", sample_of(&one->samples)) &&
         save(all, id, where, "estimates.json", estimates_of(&one->summary, level)) &&
         save(all, id, where, "benchmark.json", benchmark_of(one->bench, id));
}

static path_text skip_mark(const results *all, const char *group)
{
  char component[65];
  path_text path;
  identity_sanitise(group, component);
  snprintf(path.text, sizeof path.text, "%.2000s/%s/skipped.json", all->settings->criterion_path,
           component);
  return path;
}

bool criterion_save(const results *all, const result *one)
{
  const double level = all->settings->statistics.confidence_level;
  const path_text change = path_of(all, one->id, "change", "estimates.json");
  unlink(skip_mark(all, one->bench->group).text);
  if (!save_as(all, one, "new")) return false;
  if (!one->has_change)
    unlink(change.text);
  else if (!save(all, one->id, "change", "estimates.json", change_of(&one->change, level)))
    return false;
  return all->settings->save_as == NULL || save_as(all, one, all->settings->save_as);
}

/* The results that a skipped bench left earlier are not this run's. */
bool criterion_mark_skipped(const results *all, const result *one)
{
  static const char *const files[] = {"tukey", "sample", "estimates", "benchmark"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char name[32];
    snprintf(name, sizeof name, "%s.json", files[i]);
    unlink(path_of(all, one->id, "new", name).text);
  }
  json_t *const mark =
      json_pack("{s:s, s:o, s:s, s:s}", "group", one->bench->group, "reason",
                json_words(one->reason), "run_id", all->run_id, "started", all->started);
  return result_write(skip_mark(all, one->bench->group).text, json_text(mark, true));
}

/* ---- reading a sample back ---- */

/* `list` as `count` numbers above 0; NULL if it is anything else. */
static double *take_numbers(const json_t *list, size_t count)
{
  double *const numbers = count > 0 ? (double *)calloc(count, sizeof *numbers) : NULL;
  bool is_usable = numbers != NULL && json_array_size(list) == count;
  for (size_t i = 0; is_usable && i < count; i++) {
    numbers[i] = json_number_value(json_array_get(list, i));
    is_usable = isfinite(numbers[i]) && numbers[i] > 0;
  }
  if (is_usable) return numbers;
  free(numbers);
  return NULL;
}

static bool parse_samples(const json_t *sample, measure_samples *out)
{
  const json_t *const iterations = json_object_get(sample, "iters");
  const char *const mode = json_string_value(json_object_get(sample, "sampling_mode"));
  const size_t count = json_array_size(iterations);
  *out = (measure_samples){.count = count, .is_linear = mode && strcmp(mode, "Linear") == 0};
  out->iterations = take_numbers(iterations, count);
  out->times = take_numbers(json_object_get(sample, "times"), count);
  if (out->iterations != NULL && out->times != NULL) return true;
  free(out->iterations);
  free(out->times);
  *out = (measure_samples){0};
  return false;
}

bool criterion_load(const results *all, const identity *id, const char *name, measure_samples *out)
{
  json_error_t why;
  const path_text path = path_of(all, id, name, "sample.json");
  if (access(path.text, F_OK) != 0) return false;
  json_t *const sample = json_load_file(path.text, 0, &why);
  const bool is_read = parse_samples(sample, out);
  if (!is_read)
    fprintf(stderr, "error: %s is not a sample of criterion's%s%s\n", path.text,
            sample == NULL ? ": " : "", sample == NULL ? why.text : "");
  json_decref(sample);
  return is_read;
}
