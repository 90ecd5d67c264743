/* 06_string_keys.c: pages by their address. String keys are copied; the caller may reuse its buffer
 * as soon as a call returns.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "claim.h"

typedef struct page_t {
  uint32_t size;
  char title[60];
} page_t;

ACCEL_DEFINE_STR(page, page_t)

static accel_status render(void *rendered, const char *address, page_t *out)
{
  ++*(int *)rendered;
  if (address[0] != '/') return ACCEL_NULL;
  memset(out, 0, sizeof *out);
  out->size = (uint32_t)strlen(address);
  snprintf(out->title, sizeof out->title, "The page at %.40s", address);
  return ACCEL_OK;
}

static bool count_page(void *pages, const char *address, const page_t *page)
{
  printf("  %.40s%s, \"%s\"\n", address, strlen(address) > 40 ? "…" : "", page->title);
  ++*(int *)pages;
  return true; /* continue */
}

static void use_short_keys(page_cache *pages, const int *rendered)
{
  char address[32] = "/en/about";
  page_t page;

  claim(page_cache_get(pages, address, &page) == ACCEL_OK && *rendered == 1, "a page is rendered");
  snprintf(address, sizeof address, "/en/contact");
  claim(page_cache_get(pages, address, &page) == ACCEL_OK && *rendered == 2,
        "the buffer is used again for another");
  claim(page_cache_get(pages, "/en/about", &page) == ACCEL_OK && *rendered == 2 &&
            strcmp(page.title, "The page at /en/about") == 0,
        "and the first is still known by its own address");
  accel_ignore(page_cache_get(pages, "not an address", &page));
  claim(page_cache_get(pages, "not an address", &page) == ACCEL_NULL && *rendered == 3,
        "what is no page is remembered as such");
}

/* Short keys are stored in the table, long ones beside it; keys above the limit are refused. */
static void use_long_keys(page_cache *pages, const int *rendered)
{
  enum { LONG = 100000, LIMIT = 131072 };
  char *address = (char *)malloc(LIMIT + 2);
  page_t page;
  if (address == NULL) return;
  memset(address, 'x', LIMIT + 1);
  address[0] = '/';
  address[LIMIT + 1] = 0;

  const accel_status status = page_cache_get(pages, address, &page);
  claim(status == ACCEL_ERR_CONFIG && *rendered == 3, "a key beyond max_key_bytes is refused:");
  printf("        %s\n", page_cache_last_error(pages));

  address[LONG] = 0;
  accel_ignore(page_cache_get(pages, address, &page));
  claim(page_cache_get(pages, address, &page) == ACCEL_OK && page.size == LONG && *rendered == 4,
        "a key of 100 kB works like any other");
  free(address);
}

static void look_inside(page_cache *pages)
{
  const char *hottest[1] = {""};
  page_t page;
  int count = 0;
  page_cache_each(pages, count_page, &count);
  claim(count == 3, "three pages are cached");
  for (int i = 0; i < 10; i++) accel_ignore(page_cache_get(pages, "/en/contact", &page));
  claim(page_cache_hottest(pages, hottest, 1) == 1, "one of those in most use is");
  printf("        %.40s\n", hottest[0]);
  claim(page_cache_clear(pages) == ACCEL_OK, "they are cleared");
  count = 0;
  page_cache_each(pages, count_page, &count);
  claim(count == 0, "and nothing is left");
}

int main(void)
{
  page_cache pages;
  int rendered = 0;
  const accel_config config = {.area = "pages", .loader_timeout_ms = ACCEL_FOREVER};
  claim(page_cache_open(&pages, &config) == ACCEL_OK, "the cache is open");
  page_cache_set_loader(&pages, render, &rendered);
  if (all_claims_hold) {
    use_short_keys(&pages, &rendered);
    use_long_keys(&pages, &rendered);
    look_inside(&pages);
  }
  page_cache_close(&pages);
  return all_claims_hold ? 0 : 1;
}
