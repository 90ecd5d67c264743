#include "cache_read_local.h"

#include "cache_load.h"

void accel_core_fill_info(accel_info *info, accel_origin source, const accel_lifetime *lifetime,
                          uint64_t now_ms)
{
  const int64_t age_ms =
      (int64_t)(now_ms - lifetime->born_ms); /* born_ms may have wrapped around */
  info->source = source;
  info->stale = false;
  info->age_ms = age_ms <= 0 ? 0 : age_ms < ACCEL_FOREVER ? (uint32_t)age_ms : ACCEL_FOREVER;
  info->ttl_left_ms = accel_ttl_left(now_ms, lifetime->expires_ms);
}

static bool read_is_fresh(const accel_local_found *found, uint64_t now_ms)
{
  return found->is_current && now_ms < found->life.expires_ms;
}

bool accel_core_read_stale(accel_core *core, const core_key *id, void *out, accel_info *info)
{
  accel_local_found found;
  if (core->local_ops->peek(core->local, core->type, id->key, id->hash, out, &found) != ACCEL_OK)
    return false;
  const uint64_t now_ms = accel_core_now(core);
  accel_core_fill_info(info, ACCEL_FROM_LOCAL, &found.life, now_ms);
  info->stale = !read_is_fresh(&found, now_ms);
  if (info->stale) {
    info->ttl_left_ms = 0;
    accel_stats_add(core->stats, ACCEL_COUNT_stale_fallback, 1);
  }
  return true;
}

static void read_refresh_if_due(accel_core *core, const core_key *id,
                                const accel_lifetime *lifetime, uint64_t now_ms)
{
  if (!accel_refresh_is_due(lifetime, now_ms) || (core->load == NULL && core->mload == NULL))
    return;
  if (accel_throttle_holds(&core->throttle, id->hash, now_ms)) return;
  accel_core_refresh(core, id->key, id->hash);
}

accel_status accel_core_read_local(accel_core *core, const core_key *id, void *out,
                                   accel_info *info, bool *has_stale)
{
  const accel_local_ops *ops = core->local_ops;
  *has_stale = false;
  accel_local_found found;
  accel_status status = ops->peek(core->local, core->type, id->key, id->hash, NULL, &found);
  if (status == ACCEL_MISS) return status; /* without a copy nothing fails */
  const uint64_t now_ms = accel_core_now(core);
  if (!read_is_fresh(&found, now_ms)) {
    const uint64_t expired_ms = found.life.expires_ms < now_ms ? found.life.expires_ms : now_ms;
    *has_stale = status == ACCEL_OK &&
                 accel_ttl_is_stale_usable(now_ms, expired_ms, core->config.stale_max_ms);
    return ACCEL_MISS;
  }
  if (status == ACCEL_OK && out != NULL) {
    status = ops->peek(core->local, core->type, id->key, id->hash, out, &found);
    if (status == ACCEL_OK && !read_is_fresh(&found, now_ms)) {
      core->type->drop(out); /* it was replaced by an older one in between: rare, and a miss */
      return ACCEL_MISS;
    }
  }
  if (accel_failed(status))
    return accel_error_set(core->cache, status, "no memory to copy a value of area %s", core->area);
  if (status == ACCEL_MISS) return status;
  accel_core_fill_info(info, ACCEL_FROM_LOCAL, &found.life, now_ms);
  read_refresh_if_due(core, id, &found.life, now_ms);
  return status;
}
