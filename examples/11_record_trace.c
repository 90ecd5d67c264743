/* 11_record_trace.c: a program that records the keys it requests.
 *
 *   example_11_record_trace --record keys.txt
 *   accel-sim --trace keys.txt --sweep 8 --html curve.html
 *
 * One key per line is all that accel-sim needs to compute the hit ratio of another capacity or
 * policy. A real program would record a few minutes under load; if there are many keys, one in a
 * hundred, chosen by a hash of the key, so that all requests of a key are recorded or none, and
 * replay them with a hundredth of the capacity.
 *
 * Without --record the trace goes to a temporary file.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS = 20000, ARTICLES = 5000, CAPACITY = 500 };

typedef struct article_t {
  char title[48];
} article_t;

ACCEL_DEFINE(article, uint64_t, article_t)

typedef struct site_t {
  article_cache articles;
  FILE *record; /* NULL: nothing is written down */
} site_t;

static accel_status load_article(void *ctx, uint64_t id, article_t *out)
{
  (void)ctx;
  snprintf(out->title, sizeof out->title, "Article %" PRIu64, id);
  return ACCEL_OK;
}

/* Every request passes here, so this is where it is written down: before the cache, hit or miss. */
static accel_status site_get(site_t *site, uint64_t id, article_t *out)
{
  if (site->record != NULL) fprintf(site->record, "%" PRIu64 "\n", id);
  return article_cache_get(&site->articles, id, out);
}

/* Some articles are read more often than others: the square of a fraction is rather small. */
static uint64_t next_reader_wants(uint32_t *random)
{
  *random = *random * 1664525u + 1013904223u;
  const uint64_t part = *random >> 16;
  return part * part * ARTICLES >> 32;
}

static int count_lines(FILE *file)
{
  int lines = 0;
  rewind(file);
  for (int byte; (byte = getc(file)) != EOF;) lines += byte == '\n';
  return lines;
}

int main(int argument_count, char **arguments)
{
  site_t site = {0};
  const bool is_named = argument_count == 3 && strcmp(arguments[1], "--record") == 0;
  if (argument_count > 1 && !is_named) {
    fprintf(stderr, "usage: %s [--record FILE]\n", arguments[0]);
    return 2;
  }
  site.record = is_named ? fopen(arguments[2], "w+") : tmpfile();
  if (site.record == NULL) {
    perror(is_named ? arguments[2] : "a temporary file");
    return 1;
  }
  const accel_config config = {.area = "article", .capacity = CAPACITY};
  if (article_cache_open(&site.articles, &config) != ACCEL_OK) {
    fprintf(stderr, "%s\n", article_cache_last_error(&site.articles));
    return 1;
  }
  article_cache_set_loader(&site.articles, load_article, NULL);

  uint32_t random = 1;
  int answered = 0;
  for (int i = 0; i < REQUESTS; i++) {
    article_t article;
    answered += site_get(&site, next_reader_wants(&random), &article) == ACCEL_OK;
  }
  accel_metrics metrics;
  article_cache_metrics_snapshot(&site.articles, &metrics);
  const int lines = count_lines(site.record);
  printf("%" PRIu64 " hits, %" PRIu64 " misses, %d lines\n", metrics.local_hit, metrics.local_miss,
         lines);
  claim(answered == REQUESTS, "Every request was answered.");
  claim(lines == REQUESTS, "Every request was written down, hits and misses alike.");
  claim(metrics.local_hit > REQUESTS / 5, "Room for a tenth serves more than a fifth.");
  article_cache_close(&site.articles);
  return fclose(site.record) == 0 && all_claims_hold ? 0 : 1;
}
