/* host.h: what this machine is. Reads /proc; what is not there is left out, or 0. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include "json.h"

#include <stdint.h>

/* What is known of the machine and matters to speed; not the frequency of the moment or a name,
 * which change without the machine changing. */
json_t *host_machine(void);
/* "2026-11-21T08:00:00Z": now, or $SOURCE_DATE_EPOCH, so that files can be made again. */
const char *host_date(void);

/* Where cargo would put `name`: in $CARGO_TARGET_DIR or target. */
const char *host_target_folder(const char *name);
/* $CRITERION_HOME, or where cargo would put it. */
const char *host_criterion_folder(void);

/* 64-bit FNV-1a. */
uint64_t host_hash(const char *text);

#endif
