/* What people read, in the words that criterion uses and other tools look for; or libtest's. */
#include "result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS 24
#define SIGNIFICANT 0.05 /* p of a change is below it */
#define NOISE 0.01       /* so are changes that mean nothing */

typedef struct text_scale {
  double least; /* 0: the last */
  const char *unit;
} text_scale;

static const text_scale times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {0, "ns"}};
static const text_scale counts[] = {
    {1e9, "Gelem/s"}, {1e6, "Melem/s"}, {1e3, "Kelem/s"}, {0, "elem/s"}};
static const text_scale sizes[] = {
    {0x1p30, "GiB/s"}, {0x1p20, "MiB/s"}, {0x1p10, "KiB/s"}, {0, "B/s"}};

/* Five significant digits, as wide for every number. */
static const char *scaled(double number, const text_scale *scales)
{
  while (scales->least > 0 && number < scales->least) scales++;
  const double shown = scales->least > 0 ? number / scales->least : number, size = fabs(shown);
  const int decimals = size < 10 ? 4 : size < 100 ? 3 : size < 1000 ? 2 : size < 10000 ? 1 : 0;
  return arena_format("%.*f %s", decimals, shown, scales->unit);
}

static void print_times(const result *one)
{
  const stats_estimate *const typical = &one->summary.mean;
  const bool is_bytes = one->bench->bytes > 0;
  const text_scale *const scales = is_bytes ? sizes : counts;
  const double amount = (double)(is_bytes ? one->bench->bytes : one->bench->elements) * 1e9;
  const bool is_long = strlen(one->id->full) >= NAME_COLUMNS;
  printf("%-*s", NAME_COLUMNS, one->id->full);
  if (is_long) printf("\n%*s", NAME_COLUMNS, "");
  printf("time:   [%s %s %s]\n", scaled(typical->low, times), scaled(typical->point, times),
         scaled(typical->high, times));
  if (amount > 0)
    printf("%*sthrpt:  [%s %s %s]\n", NAME_COLUMNS, "", scaled(amount / typical->high, scales),
           scaled(amount / typical->point, scales), scaled(amount / typical->low, scales));
}

static void print_change(const result *one)
{
  const stats_estimate *const mean = &one->mean_change;
  const char *verdict = "No change in performance detected.";
  if (!one->has_change) return;
  printf("%*schange: [%+.4f%% %+.4f%% %+.4f%%] (p = %.2f %s %.2f)\n", NAME_COLUMNS, "",
         100 * mean->low, 100 * mean->point, 100 * mean->high, one->p_value,
         one->p_value < SIGNIFICANT ? "<" : ">", SIGNIFICANT);
  if (one->p_value < SIGNIFICANT) {
    verdict = "Change within noise threshold.";
    if (mean->high < -NOISE) verdict = "Performance has improved.";
    if (mean->low > NOISE) verdict = "Performance has regressed.";
  }
  printf("%*s%s\n", NAME_COLUMNS, "", verdict);
}

static void print_outliers(const result *one)
{
  static const char *const kinds[] = {"low severe", "low mild", "high mild", "high severe"};
  const stats_outliers *const found = &one->summary.outliers;
  const double percent = 100 / (double)one->samples.count;
  if (found->sum == 0) return;
  printf("Found %zu outliers among %zu measurements (%.2f%%)\n", found->sum, one->samples.count,
         percent * (double)found->sum);
  for (int i = 0; i < STATS_FENCES; i++)
    if (found->beyond[i] > 0)
      printf("  %zu (%.2f%%) %s\n", found->beyond[i], percent * (double)found->beyond[i], kinds[i]);
}

static void print_more(const char *name, const stats_estimate *estimate)
{
  printf("%-7s[%s %s]  ", name, scaled(estimate->low, times), scaled(estimate->high, times));
}

/* What an operation costs beyond its time, and how far it can be believed. */
static void print_details(const result *one)
{
  const stats_percentiles *const at = &one->percentiles;
  const stats_summary *const summary = &one->summary;
  const char *const of = one->is_of_operations ? "op" : "batch";
  print_more("median", &summary->median);
  print_more("std. dev.", &summary->standard_deviation);
  printf("\nallocs %g/op %g B/op  peak %llu B  timer %.0f ns\n", one->memory.allocations,
         one->memory.bytes, (unsigned long long)one->memory.peak_bytes, measure_timer_ns());
  printf("p50(%s) %s  p95(%s) %s  p99(%s) %s\n", of, scaled(at->p50, times), of,
         scaled(at->p95, times), of, scaled(at->p99, times));
}

void text_print_result(const results *all, const result *one)
{
  print_times(one);
  print_change(one);
  if (all->settings->is_quiet) return;
  print_outliers(one);
  if (all->settings->is_verbose) print_details(one);
  putchar('\n');
}

/* "1,234.56", with two decimals. */
static const char *thousands(double number)
{
  const char *const plain = arena_format("%.2f", number);
  char *const text = arena_take(2, strlen(plain)), *to = text;
  const size_t whole = strcspn(plain, ".");
  for (size_t i = 0; plain[i] != '\0'; i++) {
    if (i > 0 && i < whole && (whole - i) % 3 == 0) *to++ = ',';
    *to++ = plain[i];
  }
  return text;
}

void bencher_print_result(const result *one)
{
  const stats_summary *const summary = &one->summary;
  printf("test %s ... bench: %11s ns/iter (+/- %s)\n", one->id->full,
         thousands(summary->median.point), thousands(summary->standard_deviation.point));
}
