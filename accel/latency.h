/* latency.h: how long things take, in histograms (layer 1).
 *
 * A histogram has eight buckets for each doubling of time, so that a value is known to 4.4 %. Their
 * bounds are the powers 2^(i/8) of a second, upper bounds inclusive. Both forms in which others
 * read histograms have such bounds: an exponential histogram of OpenTelemetry with scale 3 has the
 * same buckets, and the classic buckets of Prometheus at the powers of two are sums of eight. So
 * every output shows the same counts.
 *
 * Threads share a histogram and add to it by relaxed atomic additions: an addition takes some tens
 * of nanoseconds at most, what it measures takes microseconds. Readers take no lock, so the sum of
 * the times may lack a value that the counts have. Threads: any, all functions.
 */
#ifndef ACCEL_LATENCY_H
#define ACCEL_LATENCY_H

#include "platform/atomic.h"
#include "platform/clock.h"

/* Times of one kind, in milliseconds. The percentiles are known to 4.4 %, mean_ms and max_ms are
 * exact. All are 0 while nothing was measured. */
typedef struct accel_latency {
  uint64_t count;
  double mean_ms, p50_ms, p95_ms, p99_ms, max_ms;
} accel_latency;

#define ACCEL_HISTOGRAM_SCALE 3 /* 2^3 buckets for a doubling */
#define ACCEL_HISTOGRAM_STEPS (1u << ACCEL_HISTOGRAM_SCALE)
/* The first bucket begins at 2^-24 s, which is 60 ns, and has what is shorter too; the last one
 * ends at 2^8 s, which is 256 s, and has what is longer too. */
#define ACCEL_HISTOGRAM_FIRST_POWER (-24)
#define ACCEL_HISTOGRAM_BUCKETS (32u * ACCEL_HISTOGRAM_STEPS)
/* The upper bound of bucket i is 2^((i + 1 + ACCEL_HISTOGRAM_OFFSET) / 8) seconds. */
#define ACCEL_HISTOGRAM_OFFSET (ACCEL_HISTOGRAM_FIRST_POWER * (int)ACCEL_HISTOGRAM_STEPS)

/* Zeroed: empty. */
typedef struct accel_histogram {
  uint64_t counts[ACCEL_HISTOGRAM_BUCKETS]; /* atomic */
  uint64_t sum_ns, max_ns;                  /* atomic */
} accel_histogram;

/* What is timed: X(name, family, label, its value). */
#define ACCEL_TIMED_LIST_(X) \
  X(load, load, "", "") \
  X(get, remote, "op", "get") \
  X(lease, remote, "op", "lease") \
  X(fill, remote, "op", "fill") \
  X(put, remote, "op", "put") \
  X(del, remote, "op", "del") \
  X(clear, remote, "op", "clear") \
  X(wait_flight, wait, "for", "flight") \
  X(wait_lease, wait, "for", "lease") \
  X(read, read, "", "")

#define ACCEL_TIMED_ENUM_(name_, family_, label_, value_) ACCEL_TIMED_##name_,
typedef enum accel_timed { ACCEL_TIMED_LIST_(ACCEL_TIMED_ENUM_) ACCEL_TIMED_COUNT } accel_timed;

/* The histograms of a cache. */
typedef struct accel_latencies {
  accel_histogram histograms[ACCEL_TIMED_COUNT];
} accel_latencies;

ACCEL_EXTERN_C_BEGIN

/* The bucket of a time. */
uint32_t accel_histogram_bucket(uint64_t ns);
void accel_histogram_record(accel_histogram *histogram, uint64_t ns);
/* Adds all of `from`, to which other threads may be adding, to `to`, which is the caller's own. */
void accel_histogram_add(accel_histogram *to, const accel_histogram *from);
uint64_t accel_histogram_count(const accel_histogram *histogram);
/* The time below which the share `quantile` (0 to 1) of all lies, to 4.4 %; 0 of an empty one. */
double accel_histogram_quantile_ms(const accel_histogram *histogram, double quantile);
void accel_histogram_summarize(const accel_histogram *histogram, accel_latency *out);

/* The sum of the histograms from `first` to `last`, both included. */
void accel_latencies_sum(const accel_latencies *latencies, accel_timed first, accel_timed last,
                         accel_histogram *sum_out);

/* Histograms, all empty. NULL: no memory. */
accel_latencies *accel_latencies_open(void);
void accel_latencies_close(accel_latencies *latencies_or_null);

/* Begins to time something. NULL: no clock is read. */
ACCEL_INLINE uint64_t accel_latencies_begin(const accel_latencies *latencies_or_null_)
{
  return latencies_or_null_ == NULL ? 0 : accel_clock_monotonic_ns();
}

/* What began at `begun_ns` has ended. Returns how long it took; 0 if that was not timed. */
ACCEL_INLINE uint64_t accel_latencies_end(accel_latencies *latencies_or_null_, accel_timed what_,
                                          uint64_t begun_ns_)
{
  if (latencies_or_null_ == NULL) return 0;
  const uint64_t taken_ns_ = accel_clock_monotonic_ns() - begun_ns_;
  accel_histogram_record(&latencies_or_null_->histograms[what_], taken_ns_);
  return taken_ns_;
}

ACCEL_EXTERN_C_END
#endif
