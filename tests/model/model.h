/* model.h: random operations on one cache against a model of it: a map with lives and weights, on
 * a clock of its own.
 *
 * An engine may evict, so a miss is no difference by itself; but it must be the truth: what was
 * once missed stays missing until it is written again. Everything else is exact: whatever is
 * answered is what was last written and not yet expired, the bounds hold after every operation,
 * and a cache that is many times larger than the set of keys forgets nothing.
 *
 * A run is a list of operations and a seed, and nothing else decides how it goes: the system's
 * randomness comes from the seed too. So a list that fails can be made shorter while it fails.
 */
#ifndef MODEL_H
#define MODEL_H

#include "accel.h"

#define MODEL_KEYS_MAX 256u
#define MODEL_VALUE_MAX 64u
#define MODEL_TORN UINT64_MAX /* the version of a value that is no value */
#define MODEL_BATCH 5u
#define MODEL_PINS 2u

/* What a run is about: types, and how keys and values are made of numbers. */
typedef struct model_kind {
  const char *name;
  bool weighs;
  const accel_type *type;
  accel_cache *cache;
  const void *(*key)(size_t index); /* the user's key object */
  size_t (*index)(const void *key);
  void (*make)(void *value, size_t index, uint64_t version);
  uint64_t (*look)(const void *value, size_t index); /* its version, or MODEL_TORN */
  void (*drop)(void *value);
  uint32_t (*weight)(uint64_t version);
  /* Through the generated functions, as users call them. */
  accel_status (*get)(size_t index, void *value_out);
  void (*each)(bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);
  accel_status (*load)(size_t index, void *ctx, void *value_out);
} model_kind;

typedef struct model_shape {
  const char *name;
  size_t keys, capacity, capacity_max; /* resized between the two, if they differ */
  size_t max_weight;                   /* 0: none; then only kinds that weigh take part */
  uint32_t ttl_ms, wait_ms;            /* of most entries; how far the clock goes at a time */
  bool is_roomy;                       /* nothing is ever evicted */
} model_shape;

typedef enum model_verb {
  MODEL_GET,
  MODEL_SET,
  MODEL_SET_WITH,
  MODEL_SET_NULL,
  MODEL_DEL,
  MODEL_MGET,
  MODEL_MSET,
  MODEL_MDEL,
  MODEL_LOAD,
  MODEL_PIN, /* or let go of what was pinned */
  MODEL_CLEAR,
  MODEL_WAIT,
  MODEL_RESIZE,
  MODEL_EACH,
  MODEL_HOTTEST,
  MODEL_VERBS
} model_verb;

typedef struct model_operation {
  uint8_t verb, detail;
  uint16_t key;
  uint32_t amount;
  uint64_t version; /* of what it writes; batches count on from it */
} model_operation;

typedef struct model_case {
  const model_kind *kind;
  const model_shape *shape;
  uint64_t seed;
  bool lies; /* the model is wrong on purpose, to see that differences are found */
} model_case;

/* Fills `operations` by the case's seed. */
void model_draw(const model_case *what, model_operation *operations, size_t count);

/* Runs a list on a new cache. Returns the index of the operation after which cache and model
 * differ, or `count`; `text` then says how. */
size_t model_run(const model_case *what, const model_operation *operations, size_t count,
                 char *text, size_t text_size);

/* Leaves out what is not needed for some difference; returns how many operations are left. */
size_t model_shrink(const model_case *what, model_operation *operations, size_t count);

void model_print(const model_operation *operations, size_t count);

/* The kinds, NULL-terminated. */
extern const model_kind *const model_kinds[];

#endif
