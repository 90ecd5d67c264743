/* look.c: the fake's clock and what it holds, as a test sees and sets them. */
#include "state.h"

#include <string.h>

uint64_t accel_fake_now_ms(accel_fake *fake)
{
  accel_mutex_lock(&fake->state->mutex);
  const uint64_t now_ms = accel_fake_time_ms(fake->state);
  accel_mutex_unlock(&fake->state->mutex);
  return now_ms;
}

void accel_fake_set_now(accel_fake *fake, uint64_t now_ms)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->is_clock_set = true;
  fake->state->clock_base_ms = now_ms;
  accel_mutex_unlock(&fake->state->mutex);
}

void accel_fake_advance(accel_fake *fake, uint64_t ms)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->clock_base_ms += ms;
  accel_mutex_unlock(&fake->state->mutex);
}

void accel_fake_set_skew(accel_fake *fake, int64_t ms)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->clock_skew_ms = ms;
  accel_mutex_unlock(&fake->state->mutex);
}

static fake_entry *fake_look_for(struct accel_fake_state *state, const char *key)
{
  return accel_fake_store_find(&state->store, key, strlen(key), accel_fake_time_ms(state));
}

bool accel_fake_peek(accel_fake *fake, const char *key, accel_buffer *out)
{
  accel_mutex_lock(&fake->state->mutex);
  const fake_entry *entry = fake_look_for(fake->state, key);
  const bool found =
      entry != NULL && accel_buffer_append(out, accel_fake_entry_data(entry), entry->size);
  accel_mutex_unlock(&fake->state->mutex);
  return found;
}

bool accel_fake_poke(accel_fake *fake, const char *key, const void *data, size_t size,
                     uint32_t ttl_ms)
{
  struct accel_fake_state *state = fake->state;
  accel_mutex_lock(&state->mutex);
  const uint64_t expires_ms = accel_ttl_after(accel_fake_time_ms(state), ttl_ms);
  const bool stored = accel_fake_store_put(&state->store, key, strlen(key), data, size, expires_ms);
  accel_mutex_unlock(&state->mutex);
  return stored;
}

bool accel_fake_evict(accel_fake *fake, const char *key)
{
  accel_mutex_lock(&fake->state->mutex);
  const bool removed = accel_fake_store_remove(&fake->state->store, key, strlen(key));
  accel_mutex_unlock(&fake->state->mutex);
  return removed;
}

uint32_t accel_fake_ttl_left(accel_fake *fake, const char *key)
{
  accel_mutex_lock(&fake->state->mutex);
  const fake_entry *entry = fake_look_for(fake->state, key);
  const uint32_t left_ms =
      entry == NULL ? 0 : accel_ttl_left(accel_fake_time_ms(fake->state), entry->expires_ms);
  accel_mutex_unlock(&fake->state->mutex);
  return left_ms;
}

size_t accel_fake_keys(accel_fake *fake,
                       void (*visit_or_null)(void *ctx, const char *key, size_t key_size),
                       void *ctx)
{
  size_t count = 0;
  accel_mutex_lock(&fake->state->mutex);
  const fake_store *store = &fake->state->store;
  const uint64_t now_ms = accel_fake_time_ms(fake->state);
  for (size_t i = 0; i < store->bucket_count; i++) {
    for (const fake_entry *entry = store->buckets[i]; entry != NULL; entry = entry->next) {
      if (entry->expires_ms <= now_ms) continue;
      count++;
      if (visit_or_null != NULL) visit_or_null(ctx, (const char *)entry->bytes, entry->key_size);
    }
  }
  accel_mutex_unlock(&fake->state->mutex);
  return count;
}
