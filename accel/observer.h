/* observer.h: all caches of a program, seen together (layer 2).
 *
 *   accel_observer observer;
 *   if (accel_failed(accel_observer_open(&observer, NULL))) …
 *   accel_config config = {.area = "users", .observer = &observer};
 *   user_cache_open(&users, &config);
 *
 * A cache joins its observer when it is opened and leaves it when it is closed; an accel_redis and
 * an accel_otlp do the same. The observer collects everything of one moment once and makes every
 * output from that, so that they agree. It shows the caches of one area in one process as one,
 * their sum. While at least one of them is open, what the closed ones counted stays in the sum, so
 * that no counter falls.
 *
 * A hit costs the same with an observer. Showing costs only when somebody asks. The trait .key_text
 * may be called then, with the observer's mutex held: it must not use the observer.
 *
 * Threads: open and close need exclusive use, everything else any thread, at any time. An open
 * observer is not moved or copied. In a forked child it is closed.
 */
#ifndef ACCEL_OBSERVER_H
#define ACCEL_OBSERVER_H

#include "type.h"

/* Zero selects the default of every field. Strings are copied. */
typedef struct accel_observer_config {
  /* none; labels for every line of the metrics, as Prometheus writes them: `dc="fra",host="a1"`. At
   * most 8, with different names that no metric uses. */
  const char *extra_labels;
  bool shows_keys; /* keys appear as they are; by default as hashes */
} accel_observer_config;

/* Zeroed: closed. */
typedef struct accel_observer {
  struct accel_observer_state *state;
} accel_observer;

/* The answer to a request. */
typedef struct accel_answer {
  int status;               /* of HTTP */
  const char *content_type; /* a constant */
  accel_buffer body;        /* not terminated by a zero */
} accel_answer;

ACCEL_EXTERN_C_BEGIN

/* NULL: the defaults. OK; CONFIG: `observer` is NULL, or open already and stays open, or
 * accel_observer_last_error names the field and the value; NOMEM. After any other failure it is
 * closed. Threads: exclusive use. */
ACCEL_NODISCARD accel_status accel_observer_open(accel_observer *observer,
                                                 const accel_observer_config *config_or_null);
/* Close what uses it first: what is still open is not shown any more, and the last of it to close
 * frees the observer's memory. Does nothing for a closed one or NULL. Threads: exclusive use. */
void accel_observer_close(accel_observer *observer);

/* Appends all metrics, in the text format 0.0.4 of Prometheus. OK; NOMEM; CLOSED: it is not open,
 * or was opened before a fork; CONFIG: NULL; except on OK nothing is appended. Threads: any. */
accel_status accel_observer_prometheus(accel_observer *observer, accel_buffer *out);
/* The same for everything that is shown, as one JSON object (docs/observability.md). */
accel_status accel_observer_json(accel_observer *observer, accel_buffer *out);

/* Answers a request that an HTTP server of the program's received. `target` is that of the request
 * line: "/" is the live page, "/metrics" for Prometheus, "/state.json" what the page reads,
 * "/health" 200 while every cache works, possibly without its L2, and 503 when one is closing. What
 * follows a '?' is ignored. Methods are GET and HEAD, whose answer has no body; others get 405.
 * What cannot be answered, because the observer is closed or there is no memory, gets 503. True:
 * *out is the answer, which accel_answer_release frees. False: the target is none of these, and
 * *out is empty. Threads: any. */
bool accel_observer_answer(accel_observer *observer, const char *method, const char *target,
                           accel_answer *out);
void accel_answer_release(accel_answer *answer);

/* This thread's last failure as one sentence, if it was on `observer`, else "". Valid until the
 * thread's next failure. Threads: each sees its own. */
const char *accel_observer_last_error(const accel_observer *observer);

ACCEL_EXTERN_C_END
#endif
