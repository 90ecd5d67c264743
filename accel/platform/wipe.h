/* wipe.h: what a secret leaves behind in a thread that handled it (layer 0). Threads: any. */
#ifndef ACCEL_PLATFORM_WIPE_H
#define ACCEL_PLATFORM_WIPE_H

#include "../base.h"

/* How far below its caller accel_wipe_traces reaches: OpenSSL's calls lie within it. */
#define ACCEL_WIPE_STACK 8192

ACCEL_EXTERN_C_BEGIN

/* Zeroes the calling thread's registers, but those that functions keep for their callers, and
 * ACCEL_WIPE_STACK bytes of its stack below the caller. Call it last, after your own copies of a
 * secret were wiped: copying leaves bytes in registers, and signal handlers and the dynamic linker,
 * which binds a function at its first call, save them to the stack. It knows the registers of
 * x86-64 and AArch64; elsewhere it wipes the stack alone. What a handler saved to an alternate
 * stack stays there. */
ACCEL_COLD void accel_wipe_traces(void);

ACCEL_EXTERN_C_END
#endif
