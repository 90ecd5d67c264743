/* state.h: what the fake's files share. For its .c files only.
 *
 * One mutex guards everything. It is never held while a sink's callback runs; it is held while a
 * publisher makes its messages, so that they are queued in the order in which they were made.
 * One condition variable signals every change: few threads wait in a fake, and a test that does
 * not wake is worse than one that wakes in vain.
 */
#ifndef ACCEL_BACKENDS_FAKE_STATE_H
#define ACCEL_BACKENDS_FAKE_STATE_H

#include "fake.h"

#include "../../accel/error.h"
#include "../../accel/platform/fork.h"
#include "../../accel/platform/thread.h"

ACCEL_EXTERN_C_BEGIN

#define FAKE_AREA_MAX 64

/* ---- store.c: keys and bytes; the caller holds the mutex ---- */

typedef struct fake_entry {
  struct fake_entry *next;
  uint64_t expires_ms;
  size_t key_size, size;
  unsigned char bytes[]; /* the key, then the data */
} fake_entry;

typedef struct fake_store {
  fake_entry **buckets;
  size_t bucket_count, entry_count;
} fake_store;

bool accel_fake_store_open(fake_store *store);
void accel_fake_store_close(fake_store *store);
/* NULL: no such key, or expired at `now_ms` (it is removed then). */
fake_entry *accel_fake_store_find(fake_store *store, const char *key, size_t key_size,
                                  uint64_t now_ms);
const unsigned char *accel_fake_entry_data(const fake_entry *entry);
/* False: no memory, nothing changed. */
bool accel_fake_store_put(fake_store *store, const char *key, size_t key_size, const void *data,
                          size_t size, uint64_t expires_ms);
bool accel_fake_store_remove(fake_store *store, const char *key, size_t key_size);
/* Removes all keys that begin so; returns how many. */
size_t accel_fake_store_remove_prefix(fake_store *store, const char *prefix, size_t prefix_size);

/* ---- script.c: what was ordered to go wrong ---- */

typedef struct fake_rule {
  accel_status fail_status;
  uint32_t fail_times;
  uint32_t delay_ms;
  bool is_blocked;
  uint64_t round;         /* raised by an unblock: frees calls that wait since before */
  size_t waiting, passes; /* of this round; passes are for the first calls that take them */
} fake_rule;

typedef struct fake_key_rule {
  char *key; /* NULL: none */
  accel_status status;
  uint32_t times;
} fake_key_rule;

typedef struct fake_script {
  fake_rule rules[ACCEL_FAKE_OPS][ACCEL_FAKE_POINTS];
  fake_key_rule key_rules[ACCEL_FAKE_OPS];
  uint64_t calls[ACCEL_FAKE_OPS], items[ACCEL_FAKE_OPS];
  bool is_stopped;
} fake_script;

/* Waits and fails as ordered. The caller holds the mutex, which is free while this waits. */
accel_status accel_fake_script_pass(struct accel_fake_state *state, accel_fake_op op,
                                    accel_fake_point point, accel_remote_call *call);
/* OK, or what the item shall fail with. */
accel_status accel_fake_script_item(struct accel_fake_state *state, accel_fake_op op,
                                    const accel_remote_item *item);
void accel_fake_script_release(fake_script *script);

/* ---- bus.c: links and messages ---- */

typedef struct fake_delivery {
  struct fake_delivery *next;
  struct fake_message *message;
} fake_delivery;

/* One allocation holds the message, its bytes, and a delivery for each link that shall have it. */
typedef struct fake_message {
  size_t references; /* deliveries that are neither made nor lost */
  size_t size;
  unsigned char *data;
  fake_delivery deliveries[];
} fake_message;

typedef struct fake_link {
  struct accel_fake_state *state;
  struct fake_link *next;
  size_t number;
  char area[FAKE_AREA_MAX + 1];
  accel_remote_sink sink;
  void (*tell)(void *ctx, const accel_remote_news *news); /* NULL: not wanted */
  bool has_bus;                                           /* attached through accel_fake_ops */
  bool has_listener;                                      /* and wants messages */
  bool is_cut;                                            /* its channel was ordered down */
  bool has_gap;        /* it was down after the sink was called for up */
  bool is_reported_up; /* the state that the sink was called with last */
  bool is_held;        /* messages wait */
  bool is_delivering;  /* a thread is in the sink: nobody else may be */
  size_t allowance;    /* held messages that may pass */
  size_t heartbeats;   /* asked for, not yet taken */
  size_t delivery_count;
  fake_delivery *first_delivery, *last_delivery;
} fake_link;

typedef struct fake_bus {
  fake_link *links; /* in the order of their numbers */
  size_t links_made;
  bool starts_down, starts_held; /* what holds for links to come */
} fake_bus;

accel_status accel_fake_bus_attach(struct accel_fake_state *state, const accel_remote_area *area,
                                   bool has_bus, fake_link **link_out);
void accel_fake_bus_detach(fake_link *link);
/* Delivers what can be delivered. The caller does not hold the mutex. */
void accel_fake_bus_pump(struct accel_fake_state *state);
/* Queues the messages that name the items, from the first; returns how many items are named. The
 * caller holds the mutex, and pumps later. */
size_t accel_fake_bus_announce(fake_link *link, const accel_remote_publisher *publisher,
                               const accel_remote_item *const *items, size_t count,
                               accel_remote_call *call);
/* Reports to every link that the server is gone, or there again. The caller holds the mutex. */
void accel_fake_bus_report(struct accel_fake_state *state, bool is_connected);
/* Every channel breaks. The caller holds the mutex, and pumps later. */
void accel_fake_bus_break(struct accel_fake_state *state);
void accel_fake_bus_release(struct accel_fake_state *state);

/* ---- fake.c ---- */

struct accel_fake_state {
  accel_mutex mutex;
  accel_condition changed;
  accel_opened opened;
  accel_fork_handler fork_handler;
  bool is_forked; /* set in a child: other threads' locks may be held for ever */
  size_t max_value_bytes;
  uint64_t clock_base_ms; /* the clock runs: this plus the monotonic time; it is set: this */
  int64_t clock_skew_ms;
  bool is_clock_set;
  fake_store store;
  fake_script script;
  fake_bus bus;
};

/* The time by which entries expire. The caller holds the mutex. */
uint64_t accel_fake_time_ms(const struct accel_fake_state *state);
/* Writes why a call failed, and returns the status. */
accel_status accel_fake_error(accel_remote_call *call, accel_status status, const char *format, ...)
    ACCEL_PRINTF(3, 4);

ACCEL_EXTERN_C_END

#endif
