/* Which machine this is, as far as it matters to speed; and what time. */
#ifndef ACCEL_GATE_FINGERPRINT_H
#define ACCEL_GATE_FINGERPRINT_H

#include "record.h"

/* cpu, cores, flags_hash, microcode, kernel, virtualization, memory_kb, governor, turbo. Not the
 * current frequency or a host name, which change without the machine changing. What the
 * system does not tell is left out. */
void gate_fingerprint(bench_arena *arena, gate_pairs *out);

/* Whether measurements of the two may be compared: cpu, cores and flags_hash of machines; compiler,
 * flags and type of builds, without which counts may not either. What only one of them tells does
 * not count. NULL if so, else what differs: "cpu: A, now B". */
const char *gate_machine_difference(bench_arena *arena, const gate_set *base, const gate_set *now);
const char *gate_build_difference(bench_arena *arena, const gate_set *base, const gate_set *now);

/* Now, or $SOURCE_DATE_EPOCH, so that outputs can be made again byte for byte:
 * 2026-11-21T07:50:00Z. */
const char *gate_time_text(bench_arena *arena);

#endif
