/* Threads do everything at once to one small cache; afterwards the books must balance.
 *
 * Values carry their key and a checksum, so that a torn or misplaced one is seen by any thread that
 * reads it. Owned values are counted: as many drops as copies and makes, once the cache is closed.
 * The run takes ACCEL_SOAK_SECONDS in all, 1 without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"
#include "whole_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define KEYS 64
#define CAPACITY 32
#define BATCH 6
#define CASES 4

/* ---- what went wrong, noted by any thread and judged at the end ---- */

static _Atomic unsigned faults;

static void check(bool holds, const char *what, accel_status status)
{
  if (holds || atomic_fetch_add(&faults, 1) > 10) return;
  fprintf(stderr, "%s: %s\n", what, accel_status_name(status));
}

/* Every eighth key has no row. */
static bool has_row(uint64_t key)
{
  return key % 8 != 7;
}

static bool is_answer(accel_status status)
{
  return status == ACCEL_OK || status == ACCEL_NULL || status == ACCEL_MISS;
}

/* ---- plain values ---- */

typedef struct block {
  uint64_t key, version, mixed[6], sum;
} block;

static block block_of(uint64_t key, uint64_t version)
{
  block made = {.key = key, .version = version};
  made.sum = key ^ version;
  for (size_t i = 0; i < 6; i++) {
    made.mixed[i] = (key + 1) * (version + i) * 0x9e3779b97f4a7c15u;
    made.sum ^= made.mixed[i];
  }
  return made;
}

static void check_block(const block *seen, uint64_t key, const char *what)
{
  const block meant = block_of(key, seen->version);
  check(memcmp(seen, &meant, sizeof meant) == 0, what, ACCEL_OK);
}

ACCEL_DEFINE_WITH(plain, uint64_t, block, .remote = &accel_fake_ops)

static accel_status load_block(void *ctx, uint64_t key, block *out)
{
  (void)ctx;
  if (!has_row(key)) return ACCEL_NULL;
  *out = block_of(key, key * 3);
  return ACCEL_OK;
}

static bool visit_block(void *ctx, uint64_t key, const block *value)
{
  (void)ctx;
  check_block(value, key, "each");
  return true;
}

/* ---- owned values under string keys ---- */

typedef struct text {
  char *bytes; /* "<key> <version> <key again>" */
} text;

static _Atomic long texts_alive;

static bool text_make(text *out, const char *key, unsigned version)
{
  const size_t size = 2 * strlen(key) + 16;
  out->bytes = malloc(size);
  if (out->bytes == NULL) return false;
  snprintf(out->bytes, size, "%s %u %s", key, version, key);
  atomic_fetch_add(&texts_alive, 1);
  return true;
}

static bool text_copy(text *to, const text *from)
{
  to->bytes = strdup(from->bytes);
  if (to->bytes == NULL) return false;
  atomic_fetch_add(&texts_alive, 1);
  return true;
}

static void text_drop(text *value)
{
  check(value->bytes != NULL, "dropped twice", ACCEL_OK);
  free(value->bytes);
  value->bytes = NULL;
  atomic_fetch_sub(&texts_alive, 1);
}

static accel_status text_encode(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  const text *from = (const text *)value;
  return accel_buffer_append(out, from->bytes, strlen(from->bytes)) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status text_decode(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  text *to = (text *)value_out;
  to->bytes = strndup((const char *)data, size);
  if (to->bytes == NULL) return ACCEL_ERR_NOMEM;
  atomic_fetch_add(&texts_alive, 1);
  return ACCEL_OK;
}

static const accel_codec text_codec = {NULL, text_encode, text_decode};

static void check_text(const text *seen, const char *key, const char *what)
{
  const size_t size = strlen(key), length = strlen(seen->bytes);
  const bool begins = strncmp(seen->bytes, key, size) == 0 && seen->bytes[size] == ' ';
  check(begins && length > size && strcmp(seen->bytes + length - size, key) == 0, what, ACCEL_OK);
}

ACCEL_DEFINE_STR_WITH(owned, text, .copy = text_copy, .drop = text_drop, .remote = &accel_fake_ops,
                      .codec = &text_codec)

static char key_texts[KEYS][24];

static accel_status load_text(void *ctx, const char *key, text *out)
{
  (void)ctx;
  if (!has_row(strtoull(key + 4, NULL, 10))) return ACCEL_NULL;
  return text_make(out, key, 0) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static bool visit_text(void *ctx, const char *key, const text *value)
{
  (void)ctx;
  check_text(value, key, "each");
  return true;
}

/* ---- one thread's work ---- */

typedef struct stress {
  plain_cache plain;
  owned_cache owned;
  accel_fake fake;
  uint64_t end_ms;
} stress;

typedef struct worker {
  stress *all;
  void (*step)(struct worker *self, uint64_t random);
  pthread_t thread;
  uint64_t seed, reads;
} worker;

static uint64_t next_random(uint64_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void plain_read(worker *self, uint64_t key, bool may_load)
{
  block out;
  const accel_status status =
      may_load ? plain_cache_get_or_load(&self->all->plain, key, NULL, load_block, NULL, &out)
               : plain_cache_get(&self->all->plain, key, &out);
  self->reads++;
  if (status == ACCEL_OK) check_block(&out, key, "get");
  check(is_answer(status) && !(may_load && status == ACCEL_MISS), "get", status);
}

static void plain_read_many(worker *self, uint64_t first)
{
  uint64_t keys[BATCH];
  block values[BATCH];
  accel_status statuses[BATCH];
  for (size_t i = 0; i < BATCH; i++) keys[i] = (first + i * 7) % KEYS;
  const accel_status status =
      plain_cache_mget(&self->all->plain, keys, BATCH, NULL, values, statuses);
  self->reads += BATCH;
  check(status == ACCEL_OK, "mget", status);
  for (size_t i = 0; i < BATCH; i++) {
    if (statuses[i] == ACCEL_OK) check_block(&values[i], keys[i], "mget");
    check(is_answer(statuses[i]), "mget", statuses[i]);
  }
}

static void plain_hold(worker *self, uint64_t key)
{
  plain_cache_ref ref;
  self->reads++;
  const accel_status status = plain_cache_get_ref(&self->all->plain, key, &ref);
  check(is_answer(status), "get_ref", status);
  if (status != ACCEL_OK) return;
  check(plain_cache_del(&self->all->plain, key) == ACCEL_OK, "del", ACCEL_OK);
  check_block(plain_cache_ref_value(&ref), key, "held");
  plain_cache_ref_release(&ref);
}

static void plain_step(worker *self, uint64_t random)
{
  plain_cache *cache = &self->all->plain;
  const uint64_t key = (random >> 8) % KEYS;
  const block value = block_of(key, random);
  accel_status status = ACCEL_OK;
  switch (random % 64) {
    case 0: status = plain_cache_clear(cache); break;
    case 1: status = plain_cache_resize(cache, CAPACITY / 2 + (random >> 16) % CAPACITY); break;
    case 2: plain_cache_each(cache, visit_block, NULL); break;
    case 3: status = plain_cache_set_null(cache, key); break;
    case 4:
    case 5:
    case 6: status = plain_cache_del(cache, key); break;
    case 7:
    case 8:
    case 9: plain_hold(self, key); break;
    default:
      if (random % 8 == 2)
        plain_read_many(self, key);
      else if (random % 8 == 3)
        status = plain_cache_set(cache, key, &value);
      else
        plain_read(self, key, random % 8 == 4);
  }
  check(status == ACCEL_OK, "write", status);
}

static void owned_read(worker *self, const char *key, bool may_load)
{
  text out;
  const accel_status status =
      may_load ? owned_cache_get_or_load(&self->all->owned, key, NULL, load_text, NULL, &out)
               : owned_cache_get(&self->all->owned, key, &out);
  self->reads++;
  check(is_answer(status) && !(may_load && status == ACCEL_MISS), "get", status);
  if (status != ACCEL_OK) return;
  check_text(&out, key, "get");
  text_drop(&out);
}

static void owned_read_many(worker *self, uint64_t first)
{
  const char *keys[BATCH];
  text values[BATCH];
  accel_status statuses[BATCH];
  for (size_t i = 0; i < BATCH; i++) keys[i] = key_texts[(first + i * 7) % KEYS];
  const accel_status status =
      owned_cache_mget(&self->all->owned, keys, BATCH, NULL, values, statuses);
  self->reads += BATCH;
  check(status == ACCEL_OK, "mget", status);
  for (size_t i = 0; i < BATCH; i++) {
    check(is_answer(statuses[i]), "mget", statuses[i]);
    if (statuses[i] != ACCEL_OK) continue;
    check_text(&values[i], keys[i], "mget");
    text_drop(&values[i]);
  }
}

static void owned_write(worker *self, const char *key, uint64_t random)
{
  text value;
  if (!text_make(&value, key, (unsigned)random)) return;
  const accel_status status = owned_cache_set(&self->all->owned, key, &value);
  check(status == ACCEL_OK, "set", status);
  text_drop(&value);
}

static void owned_hold(worker *self, const char *key)
{
  owned_cache_ref ref;
  self->reads++;
  const accel_status status = owned_cache_get_ref(&self->all->owned, key, &ref);
  check(is_answer(status), "get_ref", status);
  if (status != ACCEL_OK) return;
  owned_write(self, key, 1);
  check_text(owned_cache_ref_value(&ref), key, "held");
  owned_cache_ref_release(&ref);
}

static void owned_step(worker *self, uint64_t random)
{
  owned_cache *cache = &self->all->owned;
  const char *key = key_texts[(random >> 8) % KEYS];
  accel_status status = ACCEL_OK;
  switch (random % 64) {
    case 0: status = owned_cache_clear(cache); break;
    case 1: status = owned_cache_resize(cache, CAPACITY / 2 + (random >> 16) % CAPACITY); break;
    case 2: owned_cache_each(cache, visit_text, NULL); break;
    case 3: status = owned_cache_set_null(cache, key); break;
    case 4:
    case 5:
    case 6: status = owned_cache_del(cache, key); break;
    case 7:
    case 8:
    case 9: owned_hold(self, key); break;
    default:
      if (random % 8 == 2)
        owned_read_many(self, (random >> 8) % KEYS);
      else if (random % 8 == 3)
        owned_write(self, key, random);
      else
        owned_read(self, key, random % 8 == 4);
  }
  check(status == ACCEL_OK, "write", status);
}

static void *work(void *ctx)
{
  worker *self = (worker *)ctx;
  while (accel_clock_monotonic_ms() < self->all->end_ms)
    for (size_t i = 0; i < 64; i++) self->step(self, next_random(&self->seed));
  return NULL;
}

/* ---- the cases ---- */

static uint64_t case_ms(void)
{
  const char *seconds = getenv("ACCEL_SOAK_SECONDS");
  const unsigned long given = seconds == NULL ? 0 : strtoul(seconds, NULL, 10);
  return (given == 0 ? 1 : given) * 1000 / CASES;
}

static uint64_t run(stress *all, void (*step)(worker *self, uint64_t random))
{
  worker workers[THREADS];
  uint64_t reads = 0;
  atomic_store(&faults, 0);
  all->end_ms = accel_clock_monotonic_ms() + case_ms();
  for (size_t i = 0; i < THREADS; i++) {
    workers[i] = (worker){.all = all, .step = step, .seed = 0x2545f4914f6cdd1du * (i + 1)};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    reads += workers[i].reads;
  }
  return reads;
}

static accel_config config_with(stress *all, bool has_remote)
{
  if (has_remote) assert_int_equal(accel_fake_open(&all->fake, NULL), ACCEL_OK);
  return (accel_config){.area = "stress",
                        .capacity = CAPACITY,
                        .loader_timeout_ms = ACCEL_FOREVER,
                        .remote = has_remote ? &all->fake : NULL};
}

static void balance(const accel_metrics *metrics, uint64_t reads)
{
  assert_true(reads > 0);
  assert_int_equal(metrics->local_hit + metrics->local_miss, reads);
  assert_int_equal(metrics->load_error + metrics->remote_errors, 0);
  assert_int_equal(metrics->remote_decode_errors, 0);
}

static void stress_plain(bool has_remote)
{
  static stress all;
  memset(&all, 0, sizeof all);
  const accel_config config = config_with(&all, has_remote);
  accel_metrics metrics;
  assert_int_equal(plain_cache_open(&all.plain, &config), ACCEL_OK);
  if (has_remote) plain_cache_set_loader(&all.plain, load_block, NULL);
  const uint64_t reads = run(&all, plain_step);
  plain_cache_metrics_snapshot(&all.plain, &metrics);
  expect_whole_table(all.plain.base.local, &plain_cache_type_);
  plain_cache_close(&all.plain);
  accel_fake_close(&all.fake);
  balance(&metrics, reads);
  assert_int_equal(atomic_load(&faults), 0);
}

static void stress_owned(bool has_remote)
{
  static stress all;
  memset(&all, 0, sizeof all);
  const accel_config config = config_with(&all, has_remote);
  accel_metrics metrics;
  assert_int_equal(owned_cache_open(&all.owned, &config), ACCEL_OK);
  if (has_remote) owned_cache_set_loader(&all.owned, load_text, NULL);
  const uint64_t reads = run(&all, owned_step);
  owned_cache_metrics_snapshot(&all.owned, &metrics);
  expect_whole_table(all.owned.base.local, &owned_cache_type_);
  owned_cache_close(&all.owned);
  accel_fake_close(&all.fake);
  balance(&metrics, reads);
  assert_int_equal(atomic_load(&faults), 0);
  assert_int_equal(atomic_load(&texts_alive), 0);
}

static void plain_values_in_one_level(void **state)
{
  (void)state;
  stress_plain(false);
}

static void plain_values_in_two_levels(void **state)
{
  (void)state;
  stress_plain(true);
}

static void owned_values_in_one_level(void **state)
{
  (void)state;
  stress_owned(false);
}

static void owned_values_in_two_levels(void **state)
{
  (void)state;
  stress_owned(true);
}

int main(void)
{
  const struct CMUnitTest cases[CASES] = {
      cmocka_unit_test(plain_values_in_one_level),
      cmocka_unit_test(plain_values_in_two_levels),
      cmocka_unit_test(owned_values_in_one_level),
      cmocka_unit_test(owned_values_in_two_levels),
  };
  for (size_t i = 0; i < KEYS; i++) snprintf(key_texts[i], sizeof key_texts[i], "key:%zu", i);
  return cmocka_run_group_tests(cases, NULL, NULL);
}
