/* Whatever is wrong is a status with a sentence: bad configurations, bad calls, bad bytes in L2, a
 * loader that hangs, a fork. */
#include "failures_world.h"

#include "quiet_fork.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

static bool row_copy(row *to, const row *from)
{
  *to = *from;
  return true;
}

static void row_drop(row *value)
{
  value->number = 0;
}

ACCEL_DEFINE_WITH(copied, uint64_t, row, .copy = row_copy)
ACCEL_DEFINE_WITH(dropped, uint64_t, row, .drop = row_drop)
ACCEL_DEFINE_WITH(encoded, uint64_t, row, .copy = row_copy, .drop = row_drop,
                  .remote = &accel_fake_ops)

static void misused(const row_cache *cache, accel_status status, const char *text)
{
  expect(cache, status, ACCEL_ERR_CONFIG, text);
}

static accel_status load_row(void *ctx, uint64_t key, row *out)
{
  (void)ctx;
  *out = row_of(key);
  return ACCEL_OK;
}

static bool visit_row(void *ctx, uint64_t key, const row *value)
{
  (void)key, (void)value;
  ++*(size_t *)ctx;
  return true;
}

/* ---- configurations ---- */

static void bad_configurations_are_named(void **state)
{
  world *all = (world *)*state;
  static const accel_clock no_clock = {NULL, NULL};
  const char *const sixty_five =
      "12345678901234567890123456789012345678901234567890123456789012345";
  const struct {
    accel_config config;
    const char *text;
  } cases[] = {
      {{.area = NULL}, "area is NULL"},
      {{.area = ""}, "area is \"\""},
      {{.area = "a\nb"}, "0x0a"},
      {{.area = "a:b"}, ":"},
      {{.area = sixty_five}, "65"},
      {{.area = "a", .ttl_jitter_ratio = 1.5}, "ttl_jitter_ratio is 1.5"},
      {{.area = "a", .ttl_jitter_ratio = -0.5}, "ttl_jitter_ratio is -0.5"},
      {{.area = "a", .ttl_jitter_ratio = (double)NAN}, "ttl_jitter_ratio"},
      {{.area = "a", .mode = ACCEL_LOCAL, .remote = &all->fake}, "mode is ACCEL_LOCAL"},
      {{.area = "a", .mode = ACCEL_BOTH}, "mode is ACCEL_BOTH"},
      {{.area = "a", .mode = ACCEL_REMOTE}, "mode is ACCEL_REMOTE"},
      {{.area = "a", .mode = (accel_mode)9}, "mode is 9"},
      {{.area = "a", .stale_max_ms = ACCEL_FOREVER}, "stale_max_ms"},
      {{.area = "a", .loader_soft_timeout_ms = ACCEL_FOREVER}, "loader_soft_timeout_ms"},
      {{.area = "a", .clock = &no_clock}, "clock"},
      {{.area = "a", .capacity = SIZE_MAX}, "capacity"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    row_cache cache;
    row out;
    misused(&cache, row_cache_open(&cache, &cases[i].config), cases[i].text);
    expect(&cache, row_cache_get(&cache, 1, &out), ACCEL_ERR_CLOSED, "not open");
    row_cache_close(&cache);
  }
  row_cache cache;
  misused(&cache, row_cache_open(&cache, NULL), "config is NULL");
  assert_int_equal(row_cache_open(NULL, &cases[0].config), ACCEL_ERR_CONFIG);
}

static void bad_traits_are_named(void **state)
{
  world *all = (world *)*state;
  const accel_config plain = {.area = "a"}, weighed = {.area = "a", .max_weight = 5};
  const accel_config both = {.area = "a", .remote = &all->fake};
  copied_cache copied;
  dropped_cache dropped;
  encoded_cache encoded;
  local_cache local;
  assert_int_equal(copied_cache_open(&copied, &plain), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(copied_cache_last_error(&copied), ".drop"));
  assert_int_equal(dropped_cache_open(&dropped, &plain), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(dropped_cache_last_error(&dropped), ".copy"));
  assert_int_equal(encoded_cache_open(&encoded, &both), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(encoded_cache_last_error(&encoded), ".codec"));
  assert_int_equal(local_cache_open(&local, &both), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(local_cache_last_error(&local), ".remote"));
  assert_int_equal(local_cache_open(&local, &weighed), ACCEL_ERR_CONFIG);
  assert_non_null(strstr(local_cache_last_error(&local), "max_weight is 5"));
}

/* ---- calls ---- */

static void null_pointers_are_misuse(void **state)
{
  world *all = (world *)*state;
  row_cache *cache = &all->rows;
  const uint64_t key = 1;
  const row value = row_of(1);
  row out;
  accel_status status;
  row_cache_ref ref;
  assert_int_equal(row_cache_set(cache, 1, &value), ACCEL_OK);
  misused(cache, row_cache_get(cache, 1, NULL), "out is NULL");
  misused(cache, row_cache_get_with(cache, 2, NULL, NULL), "out is NULL");
  misused(cache, row_cache_get_or_load(cache, 2, NULL, load_row, NULL, NULL), "out is NULL");
  misused(cache, row_cache_get_or_load(cache, 2, NULL, NULL, NULL, &out), "load is NULL");
  misused(cache, row_cache_mget(cache, NULL, 1, NULL, &out, &status), "keys is NULL");
  assert_int_equal(status, ACCEL_ERR_CONFIG);
  misused(cache, row_cache_mget(cache, &key, 1, NULL, NULL, &status), "values_out is NULL");
  misused(cache, row_cache_set(cache, 1, NULL), "value is NULL");
  misused(cache, row_cache_set_with(cache, 1, NULL, NULL), "value is NULL");
  misused(cache, row_cache_mset(cache, NULL, &value, 1), "keys is NULL");
  misused(cache, row_cache_mset(cache, &key, NULL, 1), "values is NULL");
  misused(cache, row_cache_mdel(cache, NULL, 1), "keys is NULL");
  misused(cache, row_cache_get_ref(cache, 1, NULL), "ref is NULL");
  misused(cache, row_cache_refresh(cache, 1), "needs a loader");
  misused(cache, row_cache_resize(cache, 0), "capacity is 0");
  assert_int_equal(row_cache_hottest(cache, NULL, 3), 0);
  row_cache_each(cache, NULL, NULL);
  row_cache_metrics_snapshot(cache, NULL);
  row_cache_diagnostic_snapshot(cache, NULL);
  assert_true(row_cache_otel_metric_points(cache, NULL, 0) > 20);
  assert_null(row_cache_ref_value(NULL));
  row_cache_ref_release(NULL);
  memset(&ref, 0, sizeof ref);
  row_cache_ref_release(&ref);
  assert_int_equal(row_cache_get(cache, 1, &out), ACCEL_OK);
}

static void no_cache_at_all_is_misuse(void **state)
{
  (void)state;
  const uint64_t key = 1;
  row value = row_of(1);
  accel_metrics metrics;
  row_cache_ref ref;
  assert_int_equal(row_cache_get(NULL, 1, &value), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_mget(NULL, &key, 1, NULL, &value, NULL), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_set(NULL, 1, &value), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_del(NULL, 1), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_clear(NULL), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_get_ref(NULL, 1, &ref), ACCEL_ERR_CONFIG);
  assert_int_equal(row_cache_resize(NULL, 1), ACCEL_ERR_CONFIG);
  row_cache_set_loader(NULL, load_row, NULL);
  row_cache_metrics_snapshot(NULL, &metrics);
  assert_int_equal(metrics.local_hit, 0);
  row_cache_close(NULL);
}

static void nothing_to_do_is_done(void **state)
{
  world *all = (world *)*state;
  row_cache *cache = &all->rows;
  assert_int_equal(row_cache_mget(cache, NULL, 0, NULL, NULL, NULL), ACCEL_OK);
  assert_int_equal(row_cache_mset(cache, NULL, NULL, 0), ACCEL_OK);
  assert_int_equal(row_cache_mdel(cache, NULL, 0), ACCEL_OK);
  assert_int_equal(row_cache_warmup(cache, NULL, 0, NULL), ACCEL_OK);
  assert_int_equal(row_cache_hottest(cache, NULL, 0), 0);
}

/* Every call is refused. */
static void expect_refused(row_cache *cache)
{
  const uint64_t key = 1;
  row value = row_of(1);
  accel_status status = ACCEL_OK;
  row_cache_ref ref;
  size_t visits = 0, loaded = 7;
  uint64_t keys[1];
  const accel_status results[] = {
      row_cache_get(cache, 1, &value),
      row_cache_get_with(cache, 1, NULL, &value),
      row_cache_get_or_load(cache, 1, NULL, load_row, NULL, &value),
      row_cache_mget(cache, &key, 1, NULL, &value, &status),
      row_cache_set(cache, 1, &value),
      row_cache_set_null(cache, 1),
      row_cache_mset(cache, &key, &value, 1),
      row_cache_del(cache, 1),
      row_cache_del_after(cache, 1, 1),
      row_cache_mdel(cache, &key, 1),
      row_cache_clear(cache),
      row_cache_refresh(cache, 1),
      row_cache_warmup(cache, &key, 1, &loaded),
      row_cache_get_ref(cache, 1, &ref),
      row_cache_resize(cache, 5),
  };
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
    assert_int_equal(results[i], ACCEL_ERR_CLOSED);
  assert_int_equal(status, ACCEL_ERR_CLOSED);
  assert_int_equal(loaded, 0);
  expect(cache, row_cache_del(cache, 1), ACCEL_ERR_CLOSED, "not open");
  row_cache_each(cache, visit_row, &visits);
  assert_int_equal(visits, 0);
  assert_int_equal(row_cache_hottest(cache, keys, 1), 0);
}

static void expect_closed(row_cache *cache)
{
  accel_diagnostic diagnostic;
  expect_refused(cache);
  assert_int_equal(row_cache_otel_metric_points(cache, NULL, 0), 0);
  row_cache_diagnostic_snapshot(cache, &diagnostic);
  assert_false(diagnostic.local_ready);
}

static void a_closed_cache_says_so(void **state)
{
  world *all = (world *)*state;
  row_cache zeroed;
  memset(&zeroed, 0, sizeof zeroed);
  expect_closed(&zeroed);
  row_cache_close(&zeroed);
  assert_int_equal(row_cache_close_within(&zeroed, 0), ACCEL_OK);
  row_cache_close(&all->rows);
  expect_closed(&all->rows);
  row_cache_close(&all->rows);
}

/* ---- bytes in L2 ---- */

static void bytes_in_l2_are_not_believed(void **state)
{
  world *all = (world *)*state;
  const row value = row_of(9);
  const accel_read from_remote = {.skip_local = true};
  accel_buffer bytes = {0};
  row out;
  assert_int_equal(row_cache_set(&all->rows, 9, &value), ACCEL_OK);
  assert_true(accel_fake_peek(&all->fake, "row:9", &bytes));
  for (size_t size = 0; size < bytes.size; size++) {
    assert_true(accel_fake_poke(&all->fake, "row:9", bytes.data, size, 60000));
    assert_int_equal(row_cache_get_with(&all->rows, 9, &from_remote, &out), ACCEL_MISS);
  }
  for (size_t bit = 0; bit < bytes.size * 8; bit++) {
    bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    assert_true(accel_fake_poke(&all->fake, "row:9", bytes.data, bytes.size, 60000));
    assert_int_equal(row_cache_get_with(&all->rows, 9, &from_remote, &out), ACCEL_MISS);
    bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  assert_true(accel_fake_poke(&all->fake, "row:8", bytes.data, bytes.size, 60000));
  assert_int_equal(row_cache_get(&all->rows, 8, &out), ACCEL_MISS); /* another key's */
  assert_true(accel_fake_poke(&all->fake, "row:9", bytes.data, bytes.size, 60000));
  assert_int_equal(row_cache_get_with(&all->rows, 9, &from_remote, &out), ACCEL_OK);
  assert_memory_equal(&out, &value, sizeof out);
  accel_metrics metrics;
  row_cache_metrics_snapshot(&all->rows, &metrics);
  assert_int_equal(metrics.remote_decode_errors, bytes.size * 9 + 1);
  accel_buffer_release(&bytes);
}

/* ---- closing ---- */

static _Atomic bool is_hanging;

static accel_status load_hanging(void *ctx, uint64_t key, row *out)
{
  (void)ctx;
  while (atomic_load(&is_hanging)) usleep(500);
  *out = row_of(key);
  return ACCEL_OK;
}

static void close_within_gives_up_and_can_be_repeated(void **state)
{
  (void)state;
  row_cache cache;
  row out;
  const accel_config config = {.area = "row", .loader_timeout_ms = 20};
  assert_int_equal(row_cache_open(&cache, &config), ACCEL_OK);
  row_cache_set_loader(&cache, load_hanging, NULL);
  atomic_store(&is_hanging, true);
  expect(&cache, row_cache_get(&cache, 1, &out), ACCEL_ERR_TIMEOUT, "loader_timeout_ms, 20");
  expect(&cache, row_cache_close_within(&cache, 10), ACCEL_ERR_TIMEOUT, "still loading");
  expect_refused(&cache);
  assert_int_equal(row_cache_close_within(&cache, 0), ACCEL_ERR_TIMEOUT);
  atomic_store(&is_hanging, false);
  assert_int_equal(row_cache_close_within(&cache, 5000), ACCEL_OK);
  assert_int_equal(row_cache_close_within(&cache, 0), ACCEL_OK);
  expect_closed(&cache);
}

/* ---- forks ---- */

/* What a child sees; 0, or the number of the step that went wrong. */
static int run_child(row_cache *parents)
{
  row out, value = row_of(5);
  row_cache own;
  if (row_cache_get(parents, 1, &out) != ACCEL_ERR_CONFIG) return 1;
  if (strstr(row_cache_last_error(parents), "fork") == NULL) return 2;
  if (row_cache_set(parents, 2, &value) != ACCEL_ERR_CONFIG) return 3;
  if (row_cache_open(&own, &(accel_config){.area = "own"}) != ACCEL_OK) return 4;
  row_cache_set_loader(&own, load_row, NULL);
  if (row_cache_get(&own, 5, &out) != ACCEL_OK || out.number != 5) return 5;
  if (row_cache_close_within(parents, 1000) != ACCEL_OK) return 6;
  if (row_cache_get(parents, 1, &out) != ACCEL_ERR_CLOSED) return 7;
  if (row_cache_get(&own, 5, &out) != ACCEL_OK) return 8;
  row_cache_close(&own);
  return 0;
}

static void a_child_opens_its_own_caches(void **state)
{
  world *all = (world *)*state;
  const row value = row_of(1);
  row out;
  int result = -1;
  if (UNDER_TSAN) skip(); /* it does not start threads in a child */
  row_cache_set_loader(&all->rows, load_row, NULL);
  assert_int_equal(row_cache_set(&all->rows, 1, &value), ACCEL_OK);
  assert_int_equal(row_cache_get(&all->rows, 2, &out), ACCEL_OK); /* there is a thread by now */
  const pid_t child = quiet_fork();
  assert_true(child >= 0);
  if (child == 0) _exit(run_child(&all->rows));
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  const accel_read local = {.skip_remote = true, .disable_load = true};
  assert_int_equal(row_cache_get_with(&all->rows, 1, &local, &out), ACCEL_OK);
}

/* ---- seeds ---- */

static void every_cache_has_a_seed_of_its_own(void **state)
{
  world *all = (world *)*state;
  row_cache other;
  assert_int_equal(row_cache_open(&other, &(accel_config){.area = "row"}), ACCEL_OK);
  assert_true(other.base.seed != all->rows.base.seed);
  row_cache_close(&other);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      WORLD_TEST(bad_configurations_are_named),
      WORLD_TEST(bad_traits_are_named),
      WORLD_TEST(null_pointers_are_misuse),
      WORLD_TEST(no_cache_at_all_is_misuse),
      WORLD_TEST(nothing_to_do_is_done),
      WORLD_TEST(a_closed_cache_says_so),
      WORLD_TEST(bytes_in_l2_are_not_believed),
      WORLD_TEST(close_within_gives_up_and_can_be_repeated),
      WORLD_TEST(a_child_opens_its_own_caches),
      WORLD_TEST(every_cache_has_a_seed_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
