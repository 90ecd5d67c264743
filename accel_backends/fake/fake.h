/* fake.h: a server that lives in this process (backend).
 *
 * For tests, and for programs that want to show two levels without a server. Several caches share
 * one fake as several processes would share one Redis: give each `.remote = &accel_fake_ops` and
 * `config.remote = &fake`. Whatever can go wrong with a real server can be ordered here, at the
 * moment a test needs it: failures, delays, lost replies, lost messages, a restart.
 *
 * Messages are delivered on the thread that publishes, before its call returns, unless another
 * thread is just delivering to the same link; that one then delivers them in order. No lock of the
 * fake is held while a sink runs. A publisher's `message` runs under the fake's lock and must not
 * call the fake.
 *
 * Threads: any, all functions, while others call, but open and close.
 */
#ifndef ACCEL_BACKENDS_FAKE_FAKE_H
#define ACCEL_BACKENDS_FAKE_FAKE_H

#include "../../accel/backend.h"

typedef struct accel_fake {
  struct accel_fake_state *state; /* NULL: closed */
} accel_fake;

typedef struct accel_fake_config {
  size_t max_value_bytes; /* 8 MiB; larger values are refused with ACCEL_ERR_CODEC */
} accel_fake_config;

typedef enum accel_fake_op {
  ACCEL_FAKE_GET,
  ACCEL_FAKE_LEASE,
  ACCEL_FAKE_FILL,
  ACCEL_FAKE_PUT,
  ACCEL_FAKE_DEL,
  ACCEL_FAKE_CLEAR,
  ACCEL_FAKE_OPS
} accel_fake_op;

/* Where in a call something happens. */
typedef enum accel_fake_point {
  ACCEL_FAKE_BEFORE, /* the call has arrived, the server has done nothing */
  ACCEL_FAKE_AFTER,  /* it is done and its messages are out, the caller has no reply yet */
  ACCEL_FAKE_POINTS
} accel_fake_point;

#define ACCEL_FAKE_ALWAYS UINT32_MAX
#define ACCEL_FAKE_EVERY_LINK SIZE_MAX

ACCEL_EXTERN_C_BEGIN

/* A server with a bus, leases and clear; and one that only stores bytes, as memcached does: it
 * cannot compare before it stores, and its caches never receive a message. Both may be attached
 * to one fake. */
extern const accel_remote_ops accel_fake_ops;
extern const accel_remote_ops accel_fake_plain_ops;

/* OK; CONFIG: NULL, or it is open already and stays so; NOMEM. */
accel_status accel_fake_open(accel_fake *fake, const accel_fake_config *config_or_null);
/* After its caches, and when nobody waits in it. Does nothing to one that is not open. */
void accel_fake_close(accel_fake *fake);

/* ---- failures ---- */

/* The next `times` calls of `op` fail with `status`; ACCEL_FAKE_ALWAYS: until told otherwise; 0:
 * none. At ACCEL_FAKE_AFTER the server has done the work and only the reply is lost. */
void accel_fake_fail(accel_fake *fake, accel_fake_op op, accel_fake_point point,
                     accel_status status, uint32_t times);
/* The same for one item: the calls that hold it succeed, it alone is not done. One key at a time
 * for each operation. False: no memory. */
bool accel_fake_fail_key(accel_fake *fake, accel_fake_op op, const char *key, accel_status status,
                         uint32_t times);
/* Every call of `op` takes this long, or until its deadline. 0: none. */
void accel_fake_delay(accel_fake *fake, accel_fake_op op, accel_fake_point point, uint32_t ms);
/* All calls fail at once with ACCEL_ERR_BACKEND, those that wait included; every channel is down
 * and what was not yet delivered is lost. */
void accel_fake_stop(accel_fake *fake, bool keeps_data);
void accel_fake_start(accel_fake *fake);

/* ---- interleavings ---- */

/* Calls of `op` that reach `point` wait there until let through, stopped, or out of time. */
void accel_fake_block(accel_fake *fake, accel_fake_op op, accel_fake_point point);
/* Waits until `count` calls wait there. False: they did not within `timeout_ms`. */
bool accel_fake_wait_blocked(accel_fake *fake, accel_fake_op op, accel_fake_point point,
                             size_t count, uint32_t timeout_ms);
/* Lets `count` calls through, of those that wait or are to come; the block stays. */
void accel_fake_pass(accel_fake *fake, accel_fake_op op, accel_fake_point point, size_t count);
/* Lifts the block. */
void accel_fake_unblock(accel_fake *fake, accel_fake_op op, accel_fake_point point);

/* ---- the bus. Links are numbered from 0 in the order in which they were attached; with
 * ACCEL_FAKE_EVERY_LINK an order also holds for links to come. ---- */

/* A link whose channel is down receives nothing; what was held for it is lost. */
void accel_fake_channel_down(accel_fake *fake, size_t link);
void accel_fake_channel_up(accel_fake *fake, size_t link);
/* Messages wait instead of being delivered. */
void accel_fake_hold(accel_fake *fake, size_t link);
/* Delivers everything held, on the calling thread, and holds no longer. */
void accel_fake_resume(accel_fake *fake, size_t link);
/* Delivers, or loses without a trace, up to `count` of each link's held messages, oldest first;
 * returns how many in all. */
size_t accel_fake_deliver(accel_fake *fake, size_t link, size_t count);
size_t accel_fake_drop(accel_fake *fake, size_t link, size_t count);
/* Messages that wait. */
size_t accel_fake_held(accel_fake *fake, size_t link);
/* Sends any bytes to an area's channel. False: no memory. */
bool accel_fake_publish(accel_fake *fake, const char *area, const void *data, size_t size);
/* Asks every link that is up for one heartbeat and publishes it: a fake has no thread that would
 * do so by itself. */
void accel_fake_heartbeat(accel_fake *fake);
/* Waits until nothing is being delivered and nothing is left but what is held. False: not within
 * `timeout_ms`. */
bool accel_fake_settle(accel_fake *fake, uint32_t timeout_ms);

/* ---- the clock: wall time at open, and running, until it is set ---- */

uint64_t accel_fake_now_ms(accel_fake *fake);
/* Stops the clock at this time. */
void accel_fake_set_now(accel_fake *fake, uint64_t now_ms);
void accel_fake_advance(accel_fake *fake, uint64_t ms);
/* What the server says its time is, ahead of (or behind) what its entries expire by. */
void accel_fake_set_skew(accel_fake *fake, int64_t ms);

/* ---- what the server holds. Keys are the whole ones, area:name. ---- */

/* Appends the stored bytes. False: no such key, or no memory. */
bool accel_fake_peek(accel_fake *fake, const char *key, accel_buffer *out);
/* Stores any bytes, and tells nobody. False: no memory. */
bool accel_fake_poke(accel_fake *fake, const char *key, const void *data, size_t size,
                     uint32_t ttl_ms);
/* Removes a key as an eviction would: without a message. False: no such key. */
bool accel_fake_evict(accel_fake *fake, const char *key);
/* What is left of a key's TTL, in ms; 0: no such key; ACCEL_FOREVER: no end. */
uint32_t accel_fake_ttl_left(accel_fake *fake, const char *key);
/* Calls `visit`, which must not call the fake, for every key; returns how many there are. */
size_t accel_fake_keys(accel_fake *fake,
                       void (*visit_or_null)(void *ctx, const char *key, size_t key_size),
                       void *ctx);

/* ---- what was asked of it: calls (round trips) and their items, failed ones included ---- */

uint64_t accel_fake_calls(accel_fake *fake, accel_fake_op op);
uint64_t accel_fake_items(accel_fake *fake, accel_fake_op op);
void accel_fake_forget_counts(accel_fake *fake);

ACCEL_EXTERN_C_END
#endif
