/* Tables that come and go under readers: what is read is whole, and memory is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel/platform/atomic.h"
#include "accel/platform/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS 64u
#define READERS 4
#define RESIZES 160u

/* ---- values that show whether they are whole ---- */

typedef struct small {
  uint64_t words[8];
} small;

typedef struct medium {
  uint64_t words[120]; /* takes a while to be copied */
} medium;

typedef struct large {
  uint64_t words[200]; /* over a kilobyte: read under the mutex */
} large;

typedef struct owner {
  uint64_t key;
  uint64_t *words; /* OWNED_WORDS of them */
} owner;

#define OWNED_WORDS 20u

static bool owner_copy(owner *to, const owner *from)
{
  to->words = (uint64_t *)malloc(OWNED_WORDS * sizeof *to->words);
  if (to->words == NULL) return false;
  memcpy(to->words, from->words, OWNED_WORDS * sizeof *to->words);
  to->key = from->key;
  return true;
}

static void owner_drop(owner *value)
{
  memset(value->words, 0xDD, OWNED_WORDS * sizeof *value->words);
  free(value->words);
}

static uint32_t small_weigh(const uint64_t *key, const small *value)
{
  (void)value;
  return 1 + (uint32_t)(*key % 3);
}

ACCEL_DEFINE(plain, uint64_t, small)
ACCEL_DEFINE(big, uint64_t, large)
ACCEL_DEFINE(wide, uint64_t, medium)
ACCEL_DEFINE_WITH(owned, uint64_t, owner, .copy = owner_copy, .drop = owner_drop)
ACCEL_DEFINE_STR(named, small)
ACCEL_DEFINE_WITH(weighed, uint64_t, small, .weigh = small_weigh)

static bool are_all(const uint64_t *words, size_t count, uint64_t wanted)
{
  for (size_t i = 0; i < count; i++)
    if (words[i] != wanted) return false;
  return true;
}

static void set_all(uint64_t *words, size_t count, uint64_t value)
{
  for (size_t i = 0; i < count; i++) words[i] = value;
}

static plain_cache plains;
static big_cache bigs;
static wide_cache wides;
static owned_cache owneds;
static named_cache named;
static weighed_cache weigheds;

/* A short key lies in its slot, a long one beside it. */
static const char *name_of(uint64_t key, char *text)
{
  sprintf(text, key % 2 == 0 ? "k%02u" : "a name that is too long for its slot %02u",
          (unsigned)key);
  return text;
}

/* Each reads or writes one key of one kind. False: what was read is not what was written. */
typedef bool resize_kind_fn(uint64_t key, bool writes);

static bool do_plain(uint64_t key, bool writes)
{
  small value;
  set_all(value.words, 8, key + 1);
  if (writes) return plain_cache_set(&plains, key, &value) == ACCEL_OK;
  return plain_cache_get(&plains, key, &value) != ACCEL_OK || are_all(value.words, 8, key + 1);
}

static bool do_big(uint64_t key, bool writes)
{
  large value;
  set_all(value.words, 200, key + 1);
  if (writes) return big_cache_set(&bigs, key, &value) == ACCEL_OK;
  return big_cache_get(&bigs, key, &value) != ACCEL_OK || are_all(value.words, 200, key + 1);
}

static bool do_wide(uint64_t key, bool writes)
{
  medium value;
  set_all(value.words, 120, key + 1);
  if (writes) return wide_cache_set(&wides, key, &value) == ACCEL_OK;
  return wide_cache_get(&wides, key, &value) != ACCEL_OK || are_all(value.words, 120, key + 1);
}

static bool do_owned(uint64_t key, bool writes)
{
  uint64_t words[OWNED_WORDS];
  set_all(words, OWNED_WORDS, key + 1);
  owner value = {key, words};
  if (writes) return owned_cache_set(&owneds, key, &value) == ACCEL_OK;
  if (owned_cache_get(&owneds, key, &value) != ACCEL_OK) return true;
  const bool is_right = value.key == key && are_all(value.words, OWNED_WORDS, key + 1);
  owner_drop(&value);
  return is_right;
}

static bool do_named(uint64_t key, bool writes)
{
  char text[64];
  small value;
  set_all(value.words, 8, key + 1);
  const char *name = name_of(key, text);
  if (writes) return named_cache_set(&named, name, &value) == ACCEL_OK;
  return named_cache_get(&named, name, &value) != ACCEL_OK || are_all(value.words, 8, key + 1);
}

static bool do_weighed(uint64_t key, bool writes)
{
  small value;
  set_all(value.words, 8, key + 1);
  if (writes) return weighed_cache_set(&weigheds, key, &value) == ACCEL_OK;
  return weighed_cache_get(&weigheds, key, &value) != ACCEL_OK || are_all(value.words, 8, key + 1);
}

static resize_kind_fn *const kinds[] = {do_plain, do_big, do_wide, do_owned, do_named, do_weighed};
#define KINDS (sizeof kinds / sizeof *kinds)

static void open_all(void)
{
  const accel_config config = {.area = "a", .capacity = 500, .local_ttl_ms = ACCEL_FOREVER};
  assert_int_equal(plain_cache_open(&plains, &config), ACCEL_OK);
  assert_int_equal(big_cache_open(&bigs, &config), ACCEL_OK);
  assert_int_equal(wide_cache_open(&wides, &config), ACCEL_OK);
  assert_int_equal(owned_cache_open(&owneds, &config), ACCEL_OK);
  assert_int_equal(named_cache_open(&named, &config), ACCEL_OK);
  assert_int_equal(weighed_cache_open(&weigheds, &config), ACCEL_OK);
  for (uint64_t key = 0; key < KEYS; key++)
    for (size_t i = 0; i < KINDS; i++) assert_true(kinds[i](key, true));
}

static void close_all(void)
{
  plain_cache_close(&plains);
  big_cache_close(&bigs);
  wide_cache_close(&wides);
  owned_cache_close(&owneds);
  named_cache_close(&named);
  weighed_cache_close(&weigheds);
}

static void resize_all(size_t capacity)
{
  assert_int_equal(plain_cache_resize(&plains, capacity), ACCEL_OK);
  assert_int_equal(big_cache_resize(&bigs, capacity), ACCEL_OK);
  assert_int_equal(wide_cache_resize(&wides, capacity), ACCEL_OK);
  assert_int_equal(owned_cache_resize(&owneds, capacity), ACCEL_OK);
  assert_int_equal(named_cache_resize(&named, capacity), ACCEL_OK);
  assert_int_equal(weighed_cache_resize(&weigheds, capacity), ACCEL_OK);
}

static bool is_over, may_write; /* atomic */
static uint64_t wrongs, rounds;

static void *read_all_the_time(void *seed)
{
  uint64_t random = (uintptr_t)seed;
  while (!accel_load_relaxed(&is_over)) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const bool writes = random >> 60 == 0 && accel_load_relaxed(&may_write);
    if (!kinds[random % 48 / 8](random >> 40 & (KEYS - 1), writes)) accel_add_relaxed(&wrongs, 1u);
    accel_add_relaxed(&rounds, 1u);
  }
  return NULL;
}

/* Resizes with the same sizes again and again, so that tables come back to where others were. */
static void resize_under_readers(bool writes)
{
  const size_t sizes[] = {500, 900, 500, 3000, 200, 900, 501, 5000};
  accel_store_relaxed(&may_write, writes);
  for (unsigned i = 0; i < RESIZES && accel_load_relaxed(&wrongs) == 0; i++) {
    const uint64_t before = accel_load_relaxed(&rounds);
    resize_all(sizes[i % 8] + i / 8 % 2);
    if (writes && i % 16 == 5) assert_int_equal(plain_cache_clear(&plains), ACCEL_OK);
    for (uint64_t key = 0; writes && key < KEYS; key++)
      for (size_t k = 0; k < KINDS; k++) assert_true(kinds[k](key, true));
    while (i % 8 == 7 && accel_load_relaxed(&rounds) < before + 100) usleep(100);
  }
}

/* Where nothing is written, no version is raised but by the resizes themselves. */
static void what_is_read_while_tables_change_is_whole(void **state)
{
  (void)state;
  pthread_t readers[READERS];
  is_over = false;
  wrongs = rounds = 0;
  open_all();
  for (uintptr_t i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, (void *)(i + 1)), 0);
  resize_under_readers(false);
  resize_under_readers(true);
  accel_store_relaxed(&is_over, true);
  for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
  assert_int_equal(wrongs, 0);
  for (uint64_t key = 0; key < KEYS; key++)
    for (size_t i = 0; i < KINDS; i++) assert_true(kinds[i](key, false));
  close_all();
}

/* ---- a reader that stalls ---- */

static bool stalls_next, is_stalled, goes_on; /* atomic */

/* Called within a hit, between the head and the value. */
static uint64_t stalling_clock(void *unused)
{
  (void)unused;
  if (accel_load_acquire(&stalls_next)) {
    accel_store_release(&stalls_next, false);
    accel_store_release(&is_stalled, true);
    while (!accel_load_acquire(&goes_on)) usleep(100);
  }
  return accel_clock_monotonic_ms();
}

static void *read_once(void *unused)
{
  small value;
  (void)unused;
  set_all(value.words, 8, 99);
  const accel_status status = plain_cache_get(&plains, 42, &value);
  const bool is_right = status == ACCEL_OK && are_all(value.words, 8, 43);
  return (void *)(uintptr_t)(is_right ? 1 : 2);
}

/* In a table that was resized `before` times a read stalls, and `during` resizes pass it by. */
static void stall(const size_t *sizes, unsigned before, unsigned during)
{
  const accel_clock clock = {stalling_clock, NULL};
  const accel_config config = {.area = "a", .capacity = 100000, .clock = &clock};
  pthread_t reader;
  void *result;
  is_stalled = goes_on = false;
  assert_int_equal(plain_cache_open(&plains, &config), ACCEL_OK);
  assert_true(do_plain(42, true));
  for (unsigned i = 0; i < before; i++)
    assert_int_equal(plain_cache_resize(&plains, sizes[i]), ACCEL_OK);
  accel_store_release(&stalls_next, true);
  assert_int_equal(pthread_create(&reader, NULL, read_once, NULL), 0);
  while (!accel_load_acquire(&is_stalled)) usleep(100);
  for (unsigned i = before; i < before + during; i++) {
    assert_int_equal(plain_cache_resize(&plains, sizes[i]), ACCEL_OK);
    for (uint64_t key = 0; key < KEYS; key++) assert_true(do_plain(key, true));
  }
  accel_store_release(&goes_on, true);
  pthread_join(reader, &result);
  assert_int_equal((uintptr_t)result, 1);
  plain_cache_close(&plains);
}

static void a_read_that_stalls_meets_no_other_table(void **state)
{
  (void)state;
  const size_t grows[] = {200000, 300000, 400000, 500000, 600000, 700000};
  const size_t shrinks[] = {50000, 20000, 9000, 4000, 2000, 900};
  const size_t returns[] = {200000, 100000, 200000, 100000, 200000, 100000};
  for (unsigned before = 0; before < 3; before++) {
    for (unsigned during = 1; during < 4; during++) {
      stall(grows, before, during);
      stall(shrinks, before, during);
      stall(returns, before, during);
    }
  }
}

/* ---- memory ---- */

/* Bytes of this process: resident, or addresses. */
static size_t process_bytes(bool is_resident)
{
  size_t size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%zu %zu", &size, &resident), 2);
  fclose(file);
  return (is_resident ? resident : size) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t told_bytes(void)
{
  accel_diagnostic seen;
  plain_cache_diagnostic_snapshot(&plains, &seen);
  return seen.memory_bytes;
}

static void open_and_fill(size_t capacity)
{
  const accel_config config = {.area = "a", .capacity = capacity};
  assert_int_equal(plain_cache_open(&plains, &config), ACCEL_OK);
  for (uint64_t key = 0; key < capacity; key++) assert_true(do_plain(key, true));
}

static void resizes_use_up_no_addresses(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip(); /* whose shadow counts too */
  open_and_fill(1000);
  for (unsigned i = 0; i < 200; i++)
    assert_int_equal(plain_cache_resize(&plains, 1000 + i * 37 % 3000), ACCEL_OK);
  const size_t before = process_bytes(false), told = told_bytes();
  for (unsigned i = 0; i < 2000; i++)
    assert_int_equal(plain_cache_resize(&plains, 1000 + i * 37 % 3000), ACCEL_OK);
  assert_true(process_bytes(false) <= before + 100000);
  assert_true(told_bytes() <= told + 100000);
  plain_cache_close(&plains);
}

/* The last reference gives back what the table had. */
static void a_table_goes_when_its_last_reference_does(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip(); /* whose shadow counts too */
  enum { MANY = 100000, ROUNDS = 4 };
  open_and_fill(MANY);
  const size_t full = process_bytes(true), told = told_bytes();
  plain_cache_ref refs[ROUNDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    uint64_t key = i;
    while (plain_cache_get_ref(&plains, key, &refs[i]) != ACCEL_OK) key += ROUNDS;
    assert_int_equal(plain_cache_resize(&plains, MANY + i), ACCEL_OK);
    assert_true(are_all(plain_cache_ref_value(&refs[i])->words, 8, key + 1));
  }
  assert_true(told_bytes() > 3 * told);
  for (unsigned i = 0; i < ROUNDS; i++) plain_cache_ref_release(&refs[i]);
  assert_true(told_bytes() < told + told / 2);
  assert_true(process_bytes(true) < full + full / 2);
  plain_cache_close(&plains);
}

/* Few entries use few pages, whatever the capacity and the system's taste for large pages. */
static void few_entries_use_little_memory(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip(); /* whose shadow counts too */
  const accel_config config = {.area = "a", .capacity = 100000};
  const size_t before = process_bytes(true);
  assert_int_equal(plain_cache_open(&plains, &config), ACCEL_OK);
  for (uint64_t key = 0; key < 20; key++) assert_true(do_plain(key, true));
  assert_true(process_bytes(true) < before + 2000000);
  assert_true(told_bytes() < 2000000);
  for (uint64_t key = 0; key < 2000; key++) assert_true(do_plain(key, true));
  assert_true(told_bytes() < 2000 * 80 * 13 / 10 + 2000000);
  plain_cache_close(&plains);
}

static void a_full_table_is_told_as_it_is(void **state)
{
  (void)state;
  if (ACCEL_IS_SANITIZED) skip(); /* whose shadow counts too */
  open_and_fill(100000);
  const size_t content = (size_t)100000 * (sizeof(uint64_t) + sizeof(small));
  assert_in_range(told_bytes(), content, content + 20 * 100000);
  plain_cache_close(&plains);
}

static void an_open_that_wants_too_much_says_how_much(void **state)
{
  (void)state;
  accel_config config = {.area = "a", .capacity = (size_t)1 << 40};
  assert_int_equal(big_cache_open(&bigs, &config), ACCEL_ERR_NOMEM);
  assert_non_null(strstr(big_cache_last_error(&bigs), "larger than memory can be"));
  config.capacity = (size_t)1 << 35;
  const accel_status status = big_cache_open(&bigs, &config);
  if (status == ACCEL_OK) { /* a system that promises whatever is asked for */
    big_cache_close(&bigs);
    return;
  }
  assert_non_null(strstr(big_cache_last_error(&bigs), " MiB"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_read_while_tables_change_is_whole),
      cmocka_unit_test(a_read_that_stalls_meets_no_other_table),
      cmocka_unit_test(resizes_use_up_no_addresses),
      cmocka_unit_test(a_table_goes_when_its_last_reference_does),
      cmocka_unit_test(few_entries_use_little_memory),
      cmocka_unit_test(a_full_table_is_told_as_it_is),
      cmocka_unit_test(an_open_that_wants_too_much_says_how_much),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
