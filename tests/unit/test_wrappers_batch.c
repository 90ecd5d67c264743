/* The wrapper generators for batches, and wrappers of every shape: no context, several parameters,
 * string keys, values that own memory. */
#include "user_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 8

/* The source of truth: row n exists unless n is a multiple of 10, and row 66 is broken. */
typedef struct service {
  user_rows rows;
  accel_status answer;
  unsigned bodies;
  uint64_t asked[MANY]; /* what the last body was asked for */
  size_t asked_count;
  bool were_statuses_ready;
  /* options */
  bool allow_stale, no_null_cache, bypass, before;
  accel_error_policy on_cache_error;
  uint32_t ttl_ms;
} service;

static void note_asked(service *svc, const uint64_t *ids, size_t count)
{
  svc->bodies++;
  svc->asked_count = count;
  for (size_t i = 0; i < count && i < MANY; i++) svc->asked[i] = ids[i];
}

static accel_status answer(service *svc, const uint64_t *ids, size_t count, user_row *rows,
                           accel_status *statuses)
{
  note_asked(svc, ids, count);
  svc->were_statuses_ready = statuses != NULL;
  for (size_t i = 0; statuses != NULL && i < count; i++) {
    svc->were_statuses_ready &= statuses[i] == ACCEL_MISS;
    if (ids[i] % 10 == 0) continue;
    statuses[i] = ids[i] == 66 ? ROW_LOCKED : ACCEL_OK;
    if (ids[i] != 66) rows[i] = (user_row){ids[i], (uint32_t)ids[i] + 1};
  }
  return svc->answer;
}

/* Declared by its user, as in a header. */
accel_status service_get_many(service *svc, const uint64_t *ids, size_t count, user_row *rows,
                              accel_status *statuses);

ACCEL_CACHEABLE_BATCH(user, service_get_many, (service * svc), (svc), .cache = &svc->rows.cache,
                      .allow_stale = svc->allow_stale, .no_null_cache = svc->no_null_cache,
                      .on_cache_error = svc->on_cache_error, .ttl_ms = svc->ttl_ms,
                      .bypass = svc->bypass)
{
  return answer(svc, keys, count, values, statuses);
}

static ACCEL_CACHE_EVICT_BATCH(user, service_delete_many, (service * svc, accel_status verdict),
                               (svc, verdict), .cache = &svc->rows.cache, .before = svc->before,
                               .on_cache_error = svc->on_cache_error, .bypass = svc->bypass)
{
  note_asked(svc, keys, count);
  return verdict;
}

/* ---- wrappers without a context ---- */

static service *only;

static ACCEL_CACHEABLE_BATCH(user, get_many, (void), (), .cache = &only->rows.cache)
{
  return answer(only, keys, count, values, statuses);
}

ACCEL_CACHE_EVICT_BATCH(user, delete_many, (void), (), .cache = &only->rows.cache)
{
  note_asked(only, keys, count);
  return ACCEL_OK;
}

static user_row newest;

static ACCEL_CACHEABLE(user, get_newest, (void), (), .cache = &only->rows.cache, .key = 1,
                       .out = &newest)
{
  only->bodies++;
  newest = (user_row){1, 2};
  return ACCEL_OK;
}

static ACCEL_CACHE_EVICT(user, forget_everything, (void), (), .cache = &only->rows.cache,
                         .all = true)
{
  return ACCEL_OK;
}

/* ---- string keys, and values that own memory ---- */

typedef struct page {
  char *text;
} page;

static long pages_alive;
static unsigned pages_rendered;

static bool page_make(page *to, const char *text)
{
  to->text = strdup(text);
  if (to->text != NULL) pages_alive++;
  return to->text != NULL;
}

static bool page_copy(page *to, const page *from)
{
  return page_make(to, from->text);
}

static void page_drop(page *value)
{
  free(value->text);
  value->text = NULL;
  pages_alive--;
}

ACCEL_DEFINE_STR_WITH(page, page, .copy = page_copy, .drop = page_drop)

static page_cache pages;

static ACCEL_CACHEABLE(page, render_page, (const char *path, int depth, page *out),
                       (path, depth, out), .cache = &pages, .key = path, .out = out)
{
  char text[64];
  pages_rendered++;
  if (depth < 0) return ROW_LOCKED;
  snprintf(text, sizeof text, "%s at %d", path, depth);
  return page_make(out, text) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static ACCEL_CACHEABLE_BATCH(page, render_pages, (int depth), (depth), .cache = &pages)
{
  for (size_t i = 0; i < count; i++) {
    statuses[i] = render_page(keys[i], depth, &values[i]); /* led here, needed here */
    if (statuses[i] == ACCEL_ERR_CONFIG)
      statuses[i] = page_make(&values[i], keys[i]) ? ACCEL_OK : ACCEL_ERR_NOMEM;
  }
  return ACCEL_OK;
}

static ACCEL_CACHE_PUT(page, store_page, (const char *path, const page *value), (path, value),
                       .cache = &pages, .key = path, .value = value)
{
  return path[0] == '/' && value->text != NULL ? ACCEL_OK : ROW_LOCKED;
}

/* ---- surroundings ---- */

static int setup(void **state)
{
  static service svc;
  memset(&svc, 0, sizeof svc);
  user_rows_open(&svc.rows, 0);
  assert_int_equal(page_cache_open(&pages, &(accel_config){.area = "page"}), ACCEL_OK);
  pages_rendered = 0;
  only = &svc;
  *state = &svc;
  return 0;
}

static int teardown(void **state)
{
  user_rows_close(&((service *)*state)->rows);
  page_cache_close(&pages);
  assert_int_equal(pages_alive, 0);
  return 0;
}

static bool is_cached(service *svc, uint64_t id)
{
  user_row out;
  return user_cache_get(&svc->rows.cache, id, &out) == ACCEL_OK;
}

/* ---- reads ---- */

static void a_body_sees_the_misses_alone(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2, 3, 2, 20, 3, 4};
  user_row rows[7];
  accel_status statuses[7];
  user_rows_set(&svc->rows, 1, 100);
  assert_int_equal(user_cache_set_null(&svc->rows.cache, 4), ACCEL_OK);
  assert_int_equal(service_get_many(svc, ids, 7, rows, statuses), ACCEL_OK);
  assert_int_equal(svc->bodies, 1);
  assert_int_equal(svc->asked_count, 3);
  assert_int_equal(svc->asked[0], 2);
  assert_int_equal(svc->asked[1], 3);
  assert_int_equal(svc->asked[2], 20);
  assert_true(svc->were_statuses_ready);
  const accel_status expected[] = {ACCEL_OK,   ACCEL_OK, ACCEL_OK,  ACCEL_OK,
                                   ACCEL_NULL, ACCEL_OK, ACCEL_NULL};
  const uint32_t ages[] = {100, 3, 4, 3, 0, 4, 0};
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(statuses[i], expected[i]);
    if (expected[i] == ACCEL_OK) assert_int_equal(rows[i].age, ages[i]);
  }
  assert_int_equal(accel_fake_calls(&svc->rows.fake, ACCEL_FAKE_GET), 1);
  assert_int_equal(accel_fake_calls(&svc->rows.fake, ACCEL_FAKE_FILL), 1);
}

static void a_body_never_runs_for_nothing(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2, 10};
  user_row rows[3];
  accel_status statuses[3];
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(service_get_many(svc, ids, 3, rows, statuses), ACCEL_OK);
  assert_int_equal(svc->bodies, 1);
  assert_int_equal(statuses[2], ACCEL_NULL);
  assert_int_equal(service_get_many(svc, ids, 0, rows, statuses), ACCEL_OK);
  assert_int_equal(service_get_many(svc, NULL, 0, NULL, NULL), ACCEL_OK);
  svc->bypass = true;
  assert_int_equal(service_get_many(svc, NULL, 0, NULL, NULL), ACCEL_OK);
  assert_int_equal(svc->bodies, 1);
}

static void a_caller_may_want_no_statuses(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2};
  user_row rows[2];
  assert_int_equal(service_get_many(svc, ids, 2, rows, NULL), ACCEL_OK);
  assert_true(svc->were_statuses_ready);
  assert_int_equal(rows[1].age, 3);
  assert_int_equal(service_get_many(svc, ids, 2, rows, NULL), ACCEL_OK);
  svc->bypass = true;
  assert_int_equal(service_get_many(svc, ids, 2, rows, NULL), ACCEL_OK);
  assert_true(svc->were_statuses_ready);
  assert_int_equal(svc->bodies, 2);
}

static void hits_survive_a_failing_body(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2};
  user_row rows[2] = {{0, 0}, {0, 0}};
  accel_status statuses[2];
  user_rows_set(&svc->rows, 1, 100);
  svc->answer = ROW_LOCKED;
  assert_int_equal(service_get_many(svc, ids, 2, rows, statuses), ROW_LOCKED);
  assert_int_equal(statuses[0], ACCEL_OK);
  assert_int_equal(rows[0].age, 100);
  assert_int_equal(statuses[1], ROW_LOCKED);
  assert_false(is_cached(svc, 2));
}

static void one_broken_row_breaks_no_other(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {65, 66, 67};
  user_row rows[3];
  accel_status statuses[3];
  assert_int_equal(service_get_many(svc, ids, 3, rows, statuses), ROW_LOCKED);
  assert_int_equal(statuses[0], ACCEL_OK);
  assert_int_equal(statuses[1], ROW_LOCKED);
  assert_int_equal(rows[2].age, 68);
  assert_true(is_cached(svc, 67));
  svc->bypass = true;
  assert_int_equal(service_get_many(svc, ids, 3, rows, statuses), ROW_LOCKED);
  assert_int_equal(statuses[2], ACCEL_OK);
}

static void the_options_of_reads_hold_for_batches(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {5, 10};
  user_row rows[2];
  accel_status statuses[2];
  svc->no_null_cache = true;
  svc->ttl_ms = 5000;
  assert_int_equal(service_get_many(svc, ids, 2, rows, statuses), ACCEL_OK);
  assert_in_range(accel_fake_ttl_left(&svc->rows.fake, "user:5"), 1, 5000);
  assert_int_equal(service_get_many(svc, ids, 2, rows, statuses), ACCEL_OK);
  assert_int_equal(svc->bodies, 2);
  assert_int_equal(svc->asked[0], 10);
  svc->rows.now_ms += 6000;
  accel_fake_evict(&svc->rows.fake, "user:5");
  svc->answer = ROW_LOCKED;
  svc->allow_stale = true;
  assert_int_equal(service_get_many(svc, ids, 1, rows, statuses), ACCEL_OK);
  assert_int_equal(rows[0].age, 6);
}

/* ---- when the cache fails ---- */

static void a_failing_cache_is_ignored_or_told(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2};
  user_row rows[2];
  accel_status statuses[2];
  for (accel_fake_op op = ACCEL_FAKE_GET; op < ACCEL_FAKE_OPS; op++)
    accel_fake_fail(&svc->rows.fake, op, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, ACCEL_FAKE_ALWAYS);
  svc->on_cache_error = ACCEL_PROPAGATE;
  assert_int_equal(service_get_many(svc, ids, 2, rows, statuses), ACCEL_ERR_BACKEND);
  assert_int_equal(statuses[1], ACCEL_ERR_BACKEND);
  assert_int_equal(svc->bodies, 0);
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 2), ACCEL_ERR_BACKEND);
  assert_int_equal(svc->bodies, 1);
  svc->on_cache_error = ACCEL_IGNORE;
  assert_int_equal(service_get_many(svc, ids, 2, rows, statuses), ACCEL_OK);
  assert_int_equal(rows[1].age, 3);
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 2), ACCEL_OK);
  assert_int_equal(svc->bodies, 3);
}

static void without_a_cache_the_body_answers_all(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 1, 10};
  user_row rows[3];
  accel_status statuses[3];
  user_cache_close(&svc->rows.cache);
  assert_int_equal(service_get_many(svc, ids, 3, rows, statuses), ACCEL_OK);
  assert_int_equal(svc->asked_count, 3);
  assert_int_equal(statuses[2], ACCEL_NULL);
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 3), ACCEL_OK);
  svc->on_cache_error = ACCEL_PROPAGATE;
  assert_int_equal(service_get_many(svc, ids, 3, rows, statuses), ACCEL_ERR_CLOSED);
  assert_int_equal(statuses[1], ACCEL_ERR_CLOSED);
  assert_int_equal(svc->bodies, 2);
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 3), ACCEL_ERR_CLOSED);
}

/* ---- evicting ---- */

static void evict_removes_what_the_body_removed(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2};
  for (uint64_t id = 1; id <= 3; id++) user_rows_set(&svc->rows, id, 1);
  assert_int_equal(service_delete_many(svc, ROW_LOCKED, ids, 2), ROW_LOCKED);
  assert_true(is_cached(svc, 1));
  svc->bypass = true;
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 2), ACCEL_OK);
  assert_true(is_cached(svc, 1));
  svc->bypass = false;
  assert_int_equal(service_delete_many(svc, ACCEL_OK, ids, 2), ACCEL_OK);
  assert_int_equal(svc->asked_count, 2);
  assert_false(is_cached(svc, 1));
  assert_false(is_cached(svc, 2));
  svc->before = true;
  assert_int_equal(service_delete_many(svc, ROW_LOCKED, ids + 1, 1), ROW_LOCKED);
  assert_int_equal(service_delete_many(svc, ACCEL_OK, NULL, 0), ACCEL_OK);
  assert_true(is_cached(svc, 3));
  user_rows_set(&svc->rows, 2, 1);
  assert_int_equal(service_delete_many(svc, ROW_LOCKED, ids + 1, 1), ROW_LOCKED);
  assert_false(is_cached(svc, 2));
}

/* ---- shapes ---- */

static void wrappers_need_no_context(void **state)
{
  service *svc = (service *)*state;
  const uint64_t ids[] = {1, 2};
  user_row rows[2];
  assert_int_equal(get_many(ids, 2, rows, NULL), ACCEL_OK);
  assert_int_equal(get_newest(), ACCEL_OK);
  assert_int_equal(newest.age, 2);
  assert_int_equal(svc->bodies, 1);
  assert_int_equal(delete_many(ids, 1), ACCEL_OK);
  assert_int_equal(get_newest(), ACCEL_OK);
  assert_int_equal(svc->bodies, 3);
  assert_int_equal(forget_everything(), ACCEL_OK);
  assert_false(is_cached(svc, 2));
}

static void a_wrapped_value_belongs_to_its_caller(void **state)
{
  (void)state;
  page out;
  char path[] = "/home";
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(render_page(path, 3, &out), ACCEL_OK);
    assert_string_equal(out.text, "/home at 3");
    page_drop(&out);
  }
  assert_int_equal(render_page("/broken", -1, &out), ROW_LOCKED);
  path[1] = 'd'; /* the cache keeps a key of its own */
  assert_int_equal(render_page(path, 4, &out), ACCEL_OK);
  assert_int_equal(pages_rendered, 3);
  assert_int_equal(store_page("/home", &out), ACCEL_OK);
  page_drop(&out);
  assert_int_equal(render_page("/home", 9, &out), ACCEL_OK);
  assert_string_equal(out.text, "/dome at 4");
  page_drop(&out);
}

static void a_batch_of_owned_values_leaks_none(void **state)
{
  (void)state;
  const char *paths[] = {"/a", "/b", "/a"};
  page out[3];
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(render_pages(1, paths, 3, out, NULL), ACCEL_OK);
    assert_string_equal(out[2].text, "/a");
    for (size_t k = 0; k < 3; k++) page_drop(&out[k]);
  }
}

#define SERVICE_TEST(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      SERVICE_TEST(a_body_sees_the_misses_alone),
      SERVICE_TEST(a_body_never_runs_for_nothing),
      SERVICE_TEST(a_caller_may_want_no_statuses),
      SERVICE_TEST(hits_survive_a_failing_body),
      SERVICE_TEST(one_broken_row_breaks_no_other),
      SERVICE_TEST(the_options_of_reads_hold_for_batches),
      SERVICE_TEST(a_failing_cache_is_ignored_or_told),
      SERVICE_TEST(without_a_cache_the_body_answers_all),
      SERVICE_TEST(evict_removes_what_the_body_removed),
      SERVICE_TEST(wrappers_need_no_context),
      SERVICE_TEST(a_wrapped_value_belongs_to_its_caller),
      SERVICE_TEST(a_batch_of_owned_values_leaks_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
