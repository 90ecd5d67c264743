/* The targets, in one translation unit with the library, whose private functions some of them use.
 * ACCEL_FUZZ_TARGET names the one that libFuzzer drives. */
#include "fuzz.h"

#define ACCEL_IMPLEMENTATION
#include "accel.h"
#include "accel_backends/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_AREA "fuzz"
#define FUZZ_NAME "42"

typedef struct item_t {
  uint64_t words[3];
} item_t;

ACCEL_DEFINE(item, uint64_t, item_t)
ACCEL_DEFINE_STR(text, item_t)

void fuzz_require(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

/* ---- envelopes ---- */

/* A codec whose values are any bytes. */
typedef struct any_bytes {
  const uint8_t *data;
  size_t size;
} any_bytes;

static accel_status encode_any(void *ctx, const void *value, accel_buffer *out)
{
  const any_bytes *bytes = (const any_bytes *)value;
  (void)ctx;
  return accel_buffer_append(out, bytes->data, bytes->size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status decode_any(void *ctx, const void *data, size_t size, void *value_out)
{
  (void)ctx;
  *(any_bytes *)value_out = (any_bytes){(const uint8_t *)data, size};
  return ACCEL_OK;
}

static const accel_codec any_codec = {.encode = encode_any, .decode = decode_any};

ACCEL_DEFINE_WITH(any, uint64_t, any_bytes, .remote = &accel_redis_ops, .codec = &any_codec)

static bool fuzz_open(const accel_type *type, const void *data, size_t size, accel_envelope *out)
{
  return accel_envelope_open(type, FUZZ_AREA, FUZZ_NAME, strlen(FUZZ_NAME), data, size, out);
}

/* An envelope of our own around the bytes: it opens, unless any of its bits is changed. */
static void fuzz_sealed(const uint8_t *data, size_t size, bool is_harmed)
{
  const size_t head = is_harmed ? 3 : 0;
  if (size < head) return;
  const any_bytes payload = {data + head, size - head};
  const accel_envelope terms = {.token = 7, .created_ms = 1000, .ttl_ms = 5000};
  accel_buffer sealed = {0};
  accel_envelope found;
  const accel_status status = accel_envelope_append(&any_cache_type_, FUZZ_AREA, FUZZ_NAME,
                                                    strlen(FUZZ_NAME), &terms, &payload, &sealed);
  fuzz_require(status == ACCEL_OK, "any bytes can be sealed");
  if (is_harmed) {
    const size_t at = (data[0] | (size_t)data[1] << 8) % sealed.size;
    sealed.data[at] = (unsigned char)(sealed.data[at] ^ (data[2] == 0 ? 1 : data[2]));
    fuzz_require(!fuzz_open(&any_cache_type_, sealed.data, sealed.size, &found),
                 "a harmed envelope is refused");
  } else {
    any_bytes value;
    item_t item;
    fuzz_require(fuzz_open(&any_cache_type_, sealed.data, sealed.size, &found), "it opens");
    fuzz_require(accel_envelope_value(&any_cache_type_, &found, &value) == ACCEL_OK &&
                     value.size == payload.size &&
                     memcmp(value.data, payload.data, value.size) == 0,
                 "it holds what was put in");
    fuzz_require(accel_envelope_ttl_left(&found, 2000) <= 5000, "no life grows");
    /* Another type's codec must not trust it either. */
    accel_envelope_value(&item_cache_type_, &found, &item);
  }
  accel_buffer_release(&sealed);
}

/* A name as it comes in a message. What it parses to has a name that parses to the same. */
static void fuzz_names(const uint8_t *data, size_t size)
{
  char *text = (char *)malloc(size + 1), *again = NULL;
  uint64_t number = 0;
  const char *string = NULL;
  const char *name = (const char *)data;
  if (text == NULL) return;
  accel_key_parse_name(&item_cache_type_, name, size, text, &number);
  if (accel_key_parse_name(&text_cache_type_, name, size, text, &string)) {
    accel_buffer made = {0};
    const char *parsed = NULL;
    fuzz_require(accel_key_append_name(&text_cache_type_, &string, &made) == ACCEL_OK, "has name");
    again = (char *)malloc(made.size + 1);
    fuzz_require(again != NULL && accel_key_parse_name(&text_cache_type_, (const char *)made.data,
                                                       made.size, again, &parsed),
                 "a name of ours is read");
    fuzz_require(strcmp(string, parsed) == 0, "as the same key");
    accel_buffer_release(&made);
  }
  free(again);
  free(text);
}

static void fuzz_envelope(const uint8_t *data, size_t size)
{
  accel_envelope found;
  any_bytes value;
  if (size == 0) return;
  switch (data[0] % 4) {
    case 0:
      if (fuzz_open(&any_cache_type_, data + 1, size - 1, &found))
        accel_envelope_value(&any_cache_type_, &found, &value);
      break;
    case 1: fuzz_sealed(data + 1, size - 1, false); break;
    case 2: fuzz_sealed(data + 1, size - 1, true); break;
    default: fuzz_names(data + 1, size - 1);
  }
}

/* ---- messages ---- */

typedef struct heard {
  unsigned keys, everything;
} heard;

static void hear_key(void *ctx, const char *name, size_t size)
{
  uint64_t key;
  char *text = (char *)malloc(size + 1);
  ((heard *)ctx)->keys++;
  if (text != NULL) accel_key_parse_name(&item_cache_type_, name, size, text, &key);
  free(text);
}

static void hear_everything(void *ctx)
{
  ((heard *)ctx)->everything++;
}

/* With an odd first byte the message is signed, so that what is behind the signature is reached. */
static void fuzz_message(const uint8_t *data, size_t size)
{
  static accel_invalidation invalidation;
  static bool is_open;
  heard all = {0};
  const accel_invalidation_handler handler = {&all, hear_key, hear_everything};
  if (size == 0) return;
  if (!is_open) is_open = accel_invalidation_open(&invalidation, FUZZ_AREA);
  unsigned char *message = (unsigned char *)malloc(size);
  if (message == NULL) return;
  memcpy(message, data + 1, --size);
  if (data[0] % 2 == 1 && size >= 40) {
    memcpy(message, "ACI1", 4);
    accel_bytes_put(message + 24, invalidation.area_hash, 4);
    accel_bytes_put(message + size - 8, invalidation_hash(message, size - 8), 8);
  }
  const accel_invalidation_result result =
      accel_invalidation_receive(&invalidation, message, size, &handler);
  if (result == ACCEL_INVALIDATION_INVALID)
    fuzz_require(all.everything > 0, "what is not understood invalidates everything");
  fuzz_require(all.keys <= ACCEL_INVALIDATION_KEYS_MAX, "no more keys than a message may hold");
  free(message);
}

/* ---- replies ---- */

enum { FUZZ_TEXT_MAX = 4096 };

typedef struct fuzz_parse {
  redis_replies replies;
  size_t whole; /* replies, and elements of the list that belong to them */
  size_t elements;
  redis_reader_result last;
} fuzz_parse;

static void fuzz_take(redis_reader *reader, fuzz_parse *parse)
{
  while ((parse->last = accel_redis_reader_next(reader, &parse->replies)) == REDIS_READER_REPLY) {
    parse->whole++;
    parse->elements = parse->replies.count;
  }
}

/* In slices of at most `slice` bytes, their sizes drawn; 0: all at once. */
static void fuzz_read(const uint8_t *data, size_t size, size_t slice, fuzz_parse *parse)
{
  redis_reader *reader = accel_redis_reader_open(FUZZ_TEXT_MAX);
  uint64_t random = slice;
  memset(parse, 0, sizeof *parse);
  parse->last = REDIS_READER_MORE;
  fuzz_require(reader != NULL, "memory");
  for (size_t at = 0; at < size && parse->last != REDIS_READER_BROKEN;) {
    size_t piece = size - at;
    if (slice > 0) piece = 1 + accel_hash_integer(++random, 3) % slice;
    if (piece > size - at) piece = size - at;
    if (!accel_redis_reader_feed(reader, data + at, piece)) break;
    at += piece;
    fuzz_take(reader, parse);
  }
  accel_redis_reader_close(reader);
}

static void fuzz_compare(const fuzz_parse *one, const fuzz_parse *other)
{
  fuzz_require(one->whole == other->whole && one->elements == other->elements,
               "slices change no number of replies");
  fuzz_require(one->last == other->last, "nor whether the stream is in order");
  for (size_t i = 0; i < one->elements; i++) {
    const redis_reply left = accel_redis_reply_at(&one->replies, i);
    const redis_reply right = accel_redis_reply_at(&other->replies, i);
    fuzz_require(left.kind == right.kind && left.size == right.size &&
                     left.integer == right.integer,
                 "nor any reply");
    if (left.kind > REDIS_REPLY_IS_ERROR) continue;
    fuzz_require(memcmp(accel_redis_reply_text(&one->replies, &left),
                        accel_redis_reply_text(&other->replies, &right), left.size) == 0,
                 "nor any text");
  }
}

static void fuzz_replies(const uint8_t *data, size_t size)
{
  fuzz_parse whole, sliced;
  if (size == 0) return;
  fuzz_read(data + 1, size - 1, 0, &whole);
  fuzz_read(data + 1, size - 1, 1 + data[0] % 16, &sliced);
  fuzz_compare(&whole, &sliced);
  accel_redis_replies_release(&sliced.replies);
  accel_redis_replies_release(&whole.replies);
}

/* ---- what a cluster's servers say ---- */

static void fuzz_check_map(const redis_slots_map *map)
{
  fuzz_require(map->server_count > 0 && map->server_count <= REDIS_SLOTS_SERVERS_MAX,
               "servers in bounds");
  for (size_t slot = 0; slot < REDIS_SLOTS; slot++)
    fuzz_require(map->owner[slot] == REDIS_SLOTS_UNOWNED || map->owner[slot] < map->server_count,
                 "an owner that exists");
  for (size_t i = 0; i < map->server_count; i++)
    fuzz_require(memchr(map->servers[i].host, 0, sizeof map->servers[i].host) != NULL, "host ends");
}

static void fuzz_slots(const uint8_t *data, size_t size)
{
  static redis_slots_map map;
  fuzz_parse parse;
  fuzz_read(data, size, 0, &parse);
  for (size_t i = 0; i < parse.elements && i < 64; i++) {
    redis_slots_moved moved;
    if (accel_redis_slots_read(&parse.replies, i, &map) == NULL) fuzz_check_map(&map);
    if (accel_redis_slots_read_moved(&parse.replies, i, "MOVED ", &moved) ||
        accel_redis_slots_read_moved(&parse.replies, i, "ASK ", &moved))
      fuzz_require(moved.slot < REDIS_SLOTS &&
                       memchr(moved.server.host, 0, sizeof moved.server.host),
                   "a slot and a host");
  }
  accel_redis_replies_release(&parse.replies);
}

/* ---- URLs ---- */

/* Letters before the last '@' become a mark that no sentence of ours holds. */
static bool fuzz_mark_secrets(char *text)
{
  const char *end = strrchr(text, '@');
  char *at = strstr(text, "//");
  if (end == NULL || at == NULL) return false;
  for (; at < end; at++)
    if (*at >= 'a' && *at <= 'z') *at = 'q';
  return true;
}

static void fuzz_url(const uint8_t *data, size_t size)
{
  static const int owner;
  redis_url url;
  char *text = (char *)malloc(size + 1);
  if (text == NULL) return;
  memcpy(text, data, size);
  text[size] = '\0';
  const bool has_secrets = size % 2 == 0 && fuzz_mark_secrets(text);
  if (accel_redis_url_parse(&owner, text, &url) == ACCEL_OK) {
    fuzz_require(url.host_count >= 1 && url.host_count <= REDIS_URL_HOSTS_MAX, "hosts in bounds");
    for (size_t i = 0; i < url.host_count; i++)
      fuzz_require(url.hosts[i].host != NULL && strlen(url.hosts[i].host) > 0, "a host");
    accel_redis_url_release(&url);
  } else if (has_secrets) {
    fuzz_require(strstr(accel_error_text(&owner), "qqq") == NULL, "no secret is quoted");
  }
  free(text);
}

/* ---- trace contexts ---- */

/* The form that a traceparent has, written down once more. */
static bool fuzz_is_traceparent(const char *text)
{
  bool has_trace = false, has_span = false;
  if (strlen(text) != 55) return false;
  for (size_t i = 0; i < 55; i++) {
    const bool is_dash = i == 2 || i == 35 || i == 52;
    if (is_dash ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL) return false;
    if (!is_dash && text[i] != '0' && i > 2 && i < 35) has_trace = true;
    if (!is_dash && text[i] != '0' && i > 35 && i < 52) has_span = true;
  }
  return has_trace && has_span;
}

static bool fuzz_is_tracestate(const char *text)
{
  size_t members = 1;
  for (size_t i = 0; text[i] != '\0'; i++) {
    if (text[i] < ' ' || text[i] > '~') return false;
    if (text[i] == ',') members++;
  }
  return members <= 32 && strlen(text) <= 512;
}

/* A traceparent, a 0, and a tracestate. */
static void fuzz_trace(const uint8_t *data, size_t size)
{
  char *text = (char *)malloc(size + 2), out[600], state[600], again[600];
  if (text == NULL) return;
  memcpy(text, data, size);
  text[size] = text[size + 1] = '\0';
  const char *given = text + strlen(text) + 1;
  const bool is_set = accel_trace_set(text, given);
  const size_t length = accel_trace_get(out, sizeof out);
  accel_trace_get_state(state, sizeof state);
  fuzz_require(length == strlen(out), "the length is the text's");
  if (fuzz_is_traceparent(text) && memcmp(text, "ff", 2) != 0)
    fuzz_require(is_set && memcmp(text + 2, out + 2, 51) == 0, "what has the form is taken");
  if (length > 0) {
    fuzz_require(is_set && fuzz_is_traceparent(out) && memcmp(out, "00", 2) == 0, "a traceparent");
    fuzz_require(memcmp(text + 2, out + 2, 51) == 0, "with the ids that were given");
    fuzz_require(fuzz_is_tracestate(state), "a tracestate that may be sent on");
    fuzz_require(accel_trace_set(out, state), "what is got can be set");
    accel_trace_get_state(again, sizeof again);
    fuzz_require(strcmp(state, again) == 0, "and stays the same");
  } else {
    fuzz_require(state[0] == '\0' && is_set == (text[0] == '\0'), "none is set");
  }
  free(text);
}

/* ---- the list ---- */

static const fuzz_target targets[] = {
    {"connection", fuzz_connection}, {"envelope", fuzz_envelope}, {"message", fuzz_message},
    {"replies", fuzz_replies},       {"slots", fuzz_slots},       {"table", fuzz_table},
    {"trace", fuzz_trace},           {"url", fuzz_url},
};

const fuzz_target *fuzz_find(const char *name)
{
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
    if (name != NULL && strcmp(targets[i].name, name) == 0) return &targets[i];
  fprintf(stderr, "there is no target \"%s\"\n", name == NULL ? "" : name);
  return NULL;
}

#ifdef ACCEL_FUZZ_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const fuzz_target *target;
  if (target == NULL) target = fuzz_find(getenv("ACCEL_FUZZ_TARGET"));
  if (target == NULL) exit(2);
  target->run(data, size);
  return 0;
}
#endif
