/* exporter.h: when what is sent, and what follows from the answer (backend otlp).
 *
 * One thread serves an outbox per signal. An outbox of spans or records takes a batch off its
 * queue, makes a request of it, and keeps that until the receiver has accepted or refused it. The
 * outbox of metrics keeps nothing: it makes each request from the caches as they are then.
 *
 * After a failure that may pass, an outbox pauses: for as long as the receiver says, or else for a
 * random time below a limit that doubles. Its queue is bounded meanwhile; what is new is dropped.
 * Threads: add, flush, counts any; open, end and close need exclusive use.
 */
#ifndef ACCEL_BACKENDS_OTLP_EXPORTER_H
#define ACCEL_BACKENDS_OTLP_EXPORTER_H

#include "../../accel/observer_state.h"
#include "../../accel/platform/thread.h"
#include "gzip.h"
#include "messages.h"
#include "transport.h"

#define OTLP_BACKOFF_FIRST_MS 1000u
#define OTLP_BACKOFF_MAX_MS 30000u
#define OTLP_GIVE_UP_MS 300000u   /* after the first attempt of a batch */
#define OTLP_LOST_PAUSE_MS 60000u /* between two log records of losses */

typedef enum otlp_count {
  OTLP_EXPORTED = 0, /* points, spans or records that the receiver accepted */
  OTLP_DROPPED,      /* that no receiver will get */
  OTLP_RETRIED,      /* requests that were sent again */
  OTLP_REJECTED,     /* points, spans or records that it did not take of a request it accepted */
  OTLP_COUNTS        /* how many there are */
} otlp_count;

typedef struct otlp_outbox {
  otlp_signal signal;
  /* With the mutex. */
  otlp_queue queue;
  uint64_t since_ms;           /* when the first item of the queue came */
  uint64_t added, settled;     /* items so far; of these no more in the queue or in the batch */
  uint64_t wanted, sent;       /* of metrics: requests that a flush asked for; that were answered */
  uint64_t next_ms;            /* of metrics: the next one */
  uint64_t paused_until_ms;    /* after a failure; a flush ends the pause */
  uint64_t throttled_until_ms; /* the receiver wants it */
  /* The thread's. */
  uint32_t tries;               /* failed ones of this batch, or since metrics were accepted */
  uint64_t first_ms;            /* the first attempt of this batch */
  accel_buffer body;            /* the request that waits to be sent; empty: none */
  size_t items;                 /* in it */
  uint64_t serves;              /* the flush that this request is for */
  bool is_failing;              /* as logged last */
  uint64_t logged_ms;           /* when a loss was logged last */
  uint64_t logged_lost;         /* what was lost by then */
  uint64_t counts[OTLP_COUNTS]; /* atomic */
} otlp_outbox;

typedef struct otlp_exporter {
  const otlp_settings *settings;
  accel_observer *observer; /* NULL: no metrics */
  void (*log)(void *ctx, const accel_log_record *record);
  void *log_ctx;
  uint64_t started_ms;    /* since 1970 */
  int64_t wall_offset_ns; /* atomic: from the monotonic clock to the time since 1970 */
  accel_observer_member member;
  otlp_transport transport;
  otlp_writer writer; /* the thread's */
  otlp_gzip gzip;     /* the same */
  accel_mutex mutex;
  accel_condition wake, changed; /* for the thread; for flushes */
  otlp_outbox outboxes[OTLP_SIGNALS];
  uint32_t flushes; /* that wait */
  bool has_to_end, has_ended;
  uint64_t end_ms;                  /* the thread ends by then */
  uint64_t failures;                /* requests that were refused, or not taken as a whole */
  char last_text[OTLP_ANSWER_TEXT]; /* of the last failure */
  accel_thread thread;
} otlp_exporter;

ACCEL_EXTERN_C_BEGIN

/* Opens an exporter that is zeroed but for settings, observer and log, and starts its thread. OK;
 * CONFIG, NOMEM, with an error on `owner`. */
accel_status accel_otlp_exporter_open(otlp_exporter *exporter, const void *owner);
/* Ends the thread: it sends what it can in `timeout_ms`. */
void accel_otlp_exporter_end(otlp_exporter *exporter, uint32_t timeout_ms);
/* Frees everything, after end. */
void accel_otlp_exporter_close(otlp_exporter *exporter);
/* In place of end and close, in a forked child: frees what the parent's thread does not work with.
 * */
void accel_otlp_exporter_abandon(otlp_exporter *exporter);

/* Takes the item over: queues it, or drops and counts it. */
void accel_otlp_exporter_add(otlp_exporter *exporter, otlp_signal signal, otlp_item *item);
/* Counts one for which there was no memory. */
void accel_otlp_exporter_count_lost(otlp_exporter *exporter, otlp_signal signal);
/* As accel_otlp_flush, with an error on `owner`. */
accel_status accel_otlp_exporter_flush(otlp_exporter *exporter, const void *owner, uint32_t ms);

/* Nanoseconds to add to a time on the monotonic clock to get one since 1970. It stays the same
 * while the clocks agree to some milliseconds, so that spans are in their right order. */
int64_t accel_otlp_exporter_wall_offset_ns(const otlp_exporter *exporter);

/* The pause after so many failed attempts, from a random number. */
uint32_t accel_otlp_backoff_ms(uint32_t tries, uint32_t random);

ACCEL_EXTERN_C_END

#endif
