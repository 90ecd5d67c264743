/* observation.h: everything that an observer shows of one moment (layer 2).
 *
 * An observation is filled once, by what has joined the observer, and then only read: every output
 * is made from one, and so all outputs agree. accel_observation_walk gives an exporter all metrics
 * in a form that each format has: families, and samples with labels. What has more shape than
 * that, an exporter reads from the observation itself.
 *
 *   a cache              one accel_observed_cache per area, the sum of all caches of the area
 *   an accel_redis       one accel_observed_endpoint per server
 *   anything else        figures of families of its own
 *
 * Only for .c files. Threads: an observation belongs to one.
 */
#ifndef ACCEL_OBSERVATION_H
#define ACCEL_OBSERVATION_H

#include "config.h"
#include "latency.h"
#include "stats.h"
#include "type.h"

#define ACCEL_OBSERVED_LABELS 8u       /* extra ones, at most */
#define ACCEL_OBSERVED_ERRORS 10u      /* the last ones */
#define ACCEL_OBSERVED_ERROR_TEXT 256u /* with its area */
#define ACCEL_OBSERVED_REASONS 6u      /* of a cache, at most */
#define ACCEL_OBSERVED_REASON_TEXT 192u
#define ACCEL_OBSERVED_ENDPOINT_TEXT 288u
#define ACCEL_OBSERVED_HOT_KEYS 64u /* of an area, the hottest */

typedef struct accel_label {
  const char *name, *value;
} accel_label;

/* How the values of several caches become one. */
typedef enum accel_gauge_merge {
  ACCEL_GAUGE_SUM,
  ACCEL_GAUGE_ALL, /* 0 or 1: of all */
  ACCEL_GAUGE_ANY  /* 0 or 1: of one at least */
} accel_gauge_merge;

/* What a cache must have for a gauge to mean something. */
typedef enum accel_gauge_needs {
  ACCEL_GAUGE_NEEDS_NOTHING,
  ACCEL_GAUGE_NEEDS_LOCAL,
  ACCEL_GAUGE_NEEDS_REMOTE,
  ACCEL_GAUGE_NEEDS_CHANNEL
} accel_gauge_needs;

/* X(field, metric, unit, merge, needs, what it says) */
/* clang-format off */
#define ACCEL_GAUGE_LIST_(X) \
  X(entries, "local_entries", "{entry}", SUM, LOCAL, "Entries in L1.") \
  X(capacity, "local_capacity", "{entry}", SUM, LOCAL, "Entries that L1 may hold.") \
  X(weight, "local_weight", "{weight}", SUM, LOCAL, "Weight of the entries in L1.") \
  X(max_weight, "local_max_weight", "{weight}", SUM, LOCAL, "Weight that L1 may hold; 0: any.") \
  X(memory_bytes, "local_memory_bytes", "By", SUM, LOCAL, "Resident memory of L1.") \
  X(channel_up, "channel_up", "", ALL, CHANNEL, \
    "Whether every change by other processes is received.") \
  X(degraded, "degraded", "", ANY, CHANNEL, \
    "Whether lifetimes in L1 are short, because the channel is down.") \
  X(remote_ready, "remote_ready", "", ALL, REMOTE, "Whether the server for data answers.") \
  X(repairs, "repairs", "{key}", SUM, REMOTE, "Keys whose last write L2 did not confirm.") \
  X(loads_running, "loads_running", "{key}", SUM, NOTHING, \
    "Keys that are being read from L2 or loaded, or wait for that.") \
  X(executor_queue, "executor_queue", "{job}", SUM, NOTHING, \
    "Jobs that wait for a thread of the executor.")
/* clang-format on */

#define ACCEL_GAUGE_ENUM_(field_, metric_, unit_, merge_, needs_, help_) ACCEL_GAUGE_##field_,
typedef enum accel_gauge { ACCEL_GAUGE_LIST_(ACCEL_GAUGE_ENUM_) ACCEL_GAUGES } accel_gauge;

typedef enum accel_health {
  ACCEL_HEALTH_OK,
  ACCEL_HEALTH_DEGRADED,
  ACCEL_HEALTH_FAILED
} accel_health;

typedef struct accel_observed_hot_key {
  char key[ACCEL_LOG_KEY_BYTES + 1]; /* its text, or "#" and a hash */
  double reads_per_s;
  uint64_t at_least; /* reads that its own samples stand for */
} accel_observed_hot_key;

/* All caches of an area. */
typedef struct accel_observed_cache {
  char area[65];
  uint32_t instances;
  /* Constants, of the cache that was opened first. "": it has none. */
  const char *mode, *engine, *policy;
  accel_config config;         /* the same; its pointers are not to be followed */
  uint64_t started_ms;         /* when counting began, since 1970 */
  uint64_t channel_changed_ms; /* when the channel last came up or went down; 0: never */
  bool has_local, has_remote, has_channel;
  uint64_t counters[ACCEL_COUNTERS]; /* by accel_counter */
  uint64_t gauges[ACCEL_GAUGES];     /* by accel_gauge */
  accel_latencies *latencies;        /* NULL: none are kept */
  accel_health health;
  size_t reason_count;
  char reasons[ACCEL_OBSERVED_REASONS][ACCEL_OBSERVED_REASON_TEXT];
  accel_observed_hot_key *hot_keys; /* hottest first */
  size_t hot_key_count;
} accel_observed_cache;

/* A server of an L2. */
typedef struct accel_observed_endpoint {
  char endpoint[ACCEL_OBSERVED_ENDPOINT_TEXT]; /* host:port or the path of a socket */
  uint32_t ready, connecting, down;            /* connections */
  const char *breaker;                         /* a constant: "closed", "open" or "half_open" */
  uint64_t in_flight, reconnects;
} accel_observed_endpoint;

typedef struct accel_observed_error {
  uint64_t time_ms; /* since 1970 */
  char area[65];
  char text[ACCEL_OBSERVED_ERROR_TEXT];
} accel_observed_error;

typedef enum accel_family_kind {
  ACCEL_FAMILY_COUNTER,
  ACCEL_FAMILY_GAUGE,
  ACCEL_FAMILY_HISTOGRAM
} accel_family_kind;

/* A metric; its samples differ in their labels. Constant. */
typedef struct accel_family {
  const char *name; /* complete, such as accelerator_cache_local_hit_total */
  const char *help;
  const char *unit; /* of UCUM, "" for flags and times since 1970 */
  accel_family_kind kind;
  bool is_in_ms; /* values are thousandths, of seconds */
} accel_family;

/* A figure of a family that its owner names. */
typedef struct accel_observed_figure {
  const accel_family *family;
  accel_label label; /* constants; name NULL: none */
  uint64_t started_ms, value;
} accel_observed_figure;

typedef struct accel_observation {
  uint64_t time_ms, started_ms; /* now, and when the observer was opened; since 1970 */
  bool shows_keys;
  bool has_hot_keys; /* the caches list theirs */
  size_t label_count;
  const accel_label *labels;    /* the observer's extra ones */
  accel_observed_cache *caches; /* in the order in which their areas joined */
  size_t cache_count, cache_space;
  accel_observed_endpoint *endpoints;
  size_t endpoint_count, endpoint_space;
  accel_observed_figure *figures;
  size_t figure_count, figure_space;
  accel_observed_error errors[ACCEL_OBSERVED_ERRORS]; /* the newest first */
  size_t error_count;
  accel_health health; /* the worst of all caches */
} accel_observation;

ACCEL_EXTERN_C_BEGIN

/* ---- filling ---- */

/* The entry of this server, zeroed when it is new. NULL: no memory. */
accel_observed_endpoint *accel_observation_endpoint(accel_observation *observation,
                                                    const char *endpoint);
/* Adds to the figure of this family and label. `label_or_null` and the family are constants. False:
 * no memory. */
bool accel_observation_add(accel_observation *observation, const accel_family *family,
                           const accel_label *label_or_null, uint64_t started_ms, uint64_t value);
/* Adds the histograms of one cache. False: no memory. */
bool accel_observed_add_latencies(accel_observed_cache *line, const accel_latencies *latencies);
/* Adds a hot key, or its reads to those of the same key in another cache. Beyond
 * ACCEL_OBSERVED_HOT_KEYS the coldest gives its place. False: no memory. */
bool accel_observed_add_hot_key(accel_observed_cache *line, const accel_observed_hot_key *hot_key);
/* Raises the health to `health`, and adds a sentence that says why. Drops a sentence that is there
 * already, and more than ACCEL_OBSERVED_REASONS. */
void accel_observed_add_reason(accel_observed_cache *line, accel_health health, const char *format,
                               ...) ACCEL_PRINTF(3, 4);
/* Adds a gauge of one cache, by its rule. `line->instances` counts the cache already. */
void accel_observed_add_gauge(accel_observed_cache *line, accel_gauge gauge, uint64_t value);

/* ---- reading ---- */

/* Whether the gauge means something for these caches. */
bool accel_observed_has_gauge(const accel_observed_cache *line, accel_gauge gauge);
const char *accel_observed_gauge_field(accel_gauge gauge);
bool accel_observed_gauge_is_flag(accel_gauge gauge);
/* Whether these caches time that. */
bool accel_observed_has_timed(const accel_observed_cache *line, accel_timed timed);
/* "ok", "degraded" or "failed". */
const char *accel_health_name(accel_health health);

typedef struct accel_sample {
  const accel_label *labels; /* its own; the observation's extra ones apply to all samples */
  size_t label_count;
  uint64_t started_ms; /* when counting began, since 1970 */
  uint64_t value;      /* unless it is a histogram */
  const accel_histogram *histogram;
} accel_sample;

/* False ends the walk. */
typedef struct accel_family_visitor {
  void *ctx;
  bool (*family)(void *ctx, const accel_family *family); /* before its samples */
  bool (*sample)(void *ctx, const accel_family *family, const accel_sample *sample);
} accel_family_visitor;

/* Visits every family that has samples, once, and its samples. False: the visitor ended it. */
bool accel_observation_walk(const accel_observation *observation,
                            const accel_family_visitor *visitor);

/* Frees what an observation holds. */
void accel_observation_release(accel_observation *observation);

ACCEL_EXTERN_C_END
#endif
