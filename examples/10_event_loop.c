/* 10_event_loop.c: a program around poll() that must never wait for its source.
 *
 * The loop reads the clock once per turn, and the cache uses this time. Rates have a TTL of five
 * seconds; with refresh_ahead, a rate that is read in its last two seconds is loaded again in the
 * background, so a rate in use never expires. Background loads wake the loop through a pipe.
 *
 * A turn simulates a tenth of a second and takes a millisecond, so a minute passes quickly. During
 * a load the simulated time stands still, so the result does not depend on the load of the machine.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "claim.h"

#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

enum { TURNS = 600, TURN_MS = 100, LIFE_MS = 5000, WINDOW_MS = 2000 };

typedef struct rate_t {
  uint64_t quoted_ms; /* on the loop's clock */
  double dollars;
} rate_t;

ACCEL_DEFINE(rate, uint32_t, rate_t)

typedef struct loop_t {
  uint64_t now_ms; /* atomic: background loads read it too */
  int wake[2];     /* a pipe: loads write, the loop reads */
  rate_cache rates;
  uint64_t turns, quotes, oldest_ms;
} loop_t;

static uint64_t loop_now_ms(void *loop)
{
  return __atomic_load_n(&((loop_t *)loop)->now_ms, __ATOMIC_RELAXED);
}

/* Queries a distant bank, which is slow. */
static accel_status ask_bank(void *loop, uint32_t currency, rate_t *out)
{
  usleep(3000);
  *out = (rate_t){.quoted_ms = loop_now_ms(loop), .dollars = currency == 978 ? 1.09 : 0.01};
  return write(((loop_t *)loop)->wake[1], "!", 1) == 1 ? ACCEL_OK : ACCEL_ERR_LOADER;
}

static bool is_loading(const loop_t *loop)
{
  accel_metrics metrics;
  rate_cache_metrics_snapshot(&loop->rates, &metrics);
  return metrics.refresh_attempts != metrics.refresh_success + metrics.refresh_failures;
}

/* Waits for work, for at most one turn, and reads the clock. */
static void wait_for_events(loop_t *loop)
{
  struct pollfd event = {.fd = loop->wake[0], .events = POLLIN};
  char byte;
  if (poll(&event, 1, 1) == 1 && read(loop->wake[0], &byte, 1) == 1) {
    loop->quotes++;
    if (loop->quotes < 4) printf("at %4.1f s: a new rate\n", (double)loop->now_ms / 1000);
    if (loop->quotes == 4) puts("and so on");
  }
  if (is_loading(loop)) return;
  __atomic_store_n(&loop->now_ms, loop->now_ms + TURN_MS, __ATOMIC_RELAXED);
  loop->turns++;
}

/* The loop's work. It only reads cached rates; false if there is none. */
static bool serve(loop_t *loop)
{
  rate_t rate;
  const uint64_t now_ms = loop_now_ms(loop);
  if (rate_cache_get(&loop->rates, 978, &rate) != ACCEL_OK) return false;
  if (now_ms - rate.quoted_ms > loop->oldest_ms) loop->oldest_ms = now_ms - rate.quoted_ms;
  return true;
}

static void run(loop_t *loop)
{
  accel_metrics before, after;
  bool is_served = serve(loop); /* the first read finds nothing cached and waits for the bank */
  rate_cache_metrics_snapshot(&loop->rates, &before);
  while (is_served && loop->turns < TURNS) {
    wait_for_events(loop);
    is_served = serve(loop);
  }
  rate_cache_metrics_snapshot(&loop->rates, &after);
  printf("%" PRIu64 " turns, %" PRIu64 " rates loaded behind them, the oldest served was %.1f s\n",
         loop->turns, after.refresh_success, (double)loop->oldest_ms / 1000);
  claim(is_served, "every turn of a minute had a rate");
  claim(before.local_miss == 1 && after.local_miss == 1, "only the very first had to wait for it");
  claim(after.refresh_success >= TURNS * TURN_MS / LIFE_MS, "it was renewed before it expired,");
  claim(after.refresh_success <= TURNS * TURN_MS / (LIFE_MS - WINDOW_MS) + 1,
        "not more often than needed,");
  claim(loop->oldest_ms < LIFE_MS, "and none was served beyond its life");
}

int main(void)
{
  static loop_t loop;
  const accel_clock clock = {.now_ms = loop_now_ms, .ctx = &loop};
  const accel_config config = {.area = "rates",
                               .local_ttl_ms = LIFE_MS,
                               .no_ttl_jitter = true,
                               .loader_timeout_ms = 5000,
                               .refresh_ahead = true,
                               .refresh_ahead_window_ms = WINDOW_MS,
                               .clock = &clock};
  claim(pipe(loop.wake) == 0 && rate_cache_open(&loop.rates, &config) == ACCEL_OK,
        "a loop, its clock and its cache");
  rate_cache_set_loader(&loop.rates, ask_bank, &loop);
  if (all_claims_hold) run(&loop);
  rate_cache_close(&loop.rates); /* waits for a load that may still be running */
  close(loop.wake[0]);
  close(loop.wake[1]);
  return all_claims_hold ? 0 : 1;
}
