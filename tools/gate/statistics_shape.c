/* Densities and change points: what is drawn, and what is found in history. */
#include "statistics.h"

#include <math.h>
#include <string.h>

double gate_bandwidth(const double *values, size_t count)
{
  const double deviation = gate_deviation(values, count);
  if (!(deviation > 0)) return fmax(fabs(count > 0 ? values[0] : 0) * 1e-3, 1e-12);
  return deviation * pow(4.0 / (3.0 * (double)count), 0.2);
}

gate_density gate_kernel_density(gate_arena *arena, const double *values, size_t count,
                                 gate_interval range, size_t points)
{
  gate_density density = {.range = range, .count = points};
  density.heights = gate_take(arena, points, sizeof *density.heights);
  if (count == 0 || points < 2) return density;
  const double width = gate_bandwidth(values, count);
  const double step = (range.high - range.low) / (double)(points - 1);
  const double scale = 1 / ((double)count * width * sqrt(2 * acos(-1)));
  for (size_t i = 0; i < points; i++) {
    const double place = range.low + step * (double)i;
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
      const double distance = (place - values[j]) / width;
      sum += exp(-distance * distance / 2);
    }
    density.heights[i] = sum * scale;
  }
  return density;
}

/* ---- change points: E-divisive of Matteson and James, with exponent 1 ---- */

enum { SEGMENT_MIN = 5, PERMUTATIONS = 199, POINTS_MAX = 500 };

typedef struct split {
  size_t at;
  double strength;
} split;

/* The split of values[0, count) whose halves differ most. Distances within and across the halves
 * are carried along as the border moves, so that a pass takes count^2 steps. */
static split best_split(const double *values, size_t count)
{
  split best = {0, -INFINITY};
  double across = 0, left = 0, right = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t j = i + 1; j < count; j++) right += fabs(values[i] - values[j]);
  for (size_t at = 1; at + SEGMENT_MIN <= count; at++) {
    /* values[at - 1] changes sides. */
    double to_left = 0, to_right = 0;
    for (size_t i = 0; i + 1 < at; i++) to_left += fabs(values[i] - values[at - 1]);
    for (size_t i = at; i < count; i++) to_right += fabs(values[i] - values[at - 1]);
    left += to_left;
    right -= to_right;
    across += to_right - to_left;
    if (at < SEGMENT_MIN) continue;
    const double n = (double)at, m = (double)(count - at);
    const double energy =
        2 * across / (n * m) - left / (n * (n - 1) / 2) - right / (m * (m - 1) / 2);
    const double strength = energy * n * m / (n + m);
    if (strength > best.strength) best = (split){at, strength};
  }
  return best;
}

static bool is_beyond_chance(const double *values, size_t count, double strength, double *room,
                             gate_random *random)
{
  const size_t as_strong_max = PERMUTATIONS / 20; /* 5 % */
  size_t as_strong = 0;
  memcpy(room, values, count * sizeof *room);
  for (size_t i = 0; i < PERMUTATIONS && as_strong <= as_strong_max; i++) {
    for (size_t j = count - 1; j > 0; j--) {
      const size_t other = gate_random_below(random, (uint32_t)(j + 1));
      const double kept = room[j];
      room[j] = room[other];
      room[other] = kept;
    }
    as_strong += best_split(room, count).strength >= strength;
  }
  return (double)(as_strong + 1) / (PERMUTATIONS + 1) <= 0.05;
}

/* The strongest split of all segments, each between two known changes. */
static bool add_change(gate_arena *arena, gate_changes *found, const double *values, size_t count,
                       double *room, gate_random *random)
{
  size_t start = 0, segment_start = 0, segment_count = 0;
  split best = {0, -INFINITY};
  for (size_t i = 0; i <= found->count; i++) {
    const size_t end = i < found->count ? found->items[i] : count;
    if (end - start >= 2 * SEGMENT_MIN) {
      const split here = best_split(values + start, end - start);
      if (here.strength > best.strength) {
        best = here;
        segment_start = start;
        segment_count = end - start;
      }
    }
    start = end;
  }
  if (segment_count == 0) return false;
  if (!is_beyond_chance(values + segment_start, segment_count, best.strength, room, random))
    return false;
  found->items =
      gate_grow(arena, found->items, found->count, &found->capacity, sizeof *found->items);
  size_t place = found->count++;
  for (; place > 0 && found->items[place - 1] > segment_start + best.at; place--)
    found->items[place] = found->items[place - 1];
  found->items[place] = segment_start + best.at;
  return true;
}

gate_changes gate_change_points(gate_arena *arena, const double *values, size_t count,
                                uint64_t seed)
{
  const size_t skipped = count > POINTS_MAX ? count - POINTS_MAX : 0;
  gate_changes found = {0};
  gate_random random = gate_random_seeded(seed);
  double *room = gate_take(arena, count, sizeof *room);
  while (add_change(arena, &found, values + skipped, count - skipped, room, &random)) continue;
  for (size_t i = 0; i < found.count; i++) found.items[i] += skipped;
  return found;
}
