/* host.h: what this machine is, and whether it is quiet. Reads /proc and /sys; what is not there is
 * reported as unknown ("" or 0). */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct host_cache {
  char type[16]; /* Data, Instruction, Unified */
  unsigned level, num_sharing;
  uint64_t size; /* bytes */
} host_cache;

typedef struct host_info {
  char cpu[128], kernel[128], virtualization[64], governor[64], date[32];
  unsigned cores;
  uint64_t memory_kb, flags_hash;
  double mhz, load[3];
  host_cache caches[8];
  unsigned cache_count;
} host_info;

void host_describe(host_info *out);

/* Ticks of all CPUs since the system started. */
typedef struct host_times {
  uint64_t total, steal;
} host_times;
host_times host_cpu_times(void);
double host_steal_ratio(host_times before, host_times after);

/* Prints what makes times on this machine differ, a line each. */
void host_print_checklist(FILE *to);

/* "2026-11-21T08:00:00Z" */
void host_date(char date[static 32]);

/* 64-bit FNV-1a, continued from `hash` (0: from its start). */
uint64_t host_hash(uint64_t hash, const char *text);

#endif
