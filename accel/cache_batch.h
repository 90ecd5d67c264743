/* cache_batch.h: the items of one call to L2 (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_BATCH_H
#define ACCEL_CACHE_BATCH_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* The items of one call, their texts and their bytes. Pointers into it are valid after seal. */
typedef struct core_batch {
  accel_remote_item *items;
  size_t count;
  accel_buffer names, keys, data;
  accel_remote_call call;
  bool is_background; /* no operation needs it: it has no span */
} core_batch;

accel_status accel_core_batch_open(core_batch *batch, size_t capacity);
void accel_core_batch_close(core_batch *batch);
/* Appends an item for `key`. OK, CONFIG, NOMEM; after a failure there is none. */
accel_status accel_core_batch_add_key(const accel_core *core, core_batch *batch, const void *key);
/* The same for a key of which only the name is known, its text in L2 behind the area. OK, NOMEM. */
accel_status accel_core_batch_add_text(const accel_core *core, core_batch *batch, const char *text,
                                       size_t size);
/* Gives the last item its bytes; value NULL: a negative entry. OK, CODEC, NOMEM. */
accel_status accel_core_batch_add_value(accel_core *core, core_batch *batch,
                                        const void *value_or_null, uint32_t ttl_ms);
/* The same with a lease, or what is to lie in its place. OK, NOMEM. */
accel_status accel_core_batch_add_lease(accel_core *core, core_batch *batch, uint64_t token,
                                        uint32_t ttl_ms);
void accel_core_batch_drop_last(core_batch *batch);
void accel_core_batch_seal(core_batch *batch);

ACCEL_EXTERN_C_END
#endif
