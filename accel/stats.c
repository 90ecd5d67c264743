#include "stats.h"

#include <stdlib.h>
#include <string.h>

accel_stats *accel_stats_open(void)
{
  void *memory = ACCEL_MALLOC(sizeof(accel_stats) + ACCEL_CACHE_LINE);
  if (memory == NULL) return NULL;
  const uintptr_t start =
      ((uintptr_t)memory + ACCEL_CACHE_LINE - 1) & ~(uintptr_t)(ACCEL_CACHE_LINE - 1);
  accel_stats *stats = (accel_stats *)start;
  memset(stats, 0, sizeof *stats);
  stats->memory = memory;
  return stats;
}

void accel_stats_close(accel_stats *stats_or_null)
{
  if (stats_or_null != NULL) ACCEL_FREE(stats_or_null->memory);
}

void accel_stats_local(accel_stats *stats, uint64_t hits, uint64_t misses)
{
  const uint32_t slot = accel_thread_slot_acquire();
  accel_stats_line *line = &stats->lines[slot];
  if (slot == 0) {
    accel_add_relaxed(&line->hit, hits);
    accel_add_relaxed(&line->miss, misses);
    return;
  }
  accel_store_relaxed(&line->hit, line->hit + hits);
  accel_store_relaxed(&line->miss, line->miss + misses);
}

static uint64_t stats_value(const accel_stats *stats, accel_counter counter)
{
  uint64_t sum = accel_load_relaxed(&stats->counters[counter]);
  for (size_t i = 0; i < ACCEL_THREAD_SLOTS; i++) {
    if (counter == ACCEL_COUNT_local_hit) sum += accel_load_relaxed(&stats->lines[i].hit);
    if (counter == ACCEL_COUNT_local_miss) sum += accel_load_relaxed(&stats->lines[i].miss);
  }
  return sum;
}

#define STATS_FIELD(field_, metric_) out->field_ = stats_value(stats, ACCEL_COUNT_##field_);
void accel_stats_snapshot(const accel_stats *stats, accel_metrics *out)
{
  ACCEL_COUNTER_LIST_(STATS_FIELD)
}

#define STATS_NAME(field_, metric_) "accelerator_cache_" metric_,
size_t accel_stats_points(const accel_stats *stats, const char *area, accel_otel_point *points,
                          size_t capacity)
{
  static const char *const names[] = { ACCEL_COUNTER_LIST_(STATS_NAME) };
  for (size_t i = 0; i < ACCEL_COUNTERS && i < capacity; i++) {
    points[i].name = names[i];
    points[i].area = area;
    points[i].value = stats_value(stats, (accel_counter)i);
  }
  return ACCEL_COUNTERS;
}
