/* flat.h: the default L1 engine (layer 2).
 *
 * flat_layout.h says where things lie: one line per set of 16 entries, two sets per key, slots of
 * the type's size. All of it comes from ACCEL_PAGES_ALLOC. A hit touches the line of the
 * key's first set, that of its second if it is not in the first, and the slot's own.
 *
 * Owning values are moved bytewise: they may not point into themselves.
 */
#ifndef ACCEL_BACKENDS_FLAT_FLAT_H
#define ACCEL_BACKENDS_FLAT_FLAT_H

#include "flat_layout.h"

ACCEL_EXTERN_C_BEGIN

accel_status accel_flat_open(const accel_local_config *config, accel_local **local_out);
void accel_flat_close(accel_local *local, const accel_type *type);
accel_status accel_flat_get(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, void *out);
accel_status accel_flat_get_locked(accel_local *local, const accel_type *type, const void *key,
                                   uint64_t hash, void *out);
accel_status accel_flat_peek(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, void *out_or_null, accel_local_found *found);
accel_gate accel_flat_gate(accel_local *local, uint64_t hash);
accel_status accel_flat_fill(accel_local *local, const accel_type *type, const void *key,
                             uint64_t hash, const void *value_or_null,
                             const accel_lifetime *lifetime, const accel_gate *gate);
accel_status accel_flat_set_entry(accel_local *local, const accel_type *type, const void *key,
                                  uint64_t hash, const void *value_or_null,
                                  const accel_lifetime *lifetime, const accel_gate *gate_or_null);
void accel_flat_del(accel_local *local, const accel_type *type, const void *key, uint64_t hash);
void accel_flat_expire_all(accel_local *local);
void accel_flat_clear(accel_local *local, const accel_type *type);
void accel_flat_stats(accel_local *local, accel_local_stats *out);
void accel_flat_counts(const accel_local *local, accel_local_counts *out);
accel_status accel_flat_pin(accel_local *local, const accel_type *type, const void *key,
                            uint64_t hash, accel_local_pin *pin);
void accel_flat_unpin(const accel_type *type, accel_local_pin *pin);
accel_status accel_flat_resize(accel_local *local, const accel_type *type, size_t capacity);
size_t accel_flat_hottest(accel_local *local, const accel_type *type, void *keys_out, size_t count);
void accel_flat_each(accel_local *local, const accel_type *type,
                     bool (*visit)(void *ctx, const void *key, const void *value), void *ctx);

/* For tests and debuggers: whether the table is as it always is. NULL, or what is wrong, a constant
 * sentence. Walks every entry and takes the mutexes, a stripe's at a time; `is_quiet`: no other
 * thread uses the table, so the sums are compared too. */
const char *accel_flat_validate(accel_local *local, const accel_type *type, bool is_quiet);

static const accel_local_ops accel_flat_ops ACCEL_UNUSED = {
    .name = "flat",
    .open = accel_flat_open,
    .close = accel_flat_close,
    .get = accel_flat_get,
    .peek = accel_flat_peek,
    .gate = accel_flat_gate,
    .fill = accel_flat_fill,
    .set = accel_flat_set_entry,
    .del = accel_flat_del,
    .expire_all = accel_flat_expire_all,
    .clear = accel_flat_clear,
    .stats = accel_flat_stats,
    .pin = accel_flat_pin,
    .unpin = accel_flat_unpin,
    .resize = accel_flat_resize,
    .hottest = accel_flat_hottest,
    .each = accel_flat_each,
    .counts = accel_flat_counts,
};

ACCEL_EXTERN_C_END
#endif
