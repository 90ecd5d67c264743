/* cache_core.h: what the rooms of layer 4 share (layer 4, private). Only for .c files.
 *
 * accel_core is everything of an open cache that a hit does not touch. The rooms: cache_open.c
 * makes and ends it, cache_read.c begins a read and cache_await.c ends it, cache_load.c runs loads
 * and writes them back, cache_leave.c ends those of threads that end, cache_lease.c shares them
 * with other processes, cache_renew.c keeps their leases, cache_write.c writes, cache_remote.c
 * speaks with L2, cache_wrap.c serves the generated wrappers, cache_report.c tells what happened,
 * cache_news.c what has changed.
 */
#ifndef ACCEL_CACHE_CORE_H
#define ACCEL_CACHE_CORE_H

#include "cache.h"
#include "error.h"
#include "executor_share.h"
#include "invalidate.h"
#include "journal.h"
#include "platform/atomic.h"
#include "platform/clock.h"
#include "platform/system.h"
#include "platform/thread.h"
#include "refresh.h"
#include "renewal.h"
#include "repair.h"
#include "singleflight.h"

ACCEL_EXTERN_C_BEGIN

#define CORE_FAILURES 256

/* What the log was told of the channel last; at first nothing. */
typedef enum core_channel_said {
  CORE_CHANNEL_SAID_NOTHING = 0,
  CORE_CHANNEL_SAID_UP,
  CORE_CHANNEL_SAID_DOWN
} core_channel_said;

typedef struct accel_core {
  accel_cache *cache; /* whose errors failures become */
  const accel_type *type;
  accel_traits traits;
  accel_config config; /* resolved */
  char area[65];
  accel_clock clock;
  accel_span_ops spans;
  bool has_report; /* a log or spans */
  bool is_closing; /* atomic; set under work_mutex */
  bool has_locks, has_fork_handler;
  uint64_t fork_generation;
  accel_fork_handler fork_handler;
  accel_opened opened;

  uint64_t seed, jitter_seed;
  uint64_t random; /* atomic; of the leases */
  accel_stats *stats;
  const accel_local_ops *local_ops;
  accel_local *local; /* NULL: mode ACCEL_REMOTE */
  size_t capacity;    /* atomic: resize changes it */
  const accel_remote_ops *remote_ops;
  void *link; /* NULL: mode ACCEL_LOCAL */
  char channel[192];
  bool has_listener;
  bool has_leases;       /* loads are shared with other processes */
  bool is_channel_up;    /* atomic */
  accel_journal journal; /* open where there are a log and a link */
  core_channel_said channel_said;
  uint64_t degraded_ms; /* atomic: when a degraded read was last a warning */

  accel_fn *load, *mload;
  void *load_ctx, *mload_ctx;
  accel_singleflight flights;
  accel_refresh refresh;
  accel_invalidation invalidation;
  accel_repair repair;                /* open where there is a link */
  accel_mutex spare_mutex;            /* guards the two below; open where there is a link */
  accel_buffer spare_name, spare_key; /* for the text of a key when there is no memory */
  accel_job repair_job;
  uint32_t repair_pause_ms;                   /* of the job, while is_repairing */
  accel_executor *executor, *common_executor; /* the second is the first, or NULL */
  struct accel_executor_share *share;         /* of the executor */
  uint32_t later_count;                       /* atomic: second dels that wait for their time */

  accel_renewal renewal;
  bool has_renew_mutex;
  accel_mutex renew_mutex;              /* guards the two below and what flights say of them */
  accel_flight *kept_first, *kept_last; /* by when their leases are due */
  accel_condition lease_news;           /* with work_mutex: something in L2 changed */
  uint32_t lease_waits;                 /* atomic: who waits for that */
  uint8_t load_failures[CORE_FAILURES]; /* atomic: in a row, by the key's hash */
  accel_mutex work_mutex;               /* guards pending */
  accel_condition work_done;
  bool is_repairing;                     /* with work_mutex: repair_job is queued or runs */
  bool is_repair_told, is_overflow_told; /* with work_mutex: the log knows that there is any */
  uint64_t pending;                      /* jobs handed to the executor and not yet finished */
} accel_core;

/* ---- cache_open.c ---- */

/* The core of an open cache that this process opened, or NULL and why. */
accel_core *accel_core_of(const accel_cache *cache, accel_status *status);
/* A cache with nothing behind L1 and nobody to tell. */
bool accel_core_is_alone(const accel_core *core);
/* The calling process is a child that was forked by code of the user's within a call: nothing of
 * the core may be touched. */
bool accel_core_is_foreign(const accel_core *core);
/* OK if `key` is usable as one. */
accel_status accel_core_check_key(const accel_core *core, const void *key);
uint64_t accel_core_now(const accel_core *core);
uint64_t accel_core_hash(const accel_core *core, const void *key);
/* The gate of the hash's stripe; zero without L1. */
accel_gate accel_core_gate(const accel_core *core, uint64_t hash);
/* 64 bits that differ per call, cache and process. */
uint64_t accel_core_random(accel_core *core);
/* The configured TTL with jitter. */
uint32_t accel_core_jitter(accel_core *core, uint32_t ttl_ms);
/* The life of an L1 entry made now: ttl_ms, or less while the channel is down. */
accel_lifetime accel_core_lifetime(const accel_core *core, uint32_t ttl_ms);
bool accel_core_is_degraded(const accel_core *core);
/* Hands a job to the executor and counts it. False: it has no room, or the cache is closing, and
 * the job is still the caller's. */
bool accel_core_submit(accel_core *core, accel_job *job);
/* The job is over; the core may be gone after this. */
void accel_core_work_done(accel_core *core);
/* Something else changed the key of this name: L1 forgets it, and no load under way is cached. */
void accel_core_hear_key(void *core, const char *name, size_t size);
/* Expires all of L1, and no load under way is cached. */
void accel_core_expire_all(accel_core *core);

/* A key on its way through a batch. */
typedef struct core_key {
  const void *key;
  uint64_t hash;
} core_key;

/* Finds duplicates in an array of structs that begin with a core_key. */
typedef struct core_key_set {
  const accel_type *type;
  const void *array;
  size_t stride, mask;
  size_t *places; /* index into the array; SIZE_MAX: free */
} core_key_set;

/* For at most `count` elements. False: no memory. */
bool accel_core_key_set_open(core_key_set *set, const accel_type *type, const void *array,
                             size_t stride, size_t count);
/* The index of the element that was added first with the key of element `i`: `i` itself if none
 * was, and then it is added. */
size_t accel_core_key_set_add(core_key_set *set, size_t i);
void accel_core_key_set_close(core_key_set *set);

/* ---- cache_loader.c ---- */

/* Zeroes a cache that is to be opened. CONFIG: it is open and stays so, or was given a loader while
 * it was not open. Reads no byte of it. */
accel_status accel_core_begin_open(accel_cache *cache);
void accel_core_note_opened(accel_core *core);

/* ---- cache_report.c ---- */

typedef struct core_report {
  uint64_t started_ns;
  void *span;
  const char *name; /* "cache.get"; the operation is what follows the dot */
  const void *key;  /* of an operation for one; else NULL */
  /* NULL, or a flight of a read that did without L2, which had failed. Held. */
  accel_flight *degraded;
} core_report;

void accel_core_report_start(const accel_core *core, core_report *report);
accel_status accel_core_report_tell(accel_core *core, const core_report *report,
                                    accel_status status, const char *result);

static inline core_report accel_core_report_begin(const accel_core *core, const char *name)
{
  core_report report = {0, NULL, name, NULL, NULL};
  if (core->has_report) accel_core_report_start(core, &report);
  return report;
}

/* Ends the span, logs the record, and returns `status`. `result` is for an operation that did not
 * fail; of a read it begins with "ok", in whose place "degraded" is put if it was that. */
static inline accel_status accel_core_report_end(accel_core *core, const core_report *report,
                                                 accel_status status, const char *result)
{
  return core->has_report ? accel_core_report_tell(core, report, status, result) : status;
}

/* Notes that a flight which is done, and of which the caller was told, did without L2. */
void accel_core_report_note_degraded(accel_core *core, core_report *report, accel_flight *flight);
/* Releases what the report holds. */
void accel_core_report_close(accel_core *core, core_report *report);

/* "ok_some" or "ok_none", for single reads. */
const char *accel_core_found(accel_status status);

/* ---- cache_news.c: each notes a change for the log, which is told by another thread ---- */

/* For accel_remote_area. */
void accel_core_hear_news(void *core, const accel_remote_news *news);
/* After CHANNEL_LOST of the same fall nothing is noted. */
void accel_core_note_channel(accel_core *core, bool is_up);

typedef enum core_repair_news {
  CORE_REPAIR_BEGUN,
  CORE_REPAIR_OVERFLOWN,
  CORE_REPAIR_DONE,
  CORE_REPAIR_LEFT
} core_repair_news;

/* With work_mutex, so that they come in order. */
void accel_core_note_repair(accel_core *core, core_repair_news news);

/* ---- cache_remote.c: one call to L2 ---- */

/* The items of one call, their texts and their bytes. Pointers into it are valid after seal. */
typedef struct core_batch {
  accel_remote_item *items;
  size_t count;
  accel_buffer names, keys, data;
  accel_remote_call call;
} core_batch;

accel_status accel_core_batch_open(core_batch *batch, size_t capacity);
void accel_core_batch_close(core_batch *batch);
/* Appends an item for `key`. OK, CONFIG, NOMEM; after a failure there is none. */
accel_status accel_core_batch_add_key(const accel_core *core, core_batch *batch, const void *key);
/* Gives the last item its bytes; value NULL: a negative entry. OK, CODEC, NOMEM. */
accel_status accel_core_batch_add_value(accel_core *core, core_batch *batch,
                                        const void *value_or_null, uint32_t ttl_ms);
/* The same with a lease, or what is to lie in its place. OK, NOMEM. */
accel_status accel_core_batch_add_lease(accel_core *core, core_batch *batch, uint64_t token,
                                        uint32_t ttl_ms);
void accel_core_batch_drop_last(core_batch *batch);
void accel_core_batch_seal(core_batch *batch);

/* What L2 has of a flight's key, as far as the flight knows. */
typedef enum core_lease_state {
  CORE_LEASE_UNKNOWN = 0, /* it was not asked, or did not answer: nothing may be written */
  CORE_LEASE_FREE,        /* nothing */
  CORE_LEASE_TAKEN,       /* another process' lease */
  CORE_LEASE_USELESS,     /* bytes that are no use; `token` is what they hold in its place */
  CORE_LEASE_SHORT,       /* the same, and too short to hold one */
  CORE_LEASE_VALUE,       /* a value, with `token`, that a refresh may replace */
  CORE_LEASE_HELD         /* this process may write while `token` lies there */
} core_lease_state;

/* How to look into L2. */
typedef struct core_look {
  bool is_again;  /* this read has asked before: misses are not counted once more */
  bool only_note; /* a value found is not taken, but may be replaced */
  accel_error_policy errors;
} core_look;

#define CORE_KEYS_PER_LIMIT 8u

/* Until when L2 may be asked for so many keys, at least one: as long as a load may take, for every
 * CORE_KEYS_PER_LIMIT begun. */
uint64_t accel_core_remote_deadline(const accel_core *core, size_t count);
/* Looks flights up in L2, in one round trip: lands and finishes those that it finds (L1
 * filled where a flight's fills_local says so), notes of the others what lies there. Under
 * ACCEL_PROPAGATE a failure lands too. */
void accel_core_remote_get(accel_core *core, accel_flight **flights, size_t count,
                           const core_look *look);
/* Counts what failed among the items of a call whose outcome nobody is told. */
void accel_core_remote_count_failures(accel_core *core, const core_batch *batch);
/* Sends a put or del with its messages, counts, and reports the whole call's failure as text. */
typedef accel_status accel_core_remote_fn(void *link, accel_remote_item *items, size_t count,
                                          const accel_remote_publisher *publisher_or_null,
                                          accel_remote_call *call);
accel_status accel_core_remote_write(accel_core *core, core_batch *batch,
                                     accel_core_remote_fn *write, const char *what);
accel_status accel_core_remote_clear(accel_core *core);

/* Counts the messages of a call. */
void accel_core_remote_count_messages(accel_core *core, const accel_remote_call *call);

/* ---- cache_repair.c: what L2 did not confirm ---- */

/* Where there is an L2. False: no memory. Close releases what open had, in a child memory alone. */
bool accel_core_repair_open(accel_core *core);
void accel_core_repair_close(accel_core *core, bool is_child);

/* Notes the items of a write that failed, or a clear that did; begin is called once all levels
 * were handled. */
void accel_core_repair_add(accel_core *core, const core_batch *batch);
void accel_core_repair_add_area(accel_core *core);
/* Notes a key that no call to L2 could be made for, for lack of memory: takes none. */
void accel_core_repair_note(accel_core *core, const void *key);
/* Notes the key of this name once more: a write of it that was given up came late. */
void accel_core_repair_add_name(accel_core *core, const char *name, size_t size);
/* Sees to it that what is noted is made good, if anything is. */
void accel_core_repair_begin(accel_core *core);
/* The same without the pause that lets a server recover: it has just done a late write. */
void accel_core_repair_hurry(accel_core *core);
/* Whether what L2 has of the item's key is not to be believed. */
bool accel_core_repair_holds(accel_core *core, const accel_remote_item *item);
void accel_core_repair_run(accel_job *job);

/* ---- cache_lease.c: one load per key in all processes ---- */

/* Asks for the leases of flights that L2 does not have, in one round trip. Those that may be
 * loaded come first; returns how many; the others are being loaded elsewhere. */
size_t accel_core_lease(accel_core *core, accel_flight **flights, size_t count);
/* Waits for flights that are being loaded elsewhere. What L2 then has is landed and finished;
 * what has to be loaded after all comes first; returns how many. */
size_t accel_core_lease_wait(accel_core *core, accel_flight **flights, size_t count,
                             accel_error_policy errors);
/* A token of this cache for a lease, or for a mark in its place. */
uint64_t accel_core_lease_token(accel_core *core);
/* Something changed in L2: whoever waits looks at once. */
void accel_core_lease_wake(accel_core *core);
/* Life of the mark that a load without a value leaves where its lease was: none, or after
 * failures a while in which other processes do not rush to the source. */
uint32_t accel_core_lease_end_ms(const accel_core *core, const accel_flight *flight);

/* ---- cache_renew.c: leases live while their loads do ---- */

/* Where there are leases. False: no memory. */
bool accel_core_renew_open(accel_core *core);
/* Before detach. */
void accel_core_renew_close(accel_core *core);
/* From now on the leases that these flights hold are renewed, and no longer. */
void accel_core_keep_leases(accel_core *core, accel_flight **flights, size_t count);
void accel_core_drop_lease(accel_core *core, accel_flight *flight);

/* ---- cache_load.c ---- */

/* Who loads and what is to become of it. */
typedef struct core_terms {
  accel_fn *load, *mload; /* NULL both: nothing loads */
  void *load_ctx, *mload_ctx;
  bool is_in_caller; /* the load runs in the calling thread */
  bool is_refresh;
  bool skip_remote, no_null_cache;
  bool is_leased;  /* what may be loaded was settled with other processes */
  bool stays;      /* what was begun is loaded, even if nobody waits for it any more */
  uint32_t ttl_ms; /* 0: configured */
  accel_error_policy errors;
  uint64_t error_mark; /* of the thread that loads, before it began */
} core_terms;

/* The registered loaders under the configuration. */
core_terms accel_core_terms(const accel_core *core, const accel_read *read_or_null);
/* Loads the flights, which the calling thread leads, here or on the executor; each is landed and
 * finished in any case, some time. False: that was at once and a failure, for lack of room. The
 * caller holds them until this returns; their order may change. */
bool accel_core_load(accel_core *core, accel_flight **flights, size_t count,
                     const core_terms *terms);
/* The same, here in any case. */
void accel_core_load_here(accel_core *core, accel_flight **flights, size_t count,
                          const core_terms *terms);
/* A load's job that left its queue without having been run: whoever waits for it yet is refused. */
void accel_core_load_discard(accel_job *job_or_null);
/* Drops those that nobody waits for. Returns how many are left, which come first. */
size_t accel_core_drop_unwanted(accel_core *core, accel_flight **flights, size_t count);
/* Gives L1 what a landed flight brought, a value or the absence of one, if it is to have it. There
 * is an L1. */
void accel_core_fill_local(accel_core *core, accel_flight *flight, const accel_lifetime *life);
/* Lands what the source said of a flight. With ACCEL_OK the flight owns its value. */
void accel_core_land(accel_core *core, accel_flight *flight, accel_status status,
                     const core_terms *terms);
/* Writes landed flights to the levels and finishes them. */
void accel_core_store(accel_core *core, accel_flight **flights, size_t count,
                      const core_terms *terms);
/* Starts a reload in the background unless one is under way. OK, NOMEM, LOADER: no room. */
accel_status accel_core_refresh(accel_core *core, const void *key, uint64_t hash);

/* Where a load that failed had a lease: other processes wait a while before they load. */
void accel_core_tell_failure(accel_core *core, accel_flight *flight, const core_terms *terms);

/* ---- cache_leave.c: threads that end where the user's code runs ---- */

/* Called where the calling thread ends: whoever waits for a flight that it runs is told
 * ACCEL_ERR_LOADER, and what bodies held is released. */
void accel_core_leave(void);

/* What the body of a wrapper holds while it runs, but for the flights that it leads. */
typedef struct core_body {
  struct core_body *outer;
  accel_core *core;
  void *memory, *plan_memory, *own_statuses;
  size_t count;
  accel_flight *followed[];
} core_body;

/* ---- cache_read.c and cache_await.c ---- */

/* One distinct key that L1 did not answer. */
typedef struct core_miss {
  core_key id;
  accel_flight *flight; /* held */
  accel_status status;
  accel_info info;
  bool is_leader, has_stale, is_settled;
} core_miss;

/* One read of any number of keys, on its way through the levels. */
typedef struct core_plan {
  accel_core *core;
  const void *keys;
  size_t count;
  accel_read read;
  core_terms terms;
  bool is_load_callers;       /* whoever made the plan loads between begin and end */
  void *values_out;           /* NULL: nobody wants them */
  accel_status *statuses_out; /* count of them */
  accel_status failure;       /* of the whole read: no memory */
  const char *operation;      /* "cache.get" */
  core_report report;         /* begun when L1 did not answer everything */
  bool is_part;               /* of an operation that tells of itself */
  bool is_reported;
  core_miss *misses;
  size_t miss_count;
  size_t *miss_of;      /* key index to miss; SIZE_MAX: L1 answered */
  accel_flight **leads; /* flights that this plan must have loaded */
  size_t lead_count;
  void *memory;                   /* of the arrays; a single read needs none */
  void *own_statuses, *own_infos; /* NULL, or what its maker frees behind it */
  core_body *body;                /* of a batch, while its body runs */
  accel_status result;            /* of the whole read */
  core_miss one_miss;
  size_t one_miss_of;
  accel_flight *one_lead;
  accel_status one_status;
} core_plan;

/* A plan for `count` keys under the registered loaders; the fields may then be changed. */
void accel_core_plan_init(core_plan *plan, accel_core *core, const void *keys, size_t count,
                          const accel_read *read_or_null);
/* Reads L1, joins flights, asks L2. True: plan->leads must be loaded (accel_core_plan_load, or by
 * the caller) before accel_core_plan_end. */
bool accel_core_plan_begin(core_plan *plan);
void accel_core_plan_load(core_plan *plan);
/* Where the answer for key `i` goes, NULL: nowhere; and what is told of it. */
void *accel_core_plan_value(const core_plan *plan, size_t i);
accel_info *accel_core_plan_info(const core_plan *plan, size_t i, accel_info *unwanted);
bool accel_core_plan_can_load(const core_plan *plan);
/* Waits for the others' flights, writes values and statuses, releases everything. OK, or the first
 * failure in key order. */
accel_status accel_core_plan_end(core_plan *plan);
/* After end: tells the log, once, and ends the span. Returns `status`. */
accel_status accel_core_plan_report(core_plan *plan, accel_status status, const char *result);
/* For accel_thread_guard: the thread ends between begin and end, and releases everything. */
void accel_core_plan_leave(void *plan);
/* Around the body that loads plan->leads. `body` has accel_core_body_size bytes in `memory`; NULL:
 * the plan follows nobody and has no memory. False: no memory, and no body may run. */
size_t accel_core_body_size(const core_plan *plan);
bool accel_core_body_begin(core_plan *plan, core_body *body_or_null, void *memory);
void accel_core_body_end(core_plan *plan);

void accel_core_tell(accel_info *info, accel_origin source, const accel_lifetime *life,
                     uint64_t now_ms);
bool accel_core_is_fresh(const accel_local_found *found, uint64_t now_ms);
/* An expired value, where the read permits it and no fresh one came. */
bool accel_core_read_stale(accel_core *core, const core_miss *miss, void *out, accel_info *info);

ACCEL_EXTERN_C_END

#endif
