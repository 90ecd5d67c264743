/* observe.h: shows an opened accel_redis to an observer (backend redis). */
#ifndef ACCEL_BACKENDS_REDIS_OBSERVE_H
#define ACCEL_BACKENDS_REDIS_OBSERVE_H

#include "state.h"

ACCEL_EXTERN_C_BEGIN

/* Joins the observer, unless it is NULL. OK, CONFIG, NOMEM, with a text on `redis`. */
accel_status accel_redis_observe_begin(accel_redis_state *state, const accel_redis *redis,
                                       struct accel_observer *observer_or_null);
/* Leaves it. Does nothing if it has not joined. */
void accel_redis_observe_end(accel_redis_state *state);

ACCEL_EXTERN_C_END

#endif
