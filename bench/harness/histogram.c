#include "histogram.h"

/* Numbers below 64 are their own bucket; others are told by their highest seven bits. */
static size_t bucket_of(uint64_t number)
{
  if (number < 64) return (size_t)number;
  const unsigned shift = 57 - (unsigned)__builtin_clzll(number);
  return (size_t)(shift * 64 + (number >> shift));
}

static double bucket_middle(size_t bucket)
{
  if (bucket < 128) return (double)bucket;
  const unsigned shift = (unsigned)(bucket / 64 - 1);
  const uint64_t start = (uint64_t)(64 + bucket % 64) << shift;
  return (double)start + (double)(((uint64_t)1 << shift) - 1) / 2;
}

void histogram_add(histogram *to, uint64_t number)
{
  to->count++;
  if (number > to->max) to->max = number;
  to->buckets[bucket_of(number)]++;
}

double histogram_percentile(const histogram *of, double percent)
{
  if (of->count == 0) return 0;
  const double rank = percent / 100 * (double)(of->count - 1);
  uint64_t seen = 0;
  for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += of->buckets[i];
    if ((double)seen <= rank) continue;
    const double middle = bucket_middle(i);
    return middle < (double)of->max ? middle : (double)of->max;
  }
  return (double)of->max;
}
