#include "repair.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

static bool repair_table_open(accel_repair_table *table, uint32_t capacity)
{
  ACCEL_ASSERT(capacity >= ACCEL_REPAIR_KEYS_FIRST);
  ACCEL_ASSERT(capacity <= ACCEL_REPAIR_KEYS);
  table->capacity = capacity;
  table->entries = (accel_repair_entry *)ACCEL_MALLOC(capacity * sizeof *table->entries);
  table->heads = (uint32_t *)ACCEL_MALLOC(capacity * sizeof *table->heads);
  if (table->entries != NULL && table->heads != NULL) {
    memset(table->heads, 0, capacity * sizeof *table->heads);
    return true;
  }
  ACCEL_FREE(table->entries);
  ACCEL_FREE(table->heads);
  return false;
}

static void repair_table_close(accel_repair_table *table)
{
  ACCEL_FREE(table->entries);
  ACCEL_FREE(table->heads);
}

bool accel_repair_open(accel_repair *repair, bool can_clear, bool watches)
{
  memset(repair, 0, sizeof *repair);
  repair->can_clear = can_clear;
  repair->watches = watches;
  if (!accel_mutex_open(&repair->mutex)) return false;
  if (repair_table_open(&repair->first, ACCEL_REPAIR_KEYS_FIRST)) {
    repair->table = repair->first;
    return true;
  }
  accel_mutex_close(&repair->mutex);
  memset(repair, 0, sizeof *repair);
  return false;
}

void accel_repair_abandon(accel_repair *repair)
{
  if (repair->table.entries != repair->first.entries) repair_table_close(&repair->table);
  repair_table_close(&repair->first);
}

void accel_repair_close(accel_repair *repair)
{
  if (repair->table.entries == NULL) return;
  accel_repair_abandon(repair);
  accel_mutex_close(&repair->mutex);
  memset(repair, 0, sizeof *repair);
}

/* ---- with the mutex held ---- */

static uint32_t *repair_bucket(const accel_repair_table *table, const char *text, size_t size)
{
  return &table->heads[accel_hash_bytes(text, size, 0) % table->capacity];
}

/* Where the number of the key's place is; 0 lies there if it has none. */
static uint32_t *repair_find(accel_repair *repair, const char *text, size_t size)
{
  uint32_t *at = repair_bucket(&repair->table, text, size);
  while (*at != 0) {
    accel_repair_entry *entry = &repair->table.entries[*at - 1];
    if (entry->size == size && memcmp(entry->text, text, size) == 0) break;
    at = &entry->next;
  }
  return at;
}

static void repair_count_noted(accel_repair *repair, int change)
{
  ACCEL_ASSERT(change == 1 || change == -1);
  ACCEL_ASSERT(change > 0 || repair->length > 0);
  accel_store_release(&repair->length, repair->length + (uint32_t)change);
}

static void repair_count_watched(accel_repair *repair, int change)
{
  ACCEL_ASSERT(change == 1 || change == -1);
  ACCEL_ASSERT(change > 0 || repair->watched > 0);
  accel_store_release(&repair->watched, repair->watched + (uint32_t)change);
}

static void repair_set_state(accel_repair *repair, accel_repair_entry *entry,
                             accel_repair_state state)
{
  ACCEL_ASSERT(entry->state <= ACCEL_REPAIR_WATCHED);
  ACCEL_ASSERT(state != ACCEL_REPAIR_WATCHED || repair->watches);
  if (entry->state == ACCEL_REPAIR_NOTED) repair_count_noted(repair, -1);
  if (entry->state == ACCEL_REPAIR_WATCHED) repair_count_watched(repair, -1);
  if (state == ACCEL_REPAIR_NOTED) repair_count_noted(repair, 1);
  if (state == ACCEL_REPAIR_WATCHED) repair_count_watched(repair, 1);
  entry->state = (uint8_t)state;
}

/* Nothing is kept any more: a larger table is given back. */
static void repair_shrink(accel_repair *repair)
{
  ACCEL_ASSERT(repair->length == 0);
  ACCEL_ASSERT(repair->watched == 0);
  if (repair->table.entries == repair->first.entries) return;
  repair_table_close(&repair->table);
  repair->table = repair->first;
  memset(repair->table.heads, 0, repair->table.capacity * sizeof *repair->table.heads);
  repair->used = repair->free_place = repair->cursor = 0;
}

static void repair_free_at(accel_repair *repair, uint32_t *at)
{
  const uint32_t place = *at;
  ACCEL_ASSERT(place > 0 && place <= repair->used);
  accel_repair_entry *entry = &repair->table.entries[place - 1];
  ACCEL_ASSERT(entry->state != ACCEL_REPAIR_FREE);
  *at = entry->next;
  repair_set_state(repair, entry, ACCEL_REPAIR_FREE);
  entry->next = repair->free_place;
  repair->free_place = place;
}

/* Frees what is watched since then or longer. */
static void repair_unwatch(accel_repair *repair, uint64_t since_ms)
{
  ACCEL_ASSERT(repair->used <= repair->table.capacity);
  ACCEL_ASSERT(repair->watched <= repair->used);
  for (uint32_t i = 0; i < repair->used && repair->watched > 0; i++) {
    const accel_repair_entry *entry = &repair->table.entries[i];
    if (entry->state == ACCEL_REPAIR_WATCHED && entry->done_ms <= since_ms)
      repair_free_at(repair, repair_find(repair, entry->text, entry->size));
  }
}

/* Twice as many places. False: no memory, or enough. */
static bool repair_grow(accel_repair *repair)
{
  accel_repair_table larger, old = repair->table;
  ACCEL_ASSERT(repair->used == old.capacity);
  ACCEL_ASSERT(repair->free_place == 0);
  if (old.capacity >= ACCEL_REPAIR_KEYS) return false;
  if (!repair_table_open(&larger, 2 * old.capacity)) return false;
  memcpy(larger.entries, old.entries, repair->used * sizeof *old.entries);
  for (uint32_t i = 0; i < repair->used; i++) {
    accel_repair_entry *entry = &larger.entries[i];
    if (entry->state == ACCEL_REPAIR_FREE) continue;
    uint32_t *head = repair_bucket(&larger, entry->text, entry->size);
    entry->next = *head;
    *head = i + 1;
  }
  repair->table = larger;
  if (old.entries != repair->first.entries) repair_table_close(&old);
  return true;
}

/* A free place's number, or 0. What is only watched makes room for what failed. */
static uint32_t repair_take_place(accel_repair *repair)
{
  for (int attempt = 0; attempt < 2; attempt++) {
    const uint32_t place = repair->free_place;
    if (place != 0) {
      repair->free_place = repair->table.entries[place - 1].next;
      return place;
    }
    if (repair->used < repair->table.capacity || repair_grow(repair)) return ++repair->used;
    repair_unwatch(repair, UINT64_MAX);
  }
  return 0;
}

/* The place of a key that was not noted; 0: there is no room. */
static uint32_t repair_insert(accel_repair *repair, const char *text, size_t size, bool is_hash)
{
  ACCEL_ASSERT(size <= ACCEL_KEY_NAME_MAX);
  ACCEL_ASSERT(*repair_find(repair, text, size) == 0);
  const uint32_t place = repair_take_place(repair);
  if (place == 0) return 0;
  accel_repair_entry *entry = &repair->table.entries[place - 1];
  uint32_t *head = repair_bucket(&repair->table, text, size);
  memcpy(entry->text, text, size);
  entry->size = (uint16_t)size;
  entry->is_hash = is_hash;
  entry->state = ACCEL_REPAIR_FREE;
  entry->next = *head;
  *head = place;
  return place;
}

static void repair_note_area(accel_repair *repair)
{
  ACCEL_ASSERT(repair->area_number <= repair->failures);
  ACCEL_ASSERT(repair->area_number == 0 || repair->length > 0);
  if (!repair->can_clear) return;
  if (repair->area_number == 0) repair_count_noted(repair, 1);
  repair->area_number = ++repair->failures;
}

/* ---- noting ---- */

bool accel_repair_add(accel_repair *repair, const char *text, size_t size, bool is_hash)
{
  accel_mutex_lock(&repair->mutex);
  uint32_t place = 0;
  if (size <= sizeof repair->table.entries->text) {
    place = *repair_find(repair, text, size);
    if (place == 0) place = repair_insert(repair, text, size, is_hash);
  }
  if (place != 0) {
    accel_repair_entry *entry = &repair->table.entries[place - 1];
    entry->number = ++repair->failures;
    repair_set_state(repair, entry, ACCEL_REPAIR_NOTED);
  } else {
    repair_note_area(repair);
  }
  accel_mutex_unlock(&repair->mutex);
  return place != 0;
}

void accel_repair_add_area(accel_repair *repair)
{
  accel_mutex_lock(&repair->mutex);
  repair_note_area(repair);
  accel_mutex_unlock(&repair->mutex);
}

bool accel_repair_skips_remote(accel_repair *repair, const char *text, size_t size)
{
  if (accel_repair_length(repair) == 0) return false;
  accel_mutex_lock(&repair->mutex);
  const uint32_t place = *repair_find(repair, text, size);
  const bool is_noted = place != 0 && repair->table.entries[place - 1].state == ACCEL_REPAIR_NOTED;
  const bool holds = repair->area_number != 0 || is_noted;
  accel_mutex_unlock(&repair->mutex);
  return holds;
}

/* ---- repairing ---- */

uint64_t accel_repair_area_number(accel_repair *repair)
{
  accel_mutex_lock(&repair->mutex);
  const uint64_t number = repair->area_number;
  accel_mutex_unlock(&repair->mutex);
  return number;
}

size_t accel_repair_peek(accel_repair *repair, accel_repair_entry *out, size_t count)
{
  size_t copied = 0;
  accel_mutex_lock(&repair->mutex);
  uint32_t at = repair->cursor;
  for (uint32_t looked = 0; looked < repair->used && copied < count; looked++, at++) {
    if (at >= repair->used) at = 0;
    const accel_repair_entry *entry = &repair->table.entries[at];
    if (entry->state == ACCEL_REPAIR_NOTED) out[copied++] = *entry;
  }
  repair->cursor = at;
  accel_mutex_unlock(&repair->mutex);
  return copied;
}

/* With the mutex held: the key at this place was repaired. */
static void repair_resolve(accel_repair *repair, uint32_t *at)
{
  accel_repair_entry *entry = &repair->table.entries[*at - 1];
  ACCEL_ASSERT(entry->state == ACCEL_REPAIR_NOTED);
  ACCEL_ASSERT(entry->number <= repair->failures);
  entry->done_ms = accel_clock_monotonic_ms();
  if (repair->watches)
    repair_set_state(repair, entry, ACCEL_REPAIR_WATCHED);
  else
    repair_free_at(repair, at);
}

static void repair_unlock(accel_repair *repair)
{
  if (repair->length == 0 && repair->watched == 0) repair_shrink(repair);
  accel_mutex_unlock(&repair->mutex);
}

void accel_repair_done(accel_repair *repair, const accel_repair_entry *entry)
{
  accel_mutex_lock(&repair->mutex);
  uint32_t *at = repair_find(repair, entry->text, entry->size);
  const accel_repair_entry *noted = *at == 0 ? NULL : &repair->table.entries[*at - 1];
  if (noted != NULL && noted->state == ACCEL_REPAIR_NOTED && noted->number == entry->number)
    repair_resolve(repair, at);
  repair_unlock(repair);
}

void accel_repair_area_done(accel_repair *repair, uint64_t number)
{
  ACCEL_ASSERT(number != 0);
  accel_mutex_lock(&repair->mutex);
  if (repair->area_number == number) {
    repair->area_number = 0;
    repair_count_noted(repair, -1);
  }
  for (uint32_t i = 0; i < repair->used; i++) {
    const accel_repair_entry *entry = &repair->table.entries[i];
    if (entry->state != ACCEL_REPAIR_NOTED || entry->number >= number) continue;
    repair_resolve(repair, repair_find(repair, entry->text, entry->size));
  }
  repair_unlock(repair);
}

/* ---- watching ---- */

void accel_repair_revive(accel_repair *repair)
{
  if (accel_load_acquire(&repair->watched) == 0) return;
  accel_mutex_lock(&repair->mutex);
  for (uint32_t i = 0; i < repair->used; i++) {
    accel_repair_entry *entry = &repair->table.entries[i];
    if (entry->state != ACCEL_REPAIR_WATCHED) continue;
    entry->number = ++repair->failures;
    repair_set_state(repair, entry, ACCEL_REPAIR_NOTED);
  }
  accel_mutex_unlock(&repair->mutex);
}

void accel_repair_expire(accel_repair *repair)
{
  const uint64_t now_ms = accel_clock_monotonic_ms();
  if (accel_load_acquire(&repair->watched) == 0 || now_ms < ACCEL_REPAIR_WATCH_MS) return;
  accel_mutex_lock(&repair->mutex);
  repair_unwatch(repair, now_ms - ACCEL_REPAIR_WATCH_MS);
  repair_unlock(repair);
}
