#include "wipe.h"

#include <string.h>

#if defined(__x86_64__)
#define WIPE_FIRST \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#if defined(__AVX512F__)
#define WIPE_SECOND \
  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"
#else
#define WIPE_SECOND "memory" /* this compilation uses none of them; a C library may */
#endif

static void wipe_registers(void)
{
  if (__builtin_cpu_supports("avx512f"))
    __asm__ volatile(".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                     "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t.endr" ::
                         : WIPE_SECOND);
  if (__builtin_cpu_supports("avx"))
    __asm__ volatile("vzeroall" ::: WIPE_FIRST);
  else
    __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                     "pxor %%xmm\\n, %%xmm\\n\n\t.endr" ::
                         : WIPE_FIRST);
}

#elif defined(__aarch64__)

/* All but v8 to v15, whose values are a caller's and which copying leaves alone. */
static void wipe_registers(void)
{
  __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                   "movi v\\n\\().2d, 0\n\t.endr" ::
                       : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19",
                         "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                         "v30", "v31");
}

#else

static void wipe_registers(void) {}

#endif

/* The registers first: what is called afterwards has nothing left to save. AddressSanitizer would
 * give the array a place elsewhere. */
__attribute__((no_sanitize("address"))) void accel_wipe_traces(void)
{
  unsigned char below[ACCEL_WIPE_STACK];
  wipe_registers();
  explicit_bzero(below, sizeof below);
}
