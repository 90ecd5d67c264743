/* trace.h: the trace that a thread works for (layer 1).
 *
 * A trace context says which request a thread works for, in the form of the W3C recommendation
 * "Trace Context": an id of the trace, an id of the innermost span, and flags. A server sets it
 * from the header `traceparent` of a request; a client sends it on in a header of its own. A cache
 * passes it on too: to the thread that runs a load, and to the spans that it begins (config.h).
 *
 * The context belongs to the calling thread. It is copied, never shared. Threads: each sees its
 * own.
 */
#ifndef ACCEL_TRACE_H
#define ACCEL_TRACE_H

#include "base.h"

#define ACCEL_TRACE_TEXT_BYTES 56u   /* of a traceparent: 55 characters and a 0 */
#define ACCEL_TRACE_STATE_BYTES 513u /* of a tracestate: 512 characters and a 0 */
#define ACCEL_TRACE_SAMPLED 1u       /* of the flags: the trace is recorded */
#define ACCEL_TRACE_RANDOM 2u        /* of the flags: the trace id is random */

/* All zero: none. */
typedef struct accel_trace {
  uint8_t trace_id[16];
  uint8_t span_id[8]; /* of the innermost span, which is the parent of the next one */
  uint8_t flags;
} accel_trace;

ACCEL_EXTERN_C_BEGIN

/* Sets the calling thread's context from the texts of the two headers. `traceparent`: version 00
 * has exactly the form 00-<32 digits>-<16 digits>-<2 digits>, in lower-case hexadecimal, with ids
 * that are not all zero; a later version may continue behind a dash, and is read as version 00.
 * Unknown flags are cleared. NULL or "": none is set. False: malformed, and none is set.
 * `tracestate_or_null`: a malformed one is dropped, and of one that is too long the last members;
 * neither is a failure. */
bool accel_trace_set(const char *traceparent, const char *tracestate_or_null);
/* Writes the context as a traceparent of version 00, "" if none is set, and returns its length
 * without the 0: 55, or 0 for none. Like snprintf, it cuts what does not fit into `size`. */
size_t accel_trace_get(char *traceparent, size_t size);
/* The same for the tracestate: 512 characters at most. */
size_t accel_trace_get_state(char *tracestate, size_t size);

/* The context as it is, for code that makes spans. */
accel_trace accel_trace_current(void);
bool accel_trace_is_set(const accel_trace *trace);
/* Makes a context current: one that accel_trace_current returned, or that of a span that begins.
 * NULL or all zero: none. The tracestate belongs to the trace id: while another one is current,
 * there is none, and it is there again when its id is. */
void accel_trace_enter(const accel_trace *trace_or_null);

ACCEL_EXTERN_C_END
#endif
