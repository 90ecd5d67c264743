/* 02_redis.c: two levels. Two caches, each with an L1, share a Redis, as two processes would: each
 * finds what the other one has loaded, and is told of what the other one changes.
 *
 * It uses the Redis at ACCEL_REDIS_URL, by default redis://127.0.0.1:6379, and shows nothing
 * without one. Its area has a random name, which it clears at the end.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/redis.h"
#include "claim.h"

#include <inttypes.h>
#include <unistd.h>

typedef struct price_t {
  uint64_t product;
  uint32_t cents;
  uint32_t currency;
} price_t;

ACCEL_DEFINE_WITH(price, uint64_t, price_t, .remote = &accel_redis_ops)

/* One process: its connections, its cache, and how often it queried the source of truth. */
typedef struct shop_t {
  accel_redis redis;
  price_cache prices;
  uint64_t loads;
} shop_t;

static accel_status load_price(void *shop, uint64_t product, price_t *out)
{
  ((shop_t *)shop)->loads++;
  if (product == 404) return ACCEL_NULL;
  *out = (price_t){.product = product, .cents = 995, .currency = 978};
  return ACCEL_OK;
}

static bool open_shop(shop_t *shop, const char *url, const char *area)
{
  const accel_redis_config where = {.url = url, .key_prefix = "accel-example"};
  if (accel_redis_open(&shop->redis, &where) != ACCEL_OK ||
      accel_redis_ping(&shop->redis) != ACCEL_OK) {
    printf("no Redis, nothing to show: %s\n", accel_redis_last_error(&shop->redis));
    return false;
  }
  const accel_config config = {
      .area = area,
      .remote = &shop->redis,
      .loader_timeout_ms = ACCEL_FOREVER,
      .log = accel_log_stderr, /* a line when Redis fails or returns, and for every failure */
  };
  if (price_cache_open(&shop->prices, &config) != ACCEL_OK) {
    claim(false, price_cache_last_error(&shop->prices));
    return false;
  }
  price_cache_set_loader(&shop->prices, load_price, shop);
  return true;
}

static void close_shop(shop_t *shop)
{
  price_cache_close(&shop->prices);
  accel_redis_close(&shop->redis);
}

/* Subscribing takes a round trip; until then L1 keeps values for at most one second. */
static bool hears_of_changes(const shop_t *shop)
{
  accel_diagnostic diagnostic = {.channel_up = false};
  for (int i = 0; i < 2000 && !diagnostic.channel_up; i++) {
    price_cache_diagnostic_snapshot(&shop->prices, &diagnostic);
    usleep(1000);
  }
  printf("listens on %s\n", diagnostic.channel);
  return diagnostic.channel_up;
}

/* Reads until the product has this price; 0 cents: until it does not exist. */
static bool will_cost(shop_t *shop, uint64_t product, uint32_t cents)
{
  const accel_read read = {.disable_load = true};
  const uint64_t start_ns = accel_clock_monotonic_ns();
  double waited_ms = 0;
  while (waited_ms < 2000) {
    price_t price = {.cents = 0};
    accel_ignore(price_cache_get_with(&shop->prices, product, &read, &price));
    waited_ms = (double)(accel_clock_monotonic_ns() - start_ns) / 1e6;
    if (price.cents == cents) {
      printf("%u cents, %.1f ms after the other had changed it\n", cents, waited_ms);
      return true;
    }
  }
  return false;
}

static void share(shop_t *here, shop_t *there)
{
  accel_info info;
  const accel_read read = {.info = &info};
  price_t price = {.cents = 0};

  accel_ignore(price_cache_get_with(&here->prices, 7, &read, &price));
  claim(info.source == ACCEL_FROM_LOADER, "here the first read asks the source");
  accel_ignore(price_cache_get_with(&here->prices, 7, &read, &price));
  claim(info.source == ACCEL_FROM_LOCAL, "and the second its own memory");
  accel_ignore(price_cache_get_with(&there->prices, 7, &read, &price));
  claim(info.source == ACCEL_FROM_REMOTE && price.cents == 995, "there Redis knows it already");

  claim(price_cache_get(&here->prices, 404, &price) == ACCEL_NULL &&
            price_cache_get(&there->prices, 404, &price) == ACCEL_NULL && there->loads == 0,
        "and also what does not exist: there the source was never asked");

  price.cents = 895;
  claim(price_cache_set(&here->prices, 7, &price) == ACCEL_OK, "here the price falls");
  claim(will_cost(there, 7, 895), "there the old one is forgotten");
  claim(price_cache_del(&there->prices, 7) == ACCEL_OK, "there the price is deleted");
  claim(will_cost(here, 7, 0), "here it is gone too");
}

int main(void)
{
  const char *url = getenv("ACCEL_REDIS_URL");
  char area[32];
  shop_t here = {.loads = 0}, there = {.loads = 0};
  snprintf(area, sizeof area, "%d-%" PRIx64, (int)getpid(), accel_clock_monotonic_ns());

  if (open_shop(&here, url, area) && open_shop(&there, url, area)) {
    claim(hears_of_changes(&here) && hears_of_changes(&there), "both hear of changes");
    share(&here, &there);
    claim(price_cache_clear(&here.prices) == ACCEL_OK, "the area is cleared");
  }
  close_shop(&there);
  close_shop(&here);
  return all_claims_hold ? 0 : 1;
}
