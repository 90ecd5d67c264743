/* cache_keys.h: finds keys that stand twice in a batch (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_KEYS_H
#define ACCEL_CACHE_KEYS_H

#include "type.h"

ACCEL_EXTERN_C_BEGIN

/* A key on its way through a batch. */
typedef struct core_key {
  const void *key;
  uint64_t hash;
} core_key;

/* Finds duplicates in an array of structs that begin with a core_key. */
typedef struct core_key_set {
  const accel_type *type;
  const void *array;
  size_t stride, mask;
  size_t *places; /* index into the array; SIZE_MAX: free */
} core_key_set;

/* For at most `count` elements. False: no memory. */
bool accel_core_key_set_open(core_key_set *set, const accel_type *type, const void *array,
                             size_t stride, size_t count);
/* The index of the element that was added first with the key of element `i`: `i` itself if none
 * was, and then it is added. */
size_t accel_core_key_set_add(core_key_set *set, size_t i);
void accel_core_key_set_close(core_key_set *set);

ACCEL_EXTERN_C_END
#endif
