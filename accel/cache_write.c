#include "cache_write.h"

#include "cache_keys.h"
#include "cache_remote.h"
#include "cache_repair_queue.h"
#include "cache_report.h"
#include "cache_write_remote.h"

#include <stdlib.h>
#include <string.h>

/* ---- one key ---- */

static accel_status write_one(accel_core *core, const void *key, const void *value,
                              const accel_write *write_or_null, core_write_kind kind)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  static const accel_write usual;
  const accel_write *write = write_or_null == NULL ? &usual : write_or_null;
  if (core->link == NULL || write->skip_remote)
    return accel_core_write_local(core, key, value, write, kind);
  core_write_key one;
  memset(&one, 0, sizeof one);
  one.id.key = key;
  one.value = value;
  one.id.hash = accel_core_hash(core, key);
  return accel_core_write_remote(core, &one, 1, NULL, kind, write);
}

accel_status accel_core_del(accel_core *core, const void *key)
{
  return write_one(core, key, NULL, NULL, CORE_WRITE_DEL);
}

/* A write that cannot wait or run code of the user's: there is no L2, log, spans or callback. */
static accel_status write_alone(accel_core *core, const void *key, const void *value,
                                const accel_write *write_or_null, core_write_kind kind)
{
  accel_status status = accel_core_check_key(core, key);
  if (status != ACCEL_OK) return status;
  const accel_local_ops *ops = core->local_ops;
  const uint64_t hash = accel_core_hash(core, key);
  accel_singleflight_forget(&core->flights, key, hash);
  if (kind == CORE_WRITE_DEL || (write_or_null != NULL && write_or_null->skip_local)) {
    ops->del(core->local, core->type, key, hash);
    return ACCEL_OK;
  }
  uint32_t ttl_ms = write_or_null == NULL ? 0 : write_or_null->ttl_ms;
  if (ttl_ms == 0) ttl_ms = accel_core_write_ttl(core, kind, core->config.local_ttl_ms);
  const accel_lifetime lifetime =
      accel_ttl_lifetime(accel_core_now(core), ttl_ms, core->refresh_window_ms);
  status = ops->set(core->local, core->type, key, hash, value, &lifetime, NULL);
  return status == ACCEL_OK ? ACCEL_OK : accel_core_write_explain(core, status);
}

static ACCEL_NOINLINE accel_status write_reported(accel_core *core, core_operation operation,
                                                  const void *key, const void *value,
                                                  const accel_write *write, core_write_kind kind)
{
  accel_cancel_enter();
  core_report report = accel_core_report_begin(core, operation, 1);
  report.key = key;
  accel_status status = write_one(core, key, value, write, kind);
  status = accel_core_report_end(core, &report, status, CORE_RESULT_DONE);
  accel_cancel_release();
  return status;
}

accel_status accel_cache_set(accel_cache *cache, const accel_type *type, const void *key,
                             const void *value)
{
  return accel_cache_set_with(cache, type, key, NULL, value);
}

ACCEL_FLATTEN accel_status accel_cache_set_with(accel_cache *cache, const accel_type *type,
                                                const void *key, const accel_write *write,
                                                const void *value)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (value == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "value is NULL");
  if (!core->has_cancel_points) return write_alone(core, key, value, write, CORE_WRITE_VALUE);
  return write_reported(core, CORE_OPERATION_SET, key, value, write, CORE_WRITE_VALUE);
}

accel_status accel_cache_set_null(accel_cache *cache, const accel_type *type, const void *key)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  const core_write_kind kind = core->config.no_null_cache ? CORE_WRITE_DEL : CORE_WRITE_NULL;
  if (!core->has_cancel_points) return write_alone(core, key, NULL, NULL, kind);
  return write_reported(core, CORE_OPERATION_SET, key, NULL, NULL, kind);
}

accel_status accel_cache_del(accel_cache *cache, const accel_type *type, const void *key)
{
  (void)type;
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (!core->has_cancel_points) return write_alone(core, key, NULL, NULL, CORE_WRITE_DEL);
  return write_reported(core, CORE_OPERATION_DEL, key, NULL, NULL, CORE_WRITE_DEL);
}

/* ---- many keys ---- */

/* Lists the keys, checked; of duplicates the last one stays. The first bad key's status. */
static accel_status write_list(accel_core *core, const void *keys, const void *values, size_t count,
                               core_write_key *list, size_t *listed)
{
  accel_status first = ACCEL_OK;
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const void *key = accel_type_key_at(core->type, keys, i);
    const accel_status status = accel_core_check_key(core, key);
    if (first == ACCEL_OK) first = status;
    if (status != ACCEL_OK) continue;
    memset(&list[kept], 0, sizeof list[kept]);
    list[kept].id.key = key;
    list[kept].id.hash = accel_core_hash(core, key);
    if (values != NULL) list[kept].value = (const char *)values + i * core->type->value_size;
    kept++;
  }
  *listed = kept;
  core_key_set seen;
  if (kept < 2 || !accel_core_key_set_open(&seen, core->type, list, sizeof *list, kept))
    return first; /* without memory duplicates are written one after the other: the last wins */
  for (size_t i = kept; i-- > 0;) list[i].is_overwritten = accel_core_key_set_add(&seen, i) != i;
  accel_core_key_set_close(&seen);
  *listed = 0;
  for (size_t i = 0; i < kept; i++)
    if (!list[i].is_overwritten) list[(*listed)++] = list[i];
  return first;
}

/* Without memory for a list the keys are written one after the other: none is left out. */
static accel_status write_each(accel_core *core, const void *keys, const void *values, size_t count,
                               core_write_kind kind)
{
  accel_status first = ACCEL_OK;
  for (size_t i = 0; i < count; i++) {
    const void *value = values == NULL ? NULL : (const char *)values + i * core->type->value_size;
    const void *key = accel_type_key_at(core->type, keys, i);
    const accel_status status = write_one(core, key, value, NULL, kind);
    if (first == ACCEL_OK) first = status;
  }
  return first;
}

static accel_status write_many(accel_core *core, const void *keys, const void *values, size_t count,
                               core_write_kind kind)
{
  static const accel_write usual;
  core_write_stripes *stripes = NULL;
  if (count > 1 && count < (SIZE_MAX - sizeof *stripes) / sizeof(core_write_key))
    stripes = (core_write_stripes *)ACCEL_MALLOC(sizeof *stripes + count * sizeof(core_write_key));
  if (stripes == NULL) return write_each(core, keys, values, count, kind);
  memset(stripes, 0, sizeof *stripes);
  core_write_key *list = (core_write_key *)(void *)(stripes + 1);
  size_t listed;
  accel_status first = write_list(core, keys, values, count, list, &listed);
  if (core->link != NULL && listed > 0) {
    const accel_status status = accel_core_write_remote(core, list, listed, stripes, kind, &usual);
    if (first == ACCEL_OK) first = status;
  }
  for (size_t i = 0; core->link == NULL && i < listed; i++) {
    const accel_status status =
        accel_core_write_local(core, list[i].id.key, list[i].value, &usual, kind);
    if (first == ACCEL_OK) first = status;
  }
  ACCEL_FREE(stripes);
  return first;
}

static accel_status write_many_checked(accel_cache *cache, core_operation operation,
                                       const void *keys, const void *values, size_t count,
                                       core_write_kind kind)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  if (count > 0 && keys == NULL) return accel_error_set(cache, ACCEL_ERR_CONFIG, "keys is NULL");
  if (count > 0 && values == NULL && kind == CORE_WRITE_VALUE)
    return accel_error_set(cache, ACCEL_ERR_CONFIG, "values is NULL");
  accel_core_cancel_enter(core);
  const core_report report = accel_core_report_begin(core, operation, count);
  if (count > 0) status = write_many(core, keys, values, count, kind);
  status = accel_core_report_end(core, &report, status,
                                 count == 0 ? CORE_RESULT_OK_EMPTY : CORE_RESULT_DONE);
  accel_core_cancel_release(core);
  return status;
}

accel_status accel_cache_mset(accel_cache *cache, const accel_type *type, const void *keys,
                              const void *values, size_t count)
{
  (void)type;
  return write_many_checked(cache, CORE_OPERATION_MSET, keys, values, count, CORE_WRITE_VALUE);
}

accel_status accel_cache_mdel(accel_cache *cache, const accel_type *type, const void *keys,
                              size_t count)
{
  (void)type;
  return write_many_checked(cache, CORE_OPERATION_MDEL, keys, NULL, count, CORE_WRITE_DEL);
}

/* ---- the area ---- */

accel_status accel_cache_clear(accel_cache *cache, const accel_type *type)
{
  accel_status status;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL) return status;
  accel_core_cancel_enter(core);
  const core_report report = accel_core_report_begin(core, CORE_OPERATION_CLEAR, 0);
  accel_singleflight_forget_all(&core->flights);
  if (core->local != NULL) core->local_ops->clear(core->local, type);
  if (core->link != NULL) {
    status = accel_core_remote_clear(core);
    if (accel_failed(status)) accel_core_repair_add_area(core);
    accel_singleflight_forget_all(&core->flights); /* what read L2 while it was being cleared */
    if (core->local != NULL) core->local_ops->clear(core->local, type);
    accel_core_repair_begin(core);
  }
  status = accel_core_report_end(core, &report, status, CORE_RESULT_DONE);
  accel_core_cancel_release(core);
  return status;
}
