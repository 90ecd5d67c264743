/* model_kinds.h: the types that the model test runs over: plain values, weighed ones, values under
 * string keys, values that own memory. Of a value's version, bits 0 to 5 decide its weight. */
#ifndef MODEL_KINDS_H
#define MODEL_KINDS_H

#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

typedef struct block {
  uint64_t index, version, mixed[6];
} block;

static block block_of(size_t index, uint64_t version)
{
  block made = {.index = index, .version = version};
  for (size_t i = 0; i < 6; i++) made.mixed[i] = accel_hash_fold(version + i, index + 3);
  return made;
}

static void block_make(void *value, size_t index, uint64_t version)
{
  *(block *)value = block_of(index, version);
}

static uint64_t block_look(const void *value, size_t index)
{
  const block *seen = (const block *)value;
  const block meant = block_of(index, seen->version);
  return memcmp(seen, &meant, sizeof meant) == 0 ? seen->version : MODEL_TORN;
}

static void block_drop(void *value)
{
  (void)value;
}

static uint32_t weight_of(uint64_t version)
{
  return (uint32_t)(version >> 3 & 63);
}

/* Owns a block of memory; each is alive exactly between one make or copy and one drop. */
typedef struct owner {
  block *memory;
} owner;

static long owners_alive;

static bool owner_copy(owner *to, const owner *from)
{
  to->memory = (block *)malloc(sizeof *to->memory);
  if (to->memory == NULL) return false;
  *to->memory = *from->memory;
  owners_alive++;
  return true;
}

static void owner_drop(owner *value)
{
  free(value->memory);
  value->memory = NULL;
  owners_alive--;
}

static void owner_make(void *value, size_t index, uint64_t version)
{
  block content = block_of(index, version);
  const owner source = {&content};
  if (!owner_copy((owner *)value, &source)) abort();
}

static uint64_t owner_look(const void *value, size_t index)
{
  return block_look(((const owner *)value)->memory, index);
}

static void owner_drop_any(void *value)
{
  owner_drop((owner *)value);
}

static uint32_t block_weigh(const uint64_t *key, const block *value)
{
  (void)key;
  return weight_of(value->version);
}

static uint32_t owner_weigh(const uint64_t *key, const owner *value)
{
  (void)key;
  return weight_of(value->memory->version);
}

ACCEL_DEFINE(plain, uint64_t, block)
ACCEL_DEFINE_WITH(heavy, uint64_t, block, .weigh = block_weigh)
ACCEL_DEFINE_STR(text, block)
ACCEL_DEFINE_WITH(owned, uint64_t, owner, .copy = owner_copy, .drop = owner_drop,
                  .weigh = owner_weigh)

/* ---- keys ---- */

static const void *number_key(size_t index)
{
  static uint64_t keys[MODEL_KEYS_MAX];
  keys[index] = index * 0x9E3779B97F4A7C15u;
  return &keys[index];
}

static size_t number_index(const void *key)
{
  for (size_t i = 0; i < MODEL_KEYS_MAX; i++)
    if (*(const uint64_t *)key == i * 0x9E3779B97F4A7C15u) return i;
  return MODEL_KEYS_MAX;
}

/* Of all lengths: some fit where an engine may keep short ones, some need memory of their own. */
static const void *text_key(size_t index)
{
  static char texts[MODEL_KEYS_MAX][64];
  static const char *keys[MODEL_KEYS_MAX];
  snprintf(texts[index], sizeof texts[index], "%zu%.*s", index, (int)(index % 7 * 8),
           "/a/rather/long/way/to/say/which/row/is/meant/by/this");
  keys[index] = texts[index];
  return &keys[index];
}

static size_t text_index(const void *key)
{
  const size_t index = strtoul(*(const char *const *)key, NULL, 10);
  if (index >= MODEL_KEYS_MAX) return MODEL_KEYS_MAX;
  const char *meant = *(const char *const *)text_key(index);
  return strcmp(*(const char *const *)key, meant) == 0 ? index : MODEL_KEYS_MAX;
}

/* ---- the generated functions of each ---- */

typedef struct model_visit {
  bool (*visit)(void *ctx, const void *key, const void *value);
  void *ctx;
} model_visit;

/* The body of get_or_load: ctx is a model_load. */
typedef struct model_load {
  accel_status status; /* what the source of truth says */
  uint64_t version;
  size_t index, calls;
} model_load;

#define MODEL_KIND(name_, K_, V_, weighs_, key_, index_, make_, look_, drop_) \
  static name_##_cache name_##_tested; \
  static accel_status name_##_model_get(size_t index, void *value_out) \
  { \
    return name_##_cache_get(&name_##_tested, *(K_ const *)key_(index), (V_ *)value_out); \
  } \
  static bool name_##_model_visit(void *ctx, K_ key, const V_ *value) \
  { \
    return ((const model_visit *)ctx)->visit(((const model_visit *)ctx)->ctx, &key, value); \
  } \
  static void name_##_model_each(bool (*visit)(void *, const void *, const void *), void *ctx) \
  { \
    model_visit visitor = {visit, ctx}; \
    name_##_cache_each(&name_##_tested, name_##_model_visit, &visitor); \
  } \
  static accel_status name_##_model_source(void *ctx, K_ key, V_ *out) \
  { \
    (void)key; \
    return model_source((model_load *)ctx, make_, out); \
  } \
  static accel_status name_##_model_load(size_t index, void *ctx, void *value_out) \
  { \
    return name_##_cache_get_or_load(&name_##_tested, *(K_ const *)key_(index), NULL, \
                                     name_##_model_source, ctx, (V_ *)value_out); \
  } \
  static const model_kind model_##name_ = {#name_, \
                                           weighs_, \
                                           &name_##_cache_type_, \
                                           &name_##_tested.base, \
                                           key_, \
                                           index_, \
                                           make_, \
                                           look_, \
                                           drop_, \
                                           weight_of, \
                                           name_##_model_get, \
                                           name_##_model_each, \
                                           name_##_model_load};

static accel_status model_source(model_load *load, void (*make)(void *, size_t, uint64_t),
                                 void *out)
{
  load->calls++;
  if (load->status == ACCEL_OK) make(out, load->index, load->version);
  return load->status;
}

typedef const char *text_of;
MODEL_KIND(plain, uint64_t, block, false, number_key, number_index, block_make, block_look,
           block_drop)
MODEL_KIND(heavy, uint64_t, block, true, number_key, number_index, block_make, block_look,
           block_drop)
MODEL_KIND(text, text_of, block, false, text_key, text_index, block_make, block_look, block_drop)
MODEL_KIND(owned, uint64_t, owner, true, number_key, number_index, owner_make, owner_look,
           owner_drop_any)

#endif
