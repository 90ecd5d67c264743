/* What people read, in the words that criterion uses and other tools look for; or libtest's. */
#include "result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 24

/* Five significant digits, as wide for every number. */
static void format_digits(double number, char text[static 32])
{
  const double size = fabs(number);
  const int decimals = size < 10 ? 4 : size < 100 ? 3 : size < 1000 ? 2 : size < 10000 ? 1 : 0;
  snprintf(text, 32, "%.*f", decimals, number);
}

static void print_scaled(double number, const double *scales, const char *const *units)
{
  char text[32];
  size_t i = 0;
  while (scales[i] > 0 && number < scales[i]) i++;
  format_digits(scales[i] > 0 ? number / scales[i] : number, text);
  printf("%s %s", text, units[i]);
}

static void print_time(double ns)
{
  static const double scales[] = {1e9, 1e6, 1e3, 1, 0};
  static const char *const units[] = {"s", "ms", "µs", "ns", "ns"};
  print_scaled(ns, scales, units);
}

static void print_rate(double per_s, bool is_bytes)
{
  static const double scales[] = {1e9, 1e6, 1e3, 0}, sizes[] = {0x1p30, 0x1p20, 0x1p10, 0};
  static const char *const units[] = {"Gelem/s", "Melem/s", "Kelem/s", "elem/s"};
  static const char *const size_units[] = {"GiB/s", "MiB/s", "KiB/s", "B/s"};
  print_scaled(per_s, is_bytes ? sizes : scales, is_bytes ? size_units : units);
}

static const stats_estimate *typical_of(const result *one)
{
  return one->summary.has_slope ? &one->summary.slope : &one->summary.mean;
}

static void print_times(const result *one)
{
  const stats_estimate *const typical = typical_of(one);
  const char *const name = one->id->full;
  if (strlen(name) >= NAME_COLUMNS)
    printf("%s\n%*s", name, NAME_COLUMNS, "");
  else
    printf("%-*s", NAME_COLUMNS, name);
  printf("time:   [");
  print_time(typical->low);
  putchar(' ');
  print_time(typical->point);
  putchar(' ');
  print_time(typical->high);
  printf("]\n");
}

static void print_throughput(const result *one, size_t threads)
{
  const bool is_bytes = one->bench->bytes > 0;
  const double amount = (double)(is_bytes ? one->bench->bytes : one->bench->elements);
  const double all = amount * (double)threads * 1e9;
  const stats_estimate *const typical = typical_of(one);
  if (amount <= 0) return;
  printf("%*sthrpt:  [", NAME_COLUMNS, "");
  print_rate(all / typical->high, is_bytes);
  putchar(' ');
  print_rate(all / typical->point, is_bytes);
  putchar(' ');
  print_rate(all / typical->low, is_bytes);
  printf("]\n");
}

static void print_verdict(const results *all, const result *one)
{
  const stats_estimate *const mean = &one->mean_change;
  const double noise = all->settings->noise_threshold;
  const char *color = "", *verdict = "No change in performance detected.";
  if (one->p_value < all->settings->significance_level) {
    verdict = "Change within noise threshold.";
    if (mean->high < -noise) color = "\033[32m", verdict = "Performance has improved.";
    if (mean->low > noise) color = "\033[31m", verdict = "Performance has regressed.";
  }
  const bool is_coloured = all->settings->is_coloured && color[0] != '\0';
  printf("%*s%s%s%s\n", NAME_COLUMNS, "", is_coloured ? color : "", verdict,
         is_coloured ? "\033[0m" : "");
}

static void print_change(const results *all, const result *one)
{
  const stats_estimate *const mean = &one->mean_change;
  const double level = all->settings->significance_level;
  if (!one->has_change) return;
  printf("%*schange: [%+.4f%% %+.4f%% %+.4f%%] (p = %.2f %s %.2f)\n", NAME_COLUMNS, "",
         100 * mean->low, 100 * mean->point, 100 * mean->high, one->p_value,
         one->p_value < level ? "<" : ">", level);
  print_verdict(all, one);
}

static void print_kind(size_t found, size_t count, const char *kind)
{
  if (found == 0) return;
  printf("  %zu (%.2f%%) %s\n", found, 100 * (double)found / (double)count, kind);
}

static void print_outliers(const result *one)
{
  const stats_outliers *const found = &one->summary.outliers;
  const size_t count = one->samples.count;
  const size_t sum = found->low_severe + found->low_mild + found->high_mild + found->high_severe;
  if (sum == 0) return;
  printf("Found %zu outliers among %zu measurements (%.2f%%)\n", sum, count,
         100 * (double)sum / (double)count);
  print_kind(found->low_severe, count, "low severe");
  print_kind(found->low_mild, count, "low mild");
  print_kind(found->high_mild, count, "high mild");
  print_kind(found->high_severe, count, "high severe");
}

static void print_more(const char *name, const stats_estimate *estimate)
{
  printf("%-7s[", name);
  print_time(estimate->low);
  putchar(' ');
  print_time(estimate->high);
  printf("]  ");
}

/* What an operation costs beyond its time, and how far it can be believed. */
static void print_details(const result *one)
{
  const result_percentiles *const at = &one->percentiles;
  const stats_summary *const summary = &one->summary;
  if (summary->has_slope) print_more("slope", &summary->slope);
  print_more("mean", &summary->mean);
  print_more("median", &summary->median);
  print_more("std. dev.", &summary->standard_deviation);
  printf("\nallocs %g/op %g B/op  peak %llu B  timer %.0f ns\n", one->memory.allocations,
         one->memory.bytes, (unsigned long long)one->memory.peak_bytes, measure_timer_ns());
  const char *const of = at->is_of_operations ? "op" : "batch";
  printf("p50(%s) ", of);
  print_time(at->p50);
  printf("  p95(%s) ", of);
  print_time(at->p95);
  printf("  p99(%s) ", of);
  print_time(at->p99);
  if (at->is_of_operations) {
    printf("  p99.9(op) ");
    print_time(one->latency.p999);
    printf("  max(op) ");
    print_time(one->latency.max);
  }
  putchar('\n');
}

void text_print_result(const results *all, const result *one)
{
  print_times(one);
  print_throughput(one, all->settings->plan.threads);
  print_change(all, one);
  if (all->settings->is_quiet) return;
  print_outliers(one);
  if (all->settings->is_verbose) print_details(one);
  putchar('\n');
}

void bencher_print_result(const result *one)
{
  char median[JSON_THOUSANDS], deviation[JSON_THOUSANDS];
  json_thousands(one->summary.median.point, 2, median);
  json_thousands(one->summary.standard_deviation.point, 2, deviation);
  printf("test %s ... bench: %11s ns/iter (+/- %s)\n", one->id->full, median, deviation);
}
