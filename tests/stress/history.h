/* history.h: whether what threads saw of one key can be explained by operations that happened one
 * after another, each at some moment between its call and its return (linearizability).
 *
 * The search is Wing and Gong's: take any operation that was called before all remaining ones
 * returned, see whether its answer fits, go on with the rest; with Lowe's memory of what was tried:
 * the set of operations taken and the state of the key. Keys are independent, so that each is
 * checked by itself. (Wing, Gong, "Testing and verifying concurrent objects", 1993; Lowe, "Testing
 * for linearizability", 2016.)
 */
#ifndef STRESS_HISTORY_H
#define STRESS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_EVENTS_MAX 64u
#define HISTORY_MEMORY (1u << 14)

/* What a key is: absent, known not to exist, or a version. */
#define HISTORY_ABSENT 0u
#define HISTORY_NULL 1u
#define HISTORY_VERSION_MIN 2u

typedef struct history_event {
  uint64_t begin, end; /* moments, all different */
  bool is_read;
  uint16_t state; /* what a read saw, what a write left */
} history_event;

typedef struct history_search {
  const history_event *events;
  size_t count;
  bool may_evict; /* a key may become absent at any moment */
  uint32_t round; /* of the memory, so that it need not be emptied */
  uint64_t taken[HISTORY_MEMORY];
  uint32_t rounds[HISTORY_MEMORY];
  uint16_t states[HISTORY_MEMORY];
} history_search;

/* True the first time for this set and state; a full memory forgets, which costs time only. */
static bool history_is_new(history_search *search, uint64_t taken, uint16_t state)
{
  uint64_t at = (taken * 0x9E3779B97F4A7C15u + state * 0xC2B2AE3D27D4EB4Fu) >> 32;
  for (unsigned tries = 0; tries < 16; tries++, at++) {
    const size_t place = at % HISTORY_MEMORY;
    if (search->rounds[place] != search->round) {
      search->rounds[place] = search->round;
      search->taken[place] = taken;
      search->states[place] = state;
      return true;
    }
    if (search->taken[place] == taken && search->states[place] == state) return false;
  }
  return true;
}

/* Whether the event fits the state, and which state follows. */
static bool history_fits(const history_search *search, const history_event *event, uint16_t state,
                         uint16_t *after)
{
  *after = event->state;
  if (!event->is_read || event->state == state) return true;
  return event->state == HISTORY_ABSENT && search->may_evict;
}

static bool history_search_from(history_search *search, uint64_t taken, uint16_t state)
{
  uint64_t first_end = UINT64_MAX;
  for (size_t i = 0; i < search->count; i++)
    if ((taken >> i & 1) == 0 && search->events[i].end < first_end)
      first_end = search->events[i].end;
  if (first_end == UINT64_MAX) return true; /* all are taken */
  if (!history_is_new(search, taken, state)) return false;
  for (size_t i = 0; i < search->count; i++) {
    uint16_t after;
    const history_event *event = &search->events[i];
    if ((taken >> i & 1) != 0 || event->begin > first_end) continue;
    if (!history_fits(search, event, state, &after)) continue;
    if (history_search_from(search, taken | (uint64_t)1 << i, after)) return true;
  }
  return false;
}

/* Whether the events of one key, absent before, have an order. */
static bool history_is_linearizable(const history_event *events, size_t count, bool may_evict)
{
  static history_search search;
  search.events = events;
  search.count = count;
  search.may_evict = may_evict;
  search.round++;
  return history_search_from(&search, 0, HISTORY_ABSENT);
}

#endif
