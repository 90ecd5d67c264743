/* append.h: the commands of the operations, appended to a buffer (backend redis).
 *
 * Threads: one at a time per buffer.
 */
#ifndef ACCEL_BACKENDS_REDIS_APPEND_H
#define ACCEL_BACKENDS_REDIS_APPEND_H

#include "link.h"

#define REDIS_APPEND_KEYS_MAX 256u /* in one command */
#define REDIS_TTL_SIZE 24

ACCEL_EXTERN_C_BEGIN

/* Appends a command: a verb and whole keys, prefix included; at most REDIS_APPEND_KEYS_MAX. */
bool accel_redis_append_keys(accel_buffer *out, const char *verb, const redis_link *link,
                             accel_remote_item *const *items, size_t count);
/* Appends SET of the item's data, which expires after ttl_ms; `is_lease`: only where no key is. */
bool accel_redis_append_set(accel_buffer *out, const redis_link *link,
                            const accel_remote_item *item, uint32_t ttl_ms, bool is_lease);
/* A TTL as Redis takes it; "0": for ever, which only scripts understand. */
void accel_redis_ttl_text(uint32_t ttl_ms, char text[REDIS_TTL_SIZE]);
bool accel_redis_append_publish(accel_buffer *out, const redis_link *link,
                                const accel_buffer *message);
/* UNLINK, or DEL where the server refuses it. */
const char *accel_redis_unlink_verb(const redis_endpoint *endpoint);
/* True: the reply refuses UNLINK, or a command that it does not name; from now on DEL is sent. */
bool accel_redis_note_lacks_unlink(redis_endpoint *endpoint, const redis_replies *replies,
                                   size_t i);

ACCEL_EXTERN_C_END
#endif
