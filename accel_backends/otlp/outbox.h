/* outbox.h: one request of a signal: made, sent, and settled (backend otlp).
 *
 * Threads: the exporter's.
 */
#ifndef ACCEL_BACKENDS_OTLP_OUTBOX_H
#define ACCEL_BACKENDS_OTLP_OUTBOX_H

#include "exporter.h"

ACCEL_EXTERN_C_BEGIN

/* Serves the outbox once: with the mutex, which it gives up meanwhile. */
void accel_otlp_outbox_serve(otlp_exporter *exporter, otlp_outbox *outbox);

ACCEL_EXTERN_C_END

#endif
