/* patience.h: for how long a test waits for what must happen.
 *
 * Far longer than it takes, so that a busy machine makes a test slow and not red. A run that
 * expects it not to happen, as that of a mutant, sets ACCEL_TEST_PATIENCE_MS to less.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdint.h>
#include <stdlib.h>

static inline uint32_t patience_ms(void)
{
  const char *wanted = getenv("ACCEL_TEST_PATIENCE_MS");
  return wanted == NULL ? 60000 : (uint32_t)strtoul(wanted, NULL, 10);
}

#endif
