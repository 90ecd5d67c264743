/* accel.h: typed caches over three levels, for C.
 *
 *   #define ACCEL_IMPLEMENTATION            // in exactly one C source file of the program
 *   #include "accel.h"
 *
 *   ACCEL_DEFINE(user, uint64_t, user_t)    // user_cache: from uint64_t to user_t
 *
 *   user_cache cache;
 *   accel_config config = {.area = "users"};
 *   if (user_cache_open(&cache, &config) != ACCEL_OK) puts(user_cache_last_error(&cache));
 *   user_cache_set_loader(&cache, load_user, database);
 *   if (user_cache_get(&cache, 42, &user) == ACCEL_OK) …
 *   user_cache_close(&cache);
 *
 * A get reads L1 in this process, then L2 (Redis, optional), then calls your loader, and fills the
 * levels with the result. Concurrent loads of one key are one load. Keys that do not exist are
 * cached too. Other processes are told of changes. docs/api.md lists every function, cache.h
 * documents it; this is the map of the modules; each includes only its own layer and lower ones:
 *
 *   0  accel/base.h platform/                   compiler, hooks; threads, clocks, atomics
 *   1  status error config hash ttl compress    outcomes, settings, arithmetic
 *      trace                                    which request a thread works for
 *   2  type check backend codec stats hot       descriptor, contracts, bytes, counters
 *      executor renewal                         the library's own threads
 *      observer observation latency             all caches of a program, seen together
 *   3  singleflight refresh invalidate          one load; its timing; messages
 *      overlap repair                           overlapping writes; unconfirmed writes
 *   4  cache                                    the cache over its levels; cache.h: path of a hit
 *   5  define wrap                              the macros
 *   accel_backends/                             L1: flat (the default), uthash (exact LRU)
 *                                               L2: redis, fake; a compressor: lz4
 *
 * Needs C11 with gcc or clang; the implementing file needs -std=gnu11 or _GNU_SOURCE.
 */
#ifndef ACCEL_H
#define ACCEL_H

#include <stdint.h>
#if UINTPTR_MAX != UINT64_MAX
#error "accel needs a 64-bit processor; here pointers are smaller"
#undef ACCEL_IMPLEMENTATION /* one error is enough */
#elif !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L)
#error "accel needs C11 or later; compile with -std=gnu11"
#undef ACCEL_IMPLEMENTATION
#else

#include "accel/base.h"
#include "accel/cache.h"
#include "accel/cache_wrap.h"
#include "accel/check.h"
#include "accel/compress.h"
#include "accel/config.h"
#include "accel/define.h"
#include "accel/error.h"
#include "accel/executor.h"
#include "accel/hash.h"
#include "accel/log.h"
#include "accel/observer.h"
#include "accel/stats.h"
#include "accel/status.h"
#include "accel/trace.h"
#include "accel/type.h"
#include "accel/wrap.h"
#include "accel_backends/flat/flat.h"
#include "accel_backends/uthash/uthash_lru.h"

#endif /* of what accel needs */
#endif

/* Outside the guard: an earlier include without ACCEL_IMPLEMENTATION, by another header or a unity
 * build, does not keep it from being here. */
#if defined(ACCEL_IMPLEMENTATION) && !defined(ACCEL_IMPLEMENTED)
#define ACCEL_IMPLEMENTED
#if defined(__cplusplus)
#error "ACCEL_IMPLEMENTATION belongs into a .c file: only accel's headers are C++ too"
#undef ACCEL_IMPLEMENTATION
#elif defined(__STRICT_ANSI__) && !defined(_GNU_SOURCE)
#error "ACCEL_IMPLEMENTATION needs -std=gnu11, or _GNU_SOURCE defined before the first include"
#undef ACCEL_IMPLEMENTATION
#else
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/implementation.c"
#include "accel_backends/flat/flat.c"
#include "accel_backends/flat/flat_entry.c"
#include "accel_backends/flat/flat_hit.c"
#include "accel_backends/flat/flat_region.c"
#include "accel_backends/flat/flat_table.c"
#include "accel_backends/flat/flat_validate.c"
#include "accel_backends/flat/flat_victim.c"
#include "accel_backends/flat/flat_walk.c"
#include "accel_backends/flat/flat_write.c"
#include "accel_backends/flat/policy_clock.c"
#include "accel_backends/flat/policy_lru.c"
#include "accel_backends/flat/policy_s3fifo.c"
#include "accel_backends/flat/policy_window.c"
#if __has_include(<uthash.h>)
#include "accel_backends/uthash/uthash_lru.c"
#include "accel_backends/uthash/uthash_table.c"
#include "accel_backends/uthash/uthash_walk.c"
#endif

const char ACCEL_BUILD_SYMBOL_ = 0;
#endif
#endif
