/* model_run.h: one list of operations on a cache and on the model at once. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model_kinds.h"

#include <stdarg.h>
#include <sys/random.h>

#define MODEL_CHECK_EVERY 4u /* operations between looks at the bounds */

typedef struct model_entry {
  bool is_present, is_null;
  bool may_be_left; /* it was held while the table was replaced: the engine may leave it behind */
  uint64_t version, expires_ms;
} model_entry;

typedef struct model_pin {
  bool is_held;
  size_t index;
  uint64_t version;
  accel_local_pin pin;
} model_pin;

typedef struct model_state {
  const model_case *what;
  const model_kind *kind;
  const model_shape *shape;
  size_t capacity;
  model_entry entries[MODEL_KEYS_MAX];
  model_pin pins[MODEL_PINS];
  uint64_t reads;
  char *text; /* what differs; "" while nothing does */
  size_t text_size;
  bool seen[MODEL_KEYS_MAX]; /* by the walk under way */
  size_t seen_count;
} model_state;

/* ---- what decides how a run goes ---- */

static uint64_t model_now_ms;
static uint64_t model_random_state;

static uint64_t model_read_clock(void *ctx)
{
  (void)ctx;
  return model_now_ms;
}

static const accel_clock model_clock = {model_read_clock, NULL};

static uint64_t model_random(uint64_t *state)
{
  *state += 0x9E3779B97F4A7C15u;
  return accel_hash_fold(*state, 0xD6E8FEB86659FD93u);
}

/* In the place of the system's, so that seeds of hashes are part of a run. */
ssize_t getrandom(void *out, size_t size, unsigned flags)
{
  (void)flags;
  for (size_t i = 0; i < size; i++)
    ((unsigned char *)out)[i] = (unsigned char)(model_random(&model_random_state) >> 24);
  return (ssize_t)size;
}

/* ---- differences ---- */

ACCEL_PRINTF(2, 3) static bool model_differ(model_state *state, const char *format, ...)
{
  va_list arguments;
  if (state->text[0] != '\0') return false; /* the first one counts */
  va_start(arguments, format);
  vsnprintf(state->text, state->text_size, format, arguments);
  va_end(arguments);
  return false;
}

static bool model_is_fresh(const model_entry *entry)
{
  return entry->is_present && model_now_ms < entry->expires_ms;
}

/* What a read said about a key. A miss is believed: the model forgets the key. */
static bool model_compare(model_state *state, size_t index, accel_status status, uint64_t version,
                          const char *what)
{
  model_entry *entry = &state->entries[index];
  const bool is_fresh = model_is_fresh(entry);
  if (state->what->lies && index == 3 && is_fresh) return model_differ(state, "a lie");
  switch (status) {
    case ACCEL_OK:
      if (version == MODEL_TORN) return model_differ(state, "%s %zu: a torn value", what, index);
      if (is_fresh && !entry->is_null && entry->version == version) return true;
      return model_differ(state, "%s %zu: version %llu, which is not current; the model has %s",
                          what, index, (unsigned long long)version,
                          !is_fresh        ? "nothing"
                          : entry->is_null ? "a negative entry"
                                           : "another");
    case ACCEL_NULL:
      if (is_fresh && entry->is_null) return true;
      return model_differ(state, "%s %zu: a negative entry that the model lacks", what, index);
    case ACCEL_MISS:
      if (is_fresh && state->shape->is_roomy && !entry->may_be_left)
        return model_differ(state, "%s %zu: gone, although there was room", what, index);
      entry->is_present = false;
      return true;
    default: return model_differ(state, "%s %zu: %s", what, index, accel_status_name(status));
  }
}

static bool model_expect_ok(model_state *state, accel_status status, const char *what)
{
  return status == ACCEL_OK || model_differ(state, "%s: %s", what, accel_status_name(status));
}

/* ---- writes ---- */

static void model_write(model_state *state, size_t index, bool is_null, uint64_t version,
                        uint32_t ttl_ms)
{
  state->entries[index] = (model_entry){.is_present = true,
                                        .is_null = is_null,
                                        .version = version,
                                        .expires_ms = accel_ttl_after(model_now_ms, ttl_ms)};
}

static bool model_is_too_heavy(const model_state *state, uint64_t version)
{
  return state->shape->max_weight != 0 && state->kind->weight(version) > state->shape->max_weight;
}

/* What is held still weighs: there may be no room beside it. The key is gone then. */
static bool model_is_crowded_out(model_state *state, uint64_t version, accel_status status)
{
  uint64_t weight = state->kind->weight(version);
  if (state->shape->max_weight == 0 || status != ACCEL_ERR_NOMEM) return false;
  for (size_t i = 0; i < MODEL_PINS; i++)
    if (state->pins[i].is_held) weight += state->kind->weight(state->pins[i].version);
  return weight > state->shape->max_weight;
}

static bool model_set(model_state *state, size_t index, uint64_t version, uint32_t ttl_ms)
{
  const model_kind *kind = state->kind;
  _Alignas(16) char value[MODEL_VALUE_MAX];
  const accel_write write = {.ttl_ms = ttl_ms};
  kind->make(value, index, version);
  const accel_status status =
      ttl_ms == 0 ? accel_cache_set(kind->cache, kind->type, kind->key(index), value)
                  : accel_cache_set_with(kind->cache, kind->type, kind->key(index), &write, value);
  kind->drop(value);
  if (model_is_too_heavy(state, version)) {
    state->entries[index].is_present = false;
    return status == ACCEL_ERR_CONFIG ||
           model_differ(state, "set: too heavy, and still %s", accel_status_name(status));
  }
  if (model_is_crowded_out(state, version, status)) {
    state->entries[index].is_present = false;
    return true;
  }
  model_write(state, index, false, version, ttl_ms == 0 ? state->shape->ttl_ms : ttl_ms);
  return model_expect_ok(state, status, "set");
}

static bool model_set_null(model_state *state, size_t index)
{
  const model_kind *kind = state->kind;
  model_write(state, index, true, 0, state->shape->ttl_ms / 2 + 1);
  return model_expect_ok(state, accel_cache_set_null(kind->cache, kind->type, kind->key(index)),
                         "set_null");
}

static bool model_del(model_state *state, size_t index)
{
  const model_kind *kind = state->kind;
  state->entries[index].is_present = false;
  return model_expect_ok(state, accel_cache_del(kind->cache, kind->type, kind->key(index)), "del");
}

/* Different keys: MODEL_BATCH of them, from the first in steps. */
static size_t model_batch_key(const model_state *state, const model_operation *one, size_t i)
{
  return (one->key + i * (1 + one->detail % 3)) % state->shape->keys;
}

static void model_batch_keys(const model_state *state, const model_operation *one, void *keys)
{
  const size_t size = state->kind->type->key_size;
  for (size_t i = 0; i < MODEL_BATCH; i++)
    memcpy((char *)keys + i * size, state->kind->key(model_batch_key(state, one, i)), size);
}

static bool model_mset(model_state *state, const model_operation *one)
{
  const model_kind *kind = state->kind;
  uint64_t keys[MODEL_BATCH];
  _Alignas(16) char values[MODEL_BATCH * MODEL_VALUE_MAX];
  model_batch_keys(state, one, keys);
  bool is_any_refused = false;
  for (size_t i = 0; i < MODEL_BATCH; i++) {
    const size_t index = model_batch_key(state, one, i);
    kind->make(values + i * kind->type->value_size, index, one->version + i);
    model_write(state, index, false, one->version + i, state->shape->ttl_ms);
    const bool is_crowded = model_is_crowded_out(state, one->version + i, ACCEL_ERR_NOMEM);
    const bool is_heavy = model_is_too_heavy(state, one->version + i);
    if (is_heavy) state->entries[index].is_present = false;
    is_any_refused = is_any_refused || is_heavy || is_crowded;
  }
  const accel_status status = accel_cache_mset(kind->cache, kind->type, keys, values, MODEL_BATCH);
  for (size_t i = 0; i < MODEL_BATCH; i++) kind->drop(values + i * kind->type->value_size);
  if (is_any_refused && (status == ACCEL_ERR_CONFIG || status == ACCEL_ERR_NOMEM)) return true;
  return model_expect_ok(state, status, "mset");
}

static bool model_mdel(model_state *state, const model_operation *one)
{
  const model_kind *kind = state->kind;
  uint64_t keys[MODEL_BATCH];
  model_batch_keys(state, one, keys);
  for (size_t i = 0; i < MODEL_BATCH; i++)
    state->entries[model_batch_key(state, one, i)].is_present = false;
  return model_expect_ok(state, accel_cache_mdel(kind->cache, kind->type, keys, MODEL_BATCH),
                         "mdel");
}

static bool model_clear(model_state *state)
{
  memset(state->entries, 0, sizeof state->entries);
  return model_expect_ok(state, accel_cache_clear(state->kind->cache, state->kind->type), "clear");
}

static bool model_resize(model_state *state, const model_operation *one)
{
  const model_shape *shape = state->shape;
  state->capacity = shape->capacity + one->amount % (shape->capacity_max - shape->capacity + 1);
  for (size_t i = 0; i < MODEL_PINS; i++)
    if (state->pins[i].is_held) state->entries[state->pins[i].index].may_be_left = true;
  return model_expect_ok(
      state, accel_cache_resize(state->kind->cache, state->kind->type, state->capacity), "resize");
}

/* ---- reads ---- */

static uint64_t model_take(const model_kind *kind, accel_status status, void *value, size_t index)
{
  if (status != ACCEL_OK) return 0;
  const uint64_t version = kind->look(value, index);
  kind->drop(value);
  return version;
}

static bool model_get(model_state *state, size_t index)
{
  _Alignas(16) char value[MODEL_VALUE_MAX];
  const accel_status status = state->kind->get(index, value);
  state->reads++;
  return model_compare(state, index, status, model_take(state->kind, status, value, index), "get");
}

static bool model_mget(model_state *state, const model_operation *one)
{
  const model_kind *kind = state->kind;
  uint64_t keys[MODEL_BATCH];
  _Alignas(16) char values[MODEL_BATCH * MODEL_VALUE_MAX];
  accel_status statuses[MODEL_BATCH];
  model_batch_keys(state, one, keys);
  state->reads += MODEL_BATCH;
  const accel_status status =
      accel_cache_mget(kind->cache, kind->type, keys, MODEL_BATCH, NULL, values, statuses);
  if (!model_expect_ok(state, status, "mget")) return false;
  bool is_right = true;
  for (size_t i = 0; i < MODEL_BATCH; i++) {
    const size_t index = model_batch_key(state, one, i);
    void *value = values + i * kind->type->value_size;
    const uint64_t version = model_take(kind, statuses[i], value, index);
    is_right = model_compare(state, index, statuses[i], version, "mget") && is_right;
  }
  return is_right;
}

/* The source of truth has a new version, or no row, or will not say. */
static bool model_get_or_load(model_state *state, const model_operation *one)
{
  static const accel_status says[] = {ACCEL_OK, ACCEL_OK, ACCEL_NULL, ACCEL_MISS};
  const size_t index = one->key;
  model_load load = {.status = says[one->detail % 4], .version = one->version, .index = index};
  _Alignas(16) char value[MODEL_VALUE_MAX];
  const accel_status status = state->kind->load(index, &load, value);
  const uint64_t version = model_take(state->kind, status, value, index);
  state->reads++;
  if (load.calls == 0)
    return status == ACCEL_MISS ? model_differ(state, "get_or_load %zu: nothing was loaded", index)
                                : model_compare(state, index, status, version, "get_or_load");
  if (!model_compare(state, index, ACCEL_MISS, 0, "get_or_load")) return false;
  if (load.calls != 1 || status != load.status || (status == ACCEL_OK && version != one->version))
    return model_differ(state, "get_or_load %zu: not what was loaded", index);
  if (status == ACCEL_OK && !model_is_too_heavy(state, version))
    model_write(state, index, false, version, state->shape->ttl_ms);
  if (status == ACCEL_NULL) model_write(state, index, true, 0, state->shape->ttl_ms / 2 + 1);
  return true;
}

static bool model_release(model_state *state, model_pin *held)
{
  const uint64_t version = state->kind->look(accel_cache_ref_value(&held->pin), held->index);
  held->is_held = false;
  accel_cache_ref_release(&held->pin, state->kind->type);
  return version == held->version ||
         model_differ(state, "get_ref %zu: the value changed while it was held", held->index);
}

static bool model_hold(model_state *state, const model_operation *one)
{
  const model_kind *kind = state->kind;
  model_pin *held = &state->pins[one->detail % MODEL_PINS];
  if (held->is_held) return model_release(state, held);
  const accel_status status =
      accel_cache_get_ref(kind->cache, kind->type, kind->key(one->key), &held->pin);
  state->reads++;
  held->is_held = status == ACCEL_OK;
  held->index = one->key;
  if (held->is_held) held->version = kind->look(accel_cache_ref_value(&held->pin), one->key);
  return model_compare(state, one->key, status, held->version, "get_ref");
}

/* ---- walks ---- */

static bool model_visit_one(void *ctx, const void *key, const void *value)
{
  model_state *state = (model_state *)ctx;
  const size_t index = state->kind->index(key);
  if (index >= state->shape->keys) return model_differ(state, "each: a key that was never set");
  if (state->seen[index]) return model_differ(state, "each %zu: a second time", index);
  state->seen[index] = true;
  state->seen_count++;
  return model_compare(state, index, ACCEL_OK, state->kind->look(value, index), "each");
}

/* What a walk does not come by is not there any more. */
static bool model_each(model_state *state)
{
  memset(state->seen, 0, sizeof state->seen);
  state->seen_count = 0;
  state->kind->each(model_visit_one, state);
  for (size_t i = 0; i < state->shape->keys && state->text[0] == '\0'; i++)
    if (!state->seen[i] && !state->entries[i].is_null)
      model_compare(state, i, ACCEL_MISS, 0, "each");
  return state->text[0] == '\0';
}

static bool model_hottest(model_state *state, const model_operation *one)
{
  const model_kind *kind = state->kind;
  uint64_t keys[16]; /* or pointers */
  const size_t wanted = 1 + one->amount % 16;
  const size_t count = accel_cache_hottest(kind->cache, kind->type, keys, wanted);
  if (count > wanted) return model_differ(state, "hottest: more than asked for");
  memset(state->seen, 0, sizeof state->seen);
  for (size_t i = 0; i < count; i++) {
    const size_t index = kind->index(&keys[i]);
    if (index >= state->shape->keys || state->seen[index])
      return model_differ(state, "hottest: an unknown key, or one twice");
    state->seen[index] = true;
    if (!model_is_fresh(&state->entries[index]) || state->entries[index].is_null)
      return model_differ(state, "hottest %zu: not a fresh value", index);
  }
  return true;
}

/* ---- bounds ---- */

static bool model_check_bounds(model_state *state)
{
  accel_diagnostic seen;
  size_t fresh = 0;
  accel_cache_diagnostic_snapshot(state->kind->cache, &seen);
  for (size_t i = 0; i < state->shape->keys; i++)
    fresh += model_is_fresh(&state->entries[i]) && !state->entries[i].may_be_left;
  if (seen.entries > state->capacity)
    return model_differ(state, "%zu entries, %zu allowed", seen.entries, state->capacity);
  if (state->shape->max_weight != 0 && seen.weight > state->shape->max_weight)
    return model_differ(state, "a weight of %zu, %zu allowed", seen.weight,
                        state->shape->max_weight);
  if (state->shape->is_roomy && seen.entries < fresh)
    return model_differ(state, "%zu entries, %zu of them fresh", seen.entries, fresh);
  if (seen.metrics.local_hit + seen.metrics.local_miss != state->reads)
    return model_differ(state, "hits and misses are not the reads");
  return true;
}

/* ---- a run ---- */

static bool model_step(model_state *state, const model_operation *one)
{
  switch ((model_verb)one->verb) {
    case MODEL_GET: return model_get(state, one->key);
    case MODEL_SET: return model_set(state, one->key, one->version, 0);
    case MODEL_SET_WITH: return model_set(state, one->key, one->version, one->amount);
    case MODEL_SET_NULL: return model_set_null(state, one->key);
    case MODEL_DEL: return model_del(state, one->key);
    case MODEL_MGET: return model_mget(state, one);
    case MODEL_MSET: return model_mset(state, one);
    case MODEL_MDEL: return model_mdel(state, one);
    case MODEL_LOAD: return model_get_or_load(state, one);
    case MODEL_PIN: return model_hold(state, one);
    case MODEL_CLEAR: return model_clear(state);
    case MODEL_WAIT: model_now_ms += one->amount; return true;
    case MODEL_RESIZE: return model_resize(state, one);
    case MODEL_EACH: return model_each(state);
    case MODEL_HOTTEST: return model_hottest(state, one);
    case MODEL_VERBS:
    default: return model_differ(state, "no such operation");
  }
}

static bool model_begin(model_state *state)
{
  const accel_config config = {.area = "model",
                               .capacity = state->shape->capacity,
                               .max_weight = state->shape->max_weight,
                               .local_ttl_ms = state->shape->ttl_ms,
                               .null_ttl_ms = state->shape->ttl_ms / 2 + 1,
                               .no_ttl_jitter = true,
                               .clock = &model_clock};
  model_now_ms = 1000000;
  model_random_state = state->what->seed;
  state->capacity = config.capacity;
  owners_alive = 0;
  return accel_cache_open(state->kind->cache, state->kind->type, &config) == ACCEL_OK ||
         model_differ(state, "open: %s", accel_cache_last_error(state->kind->cache));
}

static bool model_end(model_state *state)
{
  bool is_right = true;
  for (size_t i = 0; i < MODEL_PINS; i++)
    if (state->pins[i].is_held) is_right = model_release(state, &state->pins[i]) && is_right;
  const accel_local_ops *ops = accel_type_local(state->kind->type);
  const char *fault = NULL;
  if (ops == NULL || ops == &accel_flat_ops)
    fault = accel_flat_validate(state->kind->cache->local, state->kind->type, true);
  if (fault != NULL) is_right = model_differ(state, "the table: %s", fault);
  accel_cache_close(state->kind->cache, state->kind->type);
  if (owners_alive != 0 && is_right)
    is_right = model_differ(state, "%ld values were not dropped, or twice", owners_alive);
  return is_right;
}

size_t model_run(const model_case *what, const model_operation *operations, size_t count,
                 char *text, size_t text_size)
{
  static model_state state;
  memset(&state, 0, sizeof state);
  state.what = what;
  state.kind = what->kind;
  state.shape = what->shape;
  state.text = text;
  state.text_size = text_size;
  text[0] = '\0';
  if (!model_begin(&state)) return 0;
  size_t done = 0;
  for (; done < count; done++) {
    if (!model_step(&state, &operations[done])) break;
    if (done % MODEL_CHECK_EVERY == 0 && !model_check_bounds(&state)) break;
  }
  if (!model_end(&state) && done == count) return count - (count > 0);
  return done;
}

#endif
