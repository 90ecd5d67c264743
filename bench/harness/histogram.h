/* histogram.h: counts of times in log-linear buckets: 64 per power of two, so that a percentile is
 * right to 1.6 %, in a fixed 29 KB and without a sort. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 3776 /* 64 exact ones, then 64 for each of the other powers of two */

typedef struct histogram {
  uint64_t count, max;
  uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *to, uint64_t number);
/* The middle of the bucket that holds the percentile, at most the largest number; 0 if empty. */
double histogram_percentile(const histogram *of, double percent);

#endif
