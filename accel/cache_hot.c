#include "cache_hot.h"

#include "codec.h"
#include "hot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool accel_core_hot_open(accel_core *core)
{
  const accel_config *config = &core->config;
  if (config->hot_keys == 0) return true;
  core->hot =
      accel_hot_open(core->type, config->hot_keys, config->hot_key_window_ms, accel_core_now(core));
  if (core->hot != NULL) return true;
  accel_error_set(core->cache, ACCEL_ERR_NOMEM, "no memory to watch %u hot keys",
                  (unsigned)config->hot_keys);
  return false;
}

void accel_core_hot_sample(accel_core *core, const void *key, uint64_t hash, bool is_hit)
{
  if (is_hit) accel_probe_hit_sample(core->area, hash);
  if (core->hot != NULL) accel_hot_add(core->hot, key, hash, accel_core_now(core));
}

/* ---- long string keys, of which only the hash is known: L1 may have them ---- */

typedef struct hot_search {
  const accel_core *core;
  const accel_hot_report *report;
  char **texts;   /* of each key of the report; NULL: not found */
  size_t missing; /* texts that are not found yet */
} hot_search;

static bool hot_visit(void *search_pointer, const void *key, const void *value)
{
  hot_search *search = (hot_search *)search_pointer;
  const char *text = *(const char *const *)key;
  const uint64_t hash = accel_core_hash(search->core, key);
  (void)value;
  for (size_t i = 0; i < search->report->count; i++) {
    const accel_hot_seen *seen = &search->report->seen[i];
    if (seen->key != NULL || seen->hash != hash || search->texts[i] != NULL) continue;
    const size_t size = strlen(text) + 1;
    search->texts[i] = (char *)ACCEL_MALLOC(size);
    if (search->texts[i] == NULL) return false;
    memcpy(search->texts[i], text, size);
    return --search->missing > 0;
  }
  return true;
}

/* A report, with the texts of keys that are kept as hashes. */
typedef struct hot_listing {
  accel_hot_report report;
  char **texts; /* NULL: there are none */
} hot_listing;

static void hot_look_up(accel_core *core, hot_listing *listing)
{
  hot_search search = {.core = core, .report = &listing->report};
  for (size_t i = 0; i < listing->report.count; i++)
    search.missing += listing->report.seen[i].key == NULL;
  if (search.missing == 0 || core->local == NULL) return;
  listing->texts = (char **)ACCEL_MALLOC(listing->report.count * sizeof(char *));
  if (listing->texts == NULL) return;
  memset(listing->texts, 0, listing->report.count * sizeof(char *));
  search.texts = listing->texts;
  core->local_ops->each(core->local, core->type, hot_visit, &search);
}

static bool hot_open_listing(accel_core *core, hot_listing *listing)
{
  listing->texts = NULL;
  return accel_hot_report_open(core->hot, accel_core_now(core), &listing->report);
}

static void hot_close_listing(hot_listing *listing)
{
  for (size_t i = 0; i < listing->report.count && listing->texts != NULL; i++)
    ACCEL_FREE(listing->texts[i]);
  ACCEL_FREE(listing->texts);
  accel_hot_report_close(&listing->report);
}

/* The i-th key; NULL: only its hash is known. */
static const void *hot_key(const hot_listing *listing, size_t i)
{
  if (listing->report.seen[i].key != NULL) return listing->report.seen[i].key;
  return listing->texts == NULL || listing->texts[i] == NULL ? NULL : &listing->texts[i];
}

static uint64_t hot_reads(const hot_listing *listing, size_t i)
{
  return listing->report.seen[i].samples * ACCEL_HOT_GAP;
}

static double hot_reads_per_s(const hot_listing *listing, size_t i)
{
  return (double)hot_reads(listing, i) * 1000.0 / (double)listing->report.window_ms;
}

/* ---- for users ---- */

/* Where the fields of a user's struct lie: { K key; double reads_per_s; uint64_t at_least; }. */
typedef struct hot_layout {
  size_t rate, reads, size;
} hot_layout;

static hot_layout hot_layout_of(const accel_type *type)
{
  hot_layout layout;
  layout.rate = accel_align_up(type->key_size, sizeof(double));
  layout.reads = layout.rate + sizeof(double);
  layout.size = accel_align_up(layout.reads + sizeof(uint64_t), accel_type_key_align(type));
  return layout;
}

/* String keys live in the thread's scratch, one behind the other. False: no memory. */
static bool hot_move_texts(const accel_type *type, const hot_layout *layout, char *out,
                           size_t count)
{
  size_t size = 0;
  if (type->key_kind != ACCEL_KEY_STRING || count == 0) return true;
  for (size_t i = 0; i < count; i++) size += strlen(*(char **)(void *)(out + i * layout->size)) + 1;
  char *next = (char *)accel_thread_scratch(size);
  for (size_t i = 0; i < count && next != NULL; i++) {
    char **key = (char **)(void *)(out + i * layout->size);
    const size_t length = strlen(*key) + 1;
    *key = (char *)memcpy(next, *key, length);
    next += length;
  }
  return next != NULL;
}

static size_t hot_write(const accel_type *type, const hot_listing *listing, char *out, size_t count)
{
  const hot_layout layout = hot_layout_of(type);
  size_t written = 0;
  for (size_t i = 0; i < listing->report.count && written < count; i++) {
    const void *key = hot_key(listing, i);
    if (key == NULL) continue;
    char *to = out + written++ * layout.size;
    const double rate = hot_reads_per_s(listing, i);
    const uint64_t reads = hot_reads(listing, i);
    memcpy(to, key, type->key_size);
    memcpy(to + layout.rate, &rate, sizeof rate);
    memcpy(to + layout.reads, &reads, sizeof reads);
  }
  return hot_move_texts(type, &layout, out, written) ? written : 0;
}

size_t accel_cache_hot_keys(accel_cache *cache, const accel_type *type, void *out, size_t count)
{
  accel_status status;
  hot_listing listing;
  accel_core *core = accel_core_of(cache, &status);
  if (core == NULL || core->hot == NULL || out == NULL || count == 0) return 0;
  accel_cancel_hold();
  size_t written = 0;
  if (hot_open_listing(core, &listing)) {
    hot_look_up(core, &listing);
    written = hot_write(type, &listing, (char *)out, count);
    hot_close_listing(&listing);
  }
  accel_cancel_release();
  return written;
}

/* ---- for observers ---- */

/* Writes the key's text, or "#" and its hash. */
static void hot_show(const accel_core *core, const void *key_or_null, uint64_t hash, char *text)
{
  accel_buffer name = {0};
  const size_t room = ACCEL_LOG_KEY_BYTES;
  snprintf(text, room + 1, "#%016llx", (unsigned long long)hash);
  if (key_or_null == NULL) return;
  if (accel_key_append_name(core->type, key_or_null, &name) == ACCEL_OK)
    snprintf(text, room + 1, "%.*s%s", (int)(name.size > room ? room - 3 : name.size),
             (const char *)name.data, name.size > room ? "..." : "");
  accel_buffer_release(&name);
}

bool accel_core_hot_observe(accel_core *core, bool shows_keys, accel_observed_cache *line)
{
  hot_listing listing;
  bool is_added = true;
  if (core->hot == NULL) return true;
  if (!hot_open_listing(core, &listing)) return false;
  if (listing.report.count > ACCEL_OBSERVED_HOT_KEYS)
    listing.report.count = ACCEL_OBSERVED_HOT_KEYS;
  if (shows_keys) hot_look_up(core, &listing);
  for (size_t i = 0; i < listing.report.count && is_added; i++) {
    accel_observed_hot_key hot_key_of = {.reads_per_s = hot_reads_per_s(&listing, i),
                                         .at_least = hot_reads(&listing, i)};
    hot_show(core, shows_keys ? hot_key(&listing, i) : NULL, listing.report.seen[i].hash,
             hot_key_of.key);
    is_added = accel_observed_add_hot_key(line, &hot_key_of);
  }
  hot_close_listing(&listing);
  return is_added;
}
