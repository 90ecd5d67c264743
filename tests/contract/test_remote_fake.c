/* The fake against the contract of L2, with its bus and without. */
#include "remote_suite.h"

#include "accel_backends/fake.h"

static accel_fake fake;

static bool fake_open(void *remotes[2])
{
  const accel_fake_config config = {.max_value_bytes = 2u << 20};
  remotes[0] = remotes[1] = &fake;
  return accel_fake_open(&fake, &config) == ACCEL_OK;
}

static void fake_close(void *remotes[2])
{
  (void)remotes;
  accel_fake_close(&fake);
}

static void fake_beat(void *remotes[2])
{
  (void)remotes;
  accel_fake_heartbeat(&fake);
}

static bool fake_stop(void)
{
  accel_fake_stop(&fake, false);
  return true;
}

static bool fake_start(void)
{
  accel_fake_start(&fake);
  return true;
}

int main(void)
{
  const remote_suite_backend with_bus = {
      .ops = &accel_fake_ops,
      .has_bus = true,
      .max_value_bytes = 2u << 20,
      .open = fake_open,
      .close = fake_close,
      .beat_or_null = fake_beat,
      .stop = fake_stop,
      .start = fake_start,
  };
  remote_suite_backend plain = with_bus;
  plain.ops = &accel_fake_plain_ops;
  plain.has_bus = false;
  return remote_suite_run(&with_bus) + remote_suite_run(&plain);
}
