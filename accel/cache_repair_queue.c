#include "cache_repair_queue.h"

#include "cache_changes.h"
#include "codec.h"

#include <string.h>

/* The part of L2's key behind the area. */
static const char *repair_text(const accel_core *core, const accel_remote_item *item, size_t *size)
{
  const size_t head = strlen(core->area) + 1;
  *size = item->key_size - head;
  return item->key + head;
}

bool accel_core_repair_holds(accel_core *core, const accel_remote_item *item)
{
  size_t size;
  const char *text = repair_text(core, item, &size);
  return accel_repair_skips_remote(&core->repair, text, size);
}

/* ---- when it begins ---- */

void accel_core_repair_schedule(accel_core *core, uint32_t pause_ms)
{
  core->repair_job.due_ms = accel_clock_deadline(pause_ms);
  if (accel_core_submit(core, &core->repair_job)) return;
  accel_mutex_lock(&core->work_mutex);
  core->is_repairing = false; /* no room: the next failure or heartbeat tries again */
  accel_mutex_unlock(&core->work_mutex);
}

static void repair_begin(accel_core *core, uint32_t pause_ms)
{
  if (accel_repair_length(&core->repair) == 0) return;
  accel_mutex_lock(&core->work_mutex);
  const bool begins = !core->is_repairing && !accel_load_acquire(&core->is_closing);
  if (begins) core->is_repairing = true;
  if (begins && !core->is_repair_logged) {
    core->is_repair_logged = true;
    accel_core_note_repair(core, CORE_REPAIR_BEGUN);
  }
  accel_mutex_unlock(&core->work_mutex);
  if (!begins) return;
  core->repair_pause_ms = REPAIR_PAUSE_FIRST_MS;
  accel_core_repair_schedule(core, pause_ms);
}

void accel_core_repair_begin(accel_core *core)
{
  repair_begin(core, REPAIR_PAUSE_FIRST_MS);
}

void accel_core_repair_hurry(accel_core *core)
{
  repair_begin(core, 0);
}

/* ---- what is noted ---- */

static void repair_count(accel_core *core, uint64_t added, uint64_t overflowed)
{
  if (added > 0) accel_stats_add(core->stats, ACCEL_COUNT_repair_queued, added);
  if (overflowed == 0) return;
  accel_stats_add(core->stats, ACCEL_COUNT_repair_overflowed, overflowed);
  accel_mutex_lock(&core->work_mutex);
  if (!core->is_overflow_logged) {
    core->is_overflow_logged = true;
    accel_core_note_repair(core, CORE_REPAIR_OVERFLOWED);
  }
  accel_mutex_unlock(&core->work_mutex);
}

void accel_core_repair_add(accel_core *core, const core_batch *batch)
{
  uint64_t added = 0, overflowed = 0;
  accel_invalidation_note_failure(&core->invalidation);
  for (size_t i = 0; i < batch->count; i++) {
    const accel_remote_item *item = &batch->items[i];
    if (!accel_failed(item->status) || item->status == ACCEL_ERR_CODEC) continue;
    if (item->is_removed) continue;
    size_t size;
    const char *text = repair_text(core, item, &size);
    if (accel_repair_add(&core->repair, text, size, item->name_size > ACCEL_KEY_NAME_MAX))
      added++;
    else
      overflowed++;
  }
  repair_count(core, added, overflowed);
}

void accel_core_repair_add_area(accel_core *core)
{
  accel_repair_add_area(&core->repair);
  accel_stats_add(core->stats, ACCEL_COUNT_repair_queued, 1);
}

/* The text is made in the spare buffers, which hold nearly all keys. One whose text outgrows them
 * when there is no memory for that puts the area on the list. */
void accel_core_repair_note(accel_core *core, const void *key)
{
  const size_t head = strlen(core->area) + 1;
  accel_invalidation_note_failure(&core->invalidation);
  accel_mutex_lock(&core->spare_mutex);
  accel_buffer *name = &core->spare_name, *text = &core->spare_key;
  name->size = text->size = 0;
  const bool is_named =
      accel_key_append_name(core->type, key, name) == ACCEL_OK &&
      accel_key_append_remote(core->area, (const char *)name->data, name->size, text);
  const bool is_noted =
      is_named && accel_repair_add(&core->repair, (const char *)text->data + head,
                                   text->size - head, name->size > ACCEL_KEY_NAME_MAX);
  if (!is_named) accel_repair_add_area(&core->repair);
  accel_mutex_unlock(&core->spare_mutex);
  const bool is_queued = is_noted || !is_named;
  repair_count(core, is_queued, !is_queued);
}

void accel_core_repair_add_name(accel_core *core, const char *name, size_t size)
{
  accel_buffer key = {0};
  const size_t head = strlen(core->area) + 1;
  accel_stats_add(core->stats, ACCEL_COUNT_repair_late, 1);
  if (accel_key_append_remote(core->area, name, size, &key))
    accel_repair_add(&core->repair, (const char *)key.data + head, key.size - head,
                     size > ACCEL_KEY_NAME_MAX);
  else
    accel_repair_add_area(&core->repair);
  accel_buffer_release(&key);
}
