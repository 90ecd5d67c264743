/* store.c: the fake's keys and bytes, a chained table that doubles. Expired keys are removed when
 * somebody looks for them. The caller holds the mutex.
 */
#include "state.h"

#include "../../accel/hash.h"

#include <stdlib.h>
#include <string.h>

#define FAKE_STORE_BUCKETS 64u

bool accel_fake_store_open(fake_store *store)
{
  memset(store, 0, sizeof *store);
  store->buckets = (fake_entry **)ACCEL_MALLOC(FAKE_STORE_BUCKETS * sizeof *store->buckets);
  if (store->buckets == NULL) return false;
  store->bucket_count = FAKE_STORE_BUCKETS;
  memset(store->buckets, 0, FAKE_STORE_BUCKETS * sizeof *store->buckets);
  return true;
}

void accel_fake_store_close(fake_store *store)
{
  if (store->buckets == NULL) return;
  accel_fake_store_remove_prefix(store, "", 0);
  ACCEL_FREE(store->buckets);
  memset(store, 0, sizeof *store);
}

static fake_entry **fake_store_bucket(fake_store *store, const char *key, size_t key_size)
{
  return &store->buckets[accel_hash_bytes(key, key_size, 0) & (store->bucket_count - 1)];
}

/* Where the pointer to the key's entry is; it is NULL if there is none. */
static fake_entry **fake_store_place(fake_store *store, const char *key, size_t key_size)
{
  fake_entry **place = fake_store_bucket(store, key, key_size);
  while (*place != NULL &&
         ((*place)->key_size != key_size || memcmp((*place)->bytes, key, key_size) != 0))
    place = &(*place)->next;
  return place;
}

static void fake_store_unlink(fake_store *store, fake_entry **place)
{
  fake_entry *entry = *place;
  *place = entry->next;
  store->entry_count--;
  ACCEL_FREE(entry);
}

fake_entry *accel_fake_store_find(fake_store *store, const char *key, size_t key_size,
                                  uint64_t now_ms)
{
  fake_entry **place = fake_store_place(store, key, key_size);
  if (*place == NULL || (*place)->expires_ms > now_ms) return *place;
  fake_store_unlink(store, place);
  return NULL;
}

const unsigned char *accel_fake_entry_data(const fake_entry *entry)
{
  return entry->bytes + entry->key_size;
}

/* A table that cannot grow still works, only slower. */
static void fake_store_grow(fake_store *store)
{
  fake_store grown = {NULL, store->bucket_count * 2, store->entry_count};
  grown.buckets = (fake_entry **)ACCEL_MALLOC(grown.bucket_count * sizeof *grown.buckets);
  if (grown.buckets == NULL) return;
  memset(grown.buckets, 0, grown.bucket_count * sizeof *grown.buckets);
  for (size_t i = 0; i < store->bucket_count; i++) {
    while (store->buckets[i] != NULL) {
      fake_entry *entry = store->buckets[i];
      store->buckets[i] = entry->next;
      fake_entry **bucket = fake_store_bucket(&grown, (const char *)entry->bytes, entry->key_size);
      entry->next = *bucket;
      *bucket = entry;
    }
  }
  ACCEL_FREE(store->buckets);
  *store = grown;
}

bool accel_fake_store_put(fake_store *store, const char *key, size_t key_size, const void *data,
                          size_t size, uint64_t expires_ms)
{
  if (key_size > SIZE_MAX / 4 || size > SIZE_MAX / 4) return false;
  fake_entry *entry = (fake_entry *)ACCEL_MALLOC(sizeof *entry + key_size + size);
  if (entry == NULL) return false;
  entry->expires_ms = expires_ms;
  entry->key_size = key_size;
  entry->size = size;
  if (key_size > 0) memcpy(entry->bytes, key, key_size);
  if (size > 0) memcpy(entry->bytes + key_size, data, size);
  accel_fake_store_remove(store, key, key_size);
  fake_entry **bucket = fake_store_bucket(store, key, key_size);
  entry->next = *bucket;
  *bucket = entry;
  if (++store->entry_count > store->bucket_count) fake_store_grow(store);
  return true;
}

bool accel_fake_store_remove(fake_store *store, const char *key, size_t key_size)
{
  fake_entry **place = fake_store_place(store, key, key_size);
  if (*place == NULL) return false;
  fake_store_unlink(store, place);
  return true;
}

size_t accel_fake_store_remove_prefix(fake_store *store, const char *prefix, size_t prefix_size)
{
  const size_t before = store->entry_count;
  for (size_t i = 0; i < store->bucket_count; i++) {
    fake_entry **place = &store->buckets[i];
    while (*place != NULL) {
      const fake_entry *entry = *place;
      if (entry->key_size >= prefix_size && memcmp(entry->bytes, prefix, prefix_size) == 0)
        fake_store_unlink(store, place);
      else
        place = &(*place)->next;
    }
  }
  return before - store->entry_count;
}
