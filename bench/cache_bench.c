/* What a whole cache costs: nanoseconds per hit through the generated functions, from 100 000
 * entries of 64 bytes; what a wrapper adds to the same thing written by hand; bytes per entry; and
 * the time a compiler needs for a file with 20 caches.
 *
 * usage: cache_bench [FOLDER OF accel.h]
 *
 * Each time per hit is the median of seven rounds, the kinds taken in turn, so that what slows the
 * machine down slows them all; compare only what was measured in one run.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 100000u
#define DRAWS (1u << 20)
#define ROUNDS 7
#define CACHES 20

typedef struct user_t {
  uint64_t words[8];
} user_t;

ACCEL_DEFINE(user, uint64_t, user_t)

static user_cache users;
static uint64_t sink;

static accel_status load_user(void *ctx, uint64_t id, user_t *out)
{
  (void)ctx;
  *out = (user_t){{id, id}};
  return ACCEL_OK;
}

/* ---- a hit, in three notations ---- */

static accel_status get_plain(uint64_t id, user_t *out)
{
  return user_cache_get(&users, id, out);
}

static accel_status get_by_hand(uint64_t id, user_t *out)
{
  return user_cache_get_or_load(&users, id, NULL, load_user, NULL, out);
}

static ACCEL_CACHEABLE(user, get_wrapped, (uint64_t id, user_t *out), (id, out), .cache = &users,
                       .key = id, .out = out)
{
  return load_user(NULL, id, out);
}

typedef accel_status get_fn(uint64_t id, user_t *out);

ACCEL_INLINE double round_ns(get_fn *get, const uint64_t *ids)
{
  user_t user;
  const uint64_t start_ns = accel_clock_monotonic_ns();
  for (size_t i = 0; i < DRAWS; i++)
    if (get(ids[i], &user) == ACCEL_OK) sink += user.words[0];
  return (double)(accel_clock_monotonic_ns() - start_ns) / DRAWS;
}

static int compare_doubles(const void *a, const void *b)
{
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double median(double *results)
{
  qsort(results, ROUNDS, sizeof *results, compare_doubles);
  return results[ROUNDS / 2];
}

static void print_hits(const char *name, double ns, double get_ns)
{
  printf("  %-28s %8.1f ns  %+6.1f %%\n", name, ns, 100 * (ns / get_ns - 1));
}

static void measure_hits(const char *which, const uint64_t *ids)
{
  double plain[ROUNDS], by_hand[ROUNDS], wrapped[ROUNDS];
  for (size_t i = 0; i < ROUNDS; i++) {
    plain[i] = round_ns(get_plain, ids);
    by_hand[i] = round_ns(get_by_hand, ids);
    wrapped[i] = round_ns(get_wrapped, ids);
  }
  const double get_ns = median(plain);
  printf("a hit, %s\n", which);
  print_hits("user_cache_get", get_ns, get_ns);
  print_hits("ACCEL_CACHEABLE", median(wrapped), get_ns);
  print_hits("user_cache_get_or_load", median(by_hand), get_ns);
}

static void measure_memory(void)
{
  accel_diagnostic diagnostic;
  user_cache_diagnostic_snapshot(&users, &diagnostic);
  const double content = sizeof(uint64_t) + sizeof(user_t);
  printf("memory beyond key and value    %8.1f bytes per entry of the capacity\n",
         (double)diagnostic.memory_bytes / (double)diagnostic.config.capacity - content);
}

/* ---- compile time ---- */

/* Caches private to their file, two functions of each in use; or shared ones with all of theirs. */
static bool write_source(const char *path, bool is_shared)
{
  FILE *file = fopen(path, "w");
  if (file == NULL) return false;
  fprintf(file, "#include \"accel.h\"\n");
  for (int i = 0; i < CACHES; i++) {
    fprintf(file, "typedef struct v%d { uint64_t words[%d]; } v%d;\n", i, i + 1, i);
    if (is_shared)
      fprintf(file, "ACCEL_DECLARE(c%d, uint64_t, v%d)\nACCEL_IMPLEMENT(c%d)\n", i, i, i);
    else
      fprintf(file, "ACCEL_DEFINE(c%d, uint64_t, v%d)\n", i, i);
    fprintf(file, "accel_status use%d(c%d_cache *cache, uint64_t id, v%d *out);\n", i, i, i);
    fprintf(file, "accel_status use%d(c%d_cache *cache, uint64_t id, v%d *out)\n", i, i, i);
    fprintf(file, "{ const accel_status status = c%d_cache_get(cache, id, out);\n", i);
    fprintf(file, "  return status == ACCEL_MISS ? c%d_cache_set(cache, id, out) : status; }\n", i);
  }
  return fclose(file) == 0;
}

static void measure_compiler(const char *compiler, bool is_shared, const char *include)
{
  char path[] = "/tmp/accel-bench-XXXXXX.c", command[1024];
  const int file = mkstemps(path, 2);
  if (file < 0) return;
  close(file);
  snprintf(command, sizeof command, "%s -std=gnu11 -O2 -I'%s' -c '%s' -o /dev/null 2>/dev/null",
           compiler, include, path);
  double best_ms = -1;
  for (int i = 0; write_source(path, is_shared) && i < 3; i++) {
    const uint64_t start_ns = accel_clock_monotonic_ns();
    if (system(command) != 0) break;
    const double taken_ms = (double)(accel_clock_monotonic_ns() - start_ns) / 1e6;
    if (best_ms < 0 || taken_ms < best_ms) best_ms = taken_ms;
  }
  unlink(path);
  if (best_ms < 0)
    printf("compile time: no %s here, or no accel.h in %s\n", compiler, include);
  else
    printf("%-5s -O2, %d x %-15s %6.0f ms, the best of three\n", compiler, CACHES,
           is_shared ? "ACCEL_IMPLEMENT" : "ACCEL_DEFINE", best_ms);
}

int main(int count, char **arguments)
{
  const char *include = count > 1 ? arguments[1] : ".";
  uint64_t *ids = (uint64_t *)malloc(DRAWS * sizeof *ids);
  /* Room for all entries: what is measured is a hit, not what is kept. */
  const accel_config config = {.area = "bench",
                               .capacity = ENTRIES + ENTRIES / 8,
                               .local_ttl_ms = 3600000,
                               .loader_timeout_ms = ACCEL_FOREVER};
  if (ids == NULL || user_cache_open(&users, &config) != ACCEL_OK) return 1;
  user_cache_set_loader(&users, load_user, NULL);
  for (uint64_t id = 0; id < ENTRIES; id++) {
    user_t user;
    if (user_cache_get(&users, id, &user) != ACCEL_OK) return 1;
  }
  for (size_t i = 0; i < DRAWS; i++) ids[i] = accel_hash_integer(i, 1) % ENTRIES;
  measure_hits("any of 100 000 as often as another", ids);
  for (size_t i = 0; i < DRAWS; i++) ids[i] %= (ENTRIES >> i % 16) + 1;
  measure_hits("few of them most of the time", ids);
  measure_memory();
  measure_compiler("cc", false, include);
  measure_compiler("cc", true, include);
  measure_compiler("clang", false, include);
  measure_compiler("clang", true, include);
  user_cache_close(&users);
  free(ids);
  return sink == 42; /* never: the sums must not be optimised away */
}
