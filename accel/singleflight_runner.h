/* singleflight_runner.h: which thread runs which flight, and what it waits for (layer 3, private to
 * singleflight). Threads: any; a flight is run and finished by one at a time.
 *
 * A thread that is to wait for a flight which cannot land before the thread itself goes on, its own
 * or one in a cycle through other threads, must not wait: begin_wait returns false.
 */
#ifndef ACCEL_SINGLEFLIGHT_RUNNER_H
#define ACCEL_SINGLEFLIGHT_RUNNER_H

#include "singleflight.h"

ACCEL_EXTERN_C_BEGIN

/* Before a table is opened. False: no memory. */
bool accel_flight_runner_open(void);

/* The calling thread runs a flight that no other has seen yet. */
void accel_flight_run_new(accel_flight *flight);
bool accel_flight_runs_here(const accel_flight *flight);
/* Does nothing if another thread runs it, or none. */
void accel_flight_stop_running(accel_flight *flight);

/* From landing to finishing, which one thread does. */
void accel_flight_note_unfinished(accel_flight *flight);
void accel_flight_note_finished(accel_flight *flight);

/* False: the flight waits, directly or not, for the calling thread, which must not wait for it. */
bool accel_flight_begin_wait(accel_flight *flight);
void accel_flight_end_wait(void);

ACCEL_EXTERN_C_END
#endif
