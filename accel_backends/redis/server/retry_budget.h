/* retry_budget.h: at most one retry per ten calls (backend redis).
 *
 * Retries must not multiply the load of a server that is failing because of its load.
 * Threads: any.
 */
#ifndef ACCEL_BACKENDS_REDIS_RETRY_BUDGET_H
#define ACCEL_BACKENDS_REDIS_RETRY_BUDGET_H

#include "../../../accel/base.h"

#define REDIS_RETRY_BUDGET_PART 10u  /* one retry per so many calls */
#define REDIS_RETRY_BUDGET_SAVED 10u /* retries that may be saved up */

/* Zeroed: nothing was earned. */
typedef struct redis_retry_budget {
  uint32_t tenths; /* atomic */
} redis_retry_budget;

ACCEL_EXTERN_C_BEGIN

/* A call that was not retried earns a tenth of a retry. */
void accel_redis_retry_budget_earn(redis_retry_budget *budget);
/* True: a retry may be sent. */
bool accel_redis_retry_budget_spend(redis_retry_budget *budget);

ACCEL_EXTERN_C_END
#endif
