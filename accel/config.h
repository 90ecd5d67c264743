/* config.h: everything a user sets on a cache, its defaults and its checks (layer 1).
 *
 * Zero is the default of every field. Times are milliseconds. Fields stand in the order of
 * docs/api.md; new ones are appended.
 */
#ifndef ACCEL_CONFIG_H
#define ACCEL_CONFIG_H

#include "log.h"
#include "platform/clock.h"
#include "status.h"

struct accel_executor;

typedef enum accel_mode { ACCEL_AUTO = 0, ACCEL_LOCAL, ACCEL_REMOTE, ACCEL_BOTH } accel_mode;

typedef enum accel_error_policy { ACCEL_IGNORE = 0, ACCEL_PROPAGATE } accel_error_policy;

/* Called in pairs on the thread that does the work; `begin` returns what `end` gets. */
typedef struct accel_span_ops {
  void *ctx;
  void *(*begin)(void *ctx, const char *name, const char *area);
  void (*end)(void *ctx, void *span, accel_status status);
} accel_span_ops;

typedef struct accel_config {
  const char *area;                 /* required: 1 to 64 of [A-Za-z0-9_.-]; copied */
  accel_mode mode;                  /* ACCEL_AUTO: BOTH with a remote, else LOCAL */
  size_t capacity;                  /* 100000 entries in L1 */
  size_t max_weight;                /* 0: off; needs the trait .weigh */
  size_t max_key_bytes;             /* 131072; longer string keys are refused */
  uint32_t local_ttl_ms;            /* 60000 */
  uint32_t remote_ttl_ms;           /* 300000 */
  uint32_t null_ttl_ms;             /* 30000, negative entries, both levels */
  double ttl_jitter_ratio;          /* 0.1, in [0, 1] */
  bool no_ttl_jitter;               /* no jitter at all */
  bool no_null_cache;               /* keep no negative entries */
  bool no_penetration_protect;      /* do not share concurrent loads of one key */
  uint32_t loader_timeout_ms;       /* 300; ACCEL_FOREVER: none */
  uint32_t loader_soft_timeout_ms;  /* 0: off; after it a permitted stale value is returned */
  bool refresh_ahead;               /* reload in the background near the end of life */
  uint32_t refresh_ahead_window_ms; /* 3000 */
  bool stale_on_error;              /* every read may fall back on an expired L1 value */
  uint32_t stale_max_ms;            /* 3600000 after its expiry at most */
  uint32_t stale_throttle_ms;       /* 1000 without the loader after a failed load */
  bool warmup_enabled;              /* warmup does nothing without */
  size_t warmup_batch_size;         /* 256 keys per chunk */
  bool no_broadcast;                /* neither send nor hear invalidations */
  bool no_lease;                    /* do not share loads across processes */
  uint32_t degraded_ttl_ms;         /* 1000; ACCEL_FOREVER: unchanged */
  void *remote;                     /* the opened L2, e.g. an accel_redis; outlives the cache */
  accel_error_policy remote_errors; /* what a read does when L2 fails */
  const accel_clock *clock;         /* NULL: the system's; copied */
  struct accel_executor *executor;  /* NULL: the common one; else outlives the cache */
  /* NULL: none. Called on the threads that use the cache, on the executor's, and for changes of
   * state on one of the cache's own (log.h): several at a time. It may call the cache, but not
   * close it, which waits for it. */
  void (*log)(void *ctx, const accel_log_record *record);
  void *log_ctx;
  const accel_span_ops *spans;               /* NULL: none; copied */
  bool trace_hits;                           /* log and spans for L1 hits too */
  const struct accel_compressor *compressor; /* of values in L2 (compress.h); NULL: none; stays */
  uint32_t lease_ms; /* 900, at least 100: other processes wait so long for one that dies while it
                      * loads; renewed at a third of that while the load runs */
} accel_config;

/* What a configuration must fit besides itself. */
typedef struct accel_config_facts {
  bool has_remote_trait, has_weigh_trait;
} accel_config_facts;

ACCEL_EXTERN_C_BEGIN

/* Checks `config` and writes it with every default and the mode resolved. OK, or CONFIG with a
 * text for `owner` (error.h) that names the field and its value. Pure otherwise. Threads: any. */
accel_status accel_config_resolve(const void *owner, const accel_config *config,
                                  const accel_config_facts *facts, accel_config *resolved);
/* One word: auto local remote both; undefined for any other value. A constant string. */
const char *accel_mode_name(accel_mode mode);
/* True: 1 to 64 of [A-Za-z0-9_.-], what an area and a key prefix may hold. */
bool accel_config_is_name(const char *text);

ACCEL_EXTERN_C_END
#endif
