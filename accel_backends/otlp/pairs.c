#include "pairs.h"

#include "../../accel/error.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The pair that is being parsed, for errors. */
typedef struct pairs_place {
  const void *owner;
  const char *source;
  size_t number; /* from 1 */
} pairs_place;

static accel_status pairs_refuse(const pairs_place *at, const char *why)
{
  return accel_error_set(at->owner, ACCEL_ERR_CONFIG,
                         "%s: pair %zu %s; write name=value,name=value", at->source, at->number,
                         why);
}

/* ---- the text ---- */

static int pairs_hex(char digit)
{
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/* Copies, and decodes escapes such as %41. Returns the end, where it writes '\0'. */
static char *pairs_decode(char *to, const char *from, const char *end)
{
  while (from < end) {
    const int high = *from == '%' && end - from > 2 ? pairs_hex(from[1]) : -1;
    const int low = high < 0 ? -1 : pairs_hex(from[2]);
    *to++ = (char)(low < 0 ? *from : high * 16 + low);
    from += low < 0 ? 1 : 3;
  }
  *to = '\0';
  return to;
}

static bool pairs_is_blank(char byte)
{
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void pairs_trim(const char **from, const char **end)
{
  while (*from < *end && pairs_is_blank(**from)) (*from)++;
  while (*from < *end && pairs_is_blank((*end)[-1])) (*end)--;
}

/* ---- what HTTP allows ---- */

static bool pairs_is_header_name(const char *name, size_t size)
{
  static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz";
  return size > 0 && strspn(name, allowed) == size;
}

static bool pairs_is_header_value(const char *value, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    const unsigned char byte = (unsigned char)value[i];
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F) return false;
  }
  return true;
}

static bool pairs_is_set_by_us(const char *name)
{
  static const char *const ours[] = {"Content-Type",      "Content-Encoding", "Content-Length",
                                     "Transfer-Encoding", "Expect",           "Host"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    if (strcasecmp(name, ours[i]) == 0) return true;
  return false;
}

static accel_status pairs_check(const pairs_place *at, otlp_pairs_kind kind, const otlp_pair *pair,
                                size_t name_size, size_t value_size)
{
  if (kind == OTLP_PAIRS_ATTRIBUTES) {
    const bool is_text = strlen(pair->name) == name_size && strlen(pair->value) == value_size;
    if (name_size == 0) return pairs_refuse(at, "has no name before its \"=\"");
    return is_text ? ACCEL_OK : pairs_refuse(at, "holds %00");
  }
  if (!pairs_is_header_name(pair->name, name_size))
    return pairs_refuse(at, "has a name that no header may have");
  if (pairs_is_set_by_us(pair->name))
    return accel_error_set(at->owner, ACCEL_ERR_CONFIG,
                           "%s: pair %zu is the header %s, which the exporter sets itself",
                           at->source, at->number, pair->name);
  if (!pairs_is_header_value(pair->value, value_size))
    return accel_error_set(at->owner, ACCEL_ERR_CONFIG,
                           "%s: the value of the header %.64s holds a control character",
                           at->source, pair->name);
  return ACCEL_OK;
}

/* ---- the list ---- */

static void pairs_free(otlp_pair *pair)
{
  if (pair->name == NULL) return;
  explicit_bzero(pair->name, strlen(pair->name));
  explicit_bzero(pair->value, strlen(pair->value));
  ACCEL_FREE(pair->name);
  memset(pair, 0, sizeof *pair);
}

/* Takes the pair over, also when there is no memory. */
static bool pairs_take(otlp_pairs *pairs, otlp_pair *pair)
{
  if (accel_otlp_pairs_find(pairs, pair->name) != NULL) {
    pairs_free(pair);
    return true;
  }
  if (pairs->count == pairs->capacity) {
    const size_t capacity = pairs->capacity == 0 ? 8 : pairs->capacity * 2;
    otlp_pair *items = capacity > OTLP_PAIRS_MAX
                           ? NULL
                           : (otlp_pair *)ACCEL_REALLOC(pairs->items, capacity * sizeof *items);
    if (items == NULL) {
      pairs_free(pair);
      return false;
    }
    pairs->items = items;
    pairs->capacity = capacity;
  }
  pairs->items[pairs->count++] = *pair;
  memset(pair, 0, sizeof *pair);
  return true;
}

bool accel_otlp_pairs_add(otlp_pairs *pairs, const char *name, const char *value)
{
  const size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
  otlp_pair pair = {(char *)ACCEL_MALLOC(name_size + value_size), NULL};
  if (pair.name == NULL) return false;
  pair.value = pair.name + name_size;
  memcpy(pair.name, name, name_size);
  memcpy(pair.value, value, value_size);
  return pairs_take(pairs, &pair);
}

static accel_status pairs_parse_one(otlp_pairs *pairs, otlp_pairs_kind kind, const pairs_place *at,
                                    const char *from, const char *end)
{
  const char *middle = (const char *)memchr(from, '=', (size_t)(end - from));
  if (middle == NULL) return pairs_refuse(at, "has no \"=\"");
  const char *name_end = middle, *value = middle + 1;
  pairs_trim(&from, &name_end);
  pairs_trim(&value, &end);
  otlp_pair pair = {(char *)ACCEL_MALLOC((size_t)(end - from) + 2), NULL};
  if (pair.name == NULL) return accel_error_set(at->owner, ACCEL_ERR_NOMEM, "no memory for OTLP");
  const size_t name_size = (size_t)(pairs_decode(pair.name, from, name_end) - pair.name);
  pair.value = pair.name + name_size + 1;
  const size_t value_size = (size_t)(pairs_decode(pair.value, value, end) - pair.value);
  const accel_status status = pairs_check(at, kind, &pair, name_size, value_size);
  if (accel_failed(status)) {
    pairs_free(&pair);
    return status;
  }
  if (pairs_take(pairs, &pair)) return ACCEL_OK;
  if (pairs->count >= OTLP_PAIRS_MAX)
    return accel_error_set(at->owner, ACCEL_ERR_CONFIG, "%s has more than %u pairs", at->source,
                           OTLP_PAIRS_MAX);
  return accel_error_set(at->owner, ACCEL_ERR_NOMEM, "no memory for OTLP");
}

accel_status accel_otlp_pairs_parse(otlp_pairs *pairs, otlp_pairs_kind kind, const void *owner,
                                    const char *source, const char *text)
{
  pairs_place at = {owner, source, 0};
  pairs->ignores_case = kind == OTLP_PAIRS_HEADERS;
  for (const char *end; *text != '\0'; text = *end == '\0' ? end : end + 1) {
    const char *from = text;
    const char *trimmed = end = text + strcspn(text, ",");
    pairs_trim(&from, &trimmed);
    if (from == trimmed) continue;
    at.number++;
    const accel_status status = pairs_parse_one(pairs, kind, &at, from, trimmed);
    if (accel_failed(status)) return status;
  }
  return ACCEL_OK;
}

static bool pairs_is_same(const otlp_pairs *pairs, const char *a, const char *b)
{
  return (pairs->ignores_case ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

const char *accel_otlp_pairs_find(const otlp_pairs *pairs, const char *name)
{
  for (size_t i = 0; i < pairs->count; i++)
    if (pairs_is_same(pairs, pairs->items[i].name, name)) return pairs->items[i].value;
  return NULL;
}

bool accel_otlp_pairs_copy(const otlp_pairs *from, otlp_pairs *to)
{
  for (size_t i = 0; i < from->count; i++)
    if (!accel_otlp_pairs_add(to, from->items[i].name, from->items[i].value)) return false;
  return true;
}

void accel_otlp_pairs_release(otlp_pairs *pairs)
{
  while (pairs->count > 0) pairs_free(&pairs->items[--pairs->count]);
  ACCEL_FREE(pairs->items);
  memset(pairs, 0, sizeof *pairs);
}
