/* cache_local.c: what a cache offers of its L1 engine, without the other levels (layer 4). */
#include "cache_core.h"
#include "cache_hot.h"

#include <string.h>

static accel_core *core_with_local(const accel_cache *cache, accel_status *status)
{
  accel_core *core = accel_core_of(cache, status);
  if (core == NULL || core->local != NULL) return core;
  *status = accel_error_set(cache, ACCEL_ERR_CONFIG, "mode is ACCEL_REMOTE: area %s has no L1",
                            core->area);
  return NULL;
}

accel_status accel_cache_get_ref(accel_cache *cache, const accel_type *type, const void *key,
                                 accel_local_pin *pin)
{
  accel_status status;
  if (pin == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "ref is NULL");
  memset(pin, 0, sizeof *pin);
  accel_core *core = core_with_local(cache, &status);
  if (core == NULL) return status;
  status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  const uint64_t hash = accel_core_hash(core, key);
  status = core->local_ops->pin(core->local, type, key, hash, pin);
  pin->fork_generation = core->fork_generation;
  const bool is_hit = status == ACCEL_OK || status == ACCEL_NULL;
  accel_core_count_local(core, key, hash, is_hit);
  if (accel_failed(status))
    return accel_error_set(cache, status, "no memory to refer to a value of area %s", core->area);
  return status;
}

/* In a forked child a thread that is not there may hold the entry's lock: the pin is forgotten. */
void accel_cache_ref_release(accel_local_pin *pin, const accel_type *type)
{
  if (pin == NULL || pin->local == NULL) return;
  const accel_local_ops *ops = accel_type_local(type);
  accel_cancel_hold();
  if (pin->fork_generation == accel_fork_generation())
    (ops == NULL ? &accel_flat_ops : ops)->unpin(type, pin);
  memset(pin, 0, sizeof *pin);
  accel_cancel_release();
}

accel_status accel_cache_resize(accel_cache *cache, const accel_type *type, size_t capacity)
{
  accel_status status;
  accel_core *core = core_with_local(cache, &status);
  if (core == NULL) return status;
  if (capacity == 0 || capacity > SIZE_MAX / 2)
    return accel_error_set(cache, ACCEL_ERR_CONFIG, "capacity is %zu; it must be in [1, %zu]",
                           capacity, SIZE_MAX / 2);
  accel_cancel_hold();
  status = core->local_ops->resize(core->local, type, capacity);
  accel_cancel_release();
  if (status == ACCEL_OK) accel_store_relaxed(&core->capacity, capacity);
  if (status == ACCEL_ERR_NOMEM)
    return accel_error_set(cache, status, "no memory for a capacity of %zu in area %s", capacity,
                           core->area);
  return status;
}

size_t accel_cache_hottest(accel_cache *cache, const accel_type *type, void *keys, size_t count)
{
  accel_status status;
  accel_core *core = core_with_local(cache, &status);
  if (core == NULL || keys == NULL || count == 0) return 0;
  accel_cancel_hold();
  count = core->local_ops->hottest(core->local, type, keys, count);
  accel_cancel_release();
  return count;
}

typedef struct core_visit {
  const accel_type *type;
  accel_fn *visit;
  void *ctx;
} core_visit;

static bool core_visit_one(void *visit_pointer, const void *key, const void *value)
{
  const core_visit *visit = (const core_visit *)visit_pointer;
  return visit->type->visit(visit->visit, visit->ctx, key, value);
}

void accel_cache_each(accel_cache *cache, const accel_type *type, accel_fn *visit, void *ctx)
{
  accel_status status;
  accel_core *core = core_with_local(cache, &status);
  if (core == NULL || visit == NULL) return;
  core_visit each = {type, visit, ctx};
  accel_cancel_hold();
  core->local_ops->each(core->local, type, core_visit_one, &each);
  accel_cancel_release();
}
