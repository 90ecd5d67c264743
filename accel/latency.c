#include "latency.h"

#include <stdlib.h>
#include <string.h>

/* Times in units of 2^-40 s: unit = ns * 2^40 / 10^9 = ns * LATENCY_MULTIPLIER / 2^42. No time in
 * whole nanoseconds comes so near to a power of two that the rounding of the factor matters. */
#define LATENCY_MULTIPLIER 4835703278458517u
#define LATENCY_SHIFT 42u
#define LATENCY_FIRST_BIT (40 + ACCEL_HISTOGRAM_FIRST_POWER) /* of the first bucket's lower bound */

/* 2^(i/8) * 2^31, rounded up: what the upper 32 bits of a time reach in step i of its doubling. */
static const uint32_t latency_steps[ACCEL_HISTOGRAM_STEPS] = {0x80000000u, 0x8B95C1E4u, 0x9837F052u,
                                                              0xA5FED6AAu, 0xB504F334u, 0xC5672A12u,
                                                              0xD744FCCBu, 0xEAC0C6E8u};

uint32_t accel_histogram_bucket(uint64_t ns)
{
  __extension__ typedef unsigned __int128 latency_product;
  const latency_product whole = (latency_product)ns * LATENCY_MULTIPLIER >> LATENCY_SHIFT;
  const uint64_t first = (uint64_t)1 << LATENCY_FIRST_BIT;
  if (whole <= first) return 0;
  if (whole > first << (ACCEL_HISTOGRAM_BUCKETS / ACCEL_HISTOGRAM_STEPS))
    return ACCEL_HISTOGRAM_BUCKETS - 1;
  const uint64_t units = (uint64_t)whole - 1; /* a bound belongs to the bucket below it */
  const unsigned highest = 63u - (unsigned)__builtin_clzll(units);
  const uint32_t upper = (uint32_t)(units << (63u - highest) >> 32);
  uint32_t step = upper >= latency_steps[4] ? 4 : 0;
  if (upper >= latency_steps[step + 2]) step += 2;
  if (upper >= latency_steps[step + 1]) step += 1;
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
  const double step = (double)latency_steps[bucket % ACCEL_HISTOGRAM_STEPS] / 2147483648.0;
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
