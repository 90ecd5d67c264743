/* config.h: the configuration of a cache, its defaults and its checks (layer 1).
 *
 * Zero selects the default of every field; the comments give it. Times are in milliseconds. New
 * fields are appended. docs/api.md describes every field.
 */
#ifndef ACCEL_CONFIG_H
#define ACCEL_CONFIG_H

#include "log.h"
#include "platform/clock.h"
#include "status.h"

struct accel_executor;
struct accel_observer;

typedef enum accel_mode { ACCEL_AUTO = 0, ACCEL_LOCAL, ACCEL_REMOTE, ACCEL_BOTH } accel_mode;

typedef enum accel_error_policy { ACCEL_IGNORE = 0, ACCEL_PROPAGATE } accel_error_policy;

/* Spans: where the time of an operation goes. `begin` and `end` are called in pairs on the thread
 * that runs the operation; `end` receives what `begin` returned.
 *
 * A name that starts with "cache." is an operation (kind internal): cache.get mget set mset del
 * mdel clear warmup load. Any other name is one call to L2 (kind client), and names the command:
 * "GET", "MGET", "PIPELINE SET", "MULTI". Spans nest: a load, or a call to L2, begins and ends
 * while the operation that needs it is under way, or on a thread of the executor.
 *
 * Parents come from the trace context (trace.h). While `begin` runs, accel_trace_current is the
 * parent: the innermost span of this thread; for a load, the span of the read that started it; or
 * what the program set. If none is set, the span is a root. `begin` may make its own span the
 * context by accel_trace_enter; the library restores the parent after `end`. So a loader finds its
 * own span in the context, and what it begins is a child of that. */
typedef struct accel_span_ops {
  void *ctx;
  void *(*begin)(void *ctx, const char *name, const char *area);
  void (*end)(void *ctx, void *span, accel_status status);
  /* NULL: none. An attribute of a span, between its begin and its end: a text, or without one the
   * number. docs/tracing.md lists them. The strings are valid during the call. No attribute holds
   * a key or a value of the cache. */
  void (*note)(void *ctx, void *span, const char *key, const char *text_or_null, uint64_t number);
} accel_span_ops;

typedef struct accel_config {
  const char *area;                 /* required: 1 to 64 of [A-Za-z0-9_.-]; copied */
  accel_mode mode;                  /* ACCEL_AUTO: BOTH if remote is set, else LOCAL */
  size_t capacity;                  /* 100000 entries in L1 */
  size_t max_weight;                /* 0: off; needs the trait .weigh */
  size_t max_key_bytes;             /* 131072; longer string keys are refused */
  uint32_t local_ttl_ms;            /* 60000 */
  uint32_t remote_ttl_ms;           /* 300000 */
  uint32_t null_ttl_ms;             /* 30000; of negative entries, in both levels */
  double ttl_jitter_ratio;          /* 0.1, in [0, 1] */
  bool no_ttl_jitter;               /* no jitter at all */
  bool no_null_cache;               /* store no negative entries */
  bool no_penetration_protect;      /* do not share concurrent loads of one key */
  uint32_t loader_timeout_ms;       /* 300; ACCEL_FOREVER: no limit */
  uint32_t loader_soft_timeout_ms;  /* 0: off; then a permitted stale value is returned */
  bool refresh_ahead;               /* refresh in the background shortly before expiry */
  uint32_t refresh_ahead_window_ms; /* 3000 */
  bool stale_on_error;              /* every read may return an expired L1 value */
  uint32_t stale_max_ms;            /* 3600000; maximum time after its expiry */
  uint32_t stale_throttle_ms;       /* 1000; no call of the loader after a failed load */
  bool warmup_enabled;              /* if false, warmup does nothing */
  size_t warmup_batch_size;         /* 256 keys per chunk */
  bool no_broadcast;                /* neither send nor receive invalidations */
  bool no_lease;                    /* do not share loads across processes */
  uint32_t degraded_ttl_ms;         /* 1000; ACCEL_FOREVER: unchanged */
  void *remote;                     /* the opened L2, e.g. an accel_redis; must outlive the cache */
  accel_error_policy remote_errors; /* how a read reacts if L2 fails */
  const accel_clock *clock;         /* NULL: the system's; copied */
  struct accel_executor *executor;  /* NULL: the common one; must outlive the cache */
  /* NULL: none. Called on the threads that use the cache, on the executor's threads, and for
   * changes of state on a thread of the cache (log.h); several at the same time. It may call
   * caches, whose operations are not logged then, nor have spans. It must not close the cache:
   * close refuses that. */
  void (*log)(void *ctx, const accel_log_record *record);
  void *log_ctx;
  const accel_span_ops *spans;               /* NULL: none; copied */
  bool trace_hits;                           /* log and spans for L1 hits too */
  const struct accel_compressor *compressor; /* of values in L2; NULL: none; not copied */
  uint32_t lease_ms; /* 900, at least 100; how long other processes wait for one that dies during a
                      * load; renewed after each third of it while the load runs */
  struct accel_observer *observer; /* NULL: none; shows the cache (observer.h); must outlive it */
  uint32_t hot_keys; /* 0: off; how many of the keys are watched that are read most from L1 */
  uint32_t hot_key_window_ms; /* 10000; over which their reads are counted */
  bool no_histograms;         /* do not time loads, calls to L2 and waits: no clock is read */
} accel_config;

/* The facts about a cache's type that a configuration must match. */
typedef struct accel_config_facts {
  bool has_remote_trait, has_weigh_trait;
} accel_config_facts;

ACCEL_EXTERN_C_BEGIN

/* Checks `config` and writes it to `resolved`, with every default and the mode resolved. OK;
 * CONFIG, with an error on `owner` (error.h) that names the field and its value. No other side
 * effect. Threads: any. */
accel_status accel_config_resolve(const void *owner, const accel_config *config,
                                  const accel_config_facts *facts, accel_config *resolved);
/* "auto", "local", "remote" or "both"; undefined for any other value. A constant string. */
const char *accel_mode_name(accel_mode mode);
/* True for 1 to 64 of [A-Za-z0-9_.-]: what an area and a key prefix may contain. Threads: any. */
bool accel_config_is_name(const char *text);

ACCEL_EXTERN_C_END
#endif
