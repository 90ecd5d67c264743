#include "counter.h"

#include <stdio.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

/* The clock that the system has chosen, "" if it does not say. One that is not made from the
 * counter shows that the system does not rely on it. */
static void counter_read_source(char *name, size_t size)
{
  memset(name, 0, size);
  FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (file == NULL) return;
  if (fgets(name, (int)size, file) == NULL) name[0] = 0;
  fclose(file);
  name[strcspn(name, "\n")] = 0;
}

static bool counter_is_invariant(void)
{
  unsigned a, b, c, d;
  return __get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
}

bool accel_counter_is_steady(void)
{
  char source[32];
  counter_read_source(source, sizeof source);
  if (strcmp(source, "tsc") == 0) return true;
  if (!counter_is_invariant()) return false;
  return source[0] == 0 || strcmp(source, "kvm-clock") == 0 || strncmp(source, "hyperv", 6) == 0;
}
#else
bool accel_counter_is_steady(void)
{
  return ACCEL_HAS_COUNTER; /* by its architecture */
}
#endif
