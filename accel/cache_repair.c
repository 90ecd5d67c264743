/* cache_repair.c: repairs writes that L2 did not confirm.
 *
 * One job at a time waits until the server answers, then removes the keys noted and publishes
 * that, in blocks, and clears the area if that is on the list. It is repeated with growing pauses
 * until nothing is left; a closing cache tries once more.
 */
#include "cache_repair.h"

#include "cache_batch.h"
#include "cache_changes.h"
#include "cache_remote.h"
#include "cache_repair_queue.h"
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#define REPAIR_BLOCK 256u
#define REPAIR_SPARE_BYTES 1024u
#define REPAIR_PAUSE_MAX_MS 1000u

/* Our own message is ignored when it comes back, and L1 may have been filled by a set that overtook
 * the failed one in this process, but not in L2. */
static void repair_forget(accel_core *core, const accel_repair_entry *entry)
{
  if (entry->is_hash)
    accel_core_expire_all(core, "repair");
  else
    accel_core_invalidate_key(core, entry->text, entry->size);
}

/* One block of keys. False: L2 did not confirm it, or there is no memory. */
static bool repair_keys(accel_core *core, const accel_repair_entry *entries, size_t count)
{
  core_batch batch;
  accel_status listed = accel_core_batch_open(&batch, count);
  for (size_t i = 0; i < count && listed == ACCEL_OK; i++)
    listed = accel_core_batch_add_text(core, &batch, entries[i].text, entries[i].size);
  accel_core_batch_seal(&batch);
  /* A key that is known by its hash alone cannot be named: a name too long for any message makes
   * the publisher name the whole area. */
  for (size_t i = 0; i < batch.count; i++)
    if (entries[i].is_hash) batch.items[i].name_size = ACCEL_INVALIDATION_SIZE_MAX;
  const bool is_done = listed == ACCEL_OK;
  if (is_done) {
    const accel_remote_publisher publisher = {&core->invalidation, accel_invalidation_message};
    accel_invalidation_pass_failures(&core->invalidation); /* what comes from here on is late */
    batch.is_background = true;
    accel_core_call_del(core, &batch, core->config.no_broadcast ? NULL : &publisher);
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
  if (is_done) accel_probe_repair(core->area, count - failed);
  accel_core_batch_close(&batch);
  return is_done && failed == 0;
}

static bool repair_area(accel_core *core, uint64_t number)
{
  if (accel_failed(accel_core_remote_clear(core))) return false;
  accel_core_expire_all(core, "repair");
  accel_repair_area_done(&core->repair, number);
  accel_probe_repair(core->area, 1);
  accel_stats_add(core->stats, ACCEL_COUNT_repair_replayed, 1);
  return true;
}

/* True: nothing is left. */
static bool repair_all(accel_core *core)
{
  accel_repair_entry *block =
      (accel_repair_entry *)ACCEL_MALLOC(REPAIR_BLOCK * sizeof(accel_repair_entry));
  const uint64_t area = accel_repair_area_number(&core->repair);
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

static void repair_run(accel_job *job)
{
  accel_core *core = (accel_core *)(void *)((char *)job - offsetof(accel_core, repair_job));
  const bool is_ready = core->remote_ops->is_ready(core->link);
  const bool has_tried = is_ready || accel_load_acquire(&core->is_closing);
  if (has_tried) repair_all(core);
  accel_mutex_lock(&core->work_mutex);
  const bool is_done = accel_repair_length(&core->repair) == 0;
  const bool goes_on = !is_done && !accel_load_acquire(&core->is_closing);
  core->is_repairing = goes_on;
  if (!goes_on && core->is_repair_logged) {
    core->is_repair_logged = core->is_overflow_logged = false;
    accel_core_note_repair(core, is_done ? CORE_REPAIR_DONE : CORE_REPAIR_LEFT);
  }
  accel_mutex_unlock(&core->work_mutex);
  if (goes_on) {
    const uint32_t pause_ms = core->repair_pause_ms;
    if (has_tried && pause_ms < REPAIR_PAUSE_MAX_MS) core->repair_pause_ms = 2 * pause_ms;
    accel_core_repair_schedule(core, pause_ms);
  }
  accel_core_work_done(core);
}

bool accel_core_repair_open(accel_core *core)
{
  static const char room[REPAIR_SPARE_BYTES];
  const bool can_clear = core->remote_ops->clear != NULL;
  if (!accel_repair_open(&core->repair, can_clear, !core->config.no_broadcast)) return false;
  core->repair_job.run = repair_run;
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
