#include "wipe.h"

#include <string.h>

/* Those that a function may change without keeping them: others hold what they held before. */

#if defined(__x86_64__)
#define WIPE_FIRST \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define WIPE_SECOND \
  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

/* Where this is not compiled for AVX-512 the compiler neither uses the second sixteen nor knows
 * their names, but the C library may use them. vzeroall reaches the whole of the first sixteen. */
static void wipe_registers(void)
{
  if (__builtin_cpu_supports("avx512f")) {
    __asm__ volatile(".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                     "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t.endr" ::
#if defined(__AVX512F__)
                         : WIPE_SECOND
#endif
    );
  }
  if (__builtin_cpu_supports("avx"))
    __asm__ volatile("vzeroall" ::: WIPE_FIRST);
  else
    __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                     "pxor %%xmm\\n, %%xmm\\n\n\t.endr" ::
                         : WIPE_FIRST);
  __asm__ volatile(".irp n,eax,ecx,edx,esi,edi,r8d,r9d,r10d,r11d\n\t"
                   "xor %%\\n, %%\\n\n\t.endr" ::
                       : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
}

#elif defined(__aarch64__)

static void wipe_registers(void)
{
  __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
                   "movi v\\n\\().2d, 0\n\t.endr" ::
                       : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19",
                         "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                         "v30", "v31");
  __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n\t"
                   "mov x\\n, 0\n\t.endr" ::
                       : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                         "x12", "x13", "x14", "x15", "x16", "x17");
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
