#include "observation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- metrics ---- */

#define OBSERVATION_COUNTER(field_, metric_, unit_, help_) \
  {"accelerator_cache_" metric_, help_, unit_, ACCEL_FAMILY_COUNTER, false},
static const accel_family observation_counters[ACCEL_COUNTERS] = {
    ACCEL_COUNTER_LIST_(OBSERVATION_COUNTER)};

typedef struct observation_gauge {
  accel_family family;
  const char *field;
  accel_gauge_merge merge;
  accel_gauge_needs needs;
} observation_gauge;

#define OBSERVATION_GAUGE(field_, metric_, unit_, merge_, needs_, help_) \
  {{"accelerator_cache_" metric_, help_, unit_, ACCEL_FAMILY_GAUGE, false}, \
   #field_, \
   ACCEL_GAUGE_##merge_, \
   ACCEL_GAUGE_NEEDS_##needs_},
static const observation_gauge observation_gauges[ACCEL_GAUGES] = {
    ACCEL_GAUGE_LIST_(OBSERVATION_GAUGE)};

static const accel_family observation_info = {
    "accelerator_cache_info", "What the cache is; always 1.", "", ACCEL_FAMILY_GAUGE, false};
static const accel_family observation_start = {"accelerator_cache_start_time_seconds",
                                               "When counting began, since 1970.", "s",
                                               ACCEL_FAMILY_GAUGE, true};

/* Histograms of one family follow each other in the list. */
static const accel_family observation_load = {"accelerator_cache_load_duration_seconds",
                                              "One call of a loader, or of a wrapper's body.", "s",
                                              ACCEL_FAMILY_HISTOGRAM, false};
static const accel_family observation_remote = {"accelerator_cache_remote_duration_seconds",
                                                "One call to L2.", "s", ACCEL_FAMILY_HISTOGRAM,
                                                false};
static const accel_family observation_wait = {
    "accelerator_cache_wait_duration_seconds",
    "Waiting for a load of another thread, or for a lease of another process.", "s",
    ACCEL_FAMILY_HISTOGRAM, false};
static const accel_family observation_read = {"accelerator_cache_read_duration_seconds",
                                              "Reads that L1 did not answer.", "s",
                                              ACCEL_FAMILY_HISTOGRAM, false};

typedef struct observation_timed {
  const accel_family *family;
  accel_label label; /* name "": none */
} observation_timed;

#define OBSERVATION_TIMED(name_, family_, label_, value_) \
  {&observation_##family_, {label_, value_}},
static const observation_timed observation_times[ACCEL_TIMED_COUNT] = {
    ACCEL_TIMED_LIST_(OBSERVATION_TIMED)};

bool accel_observed_has_gauge(const accel_observed_cache *line, accel_gauge gauge)
{
  switch (observation_gauges[gauge].needs) {
    case ACCEL_GAUGE_NEEDS_LOCAL: return line->has_local;
    case ACCEL_GAUGE_NEEDS_REMOTE: return line->has_remote;
    case ACCEL_GAUGE_NEEDS_CHANNEL: return line->has_channel;
    case ACCEL_GAUGE_NEEDS_NOTHING: break;
  }
  return true;
}

const char *accel_observed_gauge_field(accel_gauge gauge)
{
  return observation_gauges[gauge].field;
}

bool accel_observed_gauge_is_flag(accel_gauge gauge)
{
  return observation_gauges[gauge].merge != ACCEL_GAUGE_SUM;
}

bool accel_observed_has_timed(const accel_observed_cache *line, accel_timed timed)
{
  const bool needs_remote =
      observation_times[timed].family == &observation_remote || timed == ACCEL_TIMED_wait_lease;
  return line->latencies != NULL && (line->has_remote || !needs_remote);
}

const char *accel_health_name(accel_health health)
{
  static const char *const names[] = {"ok", "degraded", "failed"};
  return names[health];
}

/* ---- filling ---- */

/* Room for one more in an array of `size` bytes each, zeroed. NULL: no memory. */
static void *observation_more(void *array, size_t size, size_t count, size_t *space)
{
  if (count < *space) return array;
  const size_t wanted = *space == 0 ? 4 : *space * 2;
  char *grown = (char *)ACCEL_REALLOC(array, wanted * size);
  if (grown == NULL) return NULL;
  memset(grown + *space * size, 0, (wanted - *space) * size);
  *space = wanted;
  return grown;
}

accel_observed_endpoint *accel_observation_endpoint(accel_observation *observation,
                                                    const char *endpoint)
{
  for (size_t i = 0; i < observation->endpoint_count; i++)
    if (strcmp(observation->endpoints[i].endpoint, endpoint) == 0)
      return &observation->endpoints[i];
  void *grown = observation_more(observation->endpoints, sizeof *observation->endpoints,
                                 observation->endpoint_count, &observation->endpoint_space);
  if (grown == NULL) return NULL;
  observation->endpoints = (accel_observed_endpoint *)grown;
  accel_observed_endpoint *added = &observation->endpoints[observation->endpoint_count++];
  snprintf(added->endpoint, sizeof added->endpoint, "%s", endpoint);
  added->breaker = "closed";
  return added;
}

static bool observation_same_label(const accel_label *a, const accel_label *b)
{
  if (a->name == NULL || b->name == NULL) return a->name == b->name;
  return strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0;
}

bool accel_observation_add(accel_observation *observation, const accel_family *family,
                           const accel_label *label_or_null, uint64_t started_ms, uint64_t value)
{
  const accel_label none = {NULL, NULL};
  const accel_label *label = label_or_null == NULL ? &none : label_or_null;
  for (size_t i = 0; i < observation->figure_count; i++) {
    accel_observed_figure *figure = &observation->figures[i];
    if (figure->family != family || !observation_same_label(&figure->label, label)) continue;
    figure->value += value;
    if (started_ms < figure->started_ms) figure->started_ms = started_ms;
    return true;
  }
  void *grown = observation_more(observation->figures, sizeof *observation->figures,
                                 observation->figure_count, &observation->figure_space);
  if (grown == NULL) return false;
  observation->figures = (accel_observed_figure *)grown;
  observation->figures[observation->figure_count++] =
      (accel_observed_figure){family, *label, started_ms, value};
  return true;
}

bool accel_observed_add_latencies(accel_observed_cache *line, const accel_latencies *latencies)
{
  if (line->latencies == NULL) line->latencies = accel_latencies_open();
  if (line->latencies == NULL) return false;
  for (size_t i = 0; i < ACCEL_TIMED_COUNT; i++)
    accel_histogram_add(&line->latencies->histograms[i], &latencies->histograms[i]);
  return true;
}

bool accel_observed_add_hot_key(accel_observed_cache *line, const accel_observed_hot_key *hot_key)
{
  size_t place = 0;
  while (place < line->hot_key_count && strcmp(line->hot_keys[place].key, hot_key->key) != 0)
    place++;
  if (line->hot_keys == NULL)
    line->hot_keys =
        (accel_observed_hot_key *)ACCEL_MALLOC(ACCEL_OBSERVED_HOT_KEYS * sizeof *line->hot_keys);
  if (line->hot_keys == NULL) return false;
  if (place < line->hot_key_count) {
    line->hot_keys[place].reads_per_s += hot_key->reads_per_s;
    line->hot_keys[place].at_least += hot_key->at_least;
  } else if (place < ACCEL_OBSERVED_HOT_KEYS) {
    line->hot_keys[line->hot_key_count++] = *hot_key;
  } else if (line->hot_keys[--place].reads_per_s < hot_key->reads_per_s) {
    line->hot_keys[place] = *hot_key;
  }
  const accel_observed_hot_key moved = line->hot_keys[place];
  for (; place > 0 && line->hot_keys[place - 1].reads_per_s < moved.reads_per_s; place--)
    line->hot_keys[place] = line->hot_keys[place - 1];
  line->hot_keys[place] = moved;
  return true;
}

void accel_observed_add_reason(accel_observed_cache *line, accel_health health, const char *format,
                               ...)
{
  if (health > line->health) line->health = health;
  if (line->reason_count == ACCEL_OBSERVED_REASONS) return;
  char *reason = line->reasons[line->reason_count];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason, ACCEL_OBSERVED_REASON_TEXT, format, arguments);
  va_end(arguments);
  for (size_t i = 0; i < line->reason_count; i++)
    if (strcmp(line->reasons[i], reason) == 0) return;
  line->reason_count++;
}

void accel_observed_add_gauge(accel_observed_cache *line, accel_gauge gauge, uint64_t value)
{
  uint64_t *total = &line->gauges[gauge];
  switch (observation_gauges[gauge].merge) {
    case ACCEL_GAUGE_SUM: *total += value; break;
    case ACCEL_GAUGE_ALL: *total = line->instances <= 1 ? value : *total & value; break;
    case ACCEL_GAUGE_ANY: *total |= value; break;
  }
}

void accel_observation_release(accel_observation *observation)
{
  for (size_t i = 0; i < observation->cache_count; i++) {
    accel_latencies_close(observation->caches[i].latencies);
    ACCEL_FREE(observation->caches[i].hot_keys);
  }
  ACCEL_FREE(observation->caches);
  ACCEL_FREE(observation->endpoints);
  ACCEL_FREE(observation->figures);
  memset(observation, 0, sizeof *observation);
}

/* ---- walking ---- */

typedef struct observation_walk {
  const accel_observation *observation;
  const accel_family_visitor *visitor;
  const accel_family *family; /* the last that was announced */
  bool goes_on;
} observation_walk;

static void observation_tell(observation_walk *walk, const accel_family *family,
                             const accel_sample *sample)
{
  const accel_family_visitor *visitor = walk->visitor;
  if (walk->goes_on && walk->family != family)
    walk->goes_on = visitor->family(visitor->ctx, family);
  walk->family = family;
  if (walk->goes_on) walk->goes_on = visitor->sample(visitor->ctx, family, sample);
}

static accel_label observation_area_label(const accel_observed_cache *line)
{
  const accel_label label = {"area", line->area};
  return label;
}

static void observation_tell_number(observation_walk *walk, const accel_family *family,
                                    const accel_observed_cache *line, uint64_t value)
{
  const accel_label label = observation_area_label(line);
  const accel_sample sample = {&label, 1, line->started_ms, value, NULL};
  observation_tell(walk, family, &sample);
}

static void observation_tell_info(observation_walk *walk, const accel_observed_cache *line)
{
  const accel_label labels[] = {observation_area_label(line),
                                {"mode", line->mode},
                                {"engine", line->engine},
                                {"policy", line->policy},
                                {"version", ACCEL_VERSION}};
  const accel_sample sample = {labels, sizeof labels / sizeof labels[0], line->started_ms, 1, NULL};
  observation_tell(walk, &observation_info, &sample);
}

static void observation_tell_times(observation_walk *walk, const accel_observed_cache *line,
                                   accel_timed timed)
{
  if (!accel_observed_has_timed(line, timed)) return;
  const observation_timed *kind = &observation_times[timed];
  const accel_label labels[] = {observation_area_label(line), kind->label};
  const accel_sample sample = {labels, kind->label.name[0] == '\0' ? 1u : 2u, line->started_ms, 0,
                               &line->latencies->histograms[timed]};
  observation_tell(walk, kind->family, &sample);
}

/* Samples of one family must follow each other, so this walks family by family, and in each cache
 * by cache. */
static void observation_walk_times(observation_walk *walk)
{
  const accel_observation *observation = walk->observation;
  for (size_t first = 0, end; first < ACCEL_TIMED_COUNT; first = end) {
    end = first + 1;
    while (end < ACCEL_TIMED_COUNT &&
           observation_times[end].family == observation_times[first].family)
      end++;
    for (size_t i = 0; i < observation->cache_count; i++)
      for (size_t timed = first; timed < end; timed++)
        observation_tell_times(walk, &observation->caches[i], (accel_timed)timed);
  }
}

static void observation_walk_caches(observation_walk *walk)
{
  const accel_observed_cache *caches = walk->observation->caches;
  const size_t count = walk->observation->cache_count;
  for (size_t counter = 0; counter < ACCEL_COUNTERS; counter++)
    for (size_t i = 0; i < count; i++)
      observation_tell_number(walk, &observation_counters[counter], &caches[i],
                              caches[i].counters[counter]);
  for (size_t gauge = 0; gauge < ACCEL_GAUGES; gauge++)
    for (size_t i = 0; i < count; i++)
      if (accel_observed_has_gauge(&caches[i], (accel_gauge)gauge))
        observation_tell_number(walk, &observation_gauges[gauge].family, &caches[i],
                                caches[i].gauges[gauge]);
  for (size_t i = 0; i < count; i++) observation_tell_info(walk, &caches[i]);
  for (size_t i = 0; i < count; i++)
    observation_tell_number(walk, &observation_start, &caches[i], caches[i].started_ms);
  observation_walk_times(walk);
}

/* ---- servers ---- */

static const accel_family observation_connections = {"accelerator_redis_connections",
                                                     "Connections to a server, by their state.",
                                                     "{connection}", ACCEL_FAMILY_GAUGE, false};
static const accel_family observation_breaker = {
    "accelerator_redis_breaker_open", "Whether calls to a server are answered without it.", "",
    ACCEL_FAMILY_GAUGE, false};
static const accel_family observation_in_flight = {"accelerator_redis_commands_in_flight",
                                                   "Commands whose replies are due.", "{command}",
                                                   ACCEL_FAMILY_GAUGE, false};
static const accel_family observation_reconnects = {
    "accelerator_redis_reconnects_total", "Connections that were made after the first one.",
    "{connection}", ACCEL_FAMILY_COUNTER, false};

static void observation_tell_endpoint(observation_walk *walk, const accel_family *family,
                                      const accel_observed_endpoint *endpoint, const char *state,
                                      uint64_t value)
{
  const accel_label labels[] = {{"endpoint", endpoint->endpoint}, {"state", state}};
  const accel_sample sample = {labels, state == NULL ? 1u : 2u, walk->observation->started_ms,
                               value, NULL};
  observation_tell(walk, family, &sample);
}

static void observation_walk_endpoints(observation_walk *walk)
{
  const accel_observed_endpoint *endpoints = walk->observation->endpoints;
  const size_t count = walk->observation->endpoint_count;
  for (size_t i = 0; i < count; i++) {
    const accel_observed_endpoint *each = &endpoints[i];
    observation_tell_endpoint(walk, &observation_connections, each, "ready", each->ready);
    observation_tell_endpoint(walk, &observation_connections, each, "connecting", each->connecting);
    observation_tell_endpoint(walk, &observation_connections, each, "down", each->down);
  }
  for (size_t i = 0; i < count; i++)
    observation_tell_endpoint(walk, &observation_breaker, &endpoints[i], NULL,
                              strcmp(endpoints[i].breaker, "closed") != 0);
  for (size_t i = 0; i < count; i++)
    observation_tell_endpoint(walk, &observation_in_flight, &endpoints[i], NULL,
                              endpoints[i].in_flight);
  for (size_t i = 0; i < count; i++)
    observation_tell_endpoint(walk, &observation_reconnects, &endpoints[i], NULL,
                              endpoints[i].reconnects);
}

/* ---- figures of other members ---- */

static void observation_walk_figures(observation_walk *walk)
{
  const accel_observed_figure *figures = walk->observation->figures;
  for (size_t i = 0; i < walk->observation->figure_count; i++) {
    const accel_family *family = figures[i].family;
    bool is_first = true;
    for (size_t before = 0; before < i; before++) is_first &= figures[before].family != family;
    for (size_t each = i; is_first && each < walk->observation->figure_count; each++) {
      const accel_observed_figure *figure = &figures[each];
      if (figure->family != family) continue;
      const accel_sample sample = {&figure->label, figure->label.name == NULL ? 0u : 1u,
                                   figure->started_ms, figure->value, NULL};
      observation_tell(walk, family, &sample);
    }
  }
}

bool accel_observation_walk(const accel_observation *observation,
                            const accel_family_visitor *visitor)
{
  observation_walk walk = {observation, visitor, NULL, true};
  observation_walk_caches(&walk);
  observation_walk_endpoints(&walk);
  observation_walk_figures(&walk);
  return walk.goes_on;
}
