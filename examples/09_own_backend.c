/* 09_own_backend.c: a user-defined L2. 09_own_backend_folder.c stores values in a folder; the next
 * run of the program finds there what this run has computed.
 */
#define ACCEL_IMPLEMENTATION
#include "09_own_backend_folder.h"
#include "claim.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

typedef struct sum_t {
  uint64_t limit, primes, sum;
} sum_t;

ACCEL_DEFINE_WITH(sum, uint64_t, sum_t, .remote = &folder_ops)

/* Adds up the primes below `limit`: work that is worth caching. */
static accel_status add_primes(void *computed, uint64_t limit, sum_t *out)
{
  *out = (sum_t){.limit = limit};
  for (uint64_t number = 2; number < limit; number++) {
    uint64_t divisor = 2;
    while (divisor * divisor <= number && number % divisor != 0) divisor++;
    if (divisor * divisor <= number) continue;
    out->primes++;
    out->sum += number;
  }
  ++*(int *)computed;
  return ACCEL_OK;
}

static bool start_run(sum_cache *sums, folder_t *folder, int *computed)
{
  const accel_config config = {.area = "primes",
                               .remote_ttl_ms = ACCEL_FOREVER,
                               .no_broadcast = true,
                               .remote = folder,
                               .loader_timeout_ms = ACCEL_FOREVER};
  *computed = 0;
  if (sum_cache_open(sums, &config) != ACCEL_OK) return false;
  sum_cache_set_loader(sums, add_primes, computed);
  return true;
}

/* A disk may return anything. */
static bool damage(const folder_t *folder, const char *name)
{
  const int file = openat(folder->directory, name, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool is_written = pwrite(file, "?", 1, 60) == 1;
  close(file);
  return is_written;
}

static void run_four_times(folder_t *folder)
{
  sum_cache sums;
  sum_t sum = {.sum = 0};
  accel_metrics metrics;
  int computed;

  claim(start_run(&sums, folder, &computed) && sum_cache_get(&sums, 20000, &sum) == ACCEL_OK &&
            computed == 1,
        "the first run computes");
  printf("        %" PRIu64 " primes below 20000, in all %" PRIu64 "\n", sum.primes, sum.sum);
  sum_cache_close(&sums);

  sum = (sum_t){.sum = 0};
  claim(start_run(&sums, folder, &computed) && sum_cache_get(&sums, 20000, &sum) == ACCEL_OK &&
            computed == 0 && sum.sum == 21171191,
        "the second finds it in the folder");
  sum_cache_close(&sums);

  claim(damage(folder, "primes:20000"), "a byte of the file is changed");
  claim(start_run(&sums, folder, &computed) && sum_cache_get(&sums, 20000, &sum) == ACCEL_OK &&
            computed == 1 && sum.sum == 21171191,
        "the third run sees that, and computes again");
  sum_cache_metrics_snapshot(&sums, &metrics);
  claim(metrics.remote_decode_errors == 1 && metrics.remote_errors == 0, "and counts it");
  sum_cache_close(&sums);

  const accel_read cached_only = {.disable_load = true};
  claim(start_run(&sums, folder, &computed) && sum_cache_del(&sums, 20000) == ACCEL_OK &&
            sum_cache_get_with(&sums, 20000, &cached_only, &sum) == ACCEL_MISS,
        "the fourth deletes it");
  for (uint64_t limit = 10; limit < 20; limit++) accel_ignore(sum_cache_get(&sums, limit, &sum));
  claim(computed == 10 && sum_cache_clear(&sums) == ACCEL_OK,
        "computes ten others, and clears all");
  sum_cache_close(&sums);
}

int main(void)
{
  char path[] = "/tmp/accel-folder-XXXXXX";
  folder_t folder = {.directory = -1};
  if (mkdtemp(path) != NULL) folder.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  claim(folder.directory >= 0, "there is a folder");
  if (folder.directory < 0) return 1;
  run_four_times(&folder);
  close(folder.directory);
  claim(rmdir(path) == 0, "the folder is empty again");
  return all_claims_hold ? 0 : 1;
}
