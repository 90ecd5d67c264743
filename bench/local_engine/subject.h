/* subject.h: what is measured: a cache, or a floor under all caches, behind a few functions that
 * each do many operations, so that no call through a pointer is timed.
 *
 * A subject's file defines `NAME_get` and `NAME_set` for one key and lets BENCH_LOOPS make the
 * loops from them: the functions below are inlined with those two as constants. All loops load
 * their keys in order from memory, copy the value out, and make it exist in memory.
 */
#ifndef BENCH_LOCAL_ENGINE_SUBJECT_H
#define BENCH_LOCAL_ENGINE_SUBJECT_H

#include "accel/base.h"

ACCEL_EXTERN_C_BEGIN

typedef struct bench_value {
  uint64_t words[8];
} bench_value;

typedef enum bench_role {
  BENCH_FLOOR_ARRAY,  /* one dependent access: nothing that finds a value can be faster */
  BENCH_FLOOR_MAP,    /* finds any key, evicts nothing, knows no time, is for one thread */
  BENCH_FLOOR_SHARED, /* of several threads that also write: what coherence costs */
  BENCH_CACHE
} bench_role;

typedef struct bench_subject {
  const char *name;
  bench_role role;
  bool expires; /* entries go after a minute: fill again in time */
  /* NULL: no memory, or it refused. `capacity` entries; keys come from bench_keys_make. */
  void *(*open)(size_t capacity);
  void (*close)(void *state);
  /* Returns how many were found. */
  size_t (*get)(void *state, const uint64_t *keys, size_t count);
  /* NULL: has no such operation. */
  void (*set)(void *state, const uint64_t *keys, size_t count);
  /* One set in `period` operations, gets otherwise. NULL: as for set. */
  size_t (*mixed)(void *state, const uint64_t *keys, size_t count, size_t period);
  /* Gets, and sets what was not found. NULL: bounded by nothing. */
  size_t (*get_or_set)(void *state, const uint64_t *keys, size_t count);
  /* The cache's own loading read. NULL: has none. */
  size_t (*get_or_load)(void *state, const uint64_t *keys, size_t count);
  /* Everything it holds. NULL: what malloc gave it is counted instead. */
  size_t (*memory_bytes)(void *state);
  bool inserts;    /* set of new keys evicts others */
  bool never_miss; /* get loads what is absent */
} bench_subject;

/* NULL-terminated; the floors come first. */
extern const bench_subject *const bench_subjects[];
/* Why subjects are missing from this build; "" if none is. */
extern const char *const bench_absent_subjects;

extern const bench_subject bench_array, bench_map, bench_shared, bench_accel, bench_accel_forever,
    bench_uthash, bench_glib, bench_tbb;

/* ---- loops ---- */

typedef bool bench_get_fn(void *state, uint64_t key, bench_value *out);
typedef void bench_set_fn(void *state, uint64_t key, const bench_value *value);

/* The whole value must exist in memory here. */
ACCEL_INLINE void bench_consume(const bench_value *value)
{
  __asm__ volatile("" : : "m"(*value));
}

ACCEL_INLINE bench_value bench_make(uint64_t key)
{
  const bench_value value = {{key, key, key, key, key, key, key, key}};
  return value;
}

ACCEL_INLINE bool bench_get_one(bench_get_fn *get, void *state, uint64_t key)
{
  bench_value value;
  if (!get(state, key, &value)) return false;
  bench_consume(&value);
  return true;
}

ACCEL_INLINE void bench_set_one(bench_set_fn *set, void *state, uint64_t key)
{
  const bench_value value = bench_make(key);
  set(state, key, &value);
}

ACCEL_INLINE size_t bench_get_loop(bench_get_fn *get, void *state, const uint64_t *keys,
                                   size_t count)
{
  size_t found = 0;
  for (size_t i = 0; i < count; i++) found += bench_get_one(get, state, keys[i]);
  return found;
}

ACCEL_INLINE void bench_set_loop(bench_set_fn *set, void *state, const uint64_t *keys, size_t count)
{
  for (size_t i = 0; i < count; i++) bench_set_one(set, state, keys[i]);
}

ACCEL_INLINE size_t bench_mixed_loop(bench_get_fn *get, bench_set_fn *set, void *state,
                                     const uint64_t *keys, size_t count, size_t period)
{
  size_t found = 0;
  for (size_t i = 0; i < count;) {
    bench_set_one(set, state, keys[i++]);
    for (size_t next = 1; next < period && i < count; next++)
      found += bench_get_one(get, state, keys[i++]);
  }
  return found;
}

ACCEL_INLINE size_t bench_get_or_set_loop(bench_get_fn *get, bench_set_fn *set, void *state,
                                          const uint64_t *keys, size_t count)
{
  size_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (bench_get_one(get, state, keys[i]))
      found++;
    else
      bench_set_one(set, state, keys[i]);
  }
  return found;
}

#define BENCH_LOOPS(name) \
  static size_t name##_get_many(void *state, const uint64_t *keys, size_t count) \
  { \
    return bench_get_loop(name##_get, state, keys, count); \
  } \
  static void name##_set_many(void *state, const uint64_t *keys, size_t count) \
  { \
    bench_set_loop(name##_set, state, keys, count); \
  } \
  static size_t name##_mixed(void *state, const uint64_t *keys, size_t count, size_t period) \
  { \
    return bench_mixed_loop(name##_get, name##_set, state, keys, count, period); \
  } \
  ACCEL_UNUSED static size_t name##_get_or_set(void *state, const uint64_t *keys, size_t count) \
  { \
    return bench_get_or_set_loop(name##_get, name##_set, state, keys, count); \
  }

ACCEL_EXTERN_C_END
#endif
