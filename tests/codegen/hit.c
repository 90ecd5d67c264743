/* hit.c: the typed reads whose machine code hit.py looks at.
 *
 * `hit_...`: an L1 hit through each kind of cache. `broken_...`: what the check must find.
 */
#include <stdlib.h>

#include "accel.h"

typedef struct user_t {
  uint64_t words[8];
} user_t;

typedef struct place_t {
  uint32_t x, y;
} place_t;

static uint64_t place_hash(const place_t *place, uint64_t seed)
{
  return accel_hash_integer(((uint64_t)place->x << 32) | place->y, seed);
}

static bool place_equal(const place_t *a, const place_t *b)
{
  return a->x == b->x && a->y == b->y;
}

ACCEL_DEFINE(user, uint64_t, user_t)
ACCEL_DEFINE_WITH(place, place_t, user_t, .hash = place_hash, .equal = place_equal)
ACCEL_DEFINE_STR(page, user_t)
ACCEL_DEFINE_WITH(exact, uint64_t, user_t, .local = &accel_uthash_ops)

accel_status hit_user(user_cache *users, uint64_t id, user_t *out)
{
  return user_cache_get(users, id, out);
}

accel_status hit_place(place_cache *places, place_t place, user_t *out)
{
  return place_cache_get(places, place, out);
}

accel_status hit_page(page_cache *pages, const char *name, user_t *out)
{
  return page_cache_get(pages, name, out);
}

accel_status hit_exact(exact_cache *users, uint64_t id, user_t *out)
{
  return exact_cache_get(users, id, out);
}

accel_status broken_indirect(accel_status (*get)(void), uint64_t *count)
{
  *count += 1;
  return get();
}

void broken_lock(uint64_t *count)
{
  __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

#ifdef __x86_64__
void broken_modify(uint64_t *count)
{
  *count += 1;
}
#endif

uint64_t broken_exchange(uint64_t *count)
{
  return __atomic_exchange_n(count, 1, __ATOMIC_ACQUIRE);
}

void *broken_allocation(size_t size)
{
  return ACCEL_MALLOC(size);
}
