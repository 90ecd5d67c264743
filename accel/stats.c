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

void accel_stats_values(const accel_stats *stats, uint64_t values[ACCEL_COUNTERS])
{
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) values[i] = accel_load_relaxed(&stats->counters[i]);
  for (size_t i = 0; i < ACCEL_THREAD_SLOTS; i++) {
    values[ACCEL_COUNT_local_hit] += accel_load_relaxed(&stats->lines[i].hit);
    values[ACCEL_COUNT_local_miss] += accel_load_relaxed(&stats->lines[i].miss);
  }
}

#define STATS_FIELD(field_, metric_, unit_, help_) out->field_ = values[ACCEL_COUNT_##field_];
void accel_stats_metrics(const uint64_t values[ACCEL_COUNTERS], accel_metrics *out)
{
  ACCEL_COUNTER_LIST_(STATS_FIELD)
}

#define STATS_NAME(field_, metric_, unit_, help_) "accelerator_cache_" metric_,
size_t accel_stats_points(const uint64_t values[ACCEL_COUNTERS], const char *area,
                          accel_otel_point *points, size_t capacity)
{
  static const char *const names[] = { ACCEL_COUNTER_LIST_(STATS_NAME) };
  for (size_t i = 0; i < ACCEL_COUNTERS && i < capacity; i++) {
    points[i].name = names[i];
    points[i].area = area;
    points[i].value = values[i];
  }
  return ACCEL_COUNTERS;
}
