/* 08_two_files_users.c: implements the cache of users, and the library. */
#define ACCEL_IMPLEMENTATION
#include "08_two_files_users.h"

/* The exact LRU instead of the default engine: other files do not depend on this. */
ACCEL_IMPLEMENT_WITH(user, .local = &accel_uthash_ops)

user_cache users;
static uint64_t looked_up;

static accel_status look_up(void *ctx, uint64_t id, user_t *out)
{
  static const char *const names[] = {"Ada", "Grace", "Barbara"};
  (void)ctx;
  looked_up++;
  if (id >= sizeof names / sizeof *names) return ACCEL_NULL;
  *out = (user_t){.id = id};
  snprintf(out->name, sizeof out->name, "%s", names[id]);
  return ACCEL_OK;
}

accel_status users_open(void)
{
  const accel_config config = {
      .area = "users", .capacity = 1000, .loader_timeout_ms = ACCEL_FOREVER};
  const accel_status status = user_cache_open(&users, &config);
  if (status == ACCEL_OK) user_cache_set_loader(&users, look_up, NULL);
  return status;
}

uint64_t users_looked_up(void)
{
  return looked_up;
}
