/* 07_owning_values.c: articles whose text has memory of its own.
 *
 * .copy makes a deep copy, .drop frees what a value owns, .codec encodes it for L2 and decodes it.
 * The cache drops each copy exactly once, when no thread can be reading it; this program counts
 * them.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/fake.h"
#include "claim.h"

typedef struct article_t {
  char *text; /* owned; NULL: none */
  size_t size;
} article_t;

static uint64_t texts; /* atomic: how many exist */

static bool make_text(article_t *out, const void *text, size_t size)
{
  *out = (article_t){.text = (char *)malloc(size + 1), .size = size};
  if (out->text == NULL) return false;
  memcpy(out->text, text, size);
  out->text[size] = 0;
  __atomic_fetch_add(&texts, 1, __ATOMIC_RELAXED);
  return true;
}

static bool copy_article(article_t *to, const article_t *from)
{
  return make_text(to, from->text, from->size);
}

static void drop_article(article_t *article)
{
  if (article->text == NULL) return;
  free(article->text);
  *article = (article_t){.text = NULL};
  __atomic_fetch_sub(&texts, 1, __ATOMIC_RELAXED);
}

static accel_status encode_article(void *ctx, const void *value, accel_buffer *out)
{
  (void)ctx;
  const article_t *article = (const article_t *)value;
  return accel_buffer_append(out, article->text, article->size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

/* The bytes are untrusted: refuse what is not an article. */
static accel_status decode_article(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  if (size == 0 || memchr(data, 0, size) != NULL) return ACCEL_ERR_CODEC;
  return make_text((article_t *)value_out, data, size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static uint32_t weigh_article(const uint64_t *id, const article_t *article)
{
  (void)id;
  return (uint32_t)article->size;
}

static const accel_codec article_codec = {.encode = encode_article, .decode = decode_article};

ACCEL_DEFINE_WITH(article, uint64_t, article_t, .copy = copy_article, .drop = drop_article,
                  .weigh = weigh_article, .remote = &accel_fake_ops, .codec = &article_codec)

/* After ACCEL_OK the cache owns *out. */
static accel_status write_article(void *written, uint64_t id, article_t *out)
{
  char text[64];
  ++*(int *)written;
  const int size = snprintf(text, sizeof text, "Article %d, as long as it is wise.", (int)id);
  return make_text(out, text, (size_t)size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static void use(article_cache *here, article_cache *there, const int *written)
{
  article_t mine, theirs;
  article_cache_ref in_place;

  claim(article_cache_get(here, 1, &mine) == ACCEL_OK && texts == 2,
        "one article: the cache owns one text, the reader another");
  claim(article_cache_get(there, 1, &theirs) == ACCEL_OK && *written == 1 && texts == 4 &&
            strcmp(mine.text, theirs.text) == 0,
        "another cache makes its own from the bytes in L2");
  printf("        %s\n", theirs.text);
  drop_article(&mine);
  drop_article(&theirs);
  claim(texts == 2, "readers drop what they were given");

  claim(article_cache_get_ref(here, 1, &in_place) == ACCEL_OK && texts == 2,
        "a reference reads the cache's own text, without a copy");
  article_cache_del(here, 1);
  claim(article_cache_ref_value(&in_place)->text[0] == 'A', "and keeps it, even through a del");
  article_cache_ref_release(&in_place);

  for (uint64_t id = 2; id < 1000; id++)
    if (article_cache_get(here, id, &mine) == ACCEL_OK) drop_article(&mine);
  accel_diagnostic diagnostic;
  article_cache_diagnostic_snapshot(here, &diagnostic);
  printf("%zu articles of %zu bytes in all\n", diagnostic.entries, diagnostic.weight);
  claim(diagnostic.weight <= 2000 && diagnostic.entries > 0, "no more text than max_weight allows");
}

int main(void)
{
  accel_fake fake = {0}; /* plays Redis, without a server */
  article_cache here = {0}, there = {0};
  int written = 0;
  claim(accel_fake_open(&fake, NULL) == ACCEL_OK, "an L2 in memory is open");
  const accel_config config = {
      .area = "articles", .max_weight = 2000, .remote = &fake, .loader_timeout_ms = ACCEL_FOREVER};
  claim(article_cache_open(&here, &config) == ACCEL_OK &&
            article_cache_open(&there, &config) == ACCEL_OK,
        "two caches share it");
  article_cache_set_loader(&here, write_article, &written);
  article_cache_set_loader(&there, write_article, &written);
  if (all_claims_hold) use(&here, &there, &written);
  article_cache_close(&there);
  article_cache_close(&here);
  accel_fake_close(&fake);
  claim(texts == 0, "with the caches closed, every text was freed, each once");
  return all_claims_hold ? 0 : 1;
}
