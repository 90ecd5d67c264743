/* Every allocation of every operation fails in turn, alone and with all that follow it. Each time
 * there is a status, the cache is as good as before, and nothing leaks: keys are strings, values
 * own memory, and there is an L2, so that every level and every copy takes part.
 *
 * The value of a key is always the same, so that whatever succeeded can be checked.
 */
#include "alloc_world.h"

/* ---- the operations ---- */

static accel_status get_cached(world *all)
{
  text out;
  return taken(all, page_cache_get(&all->pages, paths[0], &out), 0, &out);
}

static accel_status get_loaded(world *all)
{
  text out;
  return taken(all, page_cache_get(&all->pages, paths[1], &out), 1, &out);
}

static accel_status get_from_remote(world *all)
{
  text out;
  return taken(all, page_cache_get(&all->pages, paths[2], &out), 2, &out);
}

static accel_status get_or_load(world *all)
{
  text out;
  return taken(all, page_cache_get_or_load(&all->pages, paths[1], NULL, load_page, NULL, &out), 1,
               &out);
}

static accel_status taken_all(const world *all, accel_status status, text *out,
                              const accel_status *statuses)
{
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_not_equal(statuses[i], UNWRITTEN);
    if (status == ACCEL_OK) assert_false(accel_failed(statuses[i]));
    taken(all, statuses[i], i, &out[i]);
  }
  return status;
}

static accel_status get_many(world *all)
{
  text out[COUNT];
  accel_status statuses[COUNT] = {UNWRITTEN, UNWRITTEN, UNWRITTEN, UNWRITTEN};
  const accel_status status = page_cache_mget(&all->pages, paths, COUNT, NULL, out, statuses);
  return taken_all(all, status, out, statuses);
}

static accel_status get_many_at_once(world *all)
{
  page_cache_set_mloader(&all->pages, load_pages, NULL);
  return get_many(all);
}

static accel_status warm_up(world *all)
{
  size_t loaded;
  return page_cache_warmup(&all->pages, paths, COUNT, &loaded);
}

static accel_status refresh(world *all)
{
  return page_cache_refresh(&all->pages, paths[0]);
}

static accel_status hold(world *all)
{
  page_cache_ref ref;
  const accel_status status = page_cache_get_ref(&all->pages, paths[0], &ref);
  if (status != ACCEL_OK) return status;
  page_cache_del(&all->pages, paths[0]);
  assert_string_equal(page_cache_ref_value(&ref)->bytes, all->values[0].bytes);
  page_cache_ref_release(&ref);
  return status;
}

static accel_status set(world *all)
{
  return page_cache_set(&all->pages, paths[1], &all->values[1]);
}

static accel_status set_again(world *all)
{
  return page_cache_set(&all->pages, paths[0], &all->values[0]);
}

static accel_status set_null(world *all)
{
  return page_cache_set_null(&all->pages, paths[1]);
}

static accel_status set_many(world *all)
{
  return page_cache_mset(&all->pages, paths, all->values, COUNT);
}

static accel_status del(world *all)
{
  return page_cache_del(&all->pages, paths[0]);
}

static accel_status del_twice(world *all)
{
  return page_cache_del_after(&all->pages, paths[0], 1);
}

static accel_status del_many(world *all)
{
  return page_cache_mdel(&all->pages, paths, COUNT);
}

static accel_status clear(world *all)
{
  return page_cache_clear(&all->pages);
}

static accel_status resize(world *all)
{
  return page_cache_resize(&all->pages, 1000);
}

static bool visit_page(void *ctx, const char *key, const text *value)
{
  (void)ctx;
  return key[0] == '/' && value->bytes != NULL;
}

static accel_status look_around(world *all)
{
  const char *keys[COUNT];
  accel_diagnostic diagnostic;
  page_cache_each(&all->pages, visit_page, NULL);
  page_cache_diagnostic_snapshot(&all->pages, &diagnostic);
  return page_cache_hottest(&all->pages, keys, COUNT) <= COUNT ? ACCEL_OK : ACCEL_ERR_CONFIG;
}

static ACCEL_CACHEABLE(page, wrapped_get, (world * all, const char *path, text *out),
                       (all, path, out), .cache = &all->pages, .key = path, .out = out,
                       .on_cache_error = ACCEL_PROPAGATE)
{
  (void)all;
  return load_page(NULL, path, out);
}

static ACCEL_CACHE_PUT(page, wrapped_put, (world * all, const char *path, const text *value),
                       (all, path, value), .cache = &all->pages, .key = path, .value = value,
                       .on_cache_error = ACCEL_PROPAGATE)
{
  return all != NULL && path != NULL && value != NULL ? ACCEL_OK : ACCEL_ERR_CONFIG;
}

static ACCEL_CACHE_EVICT_BATCH(page, wrapped_evict, (world * all), (all), .cache = &all->pages,
                               .before = true, .on_cache_error = ACCEL_PROPAGATE)
{
  return all != NULL && keys != NULL && count > 0 ? ACCEL_OK : ACCEL_ERR_CONFIG;
}

static ACCEL_CACHEABLE_BATCH(page, wrapped_get_many, (world * all), (all), .cache = &all->pages)
{
  (void)all;
  return load_pages(NULL, keys, count, values, statuses);
}

static accel_status get_wrapped(world *all)
{
  text out;
  return taken(all, wrapped_get(all, paths[1], &out), 1, &out);
}

static accel_status put_wrapped(world *all)
{
  return wrapped_put(all, paths[1], &all->values[1]);
}

static accel_status evict_wrapped(world *all)
{
  return wrapped_evict(all, paths, COUNT);
}

static accel_status get_many_wrapped(world *all)
{
  text out[COUNT];
  accel_status statuses[COUNT] = {UNWRITTEN, UNWRITTEN, UNWRITTEN, UNWRITTEN};
  const accel_status status = wrapped_get_many(all, paths, COUNT, out, statuses);
  return taken_all(all, status, out, statuses);
}

/* ---- the sweep ---- */

static bool may_follow(accel_status status)
{
  return status == ACCEL_OK || status == ACCEL_ERR_NOMEM || status == ACCEL_ERR_BACKEND ||
         status == ACCEL_ERR_LOADER;
}

/* True: an allocation failed. */
static bool run(accel_status (*operation)(world *all), uint64_t n, void (*order)(uint64_t n))
{
  static world all;
  world_open(&all);
  order(n);
  const accel_status status = operation(&all);
  const bool has_failed = failing_alloc_failures() > 0;
  failing_alloc_fail_nth(0);
  assert_true(has_failed ? may_follow(status) : status == ACCEL_OK);
  if (accel_failed(status)) assert_true(page_cache_last_error(&all.pages)[0] != '\0');
  expect_valid(&all);
  world_close(&all);
  return has_failed;
}

typedef struct operation {
  const char *name;
  accel_status (*run)(world *all);
} operation;

static void sweep(void **state)
{
  const operation *one = (const operation *)*state;
  for (uint64_t n = 1; run(one->run, n, failing_alloc_fail_nth); n++) assert_true(n < 200);
  for (uint64_t n = 1; run(one->run, n, failing_alloc_fail_from); n++) assert_true(n < 200);
}

/* ---- open and close ---- */

static bool open_with_failure(uint64_t n, void (*order)(uint64_t n))
{
  static world all;
  memset(&all, 0, sizeof all);
  accel_thread_scratch(1);
  all.baseline = failing_alloc_live_blocks();
  const accel_config config = {.area = "page", .capacity = 64, .remote = &all.fake, .hot_keys = 16};
  text out;
  assert_int_equal(accel_fake_open(&all.fake, NULL), ACCEL_OK);
  order(n);
  const accel_status status = page_cache_open(&all.pages, &config);
  const bool has_failed = failing_alloc_failures() > 0;
  failing_alloc_fail_nth(0);
  assert_int_equal(status, has_failed ? ACCEL_ERR_NOMEM : ACCEL_OK);
  if (has_failed) assert_non_null(strstr(page_cache_last_error(&all.pages), "memory"));
  if (has_failed) assert_int_equal(page_cache_get(&all.pages, "/", &out), ACCEL_ERR_CLOSED);
  world_close(&all);
  return has_failed;
}

static uint64_t renew_nothing(void *unused)
{
  (void)unused;
  return ACCEL_NO_DEADLINE;
}

/* The thread of renewals, without which a cache opens all the same, runs already. */
static void a_failed_open_leaves_nothing(void **state)
{
  (void)state;
  uint64_t n = 1;
  accel_renewal renewal = {.run = renew_nothing};
  const uint64_t blocks = failing_alloc_live_blocks();
  assert_true(accel_renewal_join(&renewal));
  while (failing_alloc_live_blocks() > blocks) usleep(1000); /* it frees what it was started with */
  while (open_with_failure(n, failing_alloc_fail_nth)) n++;
  assert_in_range(n, 5, 100); /* it did allocate */
  for (n = 1; open_with_failure(n, failing_alloc_fail_from); n++) {}
  accel_renewal_leave(&renewal);
}

static void close_needs_no_memory(void **state)
{
  (void)state;
  static world all;
  world_open(&all);
  assert_int_equal(get_loaded(&all), ACCEL_OK);
  assert_int_equal(page_cache_refresh(&all.pages, paths[0]), ACCEL_OK);
  assert_int_equal(page_cache_del_after(&all.pages, paths[1], 60000), ACCEL_OK);
  failing_alloc_fail_from(1);
  page_cache_close(&all.pages);
  failing_alloc_fail_nth(0);
  world_close(&all);
}

static void a_refresh_without_memory_is_no_refresh(void **state)
{
  (void)state;
  static world all;
  world_open(&all);
  for (unsigned n = 1; n <= 2; n++) { /* of the flight, and of its load */
    failing_alloc_fail_nth(n);
    assert_int_equal(page_cache_refresh(&all.pages, paths[0]), ACCEL_ERR_NOMEM);
    failing_alloc_fail_nth(0);
    assert_non_null(strstr(page_cache_last_error(&all.pages), "no memory"));
  }
  assert_int_equal(page_cache_refresh(&all.pages, paths[0]), ACCEL_OK);
  world_close(&all);
}

/* ---- what needs no memory at all ---- */

ACCEL_DEFINE(number, uint64_t, uint64_t)

static void a_hit_of_a_plain_value_allocates_nothing(void **state)
{
  (void)state;
  number_cache cache;
  accel_diagnostic diagnostic;
  uint64_t out = 0;
  const uint64_t before = failing_alloc_live_bytes();
  assert_int_equal(
      number_cache_open(&cache, &(accel_config){.area = "n", .capacity = 512, .hot_keys = 16}),
      ACCEL_OK);
  for (uint64_t key = 0; key < 100; key++)
    assert_int_equal(number_cache_set(&cache, key, &key), ACCEL_OK);
  accel_ignore(number_cache_get(&cache, 1, &out));
  const uint64_t calls = failing_alloc_calls();
  for (uint64_t i = 0; i < 5000; i++) { /* and some are samples */
    assert_int_equal(number_cache_get(&cache, i % 100, &out), ACCEL_OK);
    assert_int_equal(out, i % 100);
  }
  assert_int_equal(failing_alloc_calls(), calls);
  number_cache_diagnostic_snapshot(&cache, &diagnostic);
  assert_true(diagnostic.memory_bytes > 0);
  assert_true(diagnostic.memory_bytes <= failing_alloc_live_bytes() - before);
  number_cache_close(&cache);
  assert_int_equal(failing_alloc_live_bytes(), before);
}

static operation operations[] = {
    {"get_cached", get_cached},
    {"get_loaded", get_loaded},
    {"get_from_remote", get_from_remote},
    {"get_or_load", get_or_load},
    {"get_many", get_many},
    {"get_many_at_once", get_many_at_once},
    {"warm_up", warm_up},
    {"refresh", refresh},
    {"hold", hold},
    {"set", set},
    {"set_again", set_again},
    {"set_null", set_null},
    {"set_many", set_many},
    {"del", del},
    {"del_twice", del_twice},
    {"del_many", del_many},
    {"clear", clear},
    {"resize", resize},
    {"look_around", look_around},
    {"get_wrapped", get_wrapped},
    {"put_wrapped", put_wrapped},
    {"evict_wrapped", evict_wrapped},
    {"get_many_wrapped", get_many_wrapped},
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

/* ---- without anything behind L1 ---- */

ACCEL_DEFINE_WITH(alone, uint64_t, text, .copy = text_copy, .drop = text_drop)

static void expect_memory_and_area(const alone_cache *cache)
{
  const char *error = alone_cache_last_error(cache);
  if (strstr(error, "no memory") == NULL || strstr(error, "area alone") == NULL)
    fail_msg("\"%s\" names neither memory nor area", error);
}

static void reads_of_local_name_what_had_no_memory(void **state)
{
  (void)state;
  alone_cache cache;
  text value, out;
  const uint64_t key = 1;
  const accel_config config = {.area = "alone", .capacity = 64};
  assert_true(text_make(&value, "some text", 9));
  assert_int_equal(alone_cache_open(&cache, &config), ACCEL_OK);
  assert_int_equal(alone_cache_set(&cache, 1, &value), ACCEL_OK);
  failing_alloc_fail_from(1);
  const accel_status status = alone_cache_get(&cache, 1, &out);
  failing_alloc_fail_from(0);
  assert_int_equal(status, ACCEL_ERR_NOMEM);
  expect_memory_and_area(&cache);
  accel_error_set(&config, ACCEL_ERR_CONFIG, "something else");
  /* More keys than memory can have statuses. */
  assert_int_equal(alone_cache_mget(&cache, &key, SIZE_MAX / 2, NULL, &out, NULL), ACCEL_ERR_NOMEM);
  expect_memory_and_area(&cache);
  alone_cache_close(&cache);
  text_drop(&value);
}

int main(void)
{
  struct CMUnitTest tests[OPERATIONS + 5] = {
      cmocka_unit_test(a_failed_open_leaves_nothing),
      cmocka_unit_test(close_needs_no_memory),
      cmocka_unit_test(a_refresh_without_memory_is_no_refresh),
      cmocka_unit_test(a_hit_of_a_plain_value_allocates_nothing),
      cmocka_unit_test(reads_of_local_name_what_had_no_memory),
  };
  for (size_t i = 0; i < OPERATIONS; i++) {
    operation *one = &operations[i];
    tests[i + 5] = (struct CMUnitTest){one->name, sweep, NULL, NULL, one};
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
