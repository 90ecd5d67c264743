/* The tree of results that criterion.rs keeps, as critcmp and accel-gate read it:
 *
 *   <folder>/<group>/<function>[/<parameter>]/{new,base,NAME}/
 *       tukey.json sample.json estimates.json benchmark.json
 *   <folder>/…/change/estimates.json     against the baseline, as ratios
 *   <folder>/<group>/skipped.json        why the group was left out; ours
 */
#include "result.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_MOST 100000

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

static void write_estimate(json *to, const char *key, const stats_estimate *estimate, double level)
{
  json_object(to, key);
  json_object(to, "confidence_interval");
  json_number(to, "confidence_level", level);
  json_number(to, "lower_bound", estimate->low);
  json_number(to, "upper_bound", estimate->high);
  json_end(to);
  json_number(to, "point_estimate", estimate->point);
  json_number(to, "standard_error", estimate->standard_error);
  json_end(to);
}

static char *tukey_text(const result *one)
{
  json to;
  const stats_fences *const fences = &one->summary.fences;
  if (!json_open(&to, false)) return NULL;
  json_array(&to, NULL);
  json_number(&to, NULL, fences->low_severe);
  json_number(&to, NULL, fences->low_mild);
  json_number(&to, NULL, fences->high_mild);
  json_number(&to, NULL, fences->high_severe);
  json_end(&to);
  return json_finish(&to);
}

static char *sample_text(const result *one)
{
  json to;
  const measure_samples *const samples = &one->samples;
  if (!json_open(&to, false)) return NULL;
  json_object(&to, NULL);
  json_string(&to, "sampling_mode", samples->is_linear ? "Linear" : "Flat");
  json_array(&to, "iters");
  for (size_t i = 0; i < samples->count; i++) json_number(&to, NULL, samples->iterations[i]);
  json_end(&to);
  json_array(&to, "times");
  for (size_t i = 0; i < samples->count; i++) json_number(&to, NULL, samples->times[i]);
  json_end(&to);
  json_end(&to);
  return json_finish(&to);
}

static char *estimates_text(const result *one, double level)
{
  json to;
  const stats_summary *const summary = &one->summary;
  if (!json_open(&to, false)) return NULL;
  json_object(&to, NULL);
  write_estimate(&to, "mean", &summary->mean, level);
  write_estimate(&to, "median", &summary->median, level);
  write_estimate(&to, "median_abs_dev", &summary->median_deviation, level);
  if (summary->has_slope)
    write_estimate(&to, "slope", &summary->slope, level);
  else
    json_null(&to, "slope");
  write_estimate(&to, "std_dev", &summary->standard_deviation, level);
  json_end(&to);
  return json_finish(&to);
}

static char *change_text(const result *one, double level)
{
  json to;
  if (!json_open(&to, false)) return NULL;
  json_object(&to, NULL);
  write_estimate(&to, "mean", &one->change.mean, level);
  write_estimate(&to, "median", &one->change.median, level);
  json_end(&to);
  return json_finish(&to);
}

static char *benchmark_text(const result *one)
{
  json to;
  const bench_case *const bench = one->bench;
  const bool has_parameter = one->id->parameter[0] != '\0';
  if (!json_open(&to, false)) return NULL;
  json_object(&to, NULL);
  json_string(&to, "group_id", bench->group);
  json_string(&to, "function_id", bench->function);
  json_string(&to, "value_str", has_parameter ? one->id->parameter : NULL);
  if (bench->bytes > 0 || bench->elements > 0) {
    json_object(&to, "throughput");
    if (bench->bytes > 0)
      json_integer(&to, "Bytes", bench->bytes);
    else
      json_integer(&to, "Elements", bench->elements);
    json_end(&to);
  } else {
    json_null(&to, "throughput");
  }
  json_string(&to, "full_id", one->id->full);
  json_string(&to, "directory_name", one->id->directory);
  json_string(&to, "title", one->id->title);
  json_end(&to);
  return json_finish(&to);
}

static bool save_as(const results *all, const result *one, const char *where)
{
  const double level = all->settings->statistics.confidence_level;
  return result_write(path_of(all, one->id, where, "tukey.json").text, tukey_text(one)) &&
         result_write(path_of(all, one->id, where, "sample.json").text, sample_text(one)) &&
         result_write(path_of(all, one->id, where, "estimates.json").text,
                      estimates_text(one, level)) &&
         result_write(path_of(all, one->id, where, "benchmark.json").text, benchmark_text(one));
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
  else if (!result_write(change.text, change_text(one, level)))
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
  json to;
  if (!json_open(&to, true)) return false;
  json_object(&to, NULL);
  json_string(&to, "group", one->bench->group);
  json_string(&to, "reason", one->reason);
  json_string(&to, "run_id", all->run_id);
  json_string(&to, "started", all->started);
  json_end(&to);
  return result_write(skip_mark(all, one->bench->group).text, json_finish(&to));
}

/* ---- reading a sample back ---- */

static char *read_file(const char *path)
{
  FILE *const file = fopen(path, "r");
  if (file == NULL) return NULL;
  const size_t most = 64u << 20;
  char *text = (char *)malloc(most + 1);
  const size_t size = text != NULL ? fread(text, 1, most, file) : 0;
  const bool is_whole = text != NULL && feof(file) && !ferror(file);
  fclose(file);
  if (!is_whole) {
    free(text);
    errno = EFBIG;
    return NULL;
  }
  text[size] = '\0';
  char *const fitting = (char *)realloc(text, size + 1);
  return fitting != NULL ? fitting : text;
}

static const char *skip_blanks(const char *at)
{
  return at + strspn(at, " \t\r\n");
}

/* Reads the array of positive numbers that follows `"key":`. Returns how many; 0: it is not one. */
static size_t read_numbers(const char *text, const char *key, double *numbers)
{
  char quoted[32];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  const char *at = strstr(text, quoted);
  if (at == NULL) return 0;
  at = skip_blanks(at + strlen(quoted));
  if (*at++ != ':') return 0;
  at = skip_blanks(at);
  if (*at++ != '[') return 0;
  for (size_t count = 0; count < SAMPLES_MOST; count++) {
    char *end;
    at = skip_blanks(at);
    if (!isdigit((unsigned char)*at)) return 0;
    numbers[count] = strtod(at, &end);
    if (!isfinite(numbers[count]) || numbers[count] <= 0) return 0;
    at = skip_blanks(end);
    if (*at == ']') return count + 1;
    if (*at++ != ',') return 0;
  }
  return 0;
}

static bool parse_samples(const char *text, measure_samples *out)
{
  *out = (measure_samples){.is_linear = strstr(text, "\"Linear\"") != NULL};
  out->iterations = (double *)malloc(SAMPLES_MOST * sizeof(double));
  out->times = (double *)malloc(SAMPLES_MOST * sizeof(double));
  if (out->iterations != NULL && out->times != NULL) {
    out->count = read_numbers(text, "iters", out->iterations);
    if (out->count > 0 && read_numbers(text, "times", out->times) == out->count) return true;
  }
  free(out->iterations);
  free(out->times);
  *out = (measure_samples){0};
  return false;
}

bool criterion_load(const results *all, const identity *id, const char *name, measure_samples *out)
{
  const path_text path = path_of(all, id, name, "sample.json");
  char *const text = read_file(path.text);
  if (text == NULL) {
    if (errno != ENOENT) fprintf(stderr, "error: %s: %s\n", path.text, strerror(errno));
    return false;
  }
  const bool is_read = parse_samples(text, out);
  if (!is_read) fprintf(stderr, "error: %s is not a sample of criterion's\n", path.text);
  free(text);
  return is_read;
}
