#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *csv;
static const char *csv_path;

/* ---- series ---- */

static int compare_doubles(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static bench_series sorted(const bench_series *series)
{
  bench_series copy = *series;
  qsort(copy.values, copy.count, sizeof *copy.values, compare_doubles);
  return copy;
}

double bench_median(const bench_series *series)
{
  if (series->count == 0) return 0;
  const bench_series copy = sorted(series);
  const double *middle = &copy.values[copy.count / 2];
  return copy.count % 2 == 1 ? *middle : (middle[-1] + middle[0]) / 2;
}

double bench_least(const bench_series *series)
{
  return series->count == 0 ? 0 : sorted(series).values[0];
}

double bench_most(const bench_series *series)
{
  return series->count == 0 ? 0 : sorted(series).values[series->count - 1];
}

bench_series bench_ratio(const bench_series *above, const bench_series *below)
{
  bench_series ratios = {.count = above->count < below->count ? above->count : below->count};
  for (size_t i = 0; i < ratios.count; i++) ratios.values[i] = above->values[i] / below->values[i];
  return ratios;
}

/* ---- the file ---- */

bool bench_report_open(const bench_options *options)
{
  csv_path = options->csv;
  if (csv_path == NULL) return true;
  csv = fopen(csv_path, "w");
  if (csv == NULL) {
    fprintf(stderr, "%s: %s\n", csv_path, strerror(errno));
    return false;
  }
  fputs("entries,table,subject,figure,unit,rounds,median,least,most\n", csv);
  return true;
}

bool bench_report_close(void)
{
  if (csv == NULL) return true;
  const bool has_failed = ferror(csv) != 0;
  if (fclose(csv) == 0 && !has_failed) return true;
  fprintf(stderr, "%s: not written whole\n", csv_path);
  return false;
}

void bench_report_csv(const bench_world *world, const char *table, size_t subject, const char *what,
                      const char *unit, const bench_series *series)
{
  if (csv == NULL || series->count == 0) return;
  fprintf(csv, "%zu,\"%s\",\"%s\",\"%s\",%s,%zu,%.6g,%.6g,%.6g\n", world->entries, table,
          world->subjects[subject]->name, what, unit, series->count, bench_median(series),
          bench_least(series), bench_most(series));
}

/* ---- tables ---- */

static const bench_series *floor_of(const bench_world *world, bench_role role,
                                    const bench_series *series)
{
  for (size_t i = 0; i < world->subject_count; i++)
    if (world->subjects[i]->role == role) return &series[i];
  return NULL;
}

static void print_ratio(const bench_world *world, const char *title, size_t subject,
                        const bench_series *series, bench_role role, const char *what)
{
  const bench_series *floor = floor_of(world, role, series);
  if (floor == NULL || floor->count == 0) {
    printf(" %8s", "-");
    return;
  }
  const bench_series ratios = bench_ratio(&series[subject], floor);
  printf(" %8.2f", bench_median(&ratios));
  bench_report_csv(world, title, subject, what, "ratio", &ratios);
}

void bench_report_times(const bench_world *world, const char *title, const bench_series *taken,
                        const bench_series *found)
{
  printf("\n%zu entries: %s\n", world->entries, title);
  printf("  %-22s %9s %9s %9s %8s %8s %8s\n", "", "ns", "least", "most", "x map", "x array",
         "found");
  for (size_t i = 0; i < world->subject_count; i++) {
    printf("  %-22s", world->subjects[i]->name);
    if (taken[i].count == 0) {
      puts("         - has no such operation");
      continue;
    }
    printf(" %9.1f %9.1f %9.1f", bench_median(&taken[i]), bench_least(&taken[i]),
           bench_most(&taken[i]));
    bench_report_csv(world, title, i, "time", "ns", &taken[i]);
    print_ratio(world, title, i, taken, BENCH_FLOOR_MAP, "to the map");
    print_ratio(world, title, i, taken, BENCH_FLOOR_ARRAY, "to the array");
    if (found[i].count == 0) {
      printf(" %8s\n", "-");
      continue;
    }
    printf(" %6.1f %%\n", 100 * bench_median(&found[i]));
    bench_report_csv(world, title, i, "found", "share", &found[i]);
  }
  fflush(stdout);
}

static void print_scaling(const bench_world *world, const char *title, size_t subject,
                          const bench_series *rates, size_t column)
{
  const bench_list *threads = &world->options->threads;
  for (size_t base = 0; base < 2 && base < column; base++) {
    char what[48];
    const bench_series ratios = bench_ratio(&rates[column], &rates[base]);
    snprintf(what, sizeof what, "%zu threads to %zu", threads->values[column],
             threads->values[base]);
    printf(" %zu/%zu: %.2f", threads->values[column], threads->values[base], bench_median(&ratios));
    bench_report_csv(world, title, subject, what, "ratio", &ratios);
  }
}

/* What a cache reaches of the floor with as many threads. */
static void print_share(const bench_world *world, const char *title, size_t subject,
                        bench_series (*rates)[BENCH_LIST_MAX])
{
  const bench_list *threads = &world->options->threads;
  size_t floor = 0;
  while (floor < world->subject_count && world->subjects[floor]->role != BENCH_FLOOR_SHARED)
    floor++;
  if (floor == world->subject_count) return;
  printf("  of the floor:");
  for (size_t column = 0; column < threads->count; column++) {
    char what[48];
    const bench_series ratios = bench_ratio(&rates[subject][column], &rates[floor][column]);
    snprintf(what, sizeof what, "%zu threads to the floor", threads->values[column]);
    printf(" %.2f", bench_median(&ratios));
    bench_report_csv(world, title, subject, what, "ratio", &ratios);
  }
}

void bench_report_threads(const bench_world *world, const char *title,
                          bench_series (*rates)[BENCH_LIST_MAX])
{
  const bench_list *threads = &world->options->threads;
  printf("\n%zu entries: %s; millions per second by threads, and their ratios\n  %-22s",
         world->entries, title, "");
  for (size_t i = 0; i < threads->count; i++) printf(" %7zu", threads->values[i]);
  puts("");
  for (size_t i = 0; i < world->subject_count; i++) {
    if (rates[i][0].count == 0) continue;
    printf("  %-22s", world->subjects[i]->name);
    for (size_t column = 0; column < threads->count; column++) {
      char what[32];
      snprintf(what, sizeof what, "%zu threads", threads->values[column]);
      printf(" %7.2f", bench_median(&rates[i][column]));
      bench_report_csv(world, title, i, what, "Mop/s", &rates[i][column]);
    }
    printf("  ");
    for (size_t column = 1; column < threads->count; column++)
      print_scaling(world, title, i, rates[i], column);
    if (world->subjects[i]->role == BENCH_CACHE) print_share(world, title, i, rates);
    puts("");
  }
  fflush(stdout);
}

void bench_report_memory(const bench_world *world)
{
  printf("\n%zu entries: after as many different keys were set\n", world->entries);
  printf("  %-22s %16s %14s\n", "", "bytes beyond", "still there");
  for (size_t i = 0; i < world->subject_count; i++) {
    const bench_series bytes = {.values = {world->overhead[i]}, .count = 1};
    const bench_series resident = {.values = {world->resident[i]}, .count = 1};
    printf("  %-22s %16.1f", world->subjects[i]->name, world->overhead[i]);
    bench_report_csv(world, "memory", i, "beyond key and value per entry", "bytes", &bytes);
    if (world->subjects[i]->never_miss) {
      printf(" %14s\n", "cannot ask");
      continue;
    }
    printf(" %12.2f %%\n", world->resident[i]);
    bench_report_csv(world, "memory", i, "resident", "percent", &resident);
  }
  fflush(stdout);
}

void bench_progress(const bench_world *world, const char *what, size_t round)
{
  if (!isatty(STDERR_FILENO)) return;
  if (*what == '\0')
    fprintf(stderr, "\r\033[K");
  else
    fprintf(stderr, "\r\033[K%zu entries: %s, round %zu of %zu", world->entries, what, round + 1,
            world->options->rounds);
  fflush(stderr);
}
