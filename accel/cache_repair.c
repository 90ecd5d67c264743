/* cache_repair.c: makes good what L2 did not confirm (W5).
 *
 * One job at a time waits until the server answers, then removes the keys noted and publishes
 * that, in blocks, and clears the area if that is on the list. It is repeated with growing pauses
 * until nothing is left; a closing cache tries once more.
 */
#include "cache_core.h"

#include "codec.h"

#include <stdlib.h>
#include <string.h>

#define REPAIR_BLOCK 256u
#define REPAIR_SPARE_BYTES 1024u
#define REPAIR_PAUSE_FIRST_MS 50u
#define REPAIR_PAUSE_MAX_MS 1000u

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
  return accel_repair_holds(&core->repair, text, size);
}

static void repair_schedule(accel_core *core, uint32_t pause_ms)
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
  if (begins && !core->is_repair_told) {
    core->is_repair_told = true;
    accel_core_note_repair(core, CORE_REPAIR_BEGUN);
  }
  accel_mutex_unlock(&core->work_mutex);
  if (!begins) return;
  core->repair_pause_ms = REPAIR_PAUSE_FIRST_MS;
  repair_schedule(core, pause_ms);
}

void accel_core_repair_begin(accel_core *core)
{
  repair_begin(core, REPAIR_PAUSE_FIRST_MS);
}

void accel_core_repair_hurry(accel_core *core)
{
  repair_begin(core, 0);
}

static void repair_count(accel_core *core, uint64_t added, uint64_t overflowed)
{
  if (added > 0) accel_stats_add(core->stats, ACCEL_COUNT_repair_queued, added);
  if (overflowed == 0) return;
  accel_stats_add(core->stats, ACCEL_COUNT_repair_overflowed, overflowed);
  accel_mutex_lock(&core->work_mutex);
  if (!core->is_overflow_told) {
    core->is_overflow_told = true;
    accel_core_note_repair(core, CORE_REPAIR_OVERFLOWN);
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

/* ---- without memory ---- */

bool accel_core_repair_open(accel_core *core)
{
  static const char room[REPAIR_SPARE_BYTES];
  const bool can_clear = core->remote_ops->clear != NULL;
  if (!accel_repair_open(&core->repair, can_clear, !core->config.no_broadcast)) return false;
  core->repair_job.run = accel_core_repair_run;
  if (accel_buffer_append(&core->spare_name, room, sizeof room) &&
      accel_buffer_append(&core->spare_key, room, sizeof room) &&
      accel_mutex_open(&core->spare_mutex))
    return true;
  accel_buffer_release(&core->spare_name);
  accel_buffer_release(&core->spare_key);
  accel_repair_close(&core->repair);
  return false;
}

void accel_core_repair_close(accel_core *core, bool is_child)
{
  if (core->spare_name.data == NULL) return; /* it was not opened */
  accel_buffer_release(&core->spare_name);
  accel_buffer_release(&core->spare_key);
  if (is_child) {
    accel_repair_abandon(&core->repair);
    return;
  }
  accel_mutex_close(&core->spare_mutex);
  accel_repair_close(&core->repair);
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

/* ---- the job ---- */

/* A key that is known by its hash alone cannot be named: a name too long for any message makes the
 * publisher tell that the area changed. */
static bool repair_add_item(const accel_core *core, core_batch *batch,
                            const accel_repair_entry *entry)
{
  accel_remote_item *item = &batch->items[batch->count];
  memset(item, 0, sizeof *item);
  const size_t start = batch->keys.size;
  if (!accel_key_append_remote(core->area, entry->text, entry->size, &batch->keys)) return false;
  item->key_size = batch->keys.size - start;
  item->key = (const char *)(uintptr_t)start;
  item->name = entry->text;
  item->name_size = entry->is_hash ? ACCEL_INVALIDATION_SIZE_MAX : entry->size;
  batch->count++;
  return true;
}

/* Our own message is not heard, and L1 may have been filled by a set that overtook the failed one
 * in this process, but not in L2. */
static void repair_forget(accel_core *core, const accel_repair_entry *entry)
{
  if (entry->is_hash)
    accel_core_expire_all(core);
  else
    accel_core_hear_key(core, entry->text, entry->size);
}

/* One block of keys. False: L2 did not confirm it, or there is no memory. */
static bool repair_keys(accel_core *core, const accel_repair_entry *entries, size_t count)
{
  core_batch batch;
  bool is_done = accel_core_batch_open(&batch, count) == ACCEL_OK;
  for (size_t i = 0; i < count && is_done; i++)
    is_done = repair_add_item(core, &batch, &entries[i]);
  for (size_t i = 0; i < batch.count && is_done; i++)
    batch.items[i].key = (const char *)batch.keys.data + (uintptr_t)batch.items[i].key;
  if (is_done) {
    const accel_remote_publisher publisher = {&core->invalidation, accel_invalidation_message};
    accel_invalidation_pass_failures(&core->invalidation); /* what comes from here on is late */
    core->remote_ops->del(core->link, batch.items, count,
                          core->config.no_broadcast ? NULL : &publisher, &batch.call);
    accel_core_remote_count_messages(core, &batch.call);
  }
  size_t failed = 0;
  for (size_t i = 0; i < count && is_done; i++) {
    if (accel_failed(batch.items[i].status)) {
      failed++;
      continue;
    }
    repair_forget(core, &entries[i]);
    accel_repair_done(&core->repair, &entries[i]);
    accel_stats_add(core->stats, ACCEL_COUNT_repair_replayed, 1);
  }
  accel_core_batch_close(&batch);
  return is_done && failed == 0;
}

static bool repair_area(accel_core *core, uint64_t number)
{
  if (accel_failed(accel_core_remote_clear(core))) return false;
  accel_core_expire_all(core);
  accel_repair_area_done(&core->repair, number);
  accel_stats_add(core->stats, ACCEL_COUNT_repair_replayed, 1);
  return true;
}

/* True: nothing is left. */
static bool repair_all(accel_core *core)
{
  accel_repair_entry *block =
      (accel_repair_entry *)ACCEL_MALLOC(REPAIR_BLOCK * sizeof(accel_repair_entry));
  const uint64_t area = accel_repair_area(&core->repair);
  bool is_done = block != NULL;
  if (is_done && area != 0) is_done = repair_area(core, area);
  while (is_done) {
    const size_t count = accel_repair_peek(&core->repair, block, REPAIR_BLOCK);
    if (count == 0) break;
    is_done = repair_keys(core, block, count);
  }
  ACCEL_FREE(block);
  return is_done;
}

void accel_core_repair_run(accel_job *job)
{
  accel_core *core = (accel_core *)(void *)((char *)job - offsetof(accel_core, repair_job));
  const bool is_ready = core->remote_ops->is_ready(core->link);
  const bool has_tried = is_ready || accel_load_acquire(&core->is_closing);
  if (has_tried) repair_all(core);
  accel_mutex_lock(&core->work_mutex);
  const bool is_done = accel_repair_length(&core->repair) == 0;
  const bool goes_on = !is_done && !accel_load_acquire(&core->is_closing);
  core->is_repairing = goes_on;
  if (!goes_on && core->is_repair_told) {
    core->is_repair_told = core->is_overflow_told = false;
    accel_core_note_repair(core, is_done ? CORE_REPAIR_DONE : CORE_REPAIR_LEFT);
  }
  accel_mutex_unlock(&core->work_mutex);
  if (goes_on) {
    const uint32_t pause_ms = core->repair_pause_ms;
    if (has_tried && pause_ms < REPAIR_PAUSE_MAX_MS) core->repair_pause_ms = 2 * pause_ms;
    repair_schedule(core, pause_ms);
  }
  accel_core_work_done(core);
}
