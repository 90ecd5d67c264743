/* Who takes part. What this build lacks, for want of a package, is said, not left out quietly. */
#include "subject.h"

#ifdef BENCH_HAS_GLIB
#define BENCH_NO_GLIB ""
#else
#define BENCH_NO_GLIB " GLib (libglib2.0-dev)"
#endif
#ifdef BENCH_HAS_TBB
#define BENCH_NO_TBB ""
#else
#define BENCH_NO_TBB " oneTBB (libtbb-dev and a C++ compiler)"
#endif
#ifdef BENCH_HAS_UTHASH
#define BENCH_NO_UTHASH ""
#else
#define BENCH_NO_UTHASH " uthash (uthash-dev)"
#endif

const bench_subject *const bench_subjects[] = {
    &bench_array,  &bench_map, &bench_shared, &bench_accel, &bench_accel_forever,
#ifdef BENCH_HAS_UTHASH
    &bench_uthash,
#endif
#ifdef BENCH_HAS_GLIB
    &bench_glib,
#endif
#ifdef BENCH_HAS_TBB
    &bench_tbb,
#endif
    NULL,
};

const char *const bench_absent_subjects = BENCH_NO_UTHASH BENCH_NO_GLIB BENCH_NO_TBB;
