#include "latency.h"

#include <stdlib.h>
#include <string.h>

/* Times are looked at in units of 2^-52 s: units = ns * 2^52 / 10^9 = ns * 2^43 / 5^9. The division
 * is exact, so that the bounds are. */
#define LATENCY_FIVES 1953125u /* 5^9 */
#define LATENCY_SHIFT 43u
#define LATENCY_FIRST_BIT (52 + ACCEL_HISTOGRAM_FIRST_POWER) /* of the first bucket's lower bound */
#define LATENCY_LONGEST_NS ((uint64_t)256000000000)          /* the last bucket's upper bound */

/* 2^(i/8) * 2^63, rounded up: what a time that is shifted to its highest bit reaches in step i. */
static const uint64_t latency_steps[ACCEL_HISTOGRAM_STEPS] = {
    0x8000000000000000u, 0x8B95C1E3EA8BD6E7u, 0x9837F0518DB8A970u, 0xA5FED6A9B15138EBu,
    0xB504F333F9DE6485u, 0xC5672A115506DADEu, 0xD744FCCAD69D6AF5u, 0xEAC0C6E7DD24392Fu};

uint32_t accel_histogram_bucket(uint64_t ns)
{
  if (ns > LATENCY_LONGEST_NS) return ACCEL_HISTOGRAM_BUCKETS - 1;
  const uint64_t fives = ns / LATENCY_FIVES, rest = ns % LATENCY_FIVES;
  const uint64_t whole = (fives << LATENCY_SHIFT) + (rest << LATENCY_SHIFT) / LATENCY_FIVES;
  if (whole <= (uint64_t)1 << LATENCY_FIRST_BIT) return 0;
  const uint64_t units = whole - 1; /* a bound belongs to the bucket below it */
  const unsigned highest = 63u - (unsigned)__builtin_clzll(units);
  const uint64_t shifted = units << (63u - highest);
  uint32_t step = shifted >= latency_steps[4] ? 4 : 0;
  if (shifted >= latency_steps[step + 2]) step += 2;
  if (shifted >= latency_steps[step + 1]) step += 1;
  return (highest - LATENCY_FIRST_BIT) * ACCEL_HISTOGRAM_STEPS + step;
}

void accel_histogram_record(accel_histogram *histogram, uint64_t ns)
{
  accel_add_relaxed(&histogram->counts[accel_histogram_bucket(ns)], 1u);
  accel_add_relaxed(&histogram->sum_ns, ns);
  uint64_t longest = accel_load_relaxed(&histogram->max_ns);
  while (ns > longest && !accel_compare_exchange(&histogram->max_ns, &longest, ns)) {}
}

void accel_histogram_add(accel_histogram *to, const accel_histogram *from)
{
  for (uint32_t i = 0; i < ACCEL_HISTOGRAM_BUCKETS; i++)
    to->counts[i] += accel_load_relaxed(&from->counts[i]);
  to->sum_ns += accel_load_relaxed(&from->sum_ns);
  const uint64_t longest = accel_load_relaxed(&from->max_ns);
  if (longest > to->max_ns) to->max_ns = longest;
}

uint64_t accel_histogram_count(const accel_histogram *histogram)
{
  uint64_t count = 0;
  for (uint32_t i = 0; i < ACCEL_HISTOGRAM_BUCKETS; i++)
    count += accel_load_relaxed(&histogram->counts[i]);
  return count;
}

/* The middle of a bucket, on the scale on which all buckets are equally wide. */
static double latency_middle_ms(uint32_t bucket)
{
  const double half_step = 1.0442737824274138; /* 2^(1/16) */
  const double step = (double)latency_steps[bucket % ACCEL_HISTOGRAM_STEPS] / 9223372036854775808.0;
  const double doublings = (double)((uint64_t)1 << (bucket / ACCEL_HISTOGRAM_STEPS));
  const double first_ms = 1000.0 / (double)((uint64_t)1 << -ACCEL_HISTOGRAM_FIRST_POWER);
  return first_ms * doublings * step * half_step;
}

double accel_histogram_quantile_ms(const accel_histogram *histogram, double quantile)
{
  const double wanted = quantile * (double)accel_histogram_count(histogram);
  const double longest_ms = (double)accel_load_relaxed(&histogram->max_ns) / 1e6;
  uint64_t below = 0;
  for (uint32_t i = 0; i < ACCEL_HISTOGRAM_BUCKETS; i++) {
    const uint64_t here = accel_load_relaxed(&histogram->counts[i]);
    below += here;
    if (here == 0 || (double)below < wanted) continue;
    const double middle_ms = latency_middle_ms(i);
    return middle_ms < longest_ms ? middle_ms : longest_ms;
  }
  return longest_ms; /* 0 of an empty one */
}

void accel_histogram_summarize(const accel_histogram *histogram, accel_latency *out)
{
  memset(out, 0, sizeof *out);
  out->count = accel_histogram_count(histogram);
  if (out->count == 0) return;
  out->mean_ms = (double)accel_load_relaxed(&histogram->sum_ns) / 1e6 / (double)out->count;
  out->p50_ms = accel_histogram_quantile_ms(histogram, 0.50);
  out->p95_ms = accel_histogram_quantile_ms(histogram, 0.95);
  out->p99_ms = accel_histogram_quantile_ms(histogram, 0.99);
  out->max_ms = (double)accel_load_relaxed(&histogram->max_ns) / 1e6;
}

void accel_latencies_sum(const accel_latencies *latencies, accel_timed first, accel_timed last,
                         accel_histogram *sum_out)
{
  memset(sum_out, 0, sizeof *sum_out);
  for (size_t i = first; i <= (size_t)last; i++)
    accel_histogram_add(sum_out, &latencies->histograms[i]);
}

accel_latencies *accel_latencies_open(void)
{
  accel_latencies *latencies = (accel_latencies *)ACCEL_MALLOC(sizeof *latencies);
  if (latencies != NULL) memset(latencies, 0, sizeof *latencies);
  return latencies;
}

void accel_latencies_close(accel_latencies *latencies_or_null)
{
  if (latencies_or_null != NULL) ACCEL_FREE(latencies_or_null);
}
