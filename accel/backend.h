/* backend.h: the contracts of an L1 engine and of an L2 (layer 2).
 *
 * A backend consists of its own state, functions, and one constant table of operations. It includes
 * only layers 0 to 2. tests/contract/ runs the same suite over every backend; a new backend is
 * complete when that suite passes.
 *
 * "key", "value" and "out" are pointers to the user's own types (type.h). A value of NULL means a
 * negative entry. "hash" is the key's hash with the cache's seed.
 */
#ifndef ACCEL_BACKEND_H
#define ACCEL_BACKEND_H

#include "platform/clock.h"
#include "ttl.h"
#include "type.h"

/* ------------------------------------------------------------------------------------------------
 * L1: a table of entries in this process.
 *
 * Generations and epochs. Every hash belongs to a stripe (the engine chooses their number); each
 * stripe has a generation, the table has one epoch. A gate copies them. `fill` inserts only if
 * they still equal the gate: the comparison and the insertion are one atomic step, so a fill
 * never overwrites what was set, deleted or invalidated after the gate was taken. Both have 64 bits
 * and do not wrap.
 *
 * An entry is fresh while its epoch is the table's and the clock is before its expires_ms. An entry
 * that is not fresh stays in the table, for stale fallbacks, until it is replaced, removed or
 * evicted. Reads never remove entries.
 *
 * Threads: any, at any time, all operations except open and close (exclusive use).
 */

/* The beginning of every engine's state, which a hit reads. */
typedef struct accel_local {
  const accel_clock *clock; /* NULL: the system's coarse one */
  uint64_t epoch;           /* atomic; raised by expire_all */
} accel_local;

typedef struct accel_local_config {
  const accel_type *type;
  const void *owner;          /* the owner of open's error (error.h) */
  const accel_clock *clock;   /* outlives the engine; NULL: the system's */
  size_t capacity;            /* entries, >= 1, negative and stale ones included; never exceeded */
  size_t max_weight;          /* 0: no limit; else the maximum sum of type->weigh */
  uint64_t seed;              /* the cache's, for hashes that the engine computes */
  uint32_t refresh_window_ms; /* refresh-ahead: refresh_ms of every entry is at most this, and at
                               * most half its TTL, before its expires_ms; 0: off */
  const char *area;           /* for tracers; outlives the engine */
} accel_local_config;

#define ACCEL_LOCAL_STRIPES_MAX 1024

typedef struct accel_gate {
  uint64_t generation, epoch;
  uint32_t stripe; /* below ACCEL_LOCAL_STRIPES_MAX */
} accel_gate;

/* get returns it if the caller must call peek; it never leaves layer 4. */
#define ACCEL_ATTENTION ((accel_status)3)

typedef struct accel_local_found {
  accel_lifetime life;
  bool is_current; /* of the table's epoch; if false, the entry is stale */
} accel_local_found;

typedef struct accel_local_stats {
  size_t entries; /* all that occupy a slot; cleared entries need not be counted */
  size_t weight;
  size_t memory_bytes; /* without the allocations of owning values; of the system's pages those
                        * that are resident, else all */
  const char *policy;  /* which entry is evicted; a constant */
} accel_local_stats;

/* What has happened since open. */
typedef struct accel_local_counts {
  uint64_t inserts;     /* fills and sets of keys that L1 did not have */
  uint64_t overwrites;  /* fills and sets of keys that it had */
  uint64_t evictions;   /* fresh entries that were removed to make room */
  uint64_t expirations; /* expired entries that were removed to make room */
} accel_local_counts;

/* A reference to a value, which is neither freed nor overwritten until unpin. */
typedef struct accel_local_pin {
  accel_local *local;
  const void *value;
  void *handle;             /* the engine's */
  uint64_t fork_generation; /* the cache's; identifies the process that pinned it */
} accel_local_pin;

typedef struct accel_local_ops {
  const char *name;
  /* OK, CONFIG, NOMEM. Allocates all memory of the table. On failure nothing stays allocated. */
  accel_status (*open)(const accel_local_config *config, accel_local **local_out);
  /* Drops all values. No pin may be outstanding. Takes no lock, because it is also called in a
   * forked child, where locks of other threads may stay locked forever. */
  void (*close)(accel_local *local, const accel_type *type);

  /* Hot. OK: *out is a copy (type->copy). NULL: a negative entry. MISS: at some moment during the
   * call there was no entry, fresh or stale. ATTENTION: there is or may be an entry that get cannot
   * return: of another epoch, past its refresh_ms, or replaced while it was read; the caller calls
   * peek, and may find a fresh entry. NOMEM: the copy failed. Except on OK, *out is untouched.
   * Marks the entry as used. For plain types: no lock, no allocation, no read-modify-write
   * instruction, and no wait for a writer that is not running; an engine may limit this to keys and
   * values up to a documented size. An engine that cannot distinguish MISS from ATTENTION returns
   * ATTENTION; then every miss costs a peek. */
  accel_status (*get)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      void *out);
  /* Cold. Finds an entry of any age: OK, NULL, MISS (none), NOMEM. `out_or_null` as in get. */
  accel_status (*peek)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                       void *out_or_null, accel_local_found *found);

  accel_gate (*gate)(accel_local *local, uint64_t hash);
  /* Inserts or replaces a copy of the value, if generation and epoch still equal `gate`. OK; MISS:
   * the gate has changed; CONFIG: heavier than max_weight; NOMEM; except on OK, nothing changes.
   * Does not raise the generation. */
  accel_status (*fill)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                       const void *value_or_null, const accel_lifetime *lifetime,
                       const accel_gate *gate);
  /* Raises the generation by one, then inserts or replaces: without a gate always; with a gate only
   * if it was unchanged before this call. Otherwise, and on any failure, it removes the key. OK,
   * MISS (gate), CONFIG, NOMEM. */
  accel_status (*set)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      const void *value_or_null, const accel_lifetime *lifetime,
                      const accel_gate *gate_or_null);
  /* Raises the generation by one and removes the key. Cannot fail. */
  void (*del)(accel_local *local, const accel_type *type, const void *key, uint64_t hash);

  /* Raises the epoch: every entry is stale at once, and older gates are void. O(1), one atomic
   * operation, so a fork handler may call it. */
  void (*expire_all)(accel_local *local);
  /* As expire_all, and no entry is found again, not even for a stale fallback. */
  void (*clear)(accel_local *local, const accel_type *type);
  void (*stats)(accel_local *local, accel_local_stats *out);

  /* Zero-copy read: like get, but *pin refers to the value in place. It stays valid and unchanged
   * through eviction, set, del, clear and resize until unpin, which drops it if the entry was
   * removed meanwhile. A pinned entry counts against the capacity. */
  accel_status (*pin)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      accel_local_pin *pin);
  void (*unpin)(const accel_type *type, accel_local_pin *pin);

  /* OK, NOMEM (nothing changed). Keeps the most valuable entries that fit. */
  accel_status (*resize)(accel_local *local, const accel_type *type, size_t capacity);
  /* Writes up to `count` keys of fresh entries with a value, most used first; returns how many.
   * Strings are stored in accel_thread_scratch. */
  size_t (*hottest)(accel_local *local, const accel_type *type, void *keys_out, size_t count);
  /* Calls `visit` for fresh entries with a value, each at most once, until it returns false. Holds
   * no lock during the call; key and value are valid until it returns. */
  void (*each)(accel_local *local, const accel_type *type,
               bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);
  /* Optional; without it these counters stay 0. Takes no lock. Threads: any. */
  void (*counts)(const accel_local *local, accel_local_counts *out);
} accel_local_ops;

/* ------------------------------------------------------------------------------------------------
 * L2: a store of bytes that several processes share, and a channel for messages about changes.
 *
 * Every call takes arrays and makes one round trip, or a few if there are many items. Every item
 * has a status: a call that returns OK has set all of them; a call that fails has set all of them
 * to a failure. Statuses: OK, MISS (get: no such key), BACKEND, TIMEOUT, CODEC (too large), NOMEM.
 *
 * Threads: any, all operations except attach and detach of one link (exclusive use of that link).
 */

typedef struct accel_remote_item {
  const char *key; /* area:name, as L2 knows it; the backend adds its prefix */
  size_t key_size;
  const char *name; /* the complete name of the key, for messages; `key` may have its hash */
  size_t name_size;
  const void *data; /* put, fill, lease: what to store. get: what was found, valid until release */
  size_t size;
  uint32_t ttl_ms; /* put, fill; ACCEL_FOREVER: no expiry */
  uint64_t token;  /* lease: the token of the lease; 0 after the call: not granted. fill: see there.
                    * In bytes 16 to 23 of `data`, little endian (codec.h) */
  accel_status status;
  uint32_t hint;   /* the backend's own while a call runs */
  bool is_removed; /* failed put: the key was removed, and a message was sent */
} accel_remote_item;

/* Inputs and results of one call. The caller sets the deadline and zeroes the rest. */
typedef struct accel_remote_call {
  uint64_t deadline_ms; /* accel_clock_monotonic_ms; the backend's own limit applies too */
  uint64_t limit_ms;    /* the backend's own while a call runs */
  void *reply;          /* get: release frees it */
  /* get: a key with unreadable data (a list, an empty string) is OK with no bytes, not MISS. If
   * that costs more than a plain get, only if this is set. */
  bool looks_closely;
  const bool *stop_or_null; /* clear: atomic; it fails soon after this becomes true */
  uint32_t messages_sent, messages_failed;
  char error[160];                        /* on failure: a sentence; never a password */
  struct accel_remote_note *note_or_null; /* for a span; NULL: not wanted */
} accel_remote_call;

/* What a backend notes about a call, as far as it knows. The caller zeroes it. */
typedef struct accel_remote_note {
  char server_address[256]; /* of the first server that was asked: host, or path of a socket */
  uint32_t server_port;     /* 0: none */
  char error_code[32];      /* first word of the last error reply, such as WRONGTYPE */
} accel_remote_note;

/* Messages of one lane arrive in order. A backend with one connection for messages has one lane,
 * number 0; a backend with several servers or connections numbers them. A listener only remembers
 * lanes on which it received a message. */
#define ACCEL_REMOTE_LANES 256u

/* Makes the messages of a put, del or clear. The backend calls it while it writes the request, so
 * that the messages of a lane are sent in the order of their numbers. The backend may group the
 * items (a cluster: by slot). */
typedef struct accel_remote_publisher {
  void *ctx;
  /* Appends one message that names as many of the items as fit, from the first on; returns their
   * number, 0: no memory. With a count of 0 the message clears the area; returns 1 or 0. */
  size_t (*message)(void *ctx, uint32_t lane, const accel_remote_item *const *items, size_t count,
                    accel_buffer *out);
} accel_remote_publisher;

/* Events that a cache counts for its L2, in the order of its counters (stats.h). */
typedef enum accel_remote_event {
  ACCEL_REMOTE_OOM,
  ACCEL_REMOTE_MISCONF,
  ACCEL_REMOTE_READONLY,
  ACCEL_REMOTE_LOADING,
  ACCEL_REMOTE_BUSY,
  ACCEL_REMOTE_MASTER_DOWN,
  ACCEL_REMOTE_CLUSTER_DOWN,
  ACCEL_REMOTE_NO_AUTH,
  ACCEL_REMOTE_NO_PERMISSION,
  ACCEL_REMOTE_MOVED,
  ACCEL_REMOTE_NO_SCRIPT,
  ACCEL_REMOTE_WRONG_TYPE,
  ACCEL_REMOTE_REFUSED,
  ACCEL_REMOTE_WRITES_PAUSED,
  ACCEL_REMOTE_BREAKER_OPEN,
  ACCEL_REMOTE_RETRIED,
  ACCEL_REMOTE_EVENTS
} accel_remote_event;

/* Callbacks of a backend to a cache. Called on the backend's own threads, one call at a time per
 * link, never after detach has returned. */
typedef struct accel_remote_sink {
  void *ctx;
  /* A message on this area's channel, from any sender, this cache included. Untrusted. */
  void (*message)(void *ctx, const void *data, size_t size);
  /* The subscription is confirmed: every message from now on will arrive. */
  void (*up)(void *ctx);
  /* Messages may have been lost since the connection was last verified. */
  void (*down)(void *ctx);
  /* About once per second and lane while up: appends a message, which the backend publishes on that
   * lane as its next one; or returns false. */
  bool (*heartbeat)(void *ctx, uint32_t lane, accel_buffer *out);
  /* NULL: not counted. `n` events occurred; any thread, during an operation, also without a
   * listener. */
  void (*event)(void *ctx, accel_remote_event event, uint32_t n);
} accel_remote_sink;

/* Changes of state of an L2. */
typedef enum accel_remote_change {
  ACCEL_REMOTE_UNCHANGED = 0, /* never reported */
  ACCEL_REMOTE_CONNECTED,
  ACCEL_REMOTE_DISCONNECTED, /* also if the first attempt failed */
  ACCEL_REMOTE_RELEASED,     /* the connection is no longer needed: another server is used */
  ACCEL_REMOTE_BREAKER_OPENED,
  ACCEL_REMOTE_BREAKER_HALF_OPENED,
  ACCEL_REMOTE_BREAKER_CLOSED,
  ACCEL_REMOTE_SERVERS_LOST, /* the servers are unknown, or some keys have none */
  ACCEL_REMOTE_SERVERS_FOUND,
  ACCEL_REMOTE_CHANNEL_LOST, /* with the reason why the channel is down */
  ACCEL_REMOTE_CHANGES
} accel_remote_change;

/* One change, reported once. Strings are valid during the call; they may quote a server, but never
 * contain a password. */
typedef struct accel_remote_news {
  accel_remote_change change;
  const char *server; /* its name as configured; "" if there is only one */
  const char *why;    /* the reason; "": unknown */
} accel_remote_news;

typedef struct accel_remote_area {
  const char *area;
  bool has_listener; /* false (no_broadcast): of the sink only `event` is called */
  accel_remote_sink sink;
  const void *owner; /* the owner of attach's error (error.h) */
  /* Optional, with the sink's ctx and rules: L2 itself reports that the key with this name was
   * changed by another process. NULL: any key may have changed. A name that begins with '#' is a
   * hash. */
  void (*changed)(void *ctx, const char *name_or_null, size_t size);
  /* Optional, with the sink's ctx: changes of state, for operators. The changes of one server are
   * reported in order, each once; attach reports the current failures. Any thread, several at the
   * same time, also while the backend holds locks: `tell` does not call the backend and does not
   * wait. Never called after detach has returned. CHANNEL_LOST follows the rules of `down` and is
   * reported before it; it may be repeated while the channel is down. NULL: not needed. */
  void (*tell)(void *ctx, const accel_remote_news *news);
} accel_remote_area;

/* The operations on data. Each call to L2 is one of them. */
typedef enum accel_remote_operation {
  ACCEL_REMOTE_GET,
  ACCEL_REMOTE_LEASE,
  ACCEL_REMOTE_FILL,
  ACCEL_REMOTE_PUT,
  ACCEL_REMOTE_DEL,
  ACCEL_REMOTE_CLEAR,
  ACCEL_REMOTE_OPERATIONS
} accel_remote_operation;

typedef struct accel_remote_ops {
  const char *name;
  /* Attaches a cache to the opened backend. OK, CONFIG, NOMEM. Writes the name of the channel to
   * `channel` (192 bytes), "" if there is none. Does not wait for the server. */
  accel_status (*attach)(void *remote, const accel_remote_area *area, void **link_out,
                         char *channel);
  /* No callback runs after it. In a forked child it only releases memory. */
  void (*detach)(void *link);
  /* True if the server for data is believed to answer. Does not block. */
  bool (*is_ready)(void *link);
  /* Milliseconds since 1970 on the clock that all users of this L2 share; the wall clock if there
   * is none. Does not block. */
  uint64_t (*now_ms)(void *link);

  accel_status (*get)(void *link, accel_remote_item *items, size_t count, accel_remote_call *call);
  void (*release)(void *link, accel_remote_call *call);
  /* Optional. Stores each item's data, an envelope with its token, if the key does not exist (SET
   * NX). An item whose key exists gets token 0 and the status OK. */
  accel_status (*lease)(void *link, accel_remote_item *items, size_t count, uint32_t lease_ms,
                        accel_remote_call *call);
  /* Stores the result of a load; sends no message. With a token only if the stored envelope has
   * that token (compare-and-set; MISS: it has not), with 0 always. Filling a lease with its own
   * envelope renews it: its TTL is then the item's. */
  accel_status (*fill)(void *link, accel_remote_item *items, size_t count, accel_remote_call *call);
  /* Stores, or removes, and publishes, as one step: no process can see one without the other, and a
   * process that dies cannot have done one without the other. Without a publisher it sends no
   * message. */
  accel_status (*put)(void *link, accel_remote_item *items, size_t count,
                      const accel_remote_publisher *publisher_or_null, accel_remote_call *call);
  accel_status (*del)(void *link, accel_remote_item *items, size_t count,
                      const accel_remote_publisher *publisher_or_null, accel_remote_call *call);
  /* Optional. Removes every key of the area, then publishes. May make many round trips, each within
   * the backend's own limit. */
  accel_status (*clear)(void *link, const accel_remote_publisher *publisher_or_null,
                        accel_remote_call *call);
  /* Optional. Writes (160 bytes) why the channel does not come up, if L2 reported it, such as a
   * missing permission; else another command that L2 refuses; "": nothing is known. Never a
   * password. */
  void (*explain_channel)(void *link, char *text);
  /* Optional. The command that such a call usually sends, as a span is named: "GET", "MGET",
   * "PIPELINE SET", "MULTI". A constant string. Does not block. */
  const char *(*command)(void *link, accel_remote_operation operation,
                         const accel_remote_item *items, size_t count, bool is_published);
} accel_remote_ops;

#endif
