/* uthash_lru.h: an exact LRU with times to live, on uthash (layer 2).
 *
 * The reference engine: everything an L1 must do, in the plainest way. One mutex per shard, one
 * allocation per entry, the victim is the entry that was not used for longest, fresh or not. Tables
 * for fewer than 1024 entries have one shard, so that their order is exact; larger ones keep the
 * order per shard. Every entry is allocated when it is written, and uthash's own tables grow then
 * too: NOMEM from fill and set is a status like any other.
 *
 * accel.h brings its code along, where ACCEL_IMPLEMENTATION is defined, if <uthash.h> is there;
 * a program that names accel_uthash_ops without it does not compile.
 */
#ifndef ACCEL_BACKENDS_UTHASH_UTHASH_LRU_H
#define ACCEL_BACKENDS_UTHASH_UTHASH_LRU_H

#include "../../accel/backend.h"

ACCEL_EXTERN_C_BEGIN

accel_status accel_uthash_open(const accel_local_config *config, accel_local **local_out);
void accel_uthash_close(accel_local *local, const accel_type *type);
accel_status accel_uthash_get(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, void *out);
accel_status accel_uthash_peek(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, void *out_or_null, accel_local_found *found);
accel_gate accel_uthash_gate(accel_local *local, uint64_t hash);
accel_status accel_uthash_fill(accel_local *local, const accel_type *type, const void *key,
                               uint64_t hash, const void *value_or_null,
                               const accel_lifetime *lifetime, const accel_gate *gate);
accel_status accel_uthash_set(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, const void *value_or_null,
                              const accel_lifetime *lifetime, const accel_gate *gate_or_null);
void accel_uthash_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash);
void accel_uthash_expire_all(accel_local *local);
void accel_uthash_clear(accel_local *local, const accel_type *type);
void accel_uthash_stats(accel_local *local, accel_local_stats *out);
void accel_uthash_counts(const accel_local *local, accel_local_counts *out);
accel_status accel_uthash_pin(accel_local *local, const accel_type *type, const void *key,
                              uint64_t hash, accel_local_pin *pin);
void accel_uthash_unpin(const accel_type *type, accel_local_pin *pin);
accel_status accel_uthash_resize(accel_local *local, const accel_type *type, size_t capacity);
size_t accel_uthash_hottest(accel_local *local, const accel_type *type, void *keys_out,
                            size_t count);
void accel_uthash_each(accel_local *local, const accel_type *type,
                       bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);

#if __has_include(<uthash.h>)
static const accel_local_ops accel_uthash_ops ACCEL_UNUSED = {
    .name = "uthash",
    .open = accel_uthash_open,
    .close = accel_uthash_close,
    .get = accel_uthash_get,
    .peek = accel_uthash_peek,
    .gate = accel_uthash_gate,
    .fill = accel_uthash_fill,
    .set = accel_uthash_set,
    .del = accel_uthash_del,
    .expire_all = accel_uthash_expire_all,
    .clear = accel_uthash_clear,
    .stats = accel_uthash_stats,
    .pin = accel_uthash_pin,
    .unpin = accel_uthash_unpin,
    .resize = accel_uthash_resize,
    .hottest = accel_uthash_hottest,
    .each = accel_uthash_each,
    .counts = accel_uthash_counts,
};
#elif defined(__has_attribute) && __has_attribute(unavailable)
extern const accel_local_ops accel_uthash_ops
    __attribute__((unavailable("it needs <uthash.h>, Debian's package uthash-dev")));
#else
extern const accel_local_ops accel_uthash_ops; /* does not link */
#endif

ACCEL_EXTERN_C_END

#endif
