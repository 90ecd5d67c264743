/* cache_core.h: what is behind an open cache, and what every part of it uses (layer 4, private).
 * Only for .c files.
 *
 * accel_core is everything of an open cache that a hit does not touch. What each file does with it:
 *
 *   cache_open.c         makes and ends it, and gives it loaders
 *   cache_events.c       receives messages and changes of the channel from L2
 *   cache_read.c         the reads that users call; cache_wrap.c the generated wrappers
 *   cache_read_local.c   what a read finds in L1
 *   cache_read_plan.c    a read, up to its flights; cache_await.c waits for them and ends it
 *   cache_load.c         asks the loaders; cache_store.c lands and writes back what they say
 *   cache_leave.c        ends the flights of threads that end
 *   cache_lease.c        shares loads with other processes; cache_renew.c renews their leases
 *   cache_write.c        set, del, clear; cache_del_after.c the second del
 *   cache_write_remote.c a write that goes to L2; cache_write_local.c one of L1 alone
 *   cache_remote.c       reads and writes L2; cache_batch.c the items of a call
 *   cache_call.c         one call: its span, time, bytes; cache_keys.c repeated keys
 *   cache_repair_queue.c notes what L2 did not confirm; cache_repair.c repairs it
 *   cache_report.c       logs operations and their spans; cache_changes.c changes of state
 *   cache_snapshot.c     shows counters and state to users; cache_observe.c to an observer
 *   cache_hot.c          the keys that are read most
 *   cache_local.c        what users ask of L1 alone
 */
#ifndef ACCEL_CACHE_CORE_H
#define ACCEL_CACHE_CORE_H

#include "cache.h"
#include "error.h"
#include "executor_share.h"
#include "invalidate.h"
#include "journal.h"
#include "latency.h"
#include "observer_state.h"
#include "overlap.h"
#include "platform/atomic.h"
#include "platform/clock.h"
#include "platform/fork.h"
#include "platform/probe.h"
#include "platform/thread.h"
#include "refresh.h"
#include "renewal.h"
#include "repair.h"
#include "singleflight.h"

ACCEL_EXTERN_C_BEGIN

#define CORE_FAILURES 256

/* Which state of the channel was logged last. */
typedef enum core_channel_logged {
  CORE_CHANNEL_LOGGED_NEVER = 0,
  CORE_CHANNEL_LOGGED_UP,
  CORE_CHANNEL_LOGGED_DOWN
} core_channel_logged;

/* What L2 has of a flight's key, as far as the flight knows. */
typedef enum core_remote_state {
  CORE_REMOTE_UNKNOWN = 0, /* it was not asked, or did not answer: nothing may be written */
  CORE_REMOTE_ABSENT,      /* nothing */
  CORE_REMOTE_LEASED,      /* another process' lease */
  CORE_REMOTE_USELESS,     /* bytes that are no use; `token` is what they hold in its place */
  CORE_REMOTE_TRUNCATED,   /* the same, and too short to hold one */
  CORE_REMOTE_VALUE,       /* a value, with `token`, that a refresh may replace */
  CORE_REMOTE_HELD         /* this process may write while `token` lies there */
} core_remote_state;

/* What a cache notes in each of its flights. Written by the leader, read by readers of the outcome.
 */
typedef struct core_note {
  accel_gate gate;         /* of L1, before anything was read */
  accel_lifetime lifetime; /* of the outcome, for accel_info */
  uint32_t remote_ttl_ms;  /* of a loaded value */
  accel_origin source;
  core_remote_state remote;
  uint64_t token;         /* what lies in L2, or is to lie there when it is written to */
  bool was_refused;       /* L2 refused the lease although the key was read as empty */
  bool has_remote_failed; /* the flight's error says how, until it lands with another failure */
  bool may_answer_stale;  /* an expired value answers all that wait for it */
  bool is_uncacheable;
  bool is_in_body; /* the body of a wrapper loads it */
  bool is_renewed; /* atomic; it is in the list of flights whose leases are renewed */
  uint64_t renew_due_ms;
  accel_flight *renewed_next, *renewed_previous;
} core_note;

static inline core_note *core_note_of(const accel_flight *flight)
{
  return (core_note *)flight->note;
}

typedef struct accel_core {
  /* What it is, and which process opened it. */
  accel_cache *cache; /* failures become its errors */
  const accel_type *type;
  accel_traits traits;
  accel_config config; /* resolved */
  char area[65];
  accel_clock clock;
  accel_span_ops spans;
  bool has_report; /* a log or spans */
  /* A call may wait, do input or output, or run code of the user's: a thread could be cancelled. */
  bool has_cancel_points;
  bool is_closing; /* atomic; set under work_mutex */
  bool is_foreign; /* this process is a child of the one that opened it */
  bool has_locks, has_fork_handler;
  uint64_t fork_generation;
  accel_fork_handler fork_handler;
  accel_opened opened;

  /* The levels and the channel. */
  uint64_t seed, jitter_seed;
  uint32_t jitter_ratio; /* of accel_ttl_jitter */
  uint32_t refresh_window_ms;
  uint64_t random; /* atomic; of the leases */
  accel_stats *stats;
  struct accel_hot *hot;      /* NULL: no keys are watched */
  accel_latencies *latencies; /* NULL: nothing is timed */
  accel_observer_member member;
  const accel_local_ops *local_ops;
  accel_local *local; /* NULL: mode ACCEL_REMOTE */
  size_t capacity;    /* atomic: resize changes it */
  const accel_remote_ops *remote_ops;
  void *link; /* NULL: mode ACCEL_LOCAL */
  char channel[192];
  bool has_listener;
  bool has_leases;          /* loads are shared with other processes */
  bool is_channel_up;       /* atomic */
  bool is_channel_reported; /* atomic: the same, once L1 is expired; what users see */
  /* Atomic; since 1970: when it last came up or went down, or the cache was opened. */
  uint64_t channel_changed_ms;
  accel_journal journal; /* open where there are a log and a link */
  core_channel_logged channel_logged;
  uint64_t degraded_warned_ms; /* atomic: when a degraded read was last logged as a warning */

  /* Loads, writes and repairs. */
  accel_fn *load, *mload;
  void *load_ctx, *mload_ctx;
  accel_singleflight flights;
  accel_throttle throttle;
  accel_invalidation invalidation;
  accel_overlap overlap;
  accel_repair repair;                /* open where there is a link */
  accel_mutex spare_mutex;            /* guards the two below; open where there is a link */
  accel_buffer spare_name, spare_key; /* for the text of a key when there is no memory */
  accel_job repair_job;
  uint32_t repair_pause_ms;                   /* of the job, while is_repairing */
  accel_executor *executor, *common_executor; /* the second is the first, or NULL */
  struct accel_executor_share *share;         /* of the executor */
  uint32_t delayed_del_count;                 /* atomic: second dels that wait for their time */

  /* Leases. */
  accel_renewal renewal;
  bool has_renew_mutex;
  accel_mutex renew_mutex; /* guards the two below, and the flights' links in them */
  accel_flight *renewed_first, *renewed_last; /* by when their leases are due */
  accel_condition lease_changed;              /* with work_mutex: something in L2 changed */
  uint32_t lease_waits;                       /* atomic: threads that wait for that */
  uint8_t load_failures[CORE_FAILURES];       /* atomic: in a row, by the key's hash */

  /* Background work. */
  accel_mutex work_mutex; /* guards pending */
  accel_condition work_done;
  bool is_repairing;                         /* with work_mutex: repair_job is queued or runs */
  bool is_repair_logged, is_overflow_logged; /* with work_mutex: since the queue was last empty */
  uint64_t pending;                          /* jobs handed to the executor and not yet finished */
} accel_core;

/* ---- a call begins and ends ---- */

/* Around a call that reads nothing from L2 or a loader: cancellation is held back in it. */
static inline void accel_core_cancel_enter(const accel_core *core)
{
  if (core->has_cancel_points) accel_cancel_enter();
}

static inline void accel_core_cancel_release(const accel_core *core)
{
  if (core->has_cancel_points) accel_cancel_release();
}

/* The core of an open cache that this process opened, or NULL and why. */
accel_core *accel_core_of(const accel_cache *cache, accel_status *status);
/* There is no L2, loader, log or spans. */
bool accel_core_is_alone(const accel_core *core);
/* The calling process is a child that was forked by code of the user's within a call: nothing of
 * the core may be touched. */
bool accel_core_is_foreign(const accel_core *core);
/* OK; CONFIG: a string key that is NULL or too long, with a text. */
accel_status accel_core_check_key(const accel_core *core, const void *key);
/* accel_status_checked for what a function of the user's has returned; `what` names it: "the
 * loader". A number that is no status becomes this thread's last error, on `owner`. */
accel_status accel_core_check_status(const void *owner, const char *what, accel_status returned);

/* ---- keys, numbers and times ---- */

uint64_t accel_core_hash(const accel_core *core, const void *key);
uint64_t accel_core_now(const accel_core *core);
/* The gate of the hash's stripe; zero without L1. */
accel_gate accel_core_gate(const accel_core *core, uint64_t hash);
/* 64 bits that differ per call, cache and process. */
uint64_t accel_core_random(accel_core *core);
/* A token of this cache for a lease, or for a mark in its place. */
uint64_t accel_core_lease_token(accel_core *core);
/* The configured TTL with jitter. */
uint32_t accel_core_jitter(accel_core *core, uint32_t ttl_ms);
/* The lifetime of an L1 entry made now: ttl_ms, or less while the channel is down. */
accel_lifetime accel_core_lifetime(const accel_core *core, uint32_t ttl_ms);
bool accel_core_is_degraded(const accel_core *core);
/* All counters of this moment, by accel_counter. In a forked child those of the engine are 0. */
void accel_core_counters(const accel_core *core, uint64_t values[ACCEL_COUNTERS]);

/* ---- background work ---- */

/* Hands a job to the executor and counts it. False: it has no room, or the cache is closing, and
 * the job is still the caller's. */
bool accel_core_submit(accel_core *core, accel_job *job);
/* The job is over; the core may be gone after this. */
void accel_core_work_done(accel_core *core);

/* ---- changes ---- */

/* Something else changed the key of this name: it is removed from L1, and no load under way is
 * cached. */
void accel_core_invalidate_key(void *core, const char *name, size_t size);
/* Expires all of L1, and no load under way is cached. `why` is for tracers: one word. */
void accel_core_expire_all(accel_core *core, const char *why);
/* Something changed in L2: threads that wait for a lease look at once. */
void accel_core_lease_wake(accel_core *core);
/* Gives L1 what a landed flight brought, a value or the absence of one, if it is to have it.
 * Requires an L1. */
void accel_core_fill_local(accel_core *core, accel_flight *flight, const accel_lifetime *lifetime);

ACCEL_EXTERN_C_END
#endif
