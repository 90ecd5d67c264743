#include "hot.h"

#include "hash.h"
#include "platform/thread.h"

#include <stdlib.h>
#include <string.h>

#define HOT_WAYS 16u
#define HOT_TEXT_MAX 24u
#define HOT_TEXT_IS_LONG (HOT_TEXT_MAX + 1) /* the place of a text begins with its size, or this */

/* A place. Free: count 0. */
typedef struct hot_place {
  uint64_t hash, count, error;
} hot_place;

/* What was counted in one window: the places, and behind them a key for each. */
typedef struct hot_table {
  hot_place *places;
  char *keys;
} hot_table;

struct accel_hot {
  const accel_type *type;
  accel_mutex mutex; /* guards what follows */
  size_t place_count, key_stride;
  uint64_t window_ms, began_ms; /* of the window that is being counted */
  bool has_last;                /* a window is complete */
  hot_table now, last;
};

/* ---- open and close ---- */

static size_t hot_key_stride(const accel_type *type)
{
  if (type->key_kind == ACCEL_KEY_STRING) return 1 + HOT_TEXT_MAX + 1;
  return accel_align_up(type->key_size, accel_type_key_align(type));
}

/* Allocates once: the places of the running window and of the last one, then their keys. */
accel_hot *accel_hot_open(const accel_type *type, uint32_t slots, uint32_t window_ms,
                          uint64_t now_ms)
{
  const size_t places = accel_align_up(slots, HOT_WAYS);
  const size_t stride = hot_key_stride(type);
  const size_t places_size = accel_align_up(2 * places * sizeof(hot_place), ACCEL_ALIGN_MAX);
  const size_t head_size = accel_align_up(sizeof(accel_hot), ACCEL_ALIGN_MAX);
  const size_t size = head_size + places_size + 2 * places * stride + ACCEL_ALIGN_MAX;
  accel_hot *hot = (accel_hot *)ACCEL_MALLOC(size);
  if (hot == NULL) return NULL;
  memset(hot, 0, size);
  if (!accel_mutex_open(&hot->mutex)) {
    ACCEL_FREE(hot);
    return NULL;
  }
  char *start = accel_align_pointer((char *)hot + sizeof *hot, ACCEL_ALIGN_MAX);
  hot->type = type;
  hot->place_count = places;
  hot->key_stride = stride;
  hot->window_ms = window_ms;
  hot->began_ms = now_ms;
  hot->now.places = (hot_place *)(void *)start;
  hot->last.places = hot->now.places + places;
  hot->now.keys = start + places_size;
  hot->last.keys = hot->now.keys + places * stride;
  return hot;
}

void accel_hot_close(accel_hot *hot_or_null, bool is_child)
{
  if (hot_or_null == NULL) return;
  if (!is_child) accel_mutex_close(&hot_or_null->mutex);
  ACCEL_FREE(hot_or_null);
}

/* ---- counting; the caller holds the mutex ---- */

static void hot_empty(const accel_hot *hot, const hot_table *table)
{
  memset(table->places, 0, hot->place_count * sizeof *table->places);
}

/* Ends the windows that are over. If several are, nothing was read in the last of them. */
static void hot_turn(accel_hot *hot, uint64_t now_ms)
{
  const uint64_t over = (now_ms - hot->began_ms) / hot->window_ms;
  if (now_ms < hot->began_ms || over == 0) return;
  const hot_table ended = hot->now;
  hot->now = hot->last;
  hot->last = ended;
  if (over > 1) hot_empty(hot, &hot->last);
  hot_empty(hot, &hot->now);
  hot->began_ms += over * hot->window_ms;
  hot->has_last = true;
}

static char *hot_key_at(const accel_hot *hot, const hot_table *table, size_t place)
{
  return table->keys + place * hot->key_stride;
}

static void hot_put_key(const accel_hot *hot, char *to, const void *key)
{
  if (hot->type->key_kind != ACCEL_KEY_STRING) {
    memcpy(to, key, hot->type->key_size);
    return;
  }
  const char *text = *(const char *const *)key;
  const size_t size = strnlen(text, HOT_TEXT_IS_LONG);
  to[0] = (char)size;
  if (size == HOT_TEXT_IS_LONG) return;
  memcpy(to + 1, text, size);
  to[1 + size] = '\0';
}

/* The hash is equal. It is all that is known of a long string key. */
static bool hot_is_key(const accel_hot *hot, const char *kept, const void *key)
{
  if (hot->type->key_kind != ACCEL_KEY_STRING) return hot->type->equal(kept, key);
  const char *text = kept + 1;
  return kept[0] == (char)HOT_TEXT_IS_LONG
             ? strnlen(*(const char *const *)key, HOT_TEXT_IS_LONG) == HOT_TEXT_IS_LONG
             : hot->type->equal(&text, key);
}

/* True: the key's place in the set. False: the place that it is to take. */
static bool hot_find(const accel_hot *hot, size_t first, const void *key, uint64_t hash,
                     size_t *place)
{
  const hot_place *places = hot->now.places;
  size_t least = first;
  for (*place = first; *place < first + HOT_WAYS; ++*place) {
    const hot_place *one = &places[*place];
    if (one->count > 0 && one->hash == hash &&
        hot_is_key(hot, hot_key_at(hot, &hot->now, *place), key))
      return true;
    if (one->count < places[least].count) least = *place;
  }
  *place = least;
  return false;
}

static void hot_count(const accel_hot *hot, const void *key, uint64_t hash)
{
  const size_t sets = hot->place_count / HOT_WAYS;
  const uint64_t mixed = accel_hash_mixed(hash); /* a user's hash may be poor in some bits */
  const size_t first = (size_t)((mixed >> 32) * sets >> 32) * HOT_WAYS;
  size_t i;
  const bool is_known = hot_find(hot, first, key, hash, &i);
  hot_place *place = &hot->now.places[i];
  place->count++;
  if (is_known) return;
  place->error = place->count - 1;
  place->hash = hash;
  hot_put_key(hot, hot_key_at(hot, &hot->now, i), key);
}

void accel_hot_add(accel_hot *hot, const void *key, uint64_t hash, uint64_t now_ms)
{
  if (!accel_mutex_try_lock(&hot->mutex)) return;
  hot_turn(hot, now_ms);
  hot_count(hot, key, hash);
  accel_mutex_unlock(&hot->mutex);
}

/* ---- reporting ---- */

static int hot_compare(const void *a, const void *b)
{
  const uint64_t first = ((const accel_hot_seen *)a)->samples;
  const uint64_t second = ((const accel_hot_seen *)b)->samples;
  return first < second ? 1 : first > second ? -1 : 0;
}

/* Copies the key behind the list. A string key is a pointer to a copy of its text. */
static const void *hot_copy_key(const accel_hot *hot, const char *kept, char *to, char **text_to)
{
  if (hot->type->key_kind != ACCEL_KEY_STRING) return memcpy(to, kept, hot->type->key_size);
  if (kept[0] == (char)HOT_TEXT_IS_LONG) return NULL;
  *text_to = to;
  memcpy(to, kept + 1, (size_t)kept[0] + 1);
  return text_to;
}

static void hot_list(const accel_hot *hot, const hot_table *table, accel_hot_report *report,
                     char *keys, char **texts)
{
  for (size_t i = 0; i < hot->place_count; i++) {
    const hot_place *place = &table->places[i];
    if (place->count <= place->error) continue;
    accel_hot_seen *seen = &report->seen[report->count];
    char *key = keys + report->count * hot->key_stride;
    seen->key = hot_copy_key(hot, hot_key_at(hot, table, i), key, &texts[report->count]);
    seen->hash = place->hash;
    seen->samples = place->count - place->error;
    report->count++;
  }
}

bool accel_hot_report_open(accel_hot *hot, uint64_t now_ms, accel_hot_report *report)
{
  const size_t places = hot->place_count;
  const size_t head = places * (sizeof *report->seen + sizeof(char *));
  memset(report, 0, sizeof *report);
  report->memory = ACCEL_MALLOC(head + places * hot->key_stride + ACCEL_ALIGN_MAX);
  if (report->memory == NULL) return false;
  report->seen = (accel_hot_seen *)report->memory;
  char **texts = (char **)(void *)(report->seen + places);
  char *keys = accel_align_pointer(texts + places, ACCEL_ALIGN_MAX);
  accel_mutex_lock(&hot->mutex);
  hot_turn(hot, now_ms);
  const uint64_t running_ms = now_ms > hot->began_ms ? now_ms - hot->began_ms : 1;
  report->window_ms = hot->has_last ? hot->window_ms : running_ms;
  hot_list(hot, hot->has_last ? &hot->last : &hot->now, report, keys, texts);
  accel_mutex_unlock(&hot->mutex);
  qsort(report->seen, report->count, sizeof *report->seen, hot_compare);
  return true;
}

void accel_hot_report_close(accel_hot_report *report)
{
  ACCEL_FREE(report->memory);
  memset(report, 0, sizeof *report);
}
