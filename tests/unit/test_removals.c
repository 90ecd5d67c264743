/* Removals without memory, over the fake L2 (removals.h). */
#include "accel.h"
#include "accel_backends/fake.h"

#define removals_ops accel_fake_ops

static accel_fake fake;

static void *removals_open(void)
{
  return accel_fake_open(&fake, NULL) == ACCEL_OK ? &fake : NULL;
}

static void removals_close(void)
{
  accel_fake_close(&fake);
}

#include "removals.h"
