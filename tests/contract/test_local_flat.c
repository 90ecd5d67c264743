/* The default engine against the contract of L1. */
#include "local_suite_run.h"

#include "accel_backends/flat/flat.h"

int main(void)
{
  return local_suite_run(&accel_flat_ops);
}
