/* The reference engine against the contract of L1. */
#include "local_suite_run.h"

#include "accel_backends/uthash/uthash_lru.h"

int main(void)
{
  return local_suite_run(&accel_uthash_ops);
}
