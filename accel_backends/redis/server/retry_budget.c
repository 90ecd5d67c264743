#include "retry_budget.h"

#include "../../../accel/platform/atomic.h"

void accel_redis_retry_budget_earn(redis_retry_budget *budget)
{
  const uint32_t tenths = accel_load_relaxed(&budget->tenths);
  if (tenths < REDIS_RETRY_BUDGET_SAVED * REDIS_RETRY_BUDGET_PART)
    accel_store_relaxed(&budget->tenths, tenths + 1); /* one lost in a race is no harm */
}

bool accel_redis_retry_budget_spend(redis_retry_budget *budget)
{
  uint32_t tenths = accel_load_relaxed(&budget->tenths);
  while (tenths >= REDIS_RETRY_BUDGET_PART)
    if (accel_compare_exchange(&budget->tenths, &tenths, tenths - REDIS_RETRY_BUDGET_PART))
      return true;
  return false;
}
