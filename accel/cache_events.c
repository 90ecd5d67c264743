#include "cache_events.h"

#include "cache_changes.h"
#include "cache_repair_queue.h"

static void events_invalidate_all(void *core)
{
  accel_core_expire_all((accel_core *)core, "message");
}

/* A write of this cache that was given up has happened after all. */
static void events_invalidate_late(void *core_pointer, const char *name, size_t size)
{
  accel_core *core = (accel_core *)core_pointer;
  accel_core_repair_add_name(core, name, size);
  accel_core_invalidate_key(core, name, size);
}

static void events_on_message(void *core_pointer, const void *data, size_t size)
{
  accel_core *core = (accel_core *)core_pointer;
  const accel_invalidation_handler handler = {core, accel_core_invalidate_key,
                                              events_invalidate_all};
  const accel_invalidation_handler late = {core, events_invalidate_late, events_invalidate_all};
  const uint64_t forgotten = core->invalidation.forgotten;
  switch (accel_invalidation_receive(&core->invalidation, data, size, &handler)) {
    case ACCEL_INVALIDATION_OWN: break;
    case ACCEL_INVALIDATION_LATE:
      accel_invalidation_each_name(data, size, &late);
      accel_core_repair_hurry(core);
      break;
    case ACCEL_INVALIDATION_APPLIED:
      accel_stats_add(core->stats, ACCEL_COUNT_invalidation_receive, 1);
      accel_probe_invalidate(core->area, core->invalidation.heard_keys,
                             core->invalidation.heard_sender);
      break;
    case ACCEL_INVALIDATION_INVALID:
      accel_stats_add(core->stats, ACCEL_COUNT_invalidation_receive_failures, 1);
      break;
  }
  if (core->invalidation.forgotten != forgotten)
    accel_stats_add(core->stats, ACCEL_COUNT_invalidation_senders_forgotten, 1);
}

/* L2 itself reports it. A key whose name is hashed there could be any. */
static void events_on_changed(void *core_pointer, const char *name_or_null, size_t size)
{
  accel_core *core = (accel_core *)core_pointer;
  accel_stats_add(core->stats, ACCEL_COUNT_invalidation_receive, 1);
  if (name_or_null == NULL || (size > 0 && name_or_null[0] == '#'))
    accel_core_expire_all(core, "change");
  else
    accel_core_invalidate_key(core, name_or_null, size);
}

/* The flag first, then the epoch: a fill that still saw the old flag took its gate before the epoch
 * rose, and is refused. Users see it last: what they store from then on stays. */
static void events_set_channel(accel_core *core, bool is_up)
{
  accel_probe_channel(core->area, is_up);
  accel_store_release(&core->is_channel_up, is_up);
  accel_invalidation_reset(&core->invalidation);
  accel_core_expire_all(core, "channel");
  if (accel_load_relaxed(&core->is_channel_reported) != is_up)
    accel_store_relaxed(&core->channel_changed_ms, accel_clock_wall_ms());
  accel_store_release(&core->is_channel_reported, is_up);
}

static void events_on_up(void *core)
{
  events_set_channel((accel_core *)core, true);
  accel_core_note_channel((accel_core *)core, true);
  accel_repair_revive(&((accel_core *)core)->repair);
  accel_core_repair_begin((accel_core *)core);
}

static void events_on_down(void *core)
{
  events_set_channel((accel_core *)core, false);
  accel_core_note_channel((accel_core *)core, false);
}

static bool events_on_heartbeat(void *core, uint32_t lane, accel_buffer *out)
{
  accel_repair_expire(&((accel_core *)core)->repair);
  accel_core_repair_begin((accel_core *)core); /* in case the executor had no room */
  return accel_invalidation_heartbeat(&((accel_core *)core)->invalidation, lane, out);
}

static void events_on_event(void *core, accel_remote_event event, uint32_t n)
{
  ACCEL_STATIC_ASSERT((int)ACCEL_COUNT_remote_oom + (int)ACCEL_REMOTE_RETRIED ==
                          (int)ACCEL_COUNT_remote_retried,
                      "counters follow the order of the events");
  const accel_counter counter = (accel_counter)(ACCEL_COUNT_remote_oom + (int)event);
  accel_stats_add(((accel_core *)core)->stats, counter, n);
}

accel_remote_area accel_core_remote_area(accel_core *core)
{
  const bool is_reported = core->config.log != NULL || core->config.observer != NULL;
  const accel_remote_area area = {
      core->area,
      !core->config.no_broadcast,
      {core, events_on_message, events_on_up, events_on_down, events_on_heartbeat, events_on_event},
      core->cache,
      events_on_changed,
      is_reported ? accel_core_on_remote_change : NULL};
  return area;
}
