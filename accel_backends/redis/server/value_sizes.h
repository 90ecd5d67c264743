/* value_sizes.h: which values of a server are large (backend redis).
 *
 * Large values travel on a connection of their own, so that small ones do not wait behind them. A
 * key is known as large once this process has read or stored its value; read.c says how the first
 * one is found. Keys are kept as hashes, each in one place: a collision only sends a small value
 * on the other connection, or makes a large one unknown again.
 *
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_VALUE_SIZES_H
#define ACCEL_BACKENDS_REDIS_VALUE_SIZES_H

#include "connection.h"

#define REDIS_VALUE_LARGE_BYTES REDIS_CONNECTION_LARGE_BYTES /* larger ones are large */
#define REDIS_VALUE_SIZES_KEYS 1024u                         /* hashes that are kept */
#define REDIS_VALUE_TOO_LARGE_MS 60000u /* then a size that was refused is tried again */

/* Zeroed: nothing is known. */
typedef struct redis_value_sizes {
  /* Atomic: hashes of keys with large values; the last bit says that the value is larger than
   * max_value_bytes. 0: none. */
  uint32_t keys[REDIS_VALUE_SIZES_KEYS];
  bool has_large;              /* atomic: there was a large value; reads are bounded since */
  uint64_t too_large_bytes;    /* atomic: the size of a value that the server refused */
  uint64_t too_large_until_ms; /* atomic: none of that size is sent before this time */
} redis_value_sizes;

typedef enum redis_value_size {
  REDIS_VALUE_SMALL, /* or not known */
  REDIS_VALUE_LARGE,
  REDIS_VALUE_OVERSIZED /* of more than max_value_bytes */
} redis_value_size;

ACCEL_EXTERN_C_BEGIN

/* Remembers that the key's value has so many bytes. */
void accel_redis_value_sizes_note(redis_value_sizes *sizes, const char *key, size_t key_size,
                                  size_t size, size_t max_value_bytes);
/* The size of the key's last value, as far as this process knows it. */
redis_value_size accel_redis_value_sizes_find(const redis_value_sizes *sizes, const char *key,
                                              size_t key_size);

/* Notes that the server refused a value of so many bytes: its proto-max-bulk-len is smaller. */
void accel_redis_value_sizes_refuse(redis_value_sizes *sizes, uint64_t size);
/* The size of a value that the server refused lately, if one of `size` bytes is at least as large;
 * else 0. */
uint64_t accel_redis_value_sizes_refused(const redis_value_sizes *sizes, uint64_t size);

/* Forgets everything, because it is another server now. */
void accel_redis_value_sizes_forget(redis_value_sizes *sizes);

ACCEL_EXTERN_C_END
#endif
