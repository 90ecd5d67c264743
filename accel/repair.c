#include "repair.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

bool accel_repair_open(accel_repair *repair, bool can_clear)
{
  memset(repair, 0, sizeof *repair);
  repair->can_clear = can_clear;
  if (!accel_mutex_open(&repair->mutex)) return false;
  repair->entries =
      (accel_repair_entry *)ACCEL_MALLOC(ACCEL_REPAIR_KEYS * sizeof(accel_repair_entry));
  if (repair->entries != NULL) return true;
  accel_mutex_close(&repair->mutex);
  return false;
}

void accel_repair_close(accel_repair *repair)
{
  if (repair->entries == NULL) return;
  ACCEL_FREE(repair->entries);
  accel_mutex_close(&repair->mutex);
  memset(repair, 0, sizeof *repair);
}

/* ---- with the mutex held ---- */

static uint16_t *repair_bucket(accel_repair *repair, const char *text, size_t size)
{
  return &repair->heads[accel_hash_bytes(text, size, 0) % ACCEL_REPAIR_KEYS];
}

/* Where the number of the key's place is; 0 lies there if it has none. */
static uint16_t *repair_find(accel_repair *repair, const char *text, size_t size)
{
  uint16_t *at = repair_bucket(repair, text, size);
  while (*at != 0) {
    accel_repair_entry *entry = &repair->entries[*at - 1];
    if (entry->size == size && memcmp(entry->text, text, size) == 0) break;
    at = &entry->next;
  }
  return at;
}

static void repair_count(accel_repair *repair, int change)
{
  const uint32_t length = accel_load_relaxed(&repair->length) + (uint32_t)change;
  accel_store_release(&repair->length, length);
}

/* A free place's number, or 0. */
static uint16_t repair_take_place(accel_repair *repair)
{
  const uint16_t place = repair->free_place;
  if (place != 0) {
    repair->free_place = repair->entries[place - 1].next;
    return place;
  }
  return repair->used < ACCEL_REPAIR_KEYS ? ++repair->used : 0;
}

static void repair_free_at(accel_repair *repair, uint16_t *at)
{
  const uint16_t place = *at;
  accel_repair_entry *entry = &repair->entries[place - 1];
  *at = entry->next;
  entry->number = 0;
  entry->next = repair->free_place;
  repair->free_place = place;
  repair_count(repair, -1);
}

static void repair_note_area(accel_repair *repair)
{
  if (!repair->can_clear) return;
  if (repair->area_number == 0) repair_count(repair, 1);
  repair->area_number = ++repair->failures;
}

/* ---- noting ---- */

bool accel_repair_add(accel_repair *repair, const char *text, size_t size, bool is_hash)
{
  accel_mutex_lock(&repair->mutex);
  uint16_t *at = size > sizeof repair->entries->text ? NULL : repair_find(repair, text, size);
  uint16_t place = at == NULL ? 0 : *at;
  if (at != NULL && place == 0 && (place = repair_take_place(repair)) != 0) {
    accel_repair_entry *entry = &repair->entries[place - 1];
    memcpy(entry->text, text, size);
    entry->size = (uint16_t)size;
    entry->is_hash = is_hash;
    entry->next = 0;
    *at = place;
    repair_count(repair, 1);
  }
  if (place != 0)
    repair->entries[place - 1].number = ++repair->failures;
  else
    repair_note_area(repair);
  accel_mutex_unlock(&repair->mutex);
  return place != 0;
}

void accel_repair_add_area(accel_repair *repair)
{
  accel_mutex_lock(&repair->mutex);
  repair_note_area(repair);
  accel_mutex_unlock(&repair->mutex);
}

bool accel_repair_holds(accel_repair *repair, const char *text, size_t size)
{
  if (accel_repair_length(repair) == 0) return false;
  accel_mutex_lock(&repair->mutex);
  const bool holds = repair->area_number != 0 || *repair_find(repair, text, size) != 0;
  accel_mutex_unlock(&repair->mutex);
  return holds;
}

/* ---- making good ---- */

uint64_t accel_repair_area(accel_repair *repair)
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
  for (size_t i = 0; i < repair->used && copied < count; i++)
    if (repair->entries[i].number != 0) out[copied++] = repair->entries[i];
  accel_mutex_unlock(&repair->mutex);
  return copied;
}

void accel_repair_done(accel_repair *repair, const accel_repair_entry *entry)
{
  accel_mutex_lock(&repair->mutex);
  uint16_t *at = repair_find(repair, entry->text, entry->size);
  if (*at != 0 && repair->entries[*at - 1].number == entry->number) repair_free_at(repair, at);
  accel_mutex_unlock(&repair->mutex);
}

void accel_repair_area_done(accel_repair *repair, uint64_t number)
{
  accel_mutex_lock(&repair->mutex);
  if (repair->area_number == number) {
    repair->area_number = 0;
    repair_count(repair, -1);
  }
  for (size_t i = 0; i < repair->used; i++) {
    const accel_repair_entry *entry = &repair->entries[i];
    if (entry->number == 0 || entry->number >= number) continue;
    repair_free_at(repair, repair_find(repair, entry->text, entry->size));
  }
  accel_mutex_unlock(&repair->mutex);
}
