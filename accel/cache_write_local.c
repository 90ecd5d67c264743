#include "cache_write_local.h"

/* ---- TTLs ---- */

uint32_t accel_core_write_ttl(accel_core *core, core_write_kind kind, uint32_t value_ttl_ms)
{
  return accel_core_jitter(core, kind == CORE_WRITE_NULL ? core->config.null_ttl_ms : value_ttl_ms);
}

uint32_t accel_core_write_remote_ttl(accel_core *core, core_write_kind kind,
                                     const accel_write *write)
{
  if (write->ttl_ms != 0) return write->ttl_ms;
  return accel_core_write_ttl(core, kind, core->config.remote_ttl_ms);
}

uint32_t accel_core_write_local_ttl(accel_core *core, core_write_kind kind,
                                    const accel_write *write, uint32_t remote_ttl_ms)
{
  if (core->link == NULL && write->ttl_ms != 0) return write->ttl_ms;
  const uint32_t own_ms = accel_core_write_ttl(core, kind, core->config.local_ttl_ms);
  return core->link == NULL || own_ms < remote_ttl_ms ? own_ms : remote_ttl_ms;
}

/* ---- L1 alone ---- */

#define WRITE_ATTEMPTS_MAX 16

/* Writes L1 without L2. Where there is an L2, the gate keeps an entry from getting a long TTL just
 * as the channel goes down. A write of another key of the stripe moves the gate too: then it tries
 * again, and at last with a TTL so short that it needs no gate. */
static accel_status write_local_value(accel_core *core, const void *key, uint64_t hash,
                                      const void *value, const accel_write *write,
                                      core_write_kind kind)
{
  const accel_local_ops *ops = core->local_ops;
  const uint32_t remote_ttl_ms =
      core->link == NULL ? ACCEL_FOREVER : accel_core_write_remote_ttl(core, kind, write);
  uint32_t ttl_ms = accel_core_write_local_ttl(core, kind, write, remote_ttl_ms);
  for (int attempt = 0; core->link != NULL && attempt < WRITE_ATTEMPTS_MAX; attempt++) {
    const accel_gate gate = ops->gate(core->local, hash);
    const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
    const accel_status status =
        ops->set(core->local, core->type, key, hash, value, &lifetime, &gate);
    if (status != ACCEL_MISS) return status;
  }
  const uint32_t limit_ms = core->config.degraded_ttl_ms;
  if (core->link != NULL && ttl_ms > limit_ms) ttl_ms = limit_ms;
  const accel_lifetime lifetime = accel_core_lifetime(core, ttl_ms);
  return ops->set(core->local, core->type, key, hash, value, &lifetime, NULL);
}

accel_status accel_core_write_explain(const accel_core *core, accel_status status)
{
  if (status == ACCEL_ERR_CONFIG)
    return accel_error_set(
        core->cache, status,
        "an entry is heavier than max_weight, %zu, and was not cached in area %s; raise max_weight",
        core->config.max_weight, core->area);
  if (status == ACCEL_ERR_NOMEM)
    return accel_error_set(core->cache, status, "no memory to cache an entry in area %s",
                           core->area);
  return status;
}

accel_status accel_core_write_local(accel_core *core, const void *key, const void *value,
                                    const accel_write *write, core_write_kind kind)
{
  const uint64_t hash = accel_core_hash(core, key);
  accel_singleflight_forget(&core->flights, key, hash);
  if (core->local == NULL) return ACCEL_OK;
  if (kind != CORE_WRITE_DEL && !write->skip_local)
    return accel_core_write_explain(core, write_local_value(core, key, hash, value, write, kind));
  core->local_ops->del(core->local, core->type, key, hash);
  return ACCEL_OK;
}
