/* 05_struct_keys.c: map tiles, found by zoom, column and row.
 *
 * A struct may have padding, and equal meaning does not imply equal bytes, so a struct key has its
 * own hash and equality. With an L2 it also has a text, which is its key there.
 */
#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/fake.h"
#include "claim.h"

#include <inttypes.h>

typedef struct tile_key {
  uint8_t zoom; /* three bytes of padding follow */
  int32_t column, row;
} tile_key;

typedef struct tile_t {
  char image[120];
} tile_t;

/* The seed is secret: without it, an attacker could choose keys that collide. */
static uint64_t hash_tile(const tile_key *key, uint64_t seed)
{
  const uint64_t place = (uint64_t)(uint32_t)key->column << 32 | (uint32_t)key->row;
  return accel_hash_integer(place, accel_hash_integer(key->zoom, seed));
}

static bool equal_tiles(const tile_key *a, const tile_key *b)
{
  return a->zoom == b->zoom && a->column == b->column && a->row == b->row;
}

/* Like snprintf: writes what fits, returns the whole length. */
static size_t tile_text(const tile_key *key, char *text, size_t size)
{
  const int length =
      snprintf(text, size, "%d.%" PRId32 ".%" PRId32, key->zoom, key->column, key->row);
  return length < 0 ? 0 : (size_t)length;
}

/* The inverse, for messages of other processes. They are untrusted: accept only text that converts
 * back to the same text. `text` ends with a zero byte. */
static bool parse_tile(const char *text, size_t length, tile_key *key)
{
  char again[48];
  unsigned zoom;
  int32_t column, row;
  if (sscanf(text, "%3u.%9" SCNd32 ".%9" SCNd32, &zoom, &column, &row) != 3) return false;
  *key = (tile_key){.zoom = (uint8_t)zoom, .column = column, .row = row};
  return tile_text(key, again, sizeof again) == length && memcmp(again, text, length) == 0;
}

ACCEL_DEFINE_WITH(tile, tile_key, tile_t, .hash = hash_tile, .equal = equal_tiles,
                  .key_text = tile_text, .key_parse = parse_tile, .remote = &accel_fake_ops)

static accel_status draw_tile(void *drawn, tile_key key, tile_t *out)
{
  ++*(int *)drawn;
  if (key.zoom > 20) return ACCEL_NULL;
  memset(out, 0, sizeof *out);
  snprintf(out->image, sizeof out->image, "<svg data-tile='%d/%d/%d'/>", key.zoom, key.column,
           key.row);
  return ACCEL_OK;
}

static void print_key(void *ctx, const char *key, size_t key_size)
{
  (void)ctx;
  printf("in L2: %.*s\n", (int)key_size, key);
}

static void use(tile_cache *here, tile_cache *there, accel_fake *fake, const int *drawn)
{
  tile_t tile;
  tile_key oslo, clean = {.zoom = 3, .column = -4, .row = 2};
  memset(&oslo, 0xAA, sizeof oslo); /* the padding is not zero */
  oslo.zoom = 3;
  oslo.column = -4;
  oslo.row = 2;

  claim(tile_cache_get(here, oslo, &tile) == ACCEL_OK, "a tile is drawn");
  printf("%s\n", tile.image);
  claim(tile_cache_get(here, clean, &tile) == ACCEL_OK && *drawn == 1,
        "found again, though the padding differs");
  claim(tile_cache_get(here, (tile_key){3, 2, -4}, &tile) == ACCEL_OK && *drawn == 2,
        "column and row are not mistaken for each other");
  claim(tile_cache_get(there, clean, &tile) == ACCEL_OK && *drawn == 2,
        "another cache finds it in L2");
  claim(accel_fake_keys(fake, print_key, NULL) == 2, "which knows tiles by their text");

  const accel_read cached_only = {.disable_load = true};
  claim(tile_cache_del(here, clean) == ACCEL_OK &&
            tile_cache_get_with(there, clean, &cached_only, &tile) == ACCEL_MISS,
        "and when one deletes a tile, the other forgets it");
}

int main(void)
{
  accel_fake fake = {0}; /* plays Redis, without a server */
  tile_cache here = {0}, there = {0};
  int drawn = 0;
  claim(accel_fake_open(&fake, NULL) == ACCEL_OK, "an L2 in memory is open");
  const accel_config config = {
      .area = "tiles", .remote = &fake, .loader_timeout_ms = ACCEL_FOREVER};
  claim(tile_cache_open(&here, &config) == ACCEL_OK && tile_cache_open(&there, &config) == ACCEL_OK,
        "two caches share it");
  tile_cache_set_loader(&here, draw_tile, &drawn);
  tile_cache_set_loader(&there, draw_tile, &drawn);
  if (all_claims_hold) use(&here, &there, &fake, &drawn);
  tile_cache_close(&there);
  tile_cache_close(&here);
  accel_fake_close(&fake);
  return all_claims_hold ? 0 : 1;
}
