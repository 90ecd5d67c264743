/* uthash_lru.h: the exact LRU on uthash (backend).
 *
 * Include it after accel.h; where ACCEL_IMPLEMENTATION is defined it brings its code along, which
 * needs the system's <uthash.h>.
 */
#ifndef ACCEL_BACKENDS_UTHASH_LRU_H
#define ACCEL_BACKENDS_UTHASH_LRU_H

#include "uthash/uthash_lru.h"

#ifdef ACCEL_IMPLEMENTATION
#include "uthash/uthash_lru.c"
#include "uthash/uthash_table.c"
#include "uthash/uthash_walk.c"
#endif

#endif
