/* The tree of results that criterion.rs keeps, as critcmp and accel-gate read it:
 *
 *   <folder>/<group>/<function>[/<parameter>]/{new,base,NAME}/
 *       tukey.json sample.json estimates.json benchmark.json
 *   <folder>/…/change/estimates.json     against the baseline, as ratios
 */
#include "result.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char *path_of(const results *all, const identity *id, const char *where,
                           const char *file)
{
  return arena_format("%s/%s/%s/%s", all->settings->criterion_path, id->directory, where, file);
}

/* ---- the files ---- */

static json_t *estimate_of(const stats_estimate *estimate, double level)
{
  return json_pack("{s:{s:f, s:o, s:o}, s:o, s:o}", "confidence_interval", "confidence_level",
                   level, "lower_bound", json_figure(estimate->low), "upper_bound",
                   json_figure(estimate->high), "point_estimate", json_figure(estimate->point),
                   "standard_error", json_figure(estimate->standard_error));
}

static json_t *sample_of(const measure_samples *samples)
{
  return json_pack("{s:s, s:o, s:o}", "sampling_mode", "Flat", "iters",
                   json_figures(samples->iterations, samples->count), "times",
                   json_figures(samples->times, samples->count));
}

static json_t *estimates_of(const stats_summary *summary, double level)
{
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", estimate_of(&summary->mean, level),
                   "median", estimate_of(&summary->median, level), "median_abs_dev",
                   estimate_of(&summary->median_deviation, level), "slope", json_null(), "std_dev",
                   estimate_of(&summary->standard_deviation, level));
}

static json_t *throughput_of(const bench_case *bench)
{
  if (bench->bytes > 0) return json_pack("{s:I}", "Bytes", (json_int_t)bench->bytes);
  if (bench->elements > 0) return json_pack("{s:I}", "Elements", (json_int_t)bench->elements);
  return json_null();
}

static json_t *benchmark_of(const bench_case *bench, const identity *id)
{
  return json_pack("{s:s, s:s?, s:s?, s:o, s:s, s:s, s:s}", "group_id", bench->group, "function_id",
                   bench->function, "value_str", bench->parameter, "throughput",
                   throughput_of(bench), "full_id", id->full, "directory_name", id->directory,
                   "title", id->title);
}

static bool save(const results *all, const identity *id, const char *where, const char *file,
                 json_t *value)
{
  return result_write(path_of(all, id, where, file), value, false);
}

static bool save_as(const results *all, const result *one, const char *where)
{
  const double level = all->settings->statistics.confidence_level;
  const identity *const id = one->id;
  return save(all, id, where, "tukey.json", json_figures(one->summary.fences.at, STATS_FENCES)) &&
         save(all, id, where, "sample.json", sample_of(&one->samples)) &&
         save(all, id, where, "estimates.json", estimates_of(&one->summary, level)) &&
         save(all, id, where, "benchmark.json", benchmark_of(one->bench, id));
}

bool criterion_save(const results *all, const result *one)
{
  const double level = all->settings->statistics.confidence_level;
  if (!save_as(all, one, "new")) return false;
  if (!one->has_change)
    unlink(path_of(all, one->id, "change", "estimates.json"));
  else if (!save(all, one->id, "change", "estimates.json",
                 json_pack("{s:o, s:o}", "mean", estimate_of(&one->mean_change, level), "median",
                           estimate_of(&one->median_change, level))))
    return false;
  return all->settings->save_as == NULL || save_as(all, one, all->settings->save_as);
}

/* ---- reading a sample back ---- */

/* `list` as `count` numbers above 0; NULL if it is anything else. */
static double *take_numbers(const json_t *list, size_t count)
{
  double *const numbers = (double *)arena_take(count, sizeof *numbers);
  if (count == 0 || json_array_size(list) != count) return NULL;
  for (size_t i = 0; i < count; i++) {
    numbers[i] = json_number_value(json_array_get(list, i));
    if (!isfinite(numbers[i]) || numbers[i] <= 0) return NULL;
  }
  return numbers;
}

bool criterion_load(const results *all, const identity *id, const char *name, measure_samples *out)
{
  json_error_t why;
  const char *const path = path_of(all, id, name, "sample.json");
  if (access(path, F_OK) != 0) return false;
  json_t *const sample = json_load_file(path, 0, &why);
  const json_t *const iterations = json_object_get(sample, "iters");
  *out = (measure_samples){.count = json_array_size(iterations)};
  out->iterations = take_numbers(iterations, out->count);
  out->times = take_numbers(json_object_get(sample, "times"), out->count);
  json_decref(sample);
  if (out->iterations != NULL && out->times != NULL) return true;
  fprintf(stderr, "error: %s is not a sample of criterion's%s%s\n", path,
          sample == NULL ? ": " : "", sample == NULL ? why.text : "");
  return false;
}
