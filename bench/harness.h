/* harness.h: what a bench says about itself, and how it is measured.
 *
 * A bench program lists its cases and hands them to bench_main, which does the rest: warm-up,
 * samples, statistics, comparison with a saved baseline, output in the forms that others read.
 *
 *   static void get_hit(bench_loop *loop, void *ctx)
 *   {
 *     prepare(ctx);                  not timed: every sample starts from the same state
 *     bench_start(loop);
 *     for (uint64_t i = 0; i < loop->iterations; i++) bench_keep(get(ctx));
 *     bench_stop(loop);
 *   }
 *   static const bench_case cases[] = {{.group = "cache_get_hit", .run = get_hit}};
 *   static const bench_suite suite = {.name = "tenant", .cases = cases, .count = 1};
 *   int main(int count, char **arguments)
 *   {
 *     return bench_main(&suite, BENCH_BUILD(), count, arguments);
 *   }
 *
 * Why not a library of others: what is measured is one library, by its own allocation hooks, in
 * programs that a gate compiles twice with a compiler, jansson and two folders of headers.
 *
 * This header comes before accel.h, because it defines the hooks. Nothing of bench/harness/ knows
 * accel. Threads: bench_main and cases run on the main thread.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything that the library allocates is counted, in calls and bytes. */
#define ACCEL_MALLOC bench_malloc
#define ACCEL_REALLOC bench_realloc
#define ACCEL_FREE bench_free
#define ACCEL_PAGES_ALLOC bench_pages_alloc
#define ACCEL_PAGES_FREE bench_pages_free

void *bench_malloc(size_t size);
void *bench_realloc(void *block, size_t size);
void bench_free(void *block);
void *bench_pages_alloc(size_t size);
void bench_pages_free(void *pages, size_t size);

/* One sample: `run` repeats its operation `iterations` times between bench_start and bench_stop,
 * which may be called several times, to leave out what does not belong to the operation. */
typedef struct bench_loop {
  uint64_t iterations;
  const char *failure; /* set by `run`: why what was measured is worth nothing; else NULL */
  uint64_t elapsed_ns; /* the rest is the harness' own */
  uint64_t started_ns;
  uint64_t allocations, started_allocations;
  uint64_t allocated_bytes, started_bytes;
} bench_loop;

void bench_start(bench_loop *loop);
void bench_stop(bench_loop *loop);

/* Makes the compiler believe that what `object` points to is read, and written, here. */
static inline void bench_keep_at(void *object)
{
  __asm__ volatile("" : : "r"(object) : "memory");
}

/* Makes the compiler compute `number`. */
static inline void bench_keep(uint64_t number)
{
  __asm__ volatile("" : : "r"(number));
}

typedef struct bench_case {
  const char *group;    /* the id is group/function/parameter; the last two are optional */
  const char *function; /* may hold "/", which the folder's name shows as "_" */
  const char *parameter;
  const char *definition; /* what decides its cost, in words; another text is another bench */
  /* Optional. Prepares ctx; NULL, or why the bench cannot be measured. */
  const char *(*open)(void *ctx);
  void (*run)(bench_loop *loop, void *ctx);
  void (*close)(void *ctx); /* optional; called once after each open that returned NULL */
  void *ctx;
  uint64_t elements; /* per iteration; 0: no throughput in elements */
  uint64_t bytes;    /* per iteration; 0: no throughput in bytes */
  double target_ns;  /* what is aimed at, 0: nothing; and what is still accepted */
  double acceptable_ns;
  bool is_remote; /* needs a server: depends on more than this process */
} bench_case;

typedef struct bench_suite {
  const char *name; /* that of the program */
  const bench_case *cases;
  size_t count;
  const char *accel_version;
  /* Optional. Why a case is left out on this machine (lives as long as the program), or NULL. */
  const char *(*skip_reason)(const bench_case *bench);
  bool has_summaries; /* leave a small file for each bench, for a table of service levels */
} bench_suite;

/* How the program was compiled, as only its own source file can tell. */
typedef struct bench_build {
  bool is_optimised, has_assertions;
  const char *sanitizer; /* NULL: none */
  const char *compiler, *flags;
} bench_build;

#if defined(__SANITIZE_ADDRESS__)
#define BENCH_SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define BENCH_SANITIZER "thread"
#elif defined(BENCH_SANITIZE)
#define BENCH_SANITIZER BENCH_SANITIZE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BENCH_SANITIZER "address"
#elif __has_feature(thread_sanitizer)
#define BENCH_SANITIZER "thread"
#elif __has_feature(memory_sanitizer)
#define BENCH_SANITIZER "memory"
#elif __has_feature(undefined_behavior_sanitizer)
#define BENCH_SANITIZER "undefined"
#endif
#endif
#ifndef BENCH_SANITIZER
#define BENCH_SANITIZER NULL
#endif

#ifdef __OPTIMIZE__
#define BENCH_IS_OPTIMISED true
#else
#define BENCH_IS_OPTIMISED false
#endif
#ifdef NDEBUG
#define BENCH_HAS_ASSERTIONS false
#else
#define BENCH_HAS_ASSERTIONS true
#endif
#ifdef __clang__
#define BENCH_COMPILER "clang " __clang_version__
#else
#define BENCH_COMPILER "gcc " __VERSION__
#endif
#ifndef BENCH_FLAGS /* a string: what the compiler was given, if who called it tells */
#define BENCH_FLAGS ""
#endif

#define BENCH_BUILD() \
  ((bench_build){BENCH_IS_OPTIMISED, BENCH_HAS_ASSERTIONS, BENCH_SANITIZER, BENCH_COMPILER, \
                 BENCH_FLAGS})

/* Does what the arguments say; --help lists them. Returns the exit status: 0, 1 if a bench failed
 * or a file could not be written, 2 if the arguments or the build are wrong. */
int bench_main(const bench_suite *suite, bench_build build, int count, char **arguments);

#endif
