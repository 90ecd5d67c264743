/* pages.c: opens caches, uses them, and writes what an observer shows of them.
 *
 * usage: pages COUNT FOLDER
 *
 * Writes metrics.txt, state.json and health.json as accel_observer_answer gives them, and
 * snapshots.txt, a line "AREA COUNTER VALUE" of accel_cache_metrics_snapshot for each counter. A
 * third of the caches is local, a third has an L2, a third an L2 whose channel is down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "accel_backends/fake.h"

ACCEL_DEFINE_WITH(row, uint64_t, uint64_t, .remote = &accel_fake_ops)

#define PAGES_CACHES_MAX 1000

static row_cache caches[PAGES_CACHES_MAX];

static accel_status load_row(void *ctx, uint64_t id, uint64_t *out)
{
  (void)ctx;
  *out = id;
  if (id % 5 == 0) return ACCEL_NULL;
  return id % 7 == 0 ? ACCEL_ERR_LOADER : ACCEL_OK;
}

static void demand(bool is_right, const char *what)
{
  if (is_right) return;
  fprintf(stderr, "pages: %s\n", what);
  exit(1);
}

static void use(row_cache *cache, int more)
{
  uint64_t row = 1;
  for (uint64_t id = 0; id < 20 + (uint64_t)more; id++) {
    const accel_status status = row_cache_get(cache, id, &row);
    demand(status == ACCEL_OK || status == ACCEL_NULL || status == ACCEL_MISS || id % 7 == 0,
           "a read failed");
  }
  for (uint64_t id = 0; id < 10; id++)
    demand(row_cache_set(cache, id, &row) == ACCEL_OK, "a set failed");
  for (uint64_t id = 0; id < 10; id++)
    demand(row_cache_get(cache, id, &row) == ACCEL_OK, "a hit failed");
  demand(row_cache_del(cache, 3) == ACCEL_OK, "a del failed");
}

static FILE *create(const char *folder, const char *name)
{
  char path[1000];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  demand(file != NULL, path);
  return file;
}

static void write_answer(accel_observer *observer, const char *target, const char *folder,
                         const char *name)
{
  accel_answer answer;
  demand(accel_observer_answer(observer, "GET", target, &answer), target);
  demand(answer.status == 200, answer.content_type);
  FILE *file = create(folder, name);
  demand(fwrite(answer.body.data, 1, answer.body.size, file) == answer.body.size, name);
  fclose(file);
  accel_answer_release(&answer);
}

#define PAGES_LINE(field_, metric_, unit_, help_) \
  fprintf(file, "area_%d " #field_ " %llu\n", i, (unsigned long long)metrics.field_);
static void write_snapshots(int count, const char *folder)
{
  FILE *file = create(folder, "snapshots.txt");
  for (int i = 0; i < count; i++) {
    accel_metrics metrics;
    row_cache_metrics_snapshot(&caches[i], &metrics);
    ACCEL_COUNTER_LIST_(PAGES_LINE)
  }
  fclose(file);
}

int main(int argument_count, char **arguments)
{
  demand(argument_count == 3, "usage: pages COUNT FOLDER");
  const int count = atoi(arguments[1]);
  demand(count >= 0 && count <= PAGES_CACHES_MAX, "COUNT is 0 to 1000");
  accel_fake fake;
  accel_observer observer;
  const accel_observer_config seen = {.extra_labels = "dc=\"f\\\"r\\\\a\\n\xC3\xA4\",x=\"\""};
  demand(accel_fake_open(&fake, NULL) == ACCEL_OK, "no fake");
  demand(accel_observer_open(&observer, &seen) == ACCEL_OK, "no observer");
  size_t links = 0;
  for (int i = 0; i < count; i++) {
    char area[16];
    snprintf(area, sizeof area, "area_%d", i);
    const accel_config config = {.area = area,
                                 .observer = &observer,
                                 .capacity = 50 + (size_t)i,
                                 .loader_timeout_ms = 60000,
                                 .no_histograms = i % 10 == 9,
                                 .remote = i % 3 == 0 ? NULL : &fake};
    demand(row_cache_open(&caches[i], &config) == ACCEL_OK, row_cache_last_error(&caches[i]));
    row_cache_set_loader(&caches[i], load_row, NULL);
    if (config.remote == NULL) continue;
    if (i % 3 == 2) accel_fake_channel_down(&fake, links);
    links++;
  }
  for (int i = 0; i < count; i++) use(&caches[i], i % 30);
  write_answer(&observer, "/metrics?now", arguments[2], "metrics.txt");
  write_answer(&observer, "/state.json", arguments[2], "state.json");
  write_answer(&observer, "/health", arguments[2], "health.json");
  write_snapshots(count, arguments[2]);
  for (int i = 0; i < count; i++) row_cache_close(&caches[i]);
  accel_observer_close(&observer);
  accel_fake_close(&fake);
  return 0;
}
