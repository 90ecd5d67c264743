/* wrappers_world.h: a service whose functions are wrapped, and which counts what its bodies do. */
#ifndef WRAPPERS_WORLD_H
#define WRAPPERS_WORLD_H

#include "user_rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLERS 32

/* The source of truth and its cache; the wrappers' options are fields, so that each test sets its
 * own. */
typedef struct service {
  user_rows rows;
  /* what the bodies answer, and how often they and an option were asked */
  accel_status answer;
  uint32_t age;
  uint64_t next_id;
  bool fills_before_it_answers, was_told;
  _Atomic unsigned bodies, keys_asked;
  _Atomic bool is_held;
  /* options */
  bool allow_stale, no_null_cache, bypass, before, all;
  accel_error_policy on_cache_error;
  uint32_t ttl_ms;
  bool (*unless)(const user_row *);
} service;

static uint64_t key_asked(service *svc, uint64_t id)
{
  atomic_fetch_add(&svc->keys_asked, 1);
  return id;
}

static accel_status answer(service *svc, uint64_t id, user_row *out)
{
  atomic_fetch_add(&svc->bodies, 1);
  while (atomic_load(&svc->is_held)) usleep(500);
  if (svc->answer == ACCEL_OK) *out = (user_row){id, svc->age};
  return svc->answer;
}

/* Declared by its user, as in a header. */
accel_status service_get(service *svc, uint64_t id, user_row *out);

ACCEL_CACHEABLE(user, service_get, (service * svc, uint64_t id, user_row *out), (svc, id, out),
                .cache = &svc->rows.cache, .key = key_asked(svc, id), .out = out,
                .allow_stale = svc->allow_stale, .no_null_cache = svc->no_null_cache,
                .on_cache_error = svc->on_cache_error, .ttl_ms = svc->ttl_ms, .unless = svc->unless,
                .bypass = svc->bypass)
{
  return answer(svc, id, out);
}

static ACCEL_CACHE_PUT(user, service_save, (service * svc, user_row *row), (svc, row),
                       .cache = &svc->rows.cache, .key = key_asked(svc, row->id), .value = row,
                       .on_cache_error = svc->on_cache_error, .ttl_ms = svc->ttl_ms,
                       .bypass = svc->bypass)
{
  atomic_fetch_add(&svc->bodies, 1);
  if (row->id == 0) row->id = svc->next_id;
  return svc->answer;
}

static ACCEL_CACHE_EVICT(user, service_delete, (service * svc, uint64_t id), (svc, id),
                         .cache = &svc->rows.cache, .key = key_asked(svc, id),
                         .before = svc->before, .all = svc->all,
                         .on_cache_error = svc->on_cache_error, .bypass = svc->bypass)
{
  const user_row late = {id, 99};
  atomic_fetch_add(&svc->bodies, 1);
  if (svc->fills_before_it_answers) accel_ignore(user_cache_set(&svc->rows.cache, id, &late));
  return svc->answer;
}

static ACCEL_CACHEABLE(user, service_get_itself, (service * svc, uint64_t id, user_row *out),
                       (svc, id, out), .cache = &svc->rows.cache, .key = id, .out = out,
                       .on_cache_error = svc->on_cache_error)
{
  atomic_fetch_add(&svc->bodies, 1);
  const accel_status status = service_get_itself(svc, id, out);
  svc->was_told = strstr(user_cache_last_error(&svc->rows.cache), "needs the key") != NULL;
  return status;
}

/* ---- surroundings ---- */

static int setup(void **state)
{
  static service svc;
  memset(&svc, 0, sizeof svc);
  svc.age = 30;
  user_rows_open(&svc.rows, 10000);
  *state = &svc;
  return 0;
}

static int teardown(void **state)
{
  user_rows_close(&((service *)*state)->rows);
  return 0;
}

static void expect_cached(service *svc, uint64_t id, uint32_t age)
{
  user_row out = {0, 0};
  assert_int_equal(user_cache_get(&svc->rows.cache, id, &out), ACCEL_OK);
  assert_int_equal(out.id, id);
  assert_int_equal(out.age, age);
}

static void expect_not_cached(service *svc, uint64_t id)
{
  user_row out;
  assert_int_equal(user_cache_get(&svc->rows.cache, id, &out), ACCEL_MISS);
}

static void fail_remote(service *svc)
{
  for (accel_fake_op op = ACCEL_FAKE_GET; op < ACCEL_FAKE_OPS; op++)
    accel_fake_fail(&svc->rows.fake, op, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, ACCEL_FAKE_ALWAYS);
}

#endif
