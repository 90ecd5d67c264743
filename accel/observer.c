#include "observer.h"

#include "error.h"
#include "observer_labels.h"
#include "observer_state.h"
#include "platform/fork.h"
#include "platform/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An area with open caches. */
typedef struct accel_observer_area {
  struct accel_observer_area *next;
  char name[65];
  uint32_t open; /* caches that have joined */
  uint64_t started_ms;
  size_t line; /* its index in the observation that is being filled */
  /* Sums of the caches that have left. */
  uint64_t counters[ACCEL_COUNTERS];
  accel_latencies *latencies;
} accel_observer_area;

typedef struct accel_observer_state {
  accel_opened opened;
  uint64_t fork_generation;
  uint64_t started_ms;
  bool shows_keys;
  accel_observer_labels labels;
  accel_mutex mutex; /* guards the lists; held while members are asked */
  bool is_closed;
  size_t holders; /* members that joined and are not released */
  accel_observer_member *members, *last_member;
  accel_observer_area *areas, *last_area;
  size_t area_count;
  accel_mutex errors_mutex;                           /* guards the errors; taken last */
  accel_observed_error errors[ACCEL_OBSERVED_ERRORS]; /* the newest first */
  size_t error_count;
} accel_observer_state;

static const char observer_kind; /* its address stands for an observer */

/* ---- open and close ---- */

static accel_status observer_open_state(accel_observer *observer, accel_observer_state *state,
                                        const accel_observer_config *config)
{
  const accel_status status =
      accel_observer_labels_open(&state->labels, config->extra_labels, observer);
  if (status != ACCEL_OK) return status;
  state->shows_keys = config->shows_keys;
  state->started_ms = accel_clock_wall_ms();
  state->fork_generation = accel_fork_generation();
  if (!accel_mutex_open(&state->mutex)) goto fail_mutex;
  if (!accel_mutex_open(&state->errors_mutex)) goto fail_errors;
  return ACCEL_OK;

fail_errors:
  accel_mutex_close(&state->mutex);
fail_mutex:
  accel_observer_labels_close(&state->labels);
  return accel_error_set(observer, ACCEL_ERR_NOMEM, "no memory to open the observer");
}

accel_status accel_observer_open(accel_observer *observer,
                                 const accel_observer_config *config_or_null)
{
  static const accel_observer_config defaults;
  if (observer == NULL) return accel_error_set(NULL, ACCEL_ERR_CONFIG, "observer is NULL");
  if (accel_opened_find(observer, &observer_kind) == ACCEL_OPENED_BY_US)
    return accel_error_set(observer, ACCEL_ERR_CONFIG,
                           "the observer is open already, and stays open; close it first");
  observer->state = NULL;
  accel_observer_state *state = (accel_observer_state *)ACCEL_MALLOC(sizeof *state);
  if (state == NULL)
    return accel_error_set(observer, ACCEL_ERR_NOMEM, "no memory to open the observer");
  memset(state, 0, sizeof *state);
  const accel_status status =
      observer_open_state(observer, state, config_or_null == NULL ? &defaults : config_or_null);
  if (status != ACCEL_OK) {
    ACCEL_FREE(state);
    return status;
  }
  accel_object_hold();
  accel_opened_add(&state->opened, observer, &observer_kind);
  observer->state = state;
  return ACCEL_OK;
}

static bool observer_is_foreign(const accel_observer_state *state)
{
  return state->fork_generation != accel_fork_generation();
}

/* In a forked child threads of the parent's may hold the mutexes for ever. */
static void observer_free(accel_observer_state *state)
{
  const bool is_foreign = observer_is_foreign(state);
  for (accel_observer_area *area = state->areas, *next; area != NULL; area = next) {
    next = area->next;
    accel_latencies_close(area->latencies);
    ACCEL_FREE(area);
  }
  if (!is_foreign) {
    accel_mutex_close(&state->errors_mutex);
    accel_mutex_close(&state->mutex);
  }
  accel_observer_labels_close(&state->labels);
  ACCEL_FREE(state);
  accel_object_release();
}

void accel_observer_close(accel_observer *observer)
{
  if (observer == NULL || observer->state == NULL) return;
  accel_observer_state *state = observer->state;
  observer->state = NULL;
  accel_opened_remove(&state->opened);
  bool is_last = observer_is_foreign(state);
  if (!is_last) {
    accel_mutex_lock(&state->mutex);
    state->is_closed = true;
    is_last = state->holders == 0;
    accel_mutex_unlock(&state->mutex);
  }
  if (is_last) observer_free(state);
}

const char *accel_observer_last_error(const accel_observer *observer)
{
  return accel_error_text(observer);
}

/* ---- members ---- */

/* With the mutex. NULL: no memory. */
static accel_observer_area *observer_join_area(accel_observer_state *state, const char *name)
{
  for (accel_observer_area *area = state->areas; area != NULL; area = area->next)
    if (strcmp(area->name, name) == 0) {
      area->open++;
      return area;
    }
  accel_observer_area *area = (accel_observer_area *)ACCEL_MALLOC(sizeof *area);
  if (area == NULL) return NULL;
  memset(area, 0, sizeof *area);
  snprintf(area->name, sizeof area->name, "%s", name);
  area->open = 1;
  area->started_ms = accel_clock_wall_ms();
  *(state->last_area == NULL ? &state->areas : &state->last_area->next) = area;
  state->last_area = area;
  state->area_count++;
  return area;
}

/* With the mutex, when the last cache of the area leaves. */
static void observer_remove_area(accel_observer_state *state, accel_observer_area *area)
{
  accel_observer_area *before = NULL;
  accel_observer_area **link = &state->areas;
  while (*link != area) {
    before = *link;
    link = &before->next;
  }
  *link = area->next;
  if (state->last_area == area) state->last_area = before;
  state->area_count--;
  accel_latencies_close(area->latencies);
  ACCEL_FREE(area);
}

accel_status accel_observer_join(accel_observer *observer, accel_observer_member *member,
                                 const char *area_or_null, const void *owner)
{
  const accel_opened_by by = accel_opened_find(observer, &observer_kind);
  if (by == ACCEL_OPENED_BY_NOBODY)
    return accel_error_set(
        owner, ACCEL_ERR_CONFIG,
        "observer is not an open accel_observer; call accel_observer_open first");
  if (by == ACCEL_OPENED_BY_PARENT)
    return accel_error_set(owner, ACCEL_ERR_CONFIG,
                           "observer was opened before the fork; open one in the child");
  accel_observer_state *state = observer->state;
  accel_mutex_lock(&state->mutex);
  accel_observer_area *area = NULL;
  if (area_or_null != NULL) area = observer_join_area(state, area_or_null);
  const bool has_joined = area_or_null == NULL || area != NULL;
  if (has_joined) {
    state->holders++;
    member->fork_generation = state->fork_generation;
    member->area = area;
    member->next = NULL;
    member->previous = state->last_member;
    *(state->last_member == NULL ? &state->members : &state->last_member->next) = member;
    state->last_member = member;
    accel_store_release(&member->state, state); /* from here on it may note errors */
  }
  accel_mutex_unlock(&state->mutex);
  if (has_joined) return ACCEL_OK;
  return accel_error_set(owner, ACCEL_ERR_NOMEM, "no memory to join the observer");
}

/* With the mutex. */
static void observer_keep_last(accel_observer_area *area, accel_observer_last *last)
{
  for (size_t i = 0; i < ACCEL_COUNTERS; i++) area->counters[i] += last->counters[i];
  if (last->latencies == NULL) return;
  if (area->latencies == NULL) {
    area->latencies = last->latencies;
    last->latencies = NULL;
    return;
  }
  for (size_t i = 0; i < ACCEL_TIMED_COUNT; i++)
    accel_histogram_add(&area->latencies->histograms[i], &last->latencies->histograms[i]);
}

/* With the mutex. */
static void observer_unlink(accel_observer_state *state, accel_observer_member *member)
{
  accel_observer_member *next = member->next, *previous = member->previous;
  *(next == NULL ? &state->last_member : &next->previous) = previous;
  *(previous == NULL ? &state->members : &previous->next) = next;
}

/* NULL: it has not joined, or a parent process has. */
static accel_observer_state *observer_of(const accel_observer_member *member)
{
  accel_observer_state *state = accel_load_acquire(&member->state);
  return state != NULL && member->fork_generation == accel_fork_generation() ? state : NULL;
}

void accel_observer_leave(accel_observer_member *member, accel_observer_last *last_or_null)
{
  accel_observer_state *state = observer_of(member);
  if (state != NULL) {
    accel_observer_area *area = member->area;
    accel_mutex_lock(&state->mutex);
    observer_unlink(state, member);
    if (area != NULL && --area->open == 0)
      observer_remove_area(state, area);
    else if (area != NULL && last_or_null != NULL)
      observer_keep_last(area, last_or_null);
    accel_mutex_unlock(&state->mutex);
  }
  if (last_or_null != NULL) accel_latencies_close(last_or_null->latencies);
}

void accel_observer_release(accel_observer_member *member)
{
  accel_observer_state *state = observer_of(member);
  if (state == NULL) return;
  accel_store_relaxed(&member->state, (accel_observer_state *)NULL);
  accel_mutex_lock(&state->mutex);
  state->holders--;
  const bool is_over = state->is_closed && state->holders == 0;
  accel_mutex_unlock(&state->mutex);
  if (is_over) observer_free(state);
}

/* ---- errors ---- */

/* How many digits a time in milliseconds has that begins here; 0: none begins. */
static size_t observer_time_digits(const char *text)
{
  const size_t digits = strspn(text, "0123456789");
  return strncmp(text + digits, " ms", 3) == 0 ? digits : 0;
}

/* Whether two texts differ in nothing but times, as "no reply within 51 ms" and "... 52 ms" do. */
static bool observer_is_same_text(const char *a, const char *b)
{
  while (*a != '\0' && *b != '\0') {
    const size_t a_digits = observer_time_digits(a), b_digits = observer_time_digits(b);
    if (a_digits == 0 || b_digits == 0) {
      if (*a++ != *b++) return false;
      continue;
    }
    a += a_digits;
    b += b_digits;
  }
  return *a == *b;
}

/* With the errors' mutex: makes the entry of this failure the newest one, and returns it. A failure
 * that was noted before moves there, so that one that repeats does not drive the others out. */
static accel_observed_error *observer_newest_error(accel_observer_state *state, const char *area,
                                                   const char *text)
{
  accel_observed_error *errors = state->errors, moved;
  size_t place = 0;
  while (place < state->error_count && (strcmp(errors[place].area, area) != 0 ||
                                        !observer_is_same_text(errors[place].text, text)))
    place++;
  if (place == state->error_count) {
    if (state->error_count < ACCEL_OBSERVED_ERRORS) state->error_count++;
    place = state->error_count - 1;
    snprintf(errors[place].area, sizeof errors[place].area, "%s", area);
  }
  snprintf(errors[place].text, sizeof errors[place].text, "%s", text);
  moved = errors[place];
  memmove(errors + 1, errors, place * sizeof *errors);
  errors[0] = moved;
  return &errors[0];
}

void accel_observer_note_error(const accel_observer_member *member, const char *area,
                               const char *text)
{
  accel_observer_state *state = observer_of(member);
  if (state == NULL) return;
  if (!accel_mutex_try_lock(&state->errors_mutex)) return; /* another failure is being noted */
  char cut[ACCEL_OBSERVED_ERROR_TEXT];
  snprintf(cut, sizeof cut, "%s", text);
  observer_newest_error(state, area, cut)->time_ms = accel_clock_wall_ms();
  accel_mutex_unlock(&state->errors_mutex);
}

bool accel_observer_shows_keys(const accel_observer_member *member)
{
  const accel_observer_state *state = observer_of(member);
  return state != NULL && state->shows_keys;
}

static void observer_copy_errors(accel_observer_state *state, accel_observation *out)
{
  accel_mutex_lock(&state->errors_mutex);
  out->error_count = state->error_count;
  memcpy(out->errors, state->errors, sizeof out->errors);
  accel_mutex_unlock(&state->errors_mutex);
}

/* ---- observing ---- */

/* With the mutex: a line per area, with what the closed caches of it have left. */
static bool observer_open_lines(accel_observer_state *state, accel_observation *out)
{
  if (state->area_count == 0) return true;
  out->caches = (accel_observed_cache *)ACCEL_MALLOC(state->area_count * sizeof *out->caches);
  if (out->caches == NULL) return false;
  memset(out->caches, 0, state->area_count * sizeof *out->caches);
  for (accel_observer_area *area = state->areas; area != NULL; area = area->next) {
    area->line = out->cache_count++;
    accel_observed_cache *line = &out->caches[area->line];
    memcpy(line->area, area->name, sizeof line->area);
    memcpy(line->counters, area->counters, sizeof line->counters);
    line->started_ms = area->started_ms;
    line->mode = line->engine = line->policy = "";
    if (area->latencies != NULL && !accel_observed_add_latencies(line, area->latencies))
      return false;
  }
  return true;
}

/* With the mutex. */
static bool observer_fill(accel_observer_state *state, accel_observation *out)
{
  if (!observer_open_lines(state, out)) return false;
  for (accel_observer_member *each = state->members; each != NULL; each = each->next) {
    accel_observed_cache *line = each->area == NULL ? NULL : &out->caches[each->area->line];
    if (line != NULL) line->instances++;
    if (!each->observe(each->ctx, out, line)) return false;
  }
  for (size_t i = 0; i < out->cache_count; i++)
    if (out->caches[i].health > out->health) out->health = out->caches[i].health;
  observer_copy_errors(state, out);
  return true;
}

static accel_status observer_observe(accel_observer *observer, bool has_hot_keys,
                                     accel_observation *out)
{
  memset(out, 0, sizeof *out);
  if (accel_opened_find(observer, &observer_kind) != ACCEL_OPENED_BY_US)
    return accel_error_set(observer, ACCEL_ERR_CLOSED, "the observer is not open");
  accel_observer_state *state = observer->state;
  out->time_ms = accel_clock_wall_ms();
  out->started_ms = state->started_ms;
  out->shows_keys = state->shows_keys;
  out->has_hot_keys = has_hot_keys;
  out->labels = state->labels.labels;
  out->label_count = state->labels.count;
  accel_cancel_hold();
  accel_mutex_lock(&state->mutex);
  const bool is_whole = observer_fill(state, out);
  accel_mutex_unlock(&state->mutex);
  accel_cancel_release();
  if (is_whole) return ACCEL_OK;
  accel_observation_release(out);
  return accel_error_set(observer, ACCEL_ERR_NOMEM, "no memory to observe the caches");
}

accel_status accel_observer_observe(accel_observer *observer, accel_observation *out)
{
  return observer_observe(observer, false, out);
}

accel_status accel_observer_observe_all(accel_observer *observer, accel_observation *out)
{
  return observer_observe(observer, true, out);
}
