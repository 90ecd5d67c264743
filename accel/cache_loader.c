#include "cache_loader.h"

#include "platform/fork.h"

#include <string.h>

/* cache_loader.c: loaders, and whether a cache is open to be given one.
 *
 * A cache that was never opened may hold any bytes, so its address is looked up instead.
 */

static const char loader_cache_kind;

/* A loader that is set before open would be forgotten. The cache it was meant for, or NULL. */
static const accel_cache *loader_too_early; /* atomic */

void accel_core_note_opened(accel_core *core)
{
  accel_opened_add(&core->opened, core->cache, &loader_cache_kind);
}

accel_status accel_core_begin_open(accel_cache *cache)
{
  if (cache == NULL) return accel_error_set(NULL, ACCEL_ERR_CONFIG, "cache is NULL");
  if (accel_opened_find(cache, &loader_cache_kind) == ACCEL_OPENED_BY_US)
    return accel_error_set(cache, ACCEL_ERR_CONFIG,
                           "the cache is open already, and stays open; close it first");
  memset(cache, 0, sizeof *cache);
  if (accel_load_relaxed(&loader_too_early) != cache) return ACCEL_OK;
  accel_store_relaxed(&loader_too_early, (const accel_cache *)NULL);
  return accel_error_set(cache, ACCEL_ERR_CONFIG,
                         "a loader was set before the cache was open; open the cache first");
}

/* The core of the cache that gets a loader. NULL: it is not open, and open will refuse it once. */
static accel_core *loader_core(accel_cache *cache)
{
  accel_status status;
  if (cache == NULL || accel_opened_find(cache, &loader_cache_kind) != ACCEL_OPENED_BY_NOBODY)
    return accel_core_of(cache, &status);
  accel_store_relaxed(&loader_too_early, (const accel_cache *)cache);
  accel_error_set(cache, ACCEL_ERR_CLOSED, "the cache is not open; a loader is set after open");
  return NULL;
}

void accel_cache_set_loader(accel_cache *cache, const accel_type *type, accel_fn *load, void *ctx)
{
  (void)type;
  accel_core *core = loader_core(cache);
  if (core == NULL) return;
  core->load = load;
  core->load_ctx = ctx;
  cache->is_alone = accel_core_is_alone(core);
}

void accel_cache_set_mloader(accel_cache *cache, const accel_type *type, accel_fn *mload, void *ctx)
{
  (void)type;
  accel_core *core = loader_core(cache);
  if (core == NULL) return;
  core->mload = mload;
  core->mload_ctx = ctx;
  cache->is_alone = accel_core_is_alone(core);
}
