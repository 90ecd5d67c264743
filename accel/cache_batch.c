#include "cache_batch.h"

#include "codec.h"

#include <stdlib.h>
#include <string.h>

accel_status accel_core_batch_open(core_batch *batch, size_t capacity)
{
  memset(batch, 0, sizeof *batch);
  batch->call.deadline_ms = ACCEL_NO_DEADLINE;
  if (capacity > SIZE_MAX / sizeof *batch->items) return ACCEL_ERR_NOMEM;
  batch->items = (accel_remote_item *)ACCEL_MALLOC(capacity * sizeof *batch->items);
  return batch->items == NULL ? ACCEL_ERR_NOMEM : ACCEL_OK;
}

void accel_core_batch_close(core_batch *batch)
{
  ACCEL_FREE(batch->items);
  accel_buffer_release(&batch->names);
  accel_buffer_release(&batch->keys);
  accel_buffer_release(&batch->data);
  memset(batch, 0, sizeof *batch);
}

/* While the buffers may still move, an item's pointers are offsets from this. */
static const char *batch_offset(size_t offset)
{
  return (const char *)(uintptr_t)offset;
}

/* Appends an item whose name begins at `name_start` of the names. `named`: whether the name could
 * be made. */
static accel_status batch_add_item(const accel_core *core, core_batch *batch, size_t name_start,
                                   accel_status named)
{
  accel_buffer *names = &batch->names, *keys = &batch->keys;
  const size_t name_size = names->size - name_start, key_start = keys->size;
  accel_status status = named;
  if (status == ACCEL_OK &&
      !accel_key_append_remote(core->area, (const char *)names->data + name_start, name_size, keys))
    status = ACCEL_ERR_NOMEM;
  if (status != ACCEL_OK) {
    names->size = name_start;
    return accel_error_set(core->cache, status, "no text could be made of a key of area %s: %s",
                           core->area, accel_status_text(status));
  }
  accel_remote_item *item = &batch->items[batch->count++];
  memset(item, 0, sizeof *item);
  item->name = batch_offset(name_start);
  item->name_size = name_size;
  item->key = batch_offset(key_start);
  item->key_size = keys->size - key_start;
  item->data = batch_offset(batch->data.size);
  return ACCEL_OK;
}

accel_status accel_core_batch_add_key(const accel_core *core, core_batch *batch, const void *key)
{
  const size_t start = batch->names.size;
  return batch_add_item(core, batch, start, accel_key_append_name(core->type, key, &batch->names));
}

accel_status accel_core_batch_add_text(const accel_core *core, core_batch *batch, const char *text,
                                       size_t size)
{
  const size_t start = batch->names.size;
  const bool is_named = accel_buffer_append(&batch->names, text, size);
  return batch_add_item(core, batch, start, is_named ? ACCEL_OK : ACCEL_ERR_NOMEM);
}

/* Gives the last item an envelope; token, flags and lifetime are the caller's. */
static accel_status batch_add_envelope(accel_core *core, core_batch *batch,
                                       accel_envelope *envelope, const void *value_or_null)
{
  accel_remote_item *item = &batch->items[batch->count - 1];
  const size_t start = batch->data.size;
  envelope->created_ms = core->remote_ops->now_ms(core->link);
  const char *name = (const char *)batch->names.data + (uintptr_t)item->name;
  const accel_status status = accel_envelope_append(core->type, core->area, name, item->name_size,
                                                    envelope, value_or_null, &batch->data);
  if (status != ACCEL_OK) {
    batch->data.size = start;
    return accel_error_set(core->cache, status, "the value of %s:%.*s could not be encoded: %s",
                           core->area, (int)(item->name_size < 80 ? item->name_size : 80), name,
                           accel_status_text(status));
  }
  item->data = batch_offset(start);
  item->size = batch->data.size - start;
  item->ttl_ms = envelope->ttl_ms;
  return ACCEL_OK;
}

accel_status accel_core_batch_add_value(accel_core *core, core_batch *batch,
                                        const void *value_or_null, uint32_t ttl_ms)
{
  accel_envelope envelope;
  memset(&envelope, 0, sizeof envelope);
  envelope.token = accel_core_random(core) | 1; /* 0 would compare as: nothing to compare */
  envelope.ttl_ms = ttl_ms;
  envelope.compressor = core->config.compressor;
  return batch_add_envelope(core, batch, &envelope, value_or_null);
}

accel_status accel_core_batch_add_lease(accel_core *core, core_batch *batch, uint64_t token,
                                        uint32_t ttl_ms)
{
  accel_envelope envelope;
  memset(&envelope, 0, sizeof envelope);
  envelope.flags = ACCEL_ENVELOPE_LEASE;
  envelope.token = token;
  envelope.ttl_ms = ttl_ms;
  return batch_add_envelope(core, batch, &envelope, NULL);
}

void accel_core_batch_drop_last(core_batch *batch)
{
  const accel_remote_item *item = &batch->items[--batch->count];
  batch->names.size = (size_t)(uintptr_t)item->name;
  batch->keys.size = (size_t)(uintptr_t)item->key;
  batch->data.size = (size_t)(uintptr_t)item->data;
}

void accel_core_batch_seal(core_batch *batch)
{
  for (size_t i = 0; i < batch->count; i++) {
    accel_remote_item *item = &batch->items[i];
    item->name = (const char *)batch->names.data + (uintptr_t)item->name;
    item->key = (const char *)batch->keys.data + (uintptr_t)item->key;
    item->data = batch->data.size == 0 ? NULL : batch->data.data + (uintptr_t)item->data;
  }
}
