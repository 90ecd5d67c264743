/* stats.h: one list of counters (layer 2).
 *
 * A new counter is one line in ACCEL_COUNTER_LIST_: the struct, the snapshot and the OpenTelemetry
 * points follow from it.
 *
 * Each thread counts L1 hits and misses by plain stores in a cache line of its own; a snapshot sums
 * the lines, and the line of an ended thread keeps its counts. All other counters are relaxed
 * atomic additions. Threads: any, all functions except open and close.
 */
#ifndef ACCEL_STATS_H
#define ACCEL_STATS_H

#include "platform/atomic.h"
#include "platform/slot.h"

/* Append only: the order is public, and the first two are counted in lines. */
#define ACCEL_COUNTER_LIST_(X) \
  X(local_hit, "local_hit_total") \
  X(local_miss, "local_miss_total") \
  X(remote_hit, "remote_hit_total") \
  X(remote_miss, "remote_miss_total") \
  X(load_total, "load_total") \
  X(load_success, "load_success_total") \
  X(load_timeout, "load_timeout_total") \
  X(load_error, "load_error_total") \
  X(stale_fallback, "stale_fallback_total") \
  X(refresh_attempts, "refresh_attempts_total") \
  X(refresh_success, "refresh_success_total") \
  X(refresh_failures, "refresh_failures_total") \
  X(invalidation_publish, "invalidation_publish_total") \
  X(invalidation_publish_failures, "invalidation_publish_failures_total") \
  X(invalidation_receive, "invalidation_receive_total") \
  X(invalidation_receive_failures, "invalidation_receive_failures_total") \
  X(remote_errors, "remote_errors_total")               /* failed L2 calls, per key */ \
  X(remote_decode_errors, "remote_decode_errors_total") /* foreign or corrupt bytes in L2 */ \
  X(remote_encode_errors, "remote_encode_errors_total") /* values that L2 cannot store */ \
  X(load_shared, "load_shared_total")                   /* reads that waited for a shared load */ \
  X(load_rejected, "load_rejected_total")               /* loads refused by a full queue */ \
  X(local_fill_refused, "local_fill_refused_total")     /* a write or message came first */ \
  X(epoch_raised, "epoch_raised_total")       /* whole L1 expired: gap, clear, foreign message */ \
  X(lease_granted, "lease_granted_total")     /* leases acquired */ \
  X(lease_waits, "lease_waits_total")         /* keys that another process loads */ \
  X(lease_timeout, "lease_timeout_total")     /* of these: too late, loaded here too */ \
  X(lease_lost, "lease_lost_total")           /* loads whose lease was voided or ended */ \
  X(repair_queued, "repair_queued_total")     /* unconfirmed writes */ \
  X(repair_replayed, "repair_replayed_total") /* of these: repaired */ \
  X(repair_overflowed, "repair_overflowed_total") /* too many: the area is cleared */ \
  X(remote_oom, "remote_oom_total")               /* stores refused: L2 is out of memory */ \
  X(remote_misconf, "remote_misconf_total")       /* L2 cannot save, or has too few replicas */ \
  X(remote_readonly, "remote_readonly_total") \
  X(remote_loading, "remote_loading_total") \
  X(remote_busy, "remote_busy_total") \
  X(remote_master_down, "remote_master_down_total") \
  X(remote_cluster_down, "remote_cluster_down_total") \
  X(remote_no_auth, "remote_no_auth_total") \
  X(remote_no_permission, "remote_no_permission_total") \
  X(remote_moved, "remote_moved_total")           /* another server has the key, or will have */ \
  X(remote_no_script, "remote_no_script_total")   /* unknown script, sent again */ \
  X(remote_wrong_type, "remote_wrong_type_total") /* not a string: a miss */ \
  X(remote_refused, "remote_refused_total")       /* any other error */ \
  X(remote_writes_paused, "remote_writes_paused_total") /* not sent, after oom or misconf */ \
  X(remote_breaker_open, "remote_breaker_open_total")   /* not sent, breaker open */ \
  X(remote_retried, "remote_retried_total")             /* reads sent again */ \
  X(repair_late, "repair_late_total")                   /* late writes, repaired again */ \
  X(invalidation_senders_forgotten, "invalidation_senders_forgotten_total") /* too many senders */ \
  X(load_dropped, "load_dropped_total") /* queued loads without a reader left */

#define ACCEL_COUNTER_FIELD_(field_, metric_) uint64_t field_;
typedef struct accel_metrics {
  ACCEL_COUNTER_LIST_(ACCEL_COUNTER_FIELD_)
} accel_metrics;

#define ACCEL_COUNTER_ENUM_(field_, metric_) ACCEL_COUNT_##field_,
typedef enum accel_counter {
  ACCEL_COUNTER_LIST_(ACCEL_COUNTER_ENUM_) ACCEL_COUNTERS
} accel_counter;

typedef struct accel_otel_point {
  const char *name, *area; /* valid until the cache closes */
  uint64_t value;
} accel_otel_point;

typedef struct accel_stats_line {
  uint64_t hit, miss;
  uint64_t unused[6];
} accel_stats_line;

typedef struct accel_stats {
  accel_stats_line lines[ACCEL_THREAD_SLOTS]; /* [0] is shared, by atomic additions */
  uint64_t counters[ACCEL_COUNTERS];
  void *memory; /* to free: the struct is aligned inside it */
} accel_stats;

ACCEL_EXTERN_C_BEGIN

/* New counters, all zero, aligned to a cache line. NULL: no memory. */
accel_stats *accel_stats_open(void);
void accel_stats_close(accel_stats *stats_or_null);

/* The line of the calling thread, which must have one. */
ACCEL_INLINE accel_stats_line *accel_stats_own(accel_stats *stats_)
{
  return (accel_stats_line *)(void *)((char *)stats_->lines + accel_thread_offset);
}

/* Adds one to a counter that only this thread writes: a plain store. */
ACCEL_INLINE void accel_stats_count(uint64_t *own_)
{
  accel_store_relaxed(own_, *own_ + 1);
}

/* Counts a hit, on the hot path. False: the thread has no line. */
ACCEL_INLINE bool accel_stats_hit(accel_stats *stats_)
{
  const uint32_t slot_ = accel_thread_slot;
  if (ACCEL_UNLIKELY(slot_ == 0)) return false;
  accel_stats_count(&stats_->lines[slot_].hit);
  return true;
}

/* Counts any number of L1 hits and misses; assigns a line to the thread first. */
void accel_stats_local(accel_stats *stats, uint64_t hits, uint64_t misses);

ACCEL_INLINE void accel_stats_add(accel_stats *stats_, accel_counter counter_, uint64_t n_)
{
  accel_add_relaxed(&stats_->counters[counter_], n_);
}

void accel_stats_snapshot(const accel_stats *stats, accel_metrics *out);
/* Writes at most `capacity` points and returns how many exist. */
size_t accel_stats_points(const accel_stats *stats, const char *area, accel_otel_point *points,
                          size_t capacity);

ACCEL_EXTERN_C_END
#endif
