/* observer_page.h: the live page that "/" serves (layer 2).
 *
 * The page requests state.json once a second and draws it. It requests nothing else, and its
 * Content-Security-Policy admits only its own script and style. For readers without JavaScript it
 * has a table of the moment in which it was sent. Its source is tools/observer_page/.
 *
 * Only for .c files. Threads: any, each with an observation of its own.
 */
#ifndef ACCEL_OBSERVER_PAGE_H
#define ACCEL_OBSERVER_PAGE_H

#include "observation.h"
#include "observer_text.h"

ACCEL_EXTERN_C_BEGIN

/* The page before and behind the table: pieces of text, and NULL behind the last one. */
extern const char *const accel_observer_page_before[];
extern const char *const accel_observer_page_behind[];

void accel_observer_show_page(const accel_observation *observation, accel_observer_text *out);

ACCEL_EXTERN_C_END
#endif
