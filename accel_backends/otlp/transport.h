/* transport.h: one request over HTTP, and what its answer means (backend otlp).
 *
 * Uses libcurl, and one connection for all requests to a host as long as the host keeps it open.
 * Threads: one at a time.
 */
#ifndef ACCEL_BACKENDS_OTLP_TRANSPORT_H
#define ACCEL_BACKENDS_OTLP_TRANSPORT_H

#include "settings.h"

#define OTLP_ANSWER_BYTES ((size_t)4 << 20) /* a longer answer is not read, nor asked for again */
#define OTLP_ANSWER_TEXT 200
#define OTLP_RETRY_AFTER_MAX_MS 300000u /* a longer pause is cut to this */

typedef enum otlp_outcome {
  OTLP_ACCEPTED, /* except for `rejected` items */
  OTLP_LATER,    /* the same request may succeed later */
  OTLP_REFUSED   /* it never will */
} otlp_outcome;

typedef struct otlp_answer {
  otlp_outcome outcome;
  uint32_t retry_after_ms;     /* 0: the receiver does not say */
  uint64_t rejected;           /* items that the receiver did not take, of a request it accepted */
  char text[OTLP_ANSWER_TEXT]; /* why not, or a warning of an accepted one; "": none */
} otlp_answer;

struct curl_slist;

typedef struct otlp_transport {
  void *curl;
  const otlp_settings *settings;
  struct curl_slist *headers[OTLP_SIGNALS];
  accel_buffer answer;
  bool is_cut; /* no memory for all of the answer */
} otlp_transport;

ACCEL_EXTERN_C_BEGIN

/* Opens a zeroed transport. False: no memory, and nothing is held. */
bool accel_otlp_transport_open(otlp_transport *transport, const otlp_settings *settings);
void accel_otlp_transport_close(otlp_transport *transport);
/* In a forked child: frees what belongs to no connection. */
void accel_otlp_transport_abandon(otlp_transport *transport);

/* Sends one request, within `timeout_ms`. */
void accel_otlp_transport_send(otlp_transport *transport, otlp_signal signal,
                               const accel_buffer *body, uint32_t timeout_ms, otlp_answer *out);

ACCEL_EXTERN_C_END

#endif
