#include "result.h"

#include "file.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double *result_each(const measure_samples *samples)
{
  double *const each = (double *)arena_take(samples->count, sizeof *each);
  for (size_t i = 0; i < samples->count; i++) each[i] = samples->times[i] / samples->iterations[i];
  return each;
}

bool result_write(const char *path, json_t *value, bool is_pretty)
{
  char *const text = json_text(value, is_pretty);
  const char *const why = text == NULL ? "no memory" : file_write(path, text, strlen(text));
  if (why != NULL) fprintf(stderr, "error: %s cannot be written: %s\n", path, why);
  free(text);
  return why == NULL;
}

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
