/* 12_compression: values that are smaller in L2.
 *
 * The compressor is an option of the cache: processes with and without one may share an area. The
 * fake stands for Redis here, so that its contents can be looked at.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"

#include "accel_backends/fake.h"
#include "accel_backends/lz4.h"

#include <stdio.h>
#include <string.h>

typedef struct article {
  char text[8192];
} article;

ACCEL_DEFINE_WITH(article, uint64_t, article, .remote = &accel_fake_ops)

int main(void)
{
  accel_fake fake;
  article_cache cache;
  static article written, read;
  for (size_t i = 0; i + 20 < sizeof written.text; i += 20)
    memcpy(written.text + i, "all work and no play", 20);

  if (accel_fake_open(&fake, NULL) != ACCEL_OK) return 1;
  const accel_config config = {.area = "article", .remote = &fake, .compressor = &accel_lz4};
  if (article_cache_open(&cache, &config) != ACCEL_OK) {
    fprintf(stderr, "%s\n", article_cache_last_error(&cache));
    return 1;
  }
  accel_ignore(article_cache_set(&cache, 1, &written));
  const accel_read from_remote = {.skip_local = true};
  const accel_status status = article_cache_get_with(&cache, 1, &from_remote, &read);
  accel_buffer stored = {.data = NULL};
  accel_fake_peek(&fake, "article:1", &stored);
  printf("%zu bytes in memory, %zu in L2, read back: %s\n", sizeof written, stored.size,
         accel_status_name(status));
  const bool is_right = status == ACCEL_OK && memcmp(&read, &written, sizeof read) == 0 &&
                        stored.size < sizeof written / 4;
  accel_buffer_release(&stored);
  article_cache_close(&cache);
  accel_fake_close(&fake);
  return is_right ? 0 : 1;
}
