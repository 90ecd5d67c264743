#include "result.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void result_each(const measure_samples *samples, double *each)
{
  for (size_t i = 0; i < samples->count; i++) each[i] = samples->times[i] / samples->iterations[i];
}

bool result_percentiles_of(const result *of, result_percentiles *out)
{
  if (of->latency.count > 0) {
    *out = (result_percentiles){true, of->latency.p05, of->latency.p50, of->latency.p95,
                                of->latency.p99};
    return true;
  }
  const size_t count = of->samples.count;
  double *const each = (double *)malloc(count * sizeof *each);
  if (each == NULL) return false;
  result_each(&of->samples, each);
  stats_sort(each, count);
  *out = (result_percentiles){false, stats_percentile(each, count, 5),
                              stats_percentile(each, count, 50), stats_percentile(each, count, 95),
                              stats_percentile(each, count, 99)};
  free(each);
  return true;
}

/* ---- files ---- */

static bool make_folders(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    const bool is_there = mkdir(path, 0777) == 0 || errno == EEXIST;
    *slash = '/';
    if (!is_there) return false;
  }
  return true;
}

static bool write_file(const char *path, const char *text)
{
  FILE *const file = fopen(path, "w");
  if (file == NULL) return false;
  const bool is_written = fputs(text, file) >= 0;
  return fclose(file) == 0 && is_written;
}

bool result_write(const char *path, char *text)
{
  char folder[4096], temporary[4096];
  const int length = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
  snprintf(folder, sizeof folder, "%s", path);
  bool is_written = text != NULL && length > 0 && (size_t)length < sizeof temporary;
  if (!is_written) errno = text == NULL ? ENOMEM : ENAMETOOLONG;
  is_written = is_written && make_folders(folder) && write_file(temporary, text) &&
               rename(temporary, path) == 0;
  if (!is_written) {
    const int reason = errno;
    fprintf(stderr, "error: %s cannot be written: %s\n", path, strerror(reason));
    if (text != NULL) unlink(temporary);
  }
  free(text);
  return is_written;
}

/* ---- where and how ---- */

json_t *result_build(const results *all)
{
  const bench_build *const build = all->build;
  const char *const type = build->sanitizer != NULL                        ? "sanitized"
                           : build->is_optimised && !build->has_assertions ? "release"
                                                                           : "debug";
  return json_pack("{s:s, s:s, s:s, s:s, s:s?}", "type", type, "compiler", build->compiler, "flags",
                   build->flags, "libc", gnu_get_libc_version(), "accel",
                   all->suite->accel_version);
}

json_t *result_targets(const bench_case *bench)
{
  if (bench->target_ns <= 0) return NULL;
  return json_pack("{s:{s:f, s:f}}", "time", "target", bench->target_ns, "acceptable",
                   bench->acceptable_ns);
}
