#include "spin.h"

#include "../../../accel/platform/atomic.h"

#define REDIS_SPIN_PAUSE 64u
#define REDIS_SPIN_PAUSE_MAX_NS UINT64_C(10000000000)
/* After so much lost time there is a pause. */
#define REDIS_SPIN_LOOKS_VAIN 4u                      /* times spin_us */
#define REDIS_SPIN_YIELDS_VAIN_NS UINT64_C(200000000) /* of all threads together */
/* Letting others run took longer than this for each command that came meanwhile: those threads do
 * not use this connection. */
#define REDIS_SPIN_OTHERS_NS UINT64_C(300000)
#define REDIS_SPIN_ALONE_NS UINT64_C(1000) /* it took less: no other thread was ready */

static bool redis_spin_pauses(const redis_spin_backoff *backoff, uint64_t now_ns)
{
  return now_ns < accel_load_relaxed(&backoff->pause_until_ns);
}

static void redis_spin_succeed(redis_spin_backoff *backoff)
{
  if (accel_load_relaxed(&backoff->lost_ns) != 0)
    accel_store_relaxed(&backoff->lost_ns, UINT64_C(0));
}

/* Adds lost time. From `limit_ns` on there is a pause. */
static void redis_spin_lose(redis_spin_backoff *backoff, uint64_t now_ns, uint64_t took_ns,
                            uint64_t limit_ns)
{
  const uint64_t lost_ns = accel_load_relaxed(&backoff->lost_ns) + took_ns;
  const bool pauses = lost_ns >= limit_ns;
  accel_store_relaxed(&backoff->lost_ns, pauses ? UINT64_C(0) : lost_ns);
  if (!pauses) return;
  const bool is_long = lost_ns > REDIS_SPIN_PAUSE_MAX_NS / REDIS_SPIN_PAUSE;
  const uint64_t until_ns =
      now_ns + (is_long ? REDIS_SPIN_PAUSE_MAX_NS : lost_ns * REDIS_SPIN_PAUSE);
  if (until_ns > accel_load_relaxed(&backoff->pause_until_ns))
    accel_store_relaxed(&backoff->pause_until_ns, until_ns);
}

static uint64_t redis_spin_limit_ns(const redis_spin *spin)
{
  return UINT64_C(1000) * spin->spin_us;
}

bool accel_redis_spin_may_look(const redis_spin *spin, uint64_t now_ns)
{
  return spin->spin_us != 0 && !redis_spin_pauses(&spin->look_backoff, now_ns);
}

uint64_t accel_redis_spin_look_ns(const redis_spin *spin, uint64_t left_ms)
{
  const uint64_t limit_ns = redis_spin_limit_ns(spin);
  return left_ms < limit_ns / 1000000 ? left_ms * 1000000 : limit_ns;
}

void accel_redis_spin_note_look(redis_spin *spin, uint64_t now_ns, uint64_t took_ns, uint64_t came,
                                bool is_found)
{
  const uint64_t limit_ns = redis_spin_limit_ns(spin);
  if (is_found && took_ns <= (1 + came) * limit_ns)
    redis_spin_succeed(&spin->look_backoff);
  else
    redis_spin_lose(&spin->look_backoff, now_ns, took_ns, REDIS_SPIN_LOOKS_VAIN * limit_ns);
}

bool accel_redis_spin_may_yield(const redis_spin *spin, uint64_t now_ns)
{
  return spin->spin_us != 0 && !redis_spin_pauses(&spin->yield_backoff, now_ns);
}

void accel_redis_spin_note_yield(redis_spin *spin, uint64_t now_ns, uint64_t took_ns,
                                 bool is_called)
{
  if (is_called)
    redis_spin_succeed(&spin->yield_backoff);
  else
    redis_spin_lose(&spin->yield_backoff, now_ns, took_ns, REDIS_SPIN_YIELDS_VAIN_NS);
}

bool accel_redis_spin_may_let_run(const redis_spin *spin, uint64_t now_ns)
{
  return !redis_spin_pauses(&spin->let_run_backoff, now_ns);
}

bool accel_redis_spin_note_others(redis_spin *spin, uint64_t now_ns, uint64_t took_ns,
                                  uint64_t came)
{
  if (took_ns > (1 + came) * REDIS_SPIN_OTHERS_NS)
    redis_spin_lose(&spin->let_run_backoff, now_ns, took_ns, 0);
  return took_ns > REDIS_SPIN_ALONE_NS;
}
