/* A bench whose cases are chosen for the tests of the harness: odd names, a known number of
 * allocations, one that fails, one that is left out. */
#include "harness.h"

#include <stdlib.h>

static void spin(bench_loop *loop, void *ctx)
{
  const uint64_t *const rounds = (const uint64_t *)ctx;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations * *rounds; i++) bench_keep(i);
  bench_stop(loop);
}

static void allocate(bench_loop *loop, void *ctx)
{
  (void)ctx;
  bench_start(loop);
  for (uint64_t i = 0; i < loop->iterations; i++) {
    void *const blocks[] = {bench_malloc(60), bench_malloc(40), bench_malloc(20)};
    for (size_t k = 0; k < 3; k++) bench_free(blocks[k]);
  }
  bench_stop(loop);
}

static void fail_late(bench_loop *loop, void *ctx)
{
  spin(loop, ctx);
  if (getenv("FIXED_BENCH_FAILS") != NULL) loop->failure = "it gave the wrong answer";
}

static const char *refuse(void *ctx)
{
  (void)ctx;
  return getenv("FIXED_BENCH_FAILS") != NULL ? "it cannot be opened" : NULL;
}

static const char *skip(const bench_case *bench)
{
  return bench->is_remote ? "nobody answers" : NULL;
}

static uint64_t few = 20, many = 5000;

static const bench_case cases[] = {
    {.group = "plain",
     .function = "spin/short",
     .run = spin,
     .ctx = &few,
     .elements = 1,
     .target_ns = 5,
     .acceptable_ns = 10},
    {.group = "plain",
     .function = "spin/long",
     .parameter = "5000",
     .run = spin,
     .ctx = &many,
     .bytes = 4096},
    {.group = "memory", .run = allocate},
    {.group = "odd <&\"'\\ \xC3\xA9", .function = "a*b", .run = spin, .ctx = &few},
    {.group = "late", .run = fail_late, .ctx = &few},
    {.group = "closed", .open = refuse, .run = spin, .ctx = &few},
    {.group = "remote", .function = "one", .run = spin, .ctx = &few, .is_remote = true},
};

static const bench_suite suite = {.name = "fixed_bench",
                                  .cases = cases,
                                  .count = sizeof cases / sizeof *cases,
                                  .accel_version = "0",
                                  .skip_reason = skip,
                                  .has_summaries = true};

int main(int count, char **arguments)
{
  bench_build build = BENCH_BUILD();
  const char *const pretended = getenv("FIXED_BENCH_BUILD");
  build.is_optimised = pretended == NULL || pretended[0] != 'O';
  build.has_assertions = pretended != NULL && pretended[0] == 'a';
  build.sanitizer = pretended != NULL && pretended[0] == 's' ? "address" : NULL;
  return bench_main(&suite, build, count, arguments);
}
