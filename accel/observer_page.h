/* observer_page.h: the live page that "/" serves (layer 2).
 *
 * The page asks for state.json once a second and draws what it hears; it asks nobody else, and its
 * policy admits nothing but its own script and style. For readers without JavaScript it has a table
 * of the moment in which it was sent. tools/observer_page/ holds its source.
 *
 * Only for .c files. Threads: any, each with an observation of its own.
 */
#ifndef ACCEL_OBSERVER_PAGE_H
#define ACCEL_OBSERVER_PAGE_H

#include "observation.h"
#include "observer_text.h"

ACCEL_EXTERN_C_BEGIN

/* Pieces of text, and NULL behind the last one. */
extern const char *const accel_observer_page_before[];
extern const char *const accel_observer_page_behind[];

void accel_observer_show_page(const accel_observation *observation, accel_observer_text *out);

ACCEL_EXTERN_C_END
#endif
