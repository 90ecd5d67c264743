/* wrappers_world.h: a service whose functions are wrapped, and which counts what its bodies do. */
#ifndef WRAPPERS_WORLD_H
#define WRAPPERS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel.h"
#include "accel_backends/fake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLERS 32
#define ROW_LOCKED ((accel_status)-1001)

typedef struct user_row {
  uint64_t id;
  uint32_t age;
} user_row;

ACCEL_DEFINE_WITH(user, uint64_t, user_row, .remote = &accel_fake_ops)

/* The source of truth and its cache; the wrappers' options are fields, so that each test sets its
 * own. */
typedef struct service {
  user_cache users;
  accel_fake fake;
  uint64_t now_ms;
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
                .cache = &svc->users, .key = key_asked(svc, id), .out = out,
                .allow_stale = svc->allow_stale, .no_null_cache = svc->no_null_cache,
                .on_cache_error = svc->on_cache_error, .ttl_ms = svc->ttl_ms, .unless = svc->unless,
                .bypass = svc->bypass)
{
  return answer(svc, id, out);
}

static ACCEL_CACHE_PUT(user, service_save, (service * svc, user_row *row), (svc, row),
                       .cache = &svc->users, .key = key_asked(svc, row->id), .value = row,
                       .on_cache_error = svc->on_cache_error, .ttl_ms = svc->ttl_ms,
                       .bypass = svc->bypass)
{
  atomic_fetch_add(&svc->bodies, 1);
  if (row->id == 0) row->id = svc->next_id;
  return svc->answer;
}

static ACCEL_CACHE_EVICT(user, service_delete, (service * svc, uint64_t id), (svc, id),
                         .cache = &svc->users, .key = key_asked(svc, id), .before = svc->before,
                         .all = svc->all, .on_cache_error = svc->on_cache_error,
                         .bypass = svc->bypass)
{
  const user_row late = {id, 99};
  atomic_fetch_add(&svc->bodies, 1);
  if (svc->fills_before_it_answers) accel_ignore(user_cache_set(&svc->users, id, &late));
  return svc->answer;
}

static ACCEL_CACHEABLE(user, service_get_itself, (service * svc, uint64_t id, user_row *out),
                       (svc, id, out), .cache = &svc->users, .key = id, .out = out,
                       .on_cache_error = svc->on_cache_error)
{
  atomic_fetch_add(&svc->bodies, 1);
  const accel_status status = service_get_itself(svc, id, out);
  svc->was_told = strstr(user_cache_last_error(&svc->users), "needs the key") != NULL;
  return status;
}

/* ---- surroundings ---- */

static uint64_t now_ms(void *ctx)
{
  return ((const service *)ctx)->now_ms;
}

static accel_status open_users(service *svc, uint32_t loader_timeout_ms)
{
  const accel_clock clock = {now_ms, svc};
  const accel_config config = {.area = "user",
                               .no_ttl_jitter = true,
                               .loader_timeout_ms = loader_timeout_ms,
                               .remote = &svc->fake,
                               .clock = &clock};
  return user_cache_open(&svc->users, &config);
}

static int setup(void **state)
{
  static service svc;
  memset(&svc, 0, sizeof svc);
  svc.now_ms = 1000000;
  svc.age = 30;
  assert_int_equal(accel_fake_open(&svc.fake, NULL), ACCEL_OK);
  assert_int_equal(open_users(&svc, 10000), ACCEL_OK);
  *state = &svc;
  return 0;
}

static int teardown(void **state)
{
  service *svc = (service *)*state;
  user_cache_close(&svc->users);
  accel_fake_close(&svc->fake);
  return 0;
}

static void seed(service *svc, uint64_t id, uint32_t age)
{
  const user_row row = {id, age};
  assert_int_equal(user_cache_set(&svc->users, id, &row), ACCEL_OK);
}

static void expect_cached(service *svc, uint64_t id, uint32_t age)
{
  user_row out = {0, 0};
  assert_int_equal(user_cache_get(&svc->users, id, &out), ACCEL_OK);
  assert_int_equal(out.id, id);
  assert_int_equal(out.age, age);
}

static void expect_not_cached(service *svc, uint64_t id)
{
  user_row out;
  assert_int_equal(user_cache_get(&svc->users, id, &out), ACCEL_MISS);
}

static void fail_remote(service *svc)
{
  for (accel_fake_op op = ACCEL_FAKE_GET; op < ACCEL_FAKE_OPS; op++)
    accel_fake_fail(&svc->fake, op, ACCEL_FAKE_BEFORE, ACCEL_ERR_BACKEND, ACCEL_FAKE_ALWAYS);
}

#endif
