/* host.h: what this machine is, and whether it is quiet. Reads /proc and /sys; what is not there is
 * reported as unknown ("" or 0), or left out. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include "json.h"

#include <stdint.h>
#include <stdio.h>

typedef struct host_info {
  char cpu[128], kernel[160], virtualization[64], governor[64], microcode[32], turbo[8];
  char flags_hash[17];
  unsigned cores;
  uint64_t memory_kb;
} host_info;

void host_describe(host_info *out);
/* The same as an object of those that are known: what of a machine matters to speed, and not the
 * frequency of the moment or a name, which change without the machine changing. */
json_t *host_machine(void);
/* The "context" of Google Benchmark's JSON, without what only the program knows. */
json_t *host_google_context(void);

/* Ticks of all CPUs since the system started. */
typedef struct host_times {
  uint64_t total, steal;
} host_times;
host_times host_cpu_times(void);
double host_steal_ratio(host_times before, host_times after);

/* Prints what makes times on this machine differ, a line each. */
void host_print_checklist(FILE *to);

/* "2026-11-21T08:00:00Z": now, or $SOURCE_DATE_EPOCH, so that files can be made again. */
void host_date(char date[static 32]);

/* 64-bit FNV-1a, continued from `hash` (0: from its start). */
uint64_t host_hash(uint64_t hash, const char *text);

#endif
