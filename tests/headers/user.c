/* user.c: a program as users write it, with globals of the names that parameters like to have.
 *
 * It is C11 and C++20, is compiled with every warning that api.md promises to be clean under, and
 * is run. What is not C++ (designated wrapper options are) is not in here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern int cache, key, keys, count, load, value, hash, out, type, size, data;
int cache, key, keys, count, load, value, hash, out, type, size, data;

#include "accel.h"

typedef struct user_t {
  uint64_t id;
  char name[56];
} user_t;

typedef struct place_t {
  int32_t x, y;
} place_t;

static uint64_t place_hash(const place_t *place, uint64_t seed)
{
  return accel_hash_bytes(place, sizeof *place, seed);
}

static bool place_equal(const place_t *a, const place_t *b)
{
  return a->x == b->x && a->y == b->y;
}

ACCEL_DEFINE(user, uint64_t, user_t)
ACCEL_DEFINE_WITH(place, place_t, double, .hash = place_hash, .equal = place_equal)
ACCEL_DEFINE_STR(page, user_t)
ACCEL_DEFINE_STR_WITH(word, int, .local = &accel_uthash_ops, .schema = 2)
ACCEL_DECLARE(shared, int32_t, user_t)
ACCEL_IMPLEMENT(shared)
ACCEL_DECLARE_STR(text, user_t)
ACCEL_IMPLEMENT_STR(text)

static accel_status user_load(void *ctx, user_cache_key id, user_cache_value *to)
{
  (void)ctx;
  if (id == 0) return ACCEL_NULL;
  memset(to, 0, sizeof *to);
  to->id = id;
  return ACCEL_OK;
}

ACCEL_CACHEABLE(user, get_user, (user_cache * users, uint64_t id, user_t *to), (users, id, to),
                .cache = users, .key = id, .out = to)
{
  (void)users;
  return user_load(NULL, id, to);
}

ACCEL_CACHE_PUT(user, save_user, (user_cache * users, const user_t *user), (users, user),
                .cache = users, .key = user->id, .value = user)
{
  (void)users;
  return user->id == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static ACCEL_CACHE_EVICT(user, delete_user, (user_cache * users, uint64_t id), (users, id),
                         .cache = users, .key = id, .before = false)
{
  (void)users;
  return id == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

ACCEL_CACHEABLE_BATCH(user, get_users, (user_cache * users), (users), .cache = users)
{
  (void)users;
  for (size_t i = 0; i < count; i++) statuses[i] = user_load(NULL, keys[i], &values[i]);
  return ACCEL_OK;
}

ACCEL_CACHE_EVICT_BATCH(user, delete_users, (user_cache * users), (users), .cache = users)
{
  (void)users;
  return keys == NULL && count > 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static int failed(const char *what, accel_status status)
{
  printf("%s: %s\n", what, accel_status_name(status));
  return 1;
}

static int check_typed(void)
{
  accel_config config;
  memset(&config, 0, sizeof config);
  config.area = "typed";
  place_cache places;
  accel_status status = place_cache_open(&places, &config);
  if (status != ACCEL_OK) return failed(place_cache_last_error(&places), status);
  const place_t here = {1, 2};
  const double height = 3.5;
  double found = 0;
  status = place_cache_set(&places, here, &height);
  if (status == ACCEL_OK) status = place_cache_get(&places, here, &found);
  place_cache_close(&places);
  return status != ACCEL_OK || found < 3 ? failed("place", status) : 0;
}

int main(void)
{
  accel_config config;
  memset(&config, 0, sizeof config);
  config.area = "users";
  user_cache users;
  accel_status status = user_cache_open(&users, &config);
  if (status != ACCEL_OK) return failed(user_cache_last_error(&users), status);
  user_cache_set_loader(&users, user_load, NULL);

  user_t one;
  status = user_cache_get(&users, 7, &one);
  if (status != ACCEL_OK || one.id != 7) return failed("get", status);
  status = get_user(&users, 0, &one);
  if (status != ACCEL_NULL) return failed("get_user", status);
  one.id = 9;
  if ((status = save_user(&users, &one)) != ACCEL_OK) return failed("save_user", status);
  const uint64_t ids[3] = {7, 8, 9};
  user_t found[3];
  accel_status statuses[3];
  status = get_users(&users, ids, 3, found, statuses);
  if (status != ACCEL_OK || found[1].id != 8) return failed("get_users", status);
  if ((status = delete_users(&users, ids, 3)) != ACCEL_OK) return failed("delete_users", status);
  if ((status = delete_user(&users, 7)) != ACCEL_OK) return failed("delete_user", status);
  user_cache_close(&users);
  if (user_cache_get(&users, 7, &one) != ACCEL_ERR_CLOSED) return failed("closed", ACCEL_OK);
  return check_typed();
}
