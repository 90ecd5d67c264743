/* observer_output.h: the forms in which an observation is shown (layer 2).
 *
 * Only for .c files. Threads: any, each with an observation of its own.
 */
#ifndef ACCEL_OBSERVER_OUTPUT_H
#define ACCEL_OBSERVER_OUTPUT_H

#include "observation.h"
#include "observer_text.h"

ACCEL_EXTERN_C_BEGIN

void accel_observer_show_prometheus(const accel_observation *observation, accel_observer_text *out);
void accel_observer_show_json(const accel_observation *observation, accel_observer_text *out);
/* The health alone, as JSON. */
void accel_observer_show_health(const accel_observation *observation, accel_observer_text *out);

ACCEL_EXTERN_C_END
#endif
