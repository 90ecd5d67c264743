/* cache_changes.h: changes of state for the log: servers, channel, repairs (layer 4, private). */
#ifndef ACCEL_CACHE_CHANGES_H
#define ACCEL_CACHE_CHANGES_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* For accel_remote_area. */
void accel_core_on_remote_change(void *core, const accel_remote_news *change);
/* Notes that the channel came up or went down, unless that was noted last, as by CHANNEL_LOST. */
void accel_core_note_channel(accel_core *core, bool is_up);

typedef enum core_repair_change {
  CORE_REPAIR_BEGUN,
  CORE_REPAIR_OVERFLOWED,
  CORE_REPAIR_DONE,
  CORE_REPAIR_LEFT
} core_repair_change;

/* With work_mutex, so that they come in order. */
void accel_core_note_repair(accel_core *core, core_repair_change change);

ACCEL_EXTERN_C_END
#endif
