/* 04_batch_wrappers.c: many keys at once. The body receives only the keys that are not cached, each
 * once, and answers them with one query.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "claim.h"

#include <inttypes.h>

typedef struct stock_t {
  uint64_t product;
  int64_t pieces;
} stock_t;

ACCEL_DEFINE(stock, uint64_t, stock_t)

enum { PRODUCTS = 50 };

/* A warehouse with its cache; products below PRODUCTS exist until they are removed. */
typedef struct warehouse_t {
  stock_cache stock;
  bool is_removed[PRODUCTS];
  size_t queries, keys_asked_for;
} warehouse_t;

/* (warehouse) is the user's context; the macro provides keys, count, values and statuses. A key
 * whose status is not set does not exist. */
static ACCEL_CACHEABLE_BATCH(stock, get_stock, (warehouse_t * warehouse), (warehouse),
                             .cache = &warehouse->stock)
{
  warehouse->queries++;
  warehouse->keys_asked_for += count;
  printf("SELECT … WHERE product IN (");
  for (size_t i = 0; i < count; i++) {
    printf(i == 0 ? "%" PRIu64 : ", %" PRIu64, keys[i]);
    if (keys[i] >= PRODUCTS || warehouse->is_removed[keys[i]]) continue;
    values[i] = (stock_t){.product = keys[i], .pieces = (int64_t)keys[i] * 10};
    statuses[i] = ACCEL_OK;
  }
  puts(")");
  return ACCEL_OK;
}

static ACCEL_CACHE_EVICT_BATCH(stock, remove_products, (warehouse_t * warehouse), (warehouse),
                               .cache = &warehouse->stock)
{
  for (size_t i = 0; i < count; i++)
    if (keys[i] < PRODUCTS) warehouse->is_removed[keys[i]] = true;
  return ACCEL_OK;
}

static void use(warehouse_t *warehouse)
{
  static const uint64_t first[] = {1, 2, 3}, page[] = {3, 4, 1, 4, 99}, gone[] = {1, 4};
  stock_t values[5];
  accel_status statuses[5];

  claim(get_stock(warehouse, first, 3, values, statuses) == ACCEL_OK && values[2].pieces == 30,
        "three unknown products, one query");
  claim(get_stock(warehouse, page, 5, values, statuses) == ACCEL_OK, "a page of five");
  claim(warehouse->queries == 2 && warehouse->keys_asked_for == 3 + 2,
        "asks for the two it did not know, 4 only once");
  claim(values[0].product == 3 && values[1].product == 4 && values[2].product == 1 &&
            values[3].product == 4,
        "the answers are in the order of the keys");
  claim(statuses[3] == ACCEL_OK && statuses[4] == ACCEL_NULL, "99 does not exist");

  get_stock(warehouse, page, 5, values, statuses);
  claim(warehouse->queries == 2, "the page again: no query, not even for 99");

  claim(remove_products(warehouse, gone, 2) == ACCEL_OK, "1 and 4 are removed");
  get_stock(warehouse, page, 5, values, statuses);
  claim(warehouse->queries == 3 && warehouse->keys_asked_for == 3 + 2 + 2 &&
            statuses[0] == ACCEL_OK && statuses[1] == ACCEL_NULL && statuses[2] == ACCEL_NULL,
        "only they are asked for again, and are gone");
}

int main(void)
{
  static warehouse_t warehouse;
  const accel_config config = {.area = "stock"};
  claim(stock_cache_open(&warehouse.stock, &config) == ACCEL_OK, "the cache is open");
  use(&warehouse);
  stock_cache_close(&warehouse.stock);
  return all_claims_hold ? 0 : 1;
}
