/* cache_news.h: notes changes around a cache for the log, which another thread tells (layer 4,
 * private).
 */
#ifndef ACCEL_CACHE_NEWS_H
#define ACCEL_CACHE_NEWS_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* For accel_remote_area. */
void accel_core_hear_news(void *core, const accel_remote_news *news);
/* After CHANNEL_LOST of the same fall nothing is noted. */
void accel_core_note_channel(accel_core *core, bool is_up);

typedef enum core_repair_news {
  CORE_REPAIR_BEGUN,
  CORE_REPAIR_OVERFLOWED,
  CORE_REPAIR_DONE,
  CORE_REPAIR_LEFT
} core_repair_news;

/* With work_mutex, so that they come in order. */
void accel_core_note_repair(accel_core *core, core_repair_news news);

ACCEL_EXTERN_C_END
#endif
