#include "stats.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* ---- tallies ---- */

/* From 1 to twice the mean less one, at random, so that samples do not follow a pattern in a
 * program's reads. */
static uint64_t stats_draw_gap(const accel_stats *stats, const accel_tally *tally, uint64_t count)
{
  const uint64_t place = (uint64_t)((const char *)tally - (const char *)stats);
  return 1 + accel_hash_mixed(accel_hash_mixed(place + 1) ^ count) % (2 * stats->gap - 1);
}

/* Every step leaves a tally that reads as `count` (stats_read). */
static void stats_begin_gap(const accel_stats *stats, accel_tally *tally, uint64_t count)
{
  const uint64_t gap = stats_draw_gap(stats, tally, count);
  accel_store_release(&tally->between, count);
  accel_store_release(&tally->now, (uint64_t)0);
  accel_store_release(&tally->before, count + gap);
  accel_store_release(&tally->now, 0 - gap);
}

/* By the owner. True: a gap ended, and one of those counted is a sample. */
static bool stats_count(const accel_stats *stats, accel_tally *tally, uint64_t count)
{
  const uint64_t now = accel_load_relaxed(&tally->now);
  uint64_t next;
  if (!__builtin_add_overflow(now, count, &next)) {
    accel_store_release(&tally->now, next);
    return false;
  }
  stats_begin_gap(stats, tally, accel_load_relaxed(&tally->before) + now + count);
  return true;
}

/* `before` changes once a gap, so what was read while it did not belongs together. */
static uint64_t stats_read(const accel_tally *tally)
{
  for (;;) {
    const uint64_t before = accel_load_acquire(&tally->before);
    const uint64_t now = accel_load_acquire(&tally->now);
    const uint64_t between = accel_load_acquire(&tally->between);
    if (accel_load_acquire(&tally->before) == before) return now == 0 ? between : before + now;
  }
}

static void stats_open_line(const accel_stats *stats, accel_stats_line *line)
{
  accel_tally *tallies[2] = {&line->hit, &line->miss};
  for (size_t i = 0; i < 2; i++) {
    if (line == stats->lines) { /* always due; the two add up to 0 */
      tallies[i]->now = UINT64_MAX;
      tallies[i]->before = 1;
    } else if (stats->gap > 0) {
      stats_begin_gap(stats, tallies[i], 0);
    }
  }
}

/* ---- counters ---- */

accel_stats *accel_stats_open(uint32_t gap)
{
  void *memory = ACCEL_MALLOC(sizeof(accel_stats) + ACCEL_CACHE_LINE);
  if (memory == NULL) return NULL;
  const uintptr_t start =
      ((uintptr_t)memory + ACCEL_CACHE_LINE - 1) & ~(uintptr_t)(ACCEL_CACHE_LINE - 1);
  accel_stats *stats = (accel_stats *)start;
  memset(stats, 0, sizeof *stats);
  stats->memory = memory;
  stats->gap = gap;
  for (size_t i = 0; i < ACCEL_THREAD_SLOTS; i++) stats_open_line(stats, &stats->lines[i]);
  return stats;
}

void accel_stats_close(accel_stats *stats_or_null)
{
  if (stats_or_null != NULL) ACCEL_FREE(stats_or_null->memory);
}

bool accel_stats_local(accel_stats *stats, uint64_t hits, uint64_t misses)
{
  const uint32_t slot = accel_thread_slot_acquire();
  accel_stats_line *line = &stats->lines[slot];
  if (slot == 0) {
    accel_add_relaxed(&line->hit.before, hits);
    accel_add_relaxed(&line->miss.before, misses);
    return false;
  }
  const bool has_hit_sample = stats_count(stats, &line->hit, hits);
  return stats_count(stats, &line->miss, misses) || has_hit_sample;
}

void accel_stats_values(const accel_stats *stats, uint64_t values[ACCEL_COUNTERS])
{
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) values[i] = accel_load_relaxed(&stats->counters[i]);
  for (size_t i = 0; i < ACCEL_THREAD_SLOTS; i++) {
    values[ACCEL_COUNT_local_hit] += stats_read(&stats->lines[i].hit);
    values[ACCEL_COUNT_local_miss] += stats_read(&stats->lines[i].miss);
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
