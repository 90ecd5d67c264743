/* receiver.h: a strict OTLP receiver of a test's own (receiver.js), and what it was sent.
 *
 * It listens on a free loopback port and ends with the test. What it is sent it decodes with the
 * official decoder, and refuses where that, or the specification, finds something wrong.
 */
#ifndef RECEIVER_H
#define RECEIVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct receiver {
  pid_t pid;   /* 0: not running */
  int in, out; /* orders; what it prints */
  int port;
  char url[64];
  char *text; /* what was read of an incomplete line */
  size_t size;
  json_t *kept; /* requests that nobody has taken yet */
} receiver;

/* Whether node and the decoder are installed; if not, says so, so that the test can end with
 * RECEIVER_SKIP. */
#define RECEIVER_SKIP 77
bool receiver_available(void);

/* Starts it and waits until it listens. False: it does not. */
bool receiver_start(receiver *self);
/* Kills it; restart listens on the same port. Requests that were kept stay. */
void receiver_kill(receiver *self);
bool receiver_restart(receiver *self);
void receiver_stop(receiver *self);

/* How it answers from now on: an order of receiver.js. False: it does not confirm. */
bool receiver_order(receiver *self, const char *order);
/* The next request for a path, such as "/v1/metrics", that was not yet taken; the caller releases
 * it. NULL: none within ms. Fails the test if the receiver found a request wrong. */
json_t *receiver_take(receiver *self, const char *path, uint32_t ms);
/* Reads all requests that were answered so far: then to take one needs no time. */
void receiver_sync(receiver *self);
/* Takes all that were answered so far, and returns how many. */
size_t receiver_drain(receiver *self, const char *path);

/* ---- reading what was sent ---- */

/* "resourceMetrics", "scopeMetrics" and so on: the only list below the only one. */
json_t *receiver_items(const json_t *request);
/* The metric of this name. NULL: none. */
json_t *receiver_metric(const json_t *request, const char *name);
/* The point of a metric with this label. NULL: none. */
json_t *receiver_point(const json_t *request, const char *name, const char *key, const char *value);
/* The value of a point with this label, as a number; -1: there is none. */
int64_t receiver_value(const json_t *request, const char *name, const char *key, const char *value);
/* The text of an attribute, or its number as text, of a point, span, record or resource; NULL. */
const char *receiver_attribute(const json_t *item, const char *key);
/* The same of the request's resource. */
const char *receiver_resource(const json_t *request, const char *key);
const char *receiver_header(const json_t *request, const char *name);

#endif
