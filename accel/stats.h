/* stats.h: one list of counters (layer 2).
 *
 * A new counter is one line in ACCEL_COUNTER_LIST_: the struct, the snapshot, the OpenTelemetry
 * points and the observer's metrics follow from it.
 *
 * Each thread counts L1 hits and misses by plain stores in a cache line of its own; a snapshot sums
 * the lines, and the line of an ended thread keeps its counts. All other counters are relaxed
 * atomic additions. Threads: any, all functions except open and close.
 */
#ifndef ACCEL_STATS_H
#define ACCEL_STATS_H

#include "platform/atomic.h"
#include "platform/slot.h"

/* X(field, metric, unit, what it counts). Append only: the order is public. The first two are
 * counted in lines, those of `local_` at the end by the L1 engine (backend.h). */
/* clang-format off */
#define ACCEL_COUNTER_LIST_(X) \
  X(local_hit, "local_hit_total", "{read}", "Reads that L1 answered.") \
  X(local_miss, "local_miss_total", "{read}", "Reads that L1 did not answer.") \
  X(remote_hit, "remote_hit_total", "{key}", "Keys that L2 answered.") \
  X(remote_miss, "remote_miss_total", "{key}", "Keys that L2 did not answer.") \
  X(load_total, "load_total", "{load}", "Loads that ended, per key.") \
  X(load_success, "load_success_total", "{load}", \
    "Loads that returned a value, or that there is none.") \
  X(load_timeout, "load_timeout_total", "{load}", "Loads that took longer than a time limit.") \
  X(load_error, "load_error_total", "{load}", "Loads that failed.") \
  X(stale_fallback, "stale_fallback_total", "{read}", "Reads that an expired value answered.") \
  X(refresh_attempts, "refresh_attempts_total", "{refresh}", "Refreshes that began.") \
  X(refresh_success, "refresh_success_total", "{refresh}", "Refreshes that succeeded.") \
  X(refresh_failures, "refresh_failures_total", "{refresh}", "Refreshes that failed.") \
  X(invalidation_publish, "invalidation_publish_total", "{message}", \
    "Messages that were published.") \
  X(invalidation_publish_failures, "invalidation_publish_failures_total", "{message}", \
    "Messages that could not be published.") \
  X(invalidation_receive, "invalidation_receive_total", "{message}", \
    "Messages of other caches that were received.") \
  X(invalidation_receive_failures, "invalidation_receive_failures_total", "{message}", \
    "Messages that could not be read.") \
  X(remote_errors, "remote_errors_total", "{key}", "Keys whose call to L2 failed.") \
  X(remote_decode_errors, "remote_decode_errors_total", "{key}", \
    "Foreign or corrupt bytes in L2.") \
  X(remote_encode_errors, "remote_encode_errors_total", "{key}", "Values that L2 cannot store.") \
  X(load_shared, "load_shared_total", "{read}", "Reads that waited for a shared load.") \
  X(load_rejected, "load_rejected_total", "{load}", "Loads that a full queue refused.") \
  X(local_fill_refused, "local_fill_refused_total", "{fill}", \
    "Fills that a write or a message overtook.") \
  X(epoch_raised, "epoch_raised_total", "{event}", \
    "The whole L1 expired: a gap, a clear, a foreign message.") \
  X(lease_granted, "lease_granted_total", "{lease}", "Leases that were acquired.") \
  X(lease_waits, "lease_waits_total", "{key}", "Keys that another process loads.") \
  X(lease_timeout, "lease_timeout_total", "{key}", \
    "Keys that another process loaded too late, and this one too.") \
  X(lease_lost, "lease_lost_total", "{load}", "Loads whose lease was voided or ended.") \
  X(repair_queued, "repair_queued_total", "{write}", "Writes that L2 did not confirm.") \
  X(repair_replayed, "repair_replayed_total", "{write}", "Unconfirmed writes that were repaired.") \
  X(repair_overflowed, "repair_overflowed_total", "{event}", \
    "Too many unconfirmed writes: the area is cleared.") \
  X(remote_oom, "remote_oom_total", "{error}", "L2 is out of memory and refused a store.") \
  X(remote_misconf, "remote_misconf_total", "{error}", "L2 cannot save, or has too few replicas.") \
  X(remote_readonly, "remote_readonly_total", "{error}", \
    "L2 is a replica that accepts no writes.") \
  X(remote_loading, "remote_loading_total", "{error}", "L2 is loading its data.") \
  X(remote_busy, "remote_busy_total", "{error}", "L2 is busy with a script.") \
  X(remote_master_down, "remote_master_down_total", "{error}", "L2 has lost its master.") \
  X(remote_cluster_down, "remote_cluster_down_total", "{error}", \
    "The cluster does not serve the key.") \
  X(remote_no_auth, "remote_no_auth_total", "{error}", "L2 wants a password.") \
  X(remote_no_permission, "remote_no_permission_total", "{error}", \
    "L2 refuses for lack of a permission.") \
  X(remote_moved, "remote_moved_total", "{error}", "Another server has the key, or will have it.") \
  X(remote_no_script, "remote_no_script_total", "{error}", \
    "L2 does not know a script, which is sent again.") \
  X(remote_wrong_type, "remote_wrong_type_total", "{error}", \
    "The key in L2 is no string: a miss.") \
  X(remote_refused, "remote_refused_total", "{error}", "L2 refused for another reason.") \
  X(remote_writes_paused, "remote_writes_paused_total", "{call}", \
    "Writes that were not sent, after oom or misconf.") \
  X(remote_breaker_open, "remote_breaker_open_total", "{call}", \
    "Calls that were not sent: the breaker is open.") \
  X(remote_retried, "remote_retried_total", "{call}", "Reads that were sent again.") \
  X(repair_late, "repair_late_total", "{write}", "Late writes, which were repaired again.") \
  X(invalidation_senders_forgotten, "invalidation_senders_forgotten_total", "{event}", \
    "There are too many senders: one was forgotten.") \
  X(load_dropped, "load_dropped_total", "{load}", "Queued loads without a reader left.") \
  X(local_evictions, "local_evictions_total", "{entry}", \
    "Fresh entries that gave their place to others.") \
  X(local_expirations, "local_expirations_total", "{entry}", \
    "Expired entries that gave their place to others.") \
  X(local_writes, "local_writes_total", "{write}", "Fills and sets of L1.") \
  X(local_overwrites, "local_overwrites_total", "{write}", \
    "Fills and sets of keys that L1 had; a set with an L2 removes the key first.") \
  X(remote_bytes_sent, "remote_bytes_sent_total", "By", "Bytes of values stored in L2.") \
  X(remote_bytes_received, "remote_bytes_received_total", "By", "Bytes of values read from L2.") \
  X(load_null, "load_null_total", "{load}", "Successful loads of keys that do not exist.")

/* clang-format on */

#define ACCEL_COUNTER_FIELD_(field_, metric_, unit_, help_) uint64_t field_;
typedef struct accel_metrics {
  ACCEL_COUNTER_LIST_(ACCEL_COUNTER_FIELD_)
} accel_metrics;

#define ACCEL_COUNTER_ENUM_(field_, metric_, unit_, help_) ACCEL_COUNT_##field_,
typedef enum accel_counter {
  ACCEL_COUNTER_LIST_(ACCEL_COUNTER_ENUM_) ACCEL_COUNTERS
} accel_counter;

typedef struct accel_otel_point {
  const char *name, *area; /* valid until the cache closes */
  uint64_t value;
} accel_otel_point;

/* A count that one thread keeps by plain stores, and the gap to its next sample. The count is
 * `now + before`. `now` grows until one more would overflow: then the count is due, nothing is
 * stored, and a cold function takes a sample and begins the next gap. Without samples `now` begins
 * at 0 and is never due. In line 0 it is always due, and `before` grows by atomic additions. So one
 * addition tells a hit whether it has to call that function: because the thread has no line of its
 * own, or because the hit is a sample. */
typedef struct accel_tally {
  uint64_t now;     /* atomic; 0: the count is `between` */
  uint64_t before;  /* atomic */
  uint64_t between; /* atomic; read while one gap ends and the next has not begun */
} accel_tally;

typedef struct accel_stats_line {
  accel_tally hit, miss;
  uint64_t unused[2];
} accel_stats_line;

typedef struct accel_stats {
  accel_stats_line lines[ACCEL_THREAD_SLOTS]; /* [0] is shared, by atomic additions */
  uint64_t counters[ACCEL_COUNTERS];
  uint32_t gap; /* the mean distance of samples; 0: there are none */
  void *memory; /* to free: the struct is aligned inside it */
} accel_stats;

ACCEL_EXTERN_C_BEGIN

/* New counters, all zero, aligned to a cache line. `gap`: one hit in so many is a sample, at random
 * distances, and so is one miss; 0: none. NULL: no memory. */
accel_stats *accel_stats_open(uint32_t gap);
void accel_stats_close(accel_stats *stats_or_null);

/* The line of the calling thread; line 0 if it has none. */
ACCEL_INLINE accel_stats_line *accel_stats_own(accel_stats *stats_)
{
  return (accel_stats_line *)(void *)((char *)stats_->lines + accel_thread_offset);
}

/* Adds one to a tally of the own line: a plain store. False: it is due, and not yet counted; call
 * accel_stats_local. */
ACCEL_INLINE bool accel_tally_count(accel_tally *own_)
{
  uint64_t next_;
  if (ACCEL_UNLIKELY(__builtin_add_overflow(accel_load_relaxed(&own_->now), (uint64_t)1, &next_)))
    return false;
  accel_store_release(&own_->now, next_);
  return true;
}

/* Counts any number of L1 hits and misses; assigns a line to the thread first. True: one of them is
 * a sample. */
bool accel_stats_local(accel_stats *stats, uint64_t hits, uint64_t misses);

ACCEL_INLINE void accel_stats_add(accel_stats *stats_, accel_counter counter_, uint64_t n_)
{
  accel_add_relaxed(&stats_->counters[counter_], n_);
}

/* The counters of a moment, by accel_counter; those of the engine are 0. */
void accel_stats_values(const accel_stats *stats, uint64_t values[ACCEL_COUNTERS]);
/* The same in other forms. points: writes at most `capacity` and returns how many exist. */
void accel_stats_metrics(const uint64_t values[ACCEL_COUNTERS], accel_metrics *out);
size_t accel_stats_points(const uint64_t values[ACCEL_COUNTERS], const char *area,
                          accel_otel_point *points, size_t capacity);

ACCEL_EXTERN_C_END
#endif
