/* backend.h: what an L1 engine and an L2 must do (layer 2).
 *
 * A backend is a state of its own, functions, and one constant table of operations. It includes
 * layers 0 to 2 only. tests/contract/ runs the same suite over every backend; a new one is done
 * when that suite passes.
 *
 * "key", "value", "out" are pointers to the user's own types (type.h). A value of NULL is a
 * negative entry. "hash" is the key's hash under the cache's seed.
 */
#ifndef ACCEL_BACKEND_H
#define ACCEL_BACKEND_H

#include "platform/clock.h"
#include "ttl.h"
#include "type.h"

/* ------------------------------------------------------------------------------------------------
 * L1: a table of entries in this process.
 *
 * Generations and epochs. Every hash belongs to a stripe (the engine says how many there are);
 * each stripe has a generation, the table has one epoch. A gate is both, as they were at one
 * moment. `fill` inserts only while the gate stands: the check and the insertion are one step, so
 * that nothing which was set, deleted or invalidated after the gate was taken is overwritten.
 * 64 bits each: they do not wrap.
 *
 * An entry is fresh while its epoch is the table's and the clock is before its expires_ms; an
 * entry that is not fresh stays in the table as a stale candidate until it is replaced, removed or
 * chosen as a victim. Reads never remove anything.
 *
 * Threads: any, at any time, all operations, but open and close (exclusive use).
 */

/* The head of every engine's state: what a hit compares. */
typedef struct accel_local {
  const accel_clock *clock; /* NULL: the system's coarse one */
  uint64_t epoch;           /* atomic; raised by expire_all */
} accel_local;

typedef struct accel_local_config {
  const accel_type *type;
  const void *owner;        /* whose error an open's failure becomes (error.h) */
  const accel_clock *clock; /* lives longer than the engine; NULL: the system's */
  size_t capacity;          /* entries, >= 1; never exceeded, negative and stale entries included */
  size_t max_weight;        /* 0: no limit; else the sum of type->weigh is bounded by it */
  uint64_t seed;            /* the cache's, for hashes the engine makes itself */
  uint32_t refresh_window_ms; /* refresh-ahead's: refresh_ms of every entry written is at most this
                               * and half its life before its expires_ms; 0: off */
} accel_local_config;

#define ACCEL_LOCAL_STRIPES_MAX 1024

typedef struct accel_gate {
  uint64_t generation, epoch;
  uint32_t stripe; /* below ACCEL_LOCAL_STRIPES_MAX */
} accel_gate;

/* What get answers where peek must be asked; seen by nobody else. */
#define ACCEL_ATTENTION ((accel_status)3)

typedef struct accel_local_found {
  accel_lifetime life;
  bool is_current; /* of the table's epoch; if not, the entry is stale whatever its times say */
} accel_local_found;

typedef struct accel_local_stats {
  size_t entries; /* all that occupy a place; what a clear has removed may be left out */
  size_t weight;
  size_t memory_bytes; /* what the engine holds, values' own allocations excluded: of pages of
                        * the system's those that have memory behind them, else all */
} accel_local_stats;

/* A value that cannot be freed or overwritten until unpin. */
typedef struct accel_local_pin {
  accel_local *local;
  const void *value;
  void *handle;             /* the engine's */
  uint64_t fork_generation; /* the cache's: of the process that pinned it */
} accel_local_pin;

typedef struct accel_local_ops {
  const char *name;
  /* OK, CONFIG, NOMEM. All memory of the table is allocated here. On failure nothing is held. */
  accel_status (*open)(const accel_local_config *config, accel_local **local_out);
  /* Drops all values. No pin may be outstanding. Also called in a forked child, where other
   * threads' locks may be held for ever: takes none. */
  void (*close)(accel_local *local, const accel_type *type);

  /* Hot. OK: *out is a copy (type->copy). NULL: a negative entry. MISS: at some moment of the call
   * there was no entry, fresh or stale. ATTENTION: there is or may be one that get cannot answer
   * with: not of this epoch, past its refresh_ms, or replaced while it was read; the caller peeks,
   * and may find a fresh entry. NOMEM: the copy failed. But on OK *out is untouched. Marks the
   * entry as used. For plain types: no lock, no allocation, no read-modify-write instruction, and
   * no wait for a writer that is not running; an engine may limit this to keys and values up to a
   * size that it states. An engine that cannot tell MISS from ATTENTION answers ATTENTION, and
   * every miss costs a peek. */
  accel_status (*get)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      void *out);
  /* Cold. The entry whatever its age: OK, NULL, MISS (none), NOMEM. `out_or_null` as in get. */
  accel_status (*peek)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                       void *out_or_null, accel_local_found *found);

  accel_gate (*gate)(accel_local *local, uint64_t hash);
  /* Inserts or replaces, if `gate` still stands; the value is copied. OK; MISS: the gate had
   * moved, nothing changed; CONFIG: heavier than max_weight, nothing changed; NOMEM likewise.
   * Does not raise the generation. */
  accel_status (*fill)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                       const void *value_or_null, const accel_lifetime *life,
                       const accel_gate *gate);
  /* Raises the generation by one, then inserts or replaces: without a gate always; with one only
   * if it stood before this call. In every other case the key is removed. OK, MISS (gate), CONFIG,
   * NOMEM. */
  accel_status (*set)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      const void *value_or_null, const accel_lifetime *life,
                      const accel_gate *gate_or_null);
  /* Raises the generation by one and removes the key. Cannot fail. */
  void (*del)(accel_local *local, const accel_type *type, const void *key, uint64_t hash);

  /* Raises the epoch: every entry is stale at once. O(1), one atomic operation, so that a fork
   * handler may call it. Gates taken before no longer stand. */
  void (*expire_all)(accel_local *local);
  /* As expire_all, and no entry is found again even as a stale candidate. */
  void (*clear)(accel_local *local, const accel_type *type);
  void (*stats)(accel_local *local, accel_local_stats *out);

  /* Zero-copy reads: like get, but *pin refers to the value in place. It stays valid and unchanged
   * through eviction, set, del, clear and resize until unpin; then it is dropped if it was
   * removed meanwhile. A pinned entry still counts against the capacity. */
  accel_status (*pin)(accel_local *local, const accel_type *type, const void *key, uint64_t hash,
                      accel_local_pin *pin);
  void (*unpin)(const accel_type *type, accel_local_pin *pin);

  /* OK, NOMEM (nothing changed). Keeps the most valuable entries that fit. */
  accel_status (*resize)(accel_local *local, const accel_type *type, size_t capacity);
  /* Writes up to `count` keys of fresh entries that hold a value, most used first; returns how
   * many. Strings lie in accel_thread_scratch. */
  size_t (*hottest)(accel_local *local, const accel_type *type, void *keys_out, size_t count);
  /* Calls `visit` for fresh entries that hold a value, each at most once, until it returns false.
   * No lock is held during the call; key and value are valid for its duration. */
  void (*each)(accel_local *local, const accel_type *type,
               bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);
} accel_local_ops;

/* ------------------------------------------------------------------------------------------------
 * L2: a store of bytes that several processes share, and a channel on which they tell each other
 * what changed.
 *
 * Every call takes arrays; one call is one round trip, or a few if there are many items. Items have
 * statuses of their own: a call that returns OK has set every item's; one that fails has set them
 * all to a failure.
 * Statuses: OK, MISS (get: no such key), BACKEND, TIMEOUT, CODEC (too large), NOMEM.
 *
 * Threads: any, all operations, but attach and detach of one link (exclusive use of that link).
 */

typedef struct accel_remote_item {
  const char *key; /* area:name, as L2 knows it; the backend adds its prefix */
  size_t key_size;
  const char *name; /* the key's whole text, for messages; key may hold its hash instead */
  size_t name_size;
  const void *data; /* put, fill, lease: what to store. get: what was found, until release */
  size_t size;
  uint32_t ttl_ms; /* put, fill: its life; ACCEL_FOREVER: none */
  uint64_t token;  /* lease: asked for; 0 after the call: not granted. fill: see there. Lies in
                    * bytes 16 to 23 of what is stored, little endian (codec.h) */
  accel_status status;
  uint32_t hint;   /* the backend's own while a call runs */
  bool is_removed; /* put that failed: nothing is left there, and everybody was told */
} accel_remote_item;

/* One call's terms and by-products. Zeroed by the caller but for the deadline. */
typedef struct accel_remote_call {
  uint64_t deadline_ms; /* accel_clock_monotonic_ms; the backend's own limit applies as well */
  uint64_t limit_ms;    /* the backend's own while a call runs */
  void *reply;          /* get: what release frees */
  /* get: a key at which something lies that cannot be read, a list or an empty text, is OK with no
   * bytes, and not MISS. Where that costs more than a plain look, only if this is set. */
  bool looks_closely;
  const bool *stop_or_null; /* clear: atomic; it fails soon after this is true */
  uint32_t messages_sent, messages_failed;
  char error[160]; /* on failure: what, where; never a password */
} accel_remote_call;

/* Messages that leave on one lane arrive in order. A backend that has one way to its bus has one
 * lane, number 0; one that has several, servers or connections, gives each a number. Whoever
 * listens remembers only lanes on which something came. */
#define ACCEL_REMOTE_LANES 256u

/* Makes the messages of a put, del or clear. The backend calls it while it writes the call, so
 * that messages of a lane leave in the order in which they were numbered, and groups the items as
 * it must (a cluster: by slot). */
typedef struct accel_remote_publisher {
  void *ctx;
  /* Appends one message that names as many of the items as fit, from the first; returns how many
   * that is, 0: no memory. With a count of 0 the message clears the area; returns 1 or 0. */
  size_t (*message)(void *ctx, uint32_t lane, const accel_remote_item *const *items, size_t count,
                    accel_buffer *out);
} accel_remote_publisher;

/* What a cache counts for its L2, in the order of its counters (stats.h). */
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

/* What a backend tells a cache. Called on the backend's own threads, one call at a time per link,
 * never after detach has returned. */
typedef struct accel_remote_sink {
  void *ctx;
  /* A message of this area's channel, from anybody, oneself included. Untrusted. */
  void (*message)(void *ctx, const void *data, size_t size);
  /* The subscription is confirmed: every message from now on will arrive. */
  void (*up)(void *ctx);
  /* Messages may have been lost since the last proof of life. */
  void (*down)(void *ctx);
  /* About once a second and lane while up: appends a message to publish, on that lane and none
   * before it, or returns false. */
  bool (*heartbeat)(void *ctx, uint32_t lane, accel_buffer *out);
  /* NULL: nobody counts. `n` things happened; any thread, within an operation, without a listener
   * as well. */
  void (*event)(void *ctx, accel_remote_event event, uint32_t n);
} accel_remote_sink;

/* What has changed in whatever serves an L2. */
typedef enum accel_remote_change {
  ACCEL_REMOTE_UNCHANGED = 0, /* never told */
  ACCEL_REMOTE_CONNECTED,
  ACCEL_REMOTE_DISCONNECTED, /* also: the first attempt failed */
  ACCEL_REMOTE_RELEASED,     /* the connection is not wanted any more: another server serves */
  ACCEL_REMOTE_BREAKER_OPENED,
  ACCEL_REMOTE_BREAKER_HALF_OPENED,
  ACCEL_REMOTE_BREAKER_CLOSED,
  ACCEL_REMOTE_SERVERS_LOST, /* nobody says which server to ask, or some keys have none */
  ACCEL_REMOTE_SERVERS_FOUND,
  ACCEL_REMOTE_CHANNEL_LOST, /* why the channel is down, or does not come up */
  ACCEL_REMOTE_CHANGES
} accel_remote_change;

/* One change, once. Strings live for the call; what a server said may be in them, never a
 * password. */
typedef struct accel_remote_news {
  accel_remote_change change;
  const char *server; /* which one, as its users call it; "" where there are no several */
  const char *why;    /* "": nothing more is known */
} accel_remote_news;

typedef struct accel_remote_area {
  const char *area;
  bool has_listener; /* false: no_broadcast, of the sink only `event` is called */
  accel_remote_sink sink;
  const void *owner; /* whose error a failed attach becomes (error.h) */
  /* Optional, with the sink's ctx and rules: L2 itself tells that the key of this name was changed,
   * by whomever but this process. NULL: every key may have been. A name that begins with '#' is a
   * hashed one. */
  void (*changed)(void *ctx, const char *name_or_null, size_t size);
  /* Optional, with the sink's ctx: what operators are told. The changes of one server come in
   * order, each once; what is out of order when a link attaches is told to it by then. Any thread,
   * several at a time, also with the backend's locks held: it does not call the backend and does
   * not wait. Never after detach has returned. CHANNEL_LOST follows the rules of `down`, and is
   * told before it; it may come again while the channel is down. NULL: nobody listens. */
  void (*tell)(void *ctx, const accel_remote_news *news);
} accel_remote_area;

typedef struct accel_remote_ops {
  const char *name;
  /* Joins a cache to the opened backend. OK, CONFIG, NOMEM. `channel` (192 bytes) receives the
   * channel's name, "" if there is none. Does not wait for the server. */
  accel_status (*attach)(void *remote, const accel_remote_area *area, void **link_out,
                         char *channel);
  /* After it no callback runs. In a forked child it releases memory only. */
  void (*detach)(void *link);
  /* True while the data endpoint answers, as far as is known. Does not block. */
  bool (*is_ready)(void *link);
  /* Milliseconds since 1970 on the clock that all users of this L2 share; the wall clock where
   * there is none. Does not block. */
  uint64_t (*now_ms)(void *link);

  accel_status (*get)(void *link, accel_remote_item *items, size_t count, accel_remote_call *call);
  void (*release)(void *link, accel_remote_call *call);
  /* Optional. Stores each item's data, an envelope that holds its token, where there is nothing:
   * SET NX. An item whose key is taken gets token 0 and the status OK. */
  accel_status (*lease)(void *link, accel_remote_item *items, size_t count, uint32_t lease_ms,
                        accel_remote_call *call);
  /* Stores what a load found; tells nobody. With a token only where that token still lies
   * (compare-and-set; MISS: it does not), with 0 always. A lease is renewed by filling it with its
   * own envelope: its life is then the item's. */
  accel_status (*fill)(void *link, accel_remote_item *items, size_t count, accel_remote_call *call);
  /* Stores, or removes, and publishes, as one step: no process can see one without the other, and
   * one that dies cannot do one without the other. Without a publisher it tells nobody. */
  accel_status (*put)(void *link, accel_remote_item *items, size_t count,
                      const accel_remote_publisher *publisher_or_null, accel_remote_call *call);
  accel_status (*del)(void *link, accel_remote_item *items, size_t count,
                      const accel_remote_publisher *publisher_or_null, accel_remote_call *call);
  /* Optional. Removes every key of the area, then publishes. May take many round trips; each has
   * the backend's own limit. */
  accel_status (*clear)(void *link, const accel_remote_publisher *publisher_or_null,
                        accel_remote_call *call);
  /* Optional. Writes (160 bytes) what keeps the channel from coming up, as far as L2 said so: a
   * missing permission; else what else L2 does not let us do; "": nothing is known. Never a
   * password. */
  void (*explain_channel)(void *link, char *text);
} accel_remote_ops;

#endif
