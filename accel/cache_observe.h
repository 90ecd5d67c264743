/* cache_observe.h: what an observer is shown of a cache (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_OBSERVE_H
#define ACCEL_CACHE_OBSERVE_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Joins the observer of the configuration, if there is one. The cache is open otherwise: it may be
 * asked at once. OK, CONFIG, NOMEM, with a text. */
accel_status accel_core_observe_begin(accel_core *core);
/* Leaves the observer, and frees the histograms: from then on nothing is timed. */
void accel_core_observe_end(accel_core *core);
/* After end. From then on no error may be noted. */
void accel_core_observe_release(accel_core *core);
/* Notes a failure for the observer's last errors. The text holds no secret and no key. */
void accel_core_note_error(const accel_core *core, const char *text);

ACCEL_EXTERN_C_END
#endif
