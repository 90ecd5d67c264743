/* probe.h: static probes, for tracers that look at a running program (layer 0). Only for .c files.
 *
 * With ACCEL_USDT defined before the implementation, each probe is one nop and a note in the binary
 * that bpftrace, perf and SystemTap read (USDT; needs sys/sdt.h, in Debian systemtap-sdt-dev).
 * Without it a probe is nothing. None is on the path of a hit. docs/tracing.md describes them.
 */
#ifndef ACCEL_PLATFORM_PROBE_H
#define ACCEL_PLATFORM_PROBE_H

#include "../base.h"

/* X(name, how many arguments, parameters, the arguments)
 *
 *   miss          L1 did not answer a read of the key
 *   hit_sample    one hit in 1024
 *   remote        a call to L2 has ended; `operation` is get, lease, fill, put, del or clear
 *   load_begin    a loader is called, for `keys` keys, of which the first has this hash
 *   load_end      it has returned
 *   wait          a read waited for another thread's load ("flight") or another process' ("lease")
 *   evict         one eviction in 64; `cause` is "room" or "expired"
 *   epoch         all of L1 expired, and why
 *   channel       it came up, or went down
 *   invalidate    a message of the cache numbered `sender` arrived, which names `count` keys
 *   repair        so many unconfirmed writes were repaired
 *
 * `ns` is 0 with no_histograms: then no clock is read. `status` is an accel_status. */
/* clang-format off */
#define ACCEL_PROBE_LIST_(X) \
  X(miss, 2, (const char *area, uint64_t hash), area, hash) \
  X(hit_sample, 2, (const char *area, uint64_t hash), area, hash) \
  X(remote, 5, (const char *area, const char *operation, uint64_t count, uint64_t ns, int status), \
    area, operation, count, ns, status) \
  X(load_begin, 3, (const char *area, uint64_t hash, uint64_t keys), area, hash, keys) \
  X(load_end, 4, (const char *area, uint64_t hash, uint64_t ns, int status), \
    area, hash, ns, status) \
  X(wait, 4, (const char *area, uint64_t hash, uint64_t ns, const char *what), \
    area, hash, ns, what) \
  X(evict, 3, (const char *area, uint64_t hash, const char *cause), area, hash, cause) \
  X(epoch, 2, (const char *area, const char *why), area, why) \
  X(channel, 2, (const char *area, int is_up), area, is_up) \
  X(invalidate, 3, (const char *area, uint64_t count, uint64_t sender), area, count, sender) \
  X(repair, 2, (const char *area, uint64_t count), area, count)
/* clang-format on */

#ifdef ACCEL_USDT
#include <sys/sdt.h>
#define ACCEL_HAS_PROBES 1
#define ACCEL_PROBE_BODY_(name_, count_, ...) DTRACE_PROBE##count_(accel, name_, __VA_ARGS__)
#else
#define ACCEL_HAS_PROBES 0
#define ACCEL_PROBE_BODY_(name_, count_, ...) ((void)0)
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define ACCEL_PROBE_FUNCTION_(name_, count_, parameters_, ...) \
  ACCEL_INLINE void accel_probe_##name_ parameters_ \
  { \
    ACCEL_PROBE_BODY_(name_, count_, __VA_ARGS__); \
  }
ACCEL_PROBE_LIST_(ACCEL_PROBE_FUNCTION_)
#pragma GCC diagnostic pop

#endif
