/* otlp.h: metrics, spans and logs for any receiver of OTLP over HTTP, such as an OpenTelemetry
 * Collector. Include it after accel.h.
 *
 *   accel_observer observer;
 *   if (accel_failed(accel_observer_open(&observer, NULL))) ... accel_observer_last_error ...
 *   accel_otlp otlp;
 *   accel_otlp_config where = {.observer = &observer, .endpoint = "http://127.0.0.1:4318"};
 *   if (accel_failed(accel_otlp_open(&otlp, &where))) ... accel_otlp_last_error(&otlp) ...
 *
 *   user_cache_open(&users, &(accel_config){.area = "user", .observer = &observer,
 *                                           .spans = accel_otlp_spans(&otlp),
 *                                           .log = accel_otlp_log, .log_ctx = &otlp});
 *
 * One thread sends everything. What the caches' callers do is limited to adding a span or a record
 * to a queue in memory; when it is full, the new one is dropped and counted. Metrics are sums since
 * a cache was opened and need no queue: if a request fails, the next one contains them.
 *
 * A request that the receiver may accept later (429, 502, 503, 504, no connection, no answer) is
 * sent again after a random pause below 1 s, 2 s, ..., 30 s, or when Retry-After says, but not for
 * a batch whose first attempt was five minutes ago. Any other refusal, and the part that a receiver
 * does not take, is counted and never sent again. docs/otlp.md has the details.
 *
 * Needs libcurl 7.80 and zlib in the implementing file (pkg-config libcurl zlib). A program that
 * starts threads before its first accel_otlp_open calls curl_global_init itself, unless its libcurl
 * is 7.84 or later.
 */
#ifndef ACCEL_BACKENDS_OTLP_H
#define ACCEL_BACKENDS_OTLP_H

#include "../accel/config.h"
#include "../accel/observer.h"

/* Zero selects the default of every field. Strings are copied. Where a field is not set, its
 * variable counts, and an empty variable is none; then a value of one signal, such as
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, comes before the one of all signals. */
typedef struct accel_otlp_config {
  /* Whose caches' metrics are sent; it must outlive the exporter. NULL: no metrics. */
  accel_observer *observer;
  /* http://host[:port][/path] or https://...; /v1/metrics, /v1/traces and /v1/logs are appended.
   * OTEL_EXPORTER_OTLP_ENDPOINT; the endpoint of one signal in OTEL_EXPORTER_OTLP_METRICS_ENDPOINT
   * and the like is used as it is; else http://127.0.0.1:4318. */
  const char *endpoint;
  /* name=value,name=value, values percent-encoded. OTEL_EXPORTER_OTLP_HEADERS; else none. Values
   * never appear in an error. */
  const char *headers;
  const char *service_name;        /* OTEL_SERVICE_NAME; else unknown_service:PROGRAM */
  const char *service_namespace;   /* none */
  const char *service_version;     /* none */
  const char *service_instance_id; /* random, another one for each open */
  /* As headers; what stands in another field comes first. OTEL_RESOURCE_ATTRIBUTES; none. */
  const char *resource_attributes;
  uint32_t interval_ms; /* OTEL_METRIC_EXPORT_INTERVAL; 60000; at most a day; between metrics */
  uint32_t timeout_ms;  /* OTEL_EXPORTER_OTLP_TIMEOUT; 10000; of a request, and of close */
  /* OTEL_BSP_MAX_QUEUE_SIZE; 2048, at most 1048576; spans that wait, and log records that wait */
  size_t span_queue;
  size_t batch_size; /* OTEL_BSP_MAX_EXPORT_BATCH_SIZE; 512; of a request; at most span_queue */
  uint32_t batch_delay_ms; /* OTEL_BSP_SCHEDULE_DELAY; 5000; until an incomplete batch is sent */
  bool json;               /* OTEL_EXPORTER_OTLP_PROTOCOL: http/json; else http/protobuf */
  bool no_gzip;            /* OTEL_EXPORTER_OTLP_COMPRESSION: none; else requests are compressed */
  bool no_environment;     /* no variable counts */
  /* For https: certificate authorities, a PEM file. OTEL_EXPORTER_OTLP_CERTIFICATE; the system's.
   * A client's comes from OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY. */
  const char *certificate;
  /* NULL: none. Told when sending begins to fail, when it works again, and, at most once a minute
   * for each signal, of what was dropped: area "otlp", op "metrics", "traces" or "logs". Called by
   * the exporter's thread, which waits for it. */
  void (*log)(void *ctx, const accel_log_record *record);
  void *log_ctx;
} accel_otlp_config;

/* Zeroed: closed. An open one is not moved or copied. */
typedef struct accel_otlp {
  struct accel_otlp_state *state;
} accel_otlp;

ACCEL_EXTERN_C_BEGIN

/* Checks the configuration and starts the thread. Neither waits for the receiver nor fails without
 * one. With OTEL_SDK_DISABLED=true it opens, and sends nothing. OK; CONFIG: a NULL, or a field or
 * variable that accel_otlp_last_error names; or it is open already, and stays open; NOMEM: no
 * memory or thread. After any other failure it is closed. Threads: exclusive use; nobody may change
 * the environment meanwhile. */
ACCEL_NODISCARD accel_status accel_otlp_open(accel_otlp *otlp, const accel_otlp_config *config);

/* Sends the metrics and all that is queued, as often as needed, and waits for at most `ms`
 * (ACCEL_FOREVER: without limit). OK: the receiver has all of it; TIMEOUT: it goes on in the
 * background; BACKEND: something was refused or dropped meanwhile; CLOSED. accel_otlp_last_error
 * says why. A cache's metrics end with the cache, so call this before you close caches.
 * Threads: any, but not from `log`. */
accel_status accel_otlp_flush(accel_otlp *otlp, uint32_t ms);

/* Sends what is queued, for at most timeout_ms, ends the thread and frees everything. Close the
 * caches that use it first. In a forked child it only frees memory. Does nothing for a closed one
 * or NULL. Threads: exclusive use. */
void accel_otlp_close(accel_otlp *otlp);

/* For accel_config.spans: each operation and each call to L2 becomes a span, below the thread's
 * trace (accel_trace_set), and is left out if that trace is not sampled. Valid until close; in a
 * forked child, and of a closed exporter, they record nothing. Threads: any. */
const accel_span_ops *accel_otlp_spans(accel_otlp *otlp);

/* For accel_config.log, with the accel_otlp as log_ctx. Sends every record, but not its key, which
 * may identify a person. Threads: any. */
void accel_otlp_log(void *otlp, const accel_log_record *record);

/* This thread's last failure as one sentence, if it was on `otlp`, else "". Never contains a
 * header's value. Valid until the thread's next failure. Threads: each sees its own. */
const char *accel_otlp_last_error(const accel_otlp *otlp);

ACCEL_EXTERN_C_END

#endif

#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_BACKENDS_OTLP_IMPLEMENTED)
#define ACCEL_BACKENDS_OTLP_IMPLEMENTED
#include "otlp/exporter.c"
#include "otlp/gzip.c"
#include "otlp/messages.c"
#include "otlp/messages_logs.c"
#include "otlp/messages_metrics.c"
#include "otlp/messages_spans.c"
#include "otlp/open.c"
#include "otlp/outbox.c"
#include "otlp/pairs.c"
#include "otlp/queue.c"
#include "otlp/reader.c"
#include "otlp/settings.c"
#include "otlp/transport.c"
#include "otlp/variables.c"
#include "otlp/writer.c"
#endif
