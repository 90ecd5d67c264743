/* cache.h: a cache, and the path of an L1 hit (layer 4).
 *
 * The generated functions forward to the functions here, which have the same names and meanings and
 * `type` as one more argument. accel_cache_get is inlined into the generated function,
 * where `type` is a constant. A miss of a cache with nothing behind L1 ends here too; everything
 * else is one call to a cold function.
 *
 * Threads: open, close, set_loader and set_mloader need exclusive use of the cache; everything
 * else any thread, at any time. An open cache is not moved or copied.
 *
 * Every function returns ACCEL_ERR_CLOSED for a cache that is not open, and ACCEL_ERR_CONFIG for a
 * NULL where a pointer is required, for a string key that is NULL or longer than max_key_bytes, and
 * for a cache that was opened before a fork; accel_cache_last_error then says which.
 */
#ifndef ACCEL_CACHE_H
#define ACCEL_CACHE_H

#include "../accel_backends/flat/flat_hit.h"
#include "config.h"
#include "latency.h"
#include "stats.h"
#include "type.h"

struct accel_core;

/* What a hit touches. Zeroed: closed. */
typedef struct accel_cache {
  accel_local *local; /* atomic; NULL: closed, forked, without L1, or traced: go the cold way */
  uint64_t seed;
  accel_stats *stats;
  struct accel_core *core; /* NULL: closed */
  bool is_alone;           /* no L2, loader, log or spans: what L1 misses is a miss */
} accel_cache;

typedef enum accel_origin {
  ACCEL_FROM_NONE = 0,
  ACCEL_FROM_LOCAL,
  ACCEL_FROM_REMOTE,
  ACCEL_FROM_LOADER
} accel_origin;

/* Optional information about the result of a read. */
typedef struct accel_info {
  accel_origin source; /* which level answered, or the loader */
  bool stale;
  uint32_t age_ms;      /* since the entry was written to that level */
  uint32_t ttl_left_ms; /* in that level; 0 when stale; ACCEL_FOREVER: no expiry */
} accel_info;

/* Options of a read. NULL means all zero. */
typedef struct accel_read {
  bool allow_stale;  /* an expired L1 value may answer when no fresh one is available */
  bool disable_load; /* read the cache levels only */
  bool skip_local;   /* does not read L1; fills it only for another reader of the same load */
  bool skip_remote;  /* neither read nor fill L2 */
  accel_info *info;  /* optional; for single reads */
  accel_info *infos; /* optional; one per key, for mget */
} accel_read;

/* Options of a write. NULL means all zero. */
typedef struct accel_write {
  uint32_t ttl_ms;  /* of L2, in L1 local_ttl_ms at most; without L2, of L1. 0: configured */
  bool skip_local;  /* removes the key from L1 instead */
  bool skip_remote; /* L1 only, no message is sent */
} accel_write;

typedef struct accel_diagnostic {
  accel_config config; /* every default resolved */
  struct accel_metrics metrics;
  size_t entries, weight, memory_bytes; /* of L1; memory_bytes is resident memory */
  /* listener_started: it listens to a channel: it has an L2, and no_broadcast is false. */
  bool local_ready, remote_ready, loader_configured, listener_started, channel_up, degraded;
  char channel[192];       /* [prefix:]accel:invalidation:<area>; "" without */
  size_t repairs;          /* keys to repair, and 1 for the area if it is to be cleared */
  char channel_error[160]; /* which permission or command L2 refuses; "": none known */
  /* Times since open; all 0 with no_histograms. One call of a loader; one call to L2; waiting for
   * another thread's load or another process' lease; a read that L1 did not answer. */
  accel_latency load, remote, wait, read;
} accel_diagnostic;

ACCEL_EXTERN_C_BEGIN

/* Opens a cache. OK, CONFIG (last_error names the field and the value), NOMEM. After a failure the
 * cache is closed, and last_error works. `config` is copied; what it points to must stay valid
 * until close, except area, clock and spans, which are copied too. */
accel_status accel_cache_open(accel_cache *cache, const accel_type *type,
                              const accel_config *config);
/* Waits for the library's background work, then releases everything. A loader, a wrapper's body, a
 * codec, a log and a span of the cache must not close it: nothing happens then, and last_error and
 * the log say so. */
void accel_cache_close(accel_cache *cache, const accel_type *type);
/* As close, but gives up after `ms`. OK; TIMEOUT: a load or a log call is still running and nothing
 * was freed; call again. Until then the other functions return CLOSED. CONFIG: called by a function
 * that must not close it; the cache stays open. */
accel_status accel_cache_close_within(accel_cache *cache, const accel_type *type, uint32_t ms);

/* Sets the loader, or the mloader. `ctx` must stay valid until close has returned. */
void accel_cache_set_loader(accel_cache *cache, const accel_type *type, accel_fn *load, void *ctx);
void accel_cache_set_mloader(accel_cache *cache, const accel_type *type, accel_fn *mload,
                             void *ctx);

/* Reads one key. OK: *out is a copy that the caller drops. NULL: known not to exist. MISS: not
 * cached, and no loader delivered it. Otherwise a failure. *out is untouched except on OK. */
accel_status accel_cache_get_with(accel_cache *cache, const accel_type *type, const void *key,
                                  const accel_read *read, void *out);
/* What accel_cache_get_or_load does not answer by itself. */
accel_status accel_cache_get_or_load_slow(accel_cache *cache, const accel_type *type,
                                          const void *key, const accel_read *read, accel_fn *load,
                                          void *ctx, void *out);
/* Reads `count` keys with one round trip to L2 (large batches block by block) and one call of the
 * mloader. Writes every status, and a value only for OK. Returns OK if no key failed, else the
 * first failure in key order. */
accel_status accel_cache_mget(accel_cache *cache, const accel_type *type, const void *keys,
                              size_t count, const accel_read *read, void *values_out,
                              accel_status *statuses_out);
/* Counts a hit or a miss of L1 that accel_tally_count did not count. `key` NULL: the key has at
 * most 8 bytes, which are in `word`. So the path of a hit stays small. */
ACCEL_RARE void accel_cache_due(struct accel_core *core, bool is_hit, uint64_t word,
                                const void *key);
/* What accel_cache_get does not answer by itself. */
ACCEL_COLD accel_status accel_cache_get_slow(accel_cache *cache, const accel_type *type,
                                             const void *key, void *out);
/* L1's own answer, whatever it takes. OK, NULL: a hit, counted. */
ACCEL_COLD accel_status accel_cache_get_local_slow(accel_cache *cache, const accel_type *type,
                                                   const void *key, void *out);

/* Removes the key from L1, writes L2, and then L1 if L2 confirmed it and no other write overlapped.
 * OK; BACKEND: L2 did not confirm it, and the key was removed from L1; CODEC: L2 cannot hold it,
 * and the key was removed from both; NOMEM; CONFIG: heavier than max_weight. */
accel_status accel_cache_set(accel_cache *cache, const accel_type *type, const void *key,
                             const void *value);
accel_status accel_cache_set_with(accel_cache *cache, const accel_type *type, const void *key,
                                  const accel_write *write, const void *value);
/* Stores that the key does not exist. With no_null_cache it is del. */
accel_status accel_cache_set_null(accel_cache *cache, const accel_type *type, const void *key);
/* Writes many keys, in one round trip or block by block; of duplicate keys the last one wins.
 * Returns the first failure in key order; the other keys are written nevertheless. */
accel_status accel_cache_mset(accel_cache *cache, const accel_type *type, const void *keys,
                              const void *values, size_t count);
/* Removes a key from every level, and publishes that to the other processes. Idempotent. OK,
 * BACKEND, NOMEM. */
accel_status accel_cache_del(accel_cache *cache, const accel_type *type, const void *key);
/* del now, and again `ms` later in the background, for sources with lagging replicas. As del, and
 * CONFIG: `ms` is ACCEL_FOREVER, and nothing was removed. If only the second del fails: BACKEND if
 * 65536 of them already wait, or no thread could be started; NOMEM; CLOSED if a close began
 * meanwhile. */
accel_status accel_cache_del_after(accel_cache *cache, const accel_type *type, const void *key,
                                   uint32_t ms);
accel_status accel_cache_mdel(accel_cache *cache, const accel_type *type, const void *keys,
                              size_t count);
/* Removes this area from every level, here and in the other processes. OK, BACKEND. */
accel_status accel_cache_clear(accel_cache *cache, const accel_type *type);

/* Queues a load in the background. OK: queued, or a load is running; CONFIG: no loader; LOADER: the
 * executor's queue is full; NOMEM: nothing was queued. */
accel_status accel_cache_refresh(accel_cache *cache, const accel_type *type, const void *key);
/* Loads the keys that are not cached, in chunks; *loaded_out (optional) counts those that the
 * loader delivered. OK or the first failure. Does nothing unless warmup_enabled; CONFIG without a
 * loader. */
accel_status accel_cache_warmup(accel_cache *cache, const accel_type *type, const void *keys,
                                size_t count, size_t *loaded_out);

/* All zero for a cache that is not open, but not after close_within gave up. In a forked child, the
 * parent's caches show only the configuration and the counters. */
void accel_cache_metrics_snapshot(const accel_cache *cache, accel_metrics *out);
void accel_cache_diagnostic_snapshot(const accel_cache *cache, accel_diagnostic *out);
/* Writes at most `capacity` points and returns how many exist. */
size_t accel_cache_otel_metric_points(const accel_cache *cache, accel_otel_point *points,
                                      size_t capacity);
/* "none", "local", "remote" or "loader"; undefined for any other value. A constant string. */
const char *accel_source_name(accel_origin source);
/* This thread's last failure, if it was on this cache, else "". */
const char *accel_cache_last_error(const accel_cache *cache);

/* Reads L1 only, without a copy: OK, NULL, MISS. After OK the value stays valid through eviction,
 * set, del and clear until it is released, which must happen before close. */
accel_status accel_cache_get_ref(accel_cache *cache, const accel_type *type, const void *key,
                                 accel_local_pin *pin);
ACCEL_INLINE const void *accel_cache_ref_value(const accel_local_pin *pin_)
{
  return pin_ == NULL ? NULL : pin_->value;
}
void accel_cache_ref_release(accel_local_pin *pin, const accel_type *type);
/* Changes the number of entries that L1 may hold; keeps as many as fit. OK, CONFIG (0), NOMEM. */
accel_status accel_cache_resize(accel_cache *cache, const accel_type *type, size_t capacity);
/* Writes the most used keys, at most `count`, and returns how many. String keys stay valid until
 * this thread's next call. */
size_t accel_cache_hottest(accel_cache *cache, const accel_type *type, void *keys, size_t count);
/* Writes the keys that were read most in the last window of hot_key_window_ms, hottest first, at
 * most `count`, and returns how many; before a window is complete, of the first as far as it has
 * come. 0 without config.hot_keys. `out` is an array of { K key; double reads_per_s; uint64_t
 * at_least; }. String keys as for hottest; long ones are left out that L1 does not have now. */
size_t accel_cache_hot_keys(accel_cache *cache, const accel_type *type, void *out, size_t count);
/* Calls `visit` for every fresh value in L1 until it returns false. `visit` may call the cache. */
void accel_cache_each(accel_cache *cache, const accel_type *type, accel_fn *visit, void *ctx);

/* Counts a hit or a miss of L1 in the calling thread's line. */
ACCEL_INLINE void accel_cache_count_(accel_cache *cache_, const accel_type *type_, const void *key_,
                                     bool is_hit_)
{
  accel_stats_line *const own_ = accel_stats_own(cache_->stats);
  if (ACCEL_UNLIKELY(!accel_tally_count(is_hit_ ? &own_->hit : &own_->miss))) {
    uint64_t word_ = 0;
    if (type_->key_size <= sizeof word_) memcpy(&word_, key_, type_->key_size);
    accel_cache_due(cache_->core, is_hit_, word_, type_->key_size <= sizeof word_ ? NULL : key_);
  }
}

/* The path of a hit: hash once, ask L1, count. OK, NULL: it was a hit. MISS: L1 does not have the
 * key; not counted. Anything else: nothing happened; ask a slow function. */
ACCEL_INLINE accel_status accel_cache_get_fast(accel_cache *cache_, const accel_type *type_,
                                               const void *key_, void *out_)
{
  const accel_local_ops *ops_ = accel_type_local(type_);
  const bool is_flat_ = ops_ == NULL || ops_ == &accel_flat_ops;
  if (ACCEL_UNLIKELY(cache_ == NULL || out_ == NULL)) return ACCEL_ATTENTION;
  accel_local *const local_ = accel_load_relaxed(&cache_->local);
  if (ACCEL_UNLIKELY(local_ == NULL)) return ACCEL_ATTENTION;
  const uint64_t hash_ = type_->hash(key_, cache_->seed);
  const accel_status status_ = is_flat_ ? accel_flat_look(local_, type_, key_, hash_, out_)
                                        : ops_->get(local_, type_, key_, hash_, out_);
  if (ACCEL_LIKELY(status_ == ACCEL_OK)) {
    accel_cache_count_(cache_, type_, key_, true);
    return ACCEL_OK;
  }
  if (status_ == ACCEL_NULL) accel_cache_count_(cache_, type_, key_, true);
  return status_;
}

/* Reads one key, as accel_cache_get_with without options. */
ACCEL_INLINE accel_status accel_cache_get(accel_cache *cache_, const accel_type *type_,
                                          const void *key_, void *out_)
{
  const accel_status status_ = accel_cache_get_fast(cache_, type_, key_, out_);
  if (ACCEL_LIKELY(status_ == ACCEL_OK) || status_ == ACCEL_NULL) return status_;
  const bool needs_no_key_check_ = type_->key_kind != ACCEL_KEY_STRING; /* any other is usable */
  if (needs_no_key_check_ && status_ == ACCEL_MISS && cache_->is_alone) {
    accel_cache_count_(cache_, type_, key_, false);
    return ACCEL_MISS;
  }
  if (type_->key_size > sizeof(uint64_t)) return accel_cache_get_slow(cache_, type_, key_, out_);
  uint64_t copy_ = 0; /* so that the key of a hit need not lie in memory */
  memcpy(&copy_, key_, type_->key_size);
  return accel_cache_get_slow(cache_, type_, &copy_, out_);
}

/* For callers that treat all but a hit alike. OK, NULL: a hit of L1; MISS: anything else. */
ACCEL_INLINE accel_status accel_cache_get_local(accel_cache *cache_, const accel_type *type_,
                                                const void *key_, void *out_)
{
  accel_status status_ = accel_cache_get_fast(cache_, type_, key_, out_);
  if (ACCEL_UNLIKELY(status_ != ACCEL_OK && status_ != ACCEL_NULL && status_ != ACCEL_MISS))
    status_ = accel_cache_get_local_slow(cache_, type_, key_, out_);
  return status_ == ACCEL_OK || status_ == ACCEL_NULL ? status_ : ACCEL_MISS;
}

/* Reads one key, as accel_cache_get_with, with a loader for this call, which runs in the calling
 * thread. */
ACCEL_INLINE accel_status accel_cache_get_or_load(accel_cache *cache_, const accel_type *type_,
                                                  const void *key_, const accel_read *read_,
                                                  accel_fn *load_, void *ctx_, void *out_)
{
  const accel_status status_ = read_ == NULL && load_ != NULL
                                   ? accel_cache_get_local(cache_, type_, key_, out_)
                                   : ACCEL_MISS;
  if (ACCEL_LIKELY(status_ != ACCEL_MISS)) return status_;
  return accel_cache_get_or_load_slow(cache_, type_, key_, read_, load_, ctx_, out_);
}

ACCEL_EXTERN_C_END
#endif
