/* call.h: what the operations of link.c have in common (backend redis). Threads: any. */
#ifndef ACCEL_BACKENDS_REDIS_CALL_H
#define ACCEL_BACKENDS_REDIS_CALL_H

#include "state.h"

#define REDIS_CALL_KEYS_MAX 256u /* in one command */

/* Commands that were made before the connection is locked. */
typedef struct redis_prepared {
  accel_buffer commands;
  size_t replies;
} redis_prepared;

ACCEL_EXTERN_C_BEGIN

/* One round trip under the call's deadline and the backend's own limit. OK; else a failure with
 * its text in the call, and no replies: BACKEND, TIMEOUT, NOMEM; CONFIG in a forked child. */
accel_status accel_redis_call_exchange(redis_link *link, accel_remote_call *call,
                                       const redis_block *block, redis_replies *replies);
/* The same for prepared commands, which it releases. */
accel_status accel_redis_call_send(redis_link *link, accel_remote_call *call,
                                   redis_prepared *prepared, redis_replies *replies);

/* Gives every item the status and returns it. */
accel_status accel_redis_call_fail(accel_remote_item *items, size_t count, accel_status status);
accel_status accel_redis_call_no_memory(accel_remote_item *items, size_t count,
                                        accel_remote_call *call);
/* Replies that cannot be those of the commands: breaks the connection, returns BACKEND. */
accel_status accel_redis_call_distrust(redis_link *link, accel_remote_call *call);
/* Keeps the call's first error reply as its text; returns BACKEND. */
accel_status accel_redis_call_explain(accel_remote_call *call, const redis_replies *replies,
                                      size_t i);

/* Appends a command of a verb and whole keys, prefix included; at most REDIS_CALL_KEYS_MAX. */
bool accel_redis_call_append_keys(accel_buffer *out, const char *verb, const redis_link *link,
                                  const accel_remote_item *const *items, size_t count);
bool accel_redis_call_append_publish(accel_buffer *out, const redis_link *link,
                                     const accel_buffer *message);
/* UNLINK, or DEL where the server does not know it. */
const char *accel_redis_call_unlink(const redis_link *link);
/* True: the reply says that the server does not know UNLINK; from now on DEL is used. */
bool accel_redis_call_lacks_unlink(redis_link *link, const redis_replies *replies, size_t i);

/* The operations; backend.h says what they do. */
accel_status accel_redis_get(void *link, accel_remote_item *items, size_t count,
                             accel_remote_call *call);
void accel_redis_release(void *link, accel_remote_call *call);
accel_status accel_redis_fill(void *link, accel_remote_item *items, size_t count,
                              accel_remote_call *call);
accel_status accel_redis_put(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call);
accel_status accel_redis_del(void *link, accel_remote_item *items, size_t count,
                             const accel_remote_publisher *publisher_or_null,
                             accel_remote_call *call);
accel_status accel_redis_clear(void *link, const accel_remote_publisher *publisher_or_null,
                               accel_remote_call *call);

ACCEL_EXTERN_C_END
#endif
