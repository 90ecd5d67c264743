/* codec.c: names of keys, and the envelope around values.
 *
 * A name has exactly one spelling: capital hexadecimal digits, no escape where none is needed, no
 * leading zero. So two names are equal if and only if their keys are, and whatever comes back
 * from outside in another spelling is foreign.
 *
 * Appending functions put the buffer's size back when they fail.
 */
#include "codec.h"

#include "bytes.h"
#include "hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key_text that asks for more is taken for a failed snprintf. */
#define CODEC_KEY_TEXT_MAX (1u << 20)
#define CODEC_KEY_TEXT_USUAL 256u

/* Offsets in the envelope, as codec.h draws it. */
enum {
  CODEC_AT_FORMAT = 4,
  CODEC_AT_HEADER = 5,
  CODEC_AT_FLAGS = 6,
  CODEC_AT_SCHEMA = 8,
  CODEC_AT_SIZE = 12,
  CODEC_AT_TOKEN = 16,
  CODEC_AT_CREATED = 24,
  CODEC_AT_SOFT_TTL = 32,
  CODEC_AT_TTL = 36,
  CODEC_AT_HASH = 40
};

#define CODEC_FORMAT 1u
#define CODEC_FLAGS (ACCEL_ENVELOPE_NEGATIVE | ACCEL_ENVELOPE_LEASE)
#define CODEC_FLAGS_READ (CODEC_FLAGS | ACCEL_ENVELOPE_METHOD)

static const char codec_magic[4] = {'A', 'C', 'L', '1'};
static const char codec_digits[] = "0123456789ABCDEF";

/* Arbitrary constants that every process agrees on, one for each thing that is hashed. */
static const uint64_t codec_secret_envelope[2] = {0x3C6EF372FE94F82Bu, 0x510E527FADE682D1u};
static const uint64_t codec_secret_schema[2] = {0x9B05688C2B3E6C1Fu, 0x1F83D9ABFB41BD6Bu};
static const uint64_t codec_secret_name[2][2] = {{0x5BE0CD19137E2179u, 0xCBBB9D5DC1059ED8u},
                                                 {0x629A292A367CD507u, 0x9159015A3070DD17u}};

/* ---- percent encoding ---- */

static bool codec_is_plain(unsigned char byte)
{
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

static bool codec_append_encoded(const char *text, size_t size, accel_buffer *out)
{
  size_t done = 0;
  while (done < size) {
    size_t plain = done;
    while (plain < size && codec_is_plain((unsigned char)text[plain])) plain++;
    if (!accel_buffer_append(out, text + done, plain - done)) return false;
    done = plain;
    if (done == size) return true;
    const unsigned char byte = (unsigned char)text[done++];
    const char escape[3] = {'%', codec_digits[byte >> 4], codec_digits[byte & 15]};
    if (!accel_buffer_append(out, escape, sizeof escape)) return false;
  }
  return true;
}

/* The digit's value; 16: not one of ours. */
static unsigned codec_digit(char digit)
{
  if (digit >= '0' && digit <= '9') return (unsigned)(digit - '0');
  if (digit >= 'A' && digit <= 'F') return (unsigned)(digit - 'A') + 10u;
  return 16;
}

/* Writes at most name_size bytes and a NUL behind them. */
static bool codec_decode(const char *name, size_t name_size, char *text, size_t *text_size_out)
{
  size_t used = 0;
  for (size_t i = 0; i < name_size; i++) {
    unsigned char byte = (unsigned char)name[i];
    if (!codec_is_plain(byte)) {
      if (byte != '%' || name_size - i < 3) return false;
      const unsigned high = codec_digit(name[i + 1]), low = codec_digit(name[i + 2]);
      if (high > 15 || low > 15) return false;
      byte = (unsigned char)(high << 4 | low);
      if (codec_is_plain(byte)) return false;
      i += 2;
    }
    text[used++] = (char)byte;
  }
  text[used] = '\0';
  *text_size_out = used;
  return true;
}

/* ---- integer keys ---- */

/* Where the low `size` bytes of a 64-bit word lie. */
static size_t codec_low_bytes(size_t size)
{
  return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 8 - size : 0;
}

static accel_status codec_append_integer(const accel_type *type, const void *key, accel_buffer *out)
{
  if (type->key_size == 0 || type->key_size > 8) return ACCEL_ERR_CONFIG;
  uint64_t bits = 0;
  memcpy((char *)&bits + codec_low_bytes(type->key_size), key, type->key_size);
  const uint64_t all = UINT64_MAX >> (64 - 8 * type->key_size);
  const bool is_negative = type->key_kind == ACCEL_KEY_SIGNED && bits > all >> 1;
  const uint64_t magnitude = is_negative ? (0 - bits) & all : bits;
  char text[24];
  const int size = snprintf(text, sizeof text, "%s%" PRIu64, is_negative ? "-" : "", magnitude);
  return accel_buffer_append(out, text, (size_t)size) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static bool codec_parse_decimal(const char *text, size_t size, uint64_t *out)
{
  if (size == 0 || (text[0] == '0' && size > 1)) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) {
    const unsigned digit = codec_digit(text[i]);
    if (digit > 9 || value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

static bool codec_parse_integer(const accel_type *type, const char *text, size_t size,
                                void *key_out)
{
  if (type->key_size == 0 || type->key_size > 8) return false;
  const bool is_signed = type->key_kind == ACCEL_KEY_SIGNED;
  const bool is_negative = is_signed && size > 0 && text[0] == '-';
  uint64_t magnitude;
  if (!codec_parse_decimal(text + is_negative, size - is_negative, &magnitude)) return false;
  if (is_negative && magnitude == 0) return false;
  uint64_t limit = UINT64_MAX >> (64 - 8 * type->key_size);
  if (is_signed) limit = (limit >> 1) + is_negative;
  if (magnitude > limit) return false;
  const uint64_t bits = is_negative ? 0 - magnitude : magnitude;
  memcpy(key_out, (const char *)&bits + codec_low_bytes(type->key_size), type->key_size);
  return true;
}

/* ---- names ---- */

/* Calls key_text with `size` bytes of room, like snprintf. */
static accel_status codec_append_text(const accel_type *type, const void *key, char *text,
                                      size_t size, size_t *needed_out, accel_buffer *out)
{
  *needed_out = type->key_text(key, text, size);
  if (*needed_out == 0 || *needed_out >= size) return ACCEL_ERR_CONFIG;
  return codec_append_encoded(text, *needed_out, out) ? ACCEL_OK : ACCEL_ERR_NOMEM;
}

static accel_status codec_append_own_text(const accel_type *type, const void *key,
                                          accel_buffer *out)
{
  char usual[CODEC_KEY_TEXT_USUAL];
  size_t needed;
  accel_status status = codec_append_text(type, key, usual, sizeof usual, &needed, out);
  if (needed < sizeof usual || needed > CODEC_KEY_TEXT_MAX) return status;
  const size_t size = needed + 1;
  char *text = (char *)ACCEL_MALLOC(size);
  if (text == NULL) return ACCEL_ERR_NOMEM;
  status = codec_append_text(type, key, text, size, &needed, out);
  ACCEL_FREE(text);
  return status;
}

static accel_status codec_append_key(const accel_type *type, const void *key, accel_buffer *out)
{
  const char *string = NULL;
  if (type->key_kind == ACCEL_KEY_STRING) {
    memcpy(&string, key, sizeof string);
    if (string == NULL) return ACCEL_ERR_CONFIG;
  }
  if (type->traits().has_key_text) return codec_append_own_text(type, key, out);
  switch (type->key_kind) {
    case ACCEL_KEY_STRING:
      return codec_append_encoded(string, strlen(string), out) ? ACCEL_OK : ACCEL_ERR_NOMEM;
    case ACCEL_KEY_SIGNED:
    case ACCEL_KEY_UNSIGNED: return codec_append_integer(type, key, out);
    case ACCEL_KEY_STRUCT: break;
  }
  return ACCEL_ERR_CONFIG;
}

accel_status accel_key_append_name(const accel_type *type, const void *key, accel_buffer *out)
{
  const size_t start = out->size;
  const accel_status status = codec_append_key(type, key, out);
  if (status != ACCEL_OK) out->size = start;
  return status;
}

bool accel_key_parse_name(const accel_type *type, const char *name, size_t name_size, char *text,
                          void *key_out)
{
  const accel_traits traits = type->traits();
  const bool is_integer =
      type->key_kind == ACCEL_KEY_SIGNED || type->key_kind == ACCEL_KEY_UNSIGNED;
  if (!traits.has_key_text && is_integer)
    return codec_parse_integer(type, name, name_size, key_out);

  size_t size;
  if (!codec_decode(name, name_size, text, &size)) return false;
  if (traits.has_key_text)
    return traits.has_key_parse && size > 0 && type->key_parse(text, size, key_out);
  if (type->key_kind != ACCEL_KEY_STRING || memchr(text, '\0', size) != NULL) return false;
  const char *string = text;
  memcpy(key_out, &string, sizeof string);
  return true;
}

/* '#' is in no name, so a hashed one cannot be taken for another key's. */
static bool codec_append_hashed(const char *name, size_t name_size, accel_buffer *out)
{
  char text[33] = "#";
  for (size_t half = 0; half < 2; half++) {
    accel_siphash hash;
    accel_siphash_begin(&hash, codec_secret_name[half]);
    accel_siphash_add(&hash, name, name_size);
    uint64_t word = accel_siphash_end(&hash);
    for (size_t i = 16; i > 0; i--, word >>= 4) text[16 * half + i] = codec_digits[word & 15];
  }
  return accel_buffer_append(out, text, sizeof text);
}

bool accel_key_is_remote(const char *text, size_t size)
{
  if (size == 1 + 32 && text[0] == '#') {
    size_t digits = 0;
    for (size_t i = 1; i < size; i++) digits += codec_digit(text[i]) <= 15;
    return digits == 32;
  }
  if (size > ACCEL_KEY_NAME_MAX) return false;
  for (size_t i = 0; i < size; i++) {
    if (codec_is_plain((unsigned char)text[i])) continue;
    if (text[i] != '%' || size - i < 3) return false;
    const unsigned high = codec_digit(text[i + 1]), low = codec_digit(text[i + 2]);
    if (high > 15 || low > 15 || codec_is_plain((unsigned char)(high << 4 | low))) return false;
    i += 2;
  }
  return true;
}

bool accel_key_append_remote(const char *area, const char *name, size_t name_size,
                             accel_buffer *out)
{
  const size_t start = out->size;
  const bool is_long = name_size > ACCEL_KEY_NAME_MAX;
  if (accel_buffer_append(out, area, strlen(area)) && accel_buffer_append(out, ":", 1) &&
      (is_long ? codec_append_hashed(name, name_size, out)
               : accel_buffer_append(out, name, name_size)))
    return true;
  out->size = start;
  return false;
}

/* ---- envelopes ---- */

/* Values are bytes as a machine of some kind has them. The usual kind adds nothing, so that what it
 * wrote before machines were told apart is still read. */
uint32_t accel_schema_fingerprint_of(const accel_type *type, bool is_big_endian,
                                     size_t pointer_size)
{
  unsigned char numbers[12];
  accel_bytes_put(numbers, type->value_size, 8);
  accel_bytes_put(numbers + 8, type->traits().schema, 4);
  const unsigned char machine[2] = {is_big_endian, (unsigned char)pointer_size};
  accel_siphash hash;
  accel_siphash_begin(&hash, codec_secret_schema);
  if (is_big_endian || pointer_size != 8) accel_siphash_add(&hash, machine, sizeof machine);
  accel_siphash_add(&hash, numbers, sizeof numbers);
  accel_siphash_add(&hash, type->name, strlen(type->name));
  return (uint32_t)accel_siphash_end(&hash);
}

uint32_t accel_schema_fingerprint(const accel_type *type)
{
  return accel_schema_fingerprint_of(type, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, sizeof(void *));
}

static uint64_t codec_envelope_hash(const char *area, const char *name, size_t name_size,
                                    const unsigned char *header, const void *payload,
                                    size_t payload_size)
{
  const size_t area_size = strlen(area);
  unsigned char key_size[4];
  accel_bytes_put(key_size, (uint32_t)(area_size + 1 + name_size), sizeof key_size);
  accel_siphash hash;
  accel_siphash_begin(&hash, codec_secret_envelope);
  accel_siphash_add(&hash, key_size, sizeof key_size);
  accel_siphash_add(&hash, area, area_size);
  accel_siphash_add(&hash, ":", 1);
  accel_siphash_add(&hash, name, name_size);
  accel_siphash_add(&hash, header, CODEC_AT_HASH);
  accel_siphash_add(&hash, payload, payload_size);
  return accel_siphash_end(&hash);
}

/* Everything but the hash. */
static void codec_write_header(const accel_type *type, const accel_envelope *envelope,
                               uint32_t flags, size_t raw_size, unsigned char *header)
{
  memcpy(header, codec_magic, sizeof codec_magic);
  header[CODEC_AT_FORMAT] = CODEC_FORMAT;
  header[CODEC_AT_HEADER] = ACCEL_ENVELOPE_SIZE;
  accel_bytes_put(header + CODEC_AT_FLAGS, flags, 2);
  accel_bytes_put(header + CODEC_AT_SCHEMA, accel_schema_fingerprint(type), 4);
  accel_bytes_put(header + CODEC_AT_SIZE, raw_size, 4);
  accel_bytes_put(header + CODEC_AT_TOKEN, envelope->token, 8);
  accel_bytes_put(header + CODEC_AT_CREATED, envelope->created_ms, 8);
  accel_bytes_put(header + CODEC_AT_SOFT_TTL, envelope->soft_ttl_ms, 4);
  accel_bytes_put(header + CODEC_AT_TTL, envelope->ttl_ms, 4);
}

static accel_status codec_append_payload(const accel_type *type, const void *value,
                                         accel_buffer *out)
{
  const accel_codec *codec = type->traits().codec;
  if (codec == NULL) {
    if (!accel_buffer_append(out, value, type->value_size)) return ACCEL_ERR_NOMEM;
    if (type->clear_padding != NULL)
      type->clear_padding(out->data + (out->size - type->value_size));
    return ACCEL_OK;
  }
  const accel_status status = codec->encode(codec->ctx, value, out);
  return status == ACCEL_OK || status == ACCEL_ERR_NOMEM ? status : ACCEL_ERR_CODEC;
}

/* Compresses what follows the header, if that saves a sixteenth. Without memory for it, or if it is
 * not worth it, the payload stays. Returns the flags for it. */
static uint32_t codec_compress_payload(const accel_compressor *compressor_or_null, size_t start,
                                       accel_buffer *out)
{
  if (compressor_or_null == NULL) return 0;
  const accel_compressor *compressor = compressor_or_null;
  const size_t size = out->size - start - ACCEL_ENVELOPE_SIZE;
  const size_t least =
      compressor->min_bytes == 0 ? ACCEL_COMPRESS_BYTES_MIN : compressor->min_bytes;
  const size_t room = size - size / 16;
  if (size > ACCEL_COMPRESS_RAW_MAX) return 0; /* GCOVR_EXCL_BR_LINE: half a GiB */
  if (size < least || size < 16) return 0;
  unsigned char *payload = out->data + start + ACCEL_ENVELOPE_SIZE;
  unsigned char *smaller = (unsigned char *)ACCEL_MALLOC(room);
  if (smaller == NULL) return 0;
  const size_t written = compressor->compress(compressor->ctx, payload, size, smaller, room);
  const bool is_worth_it =
      written > 0 && written <= room && size / written < ACCEL_COMPRESS_RATIO_MAX;
  if (is_worth_it) {
    memcpy(payload, smaller, written);
    out->size = start + ACCEL_ENVELOPE_SIZE + written;
  }
  ACCEL_FREE(smaller);
  return is_worth_it ? compressor->method << ACCEL_ENVELOPE_METHOD_SHIFT : 0;
}

accel_status accel_envelope_append(const accel_type *type, const char *area, const char *name,
                                   size_t name_size, const accel_envelope *envelope,
                                   const void *value_or_null, accel_buffer *out)
{
  ACCEL_ASSERT((envelope->flags & ~CODEC_FLAGS) == 0);
  ACCEL_ASSERT(value_or_null == NULL || envelope->flags == 0);
  const size_t start = out->size;
  const unsigned char blank[ACCEL_ENVELOPE_SIZE] = {0};
  if (!accel_buffer_append(out, blank, sizeof blank)) return ACCEL_ERR_NOMEM;

  accel_status status = ACCEL_OK;
  if (value_or_null != NULL) status = codec_append_payload(type, value_or_null, out);
  /* A codec may only append; one that does otherwise must not make us read what is not there. */
  if (status == ACCEL_OK &&
      (out->size < start + sizeof blank || out->size - start - sizeof blank > UINT32_MAX))
    status = ACCEL_ERR_CODEC;
  if (status != ACCEL_OK) {
    out->size = start;
    return status;
  }

  uint32_t flags = envelope->flags;
  if (value_or_null == NULL && flags == 0) flags = ACCEL_ENVELOPE_NEGATIVE;
  unsigned char *header = out->data + start;
  const size_t raw_size = out->size - start - sizeof blank;
  flags |= codec_compress_payload(envelope->compressor, start, out);
  const size_t payload_size = out->size - start - sizeof blank;
  codec_write_header(type, envelope, flags, raw_size, header);
  const uint64_t hash = codec_envelope_hash(area, name, name_size, header,
                                            header + ACCEL_ENVELOPE_SIZE, payload_size);
  accel_bytes_put(header + CODEC_AT_HASH, hash, 8);
  return ACCEL_OK;
}

/* Whether the announced length can be that of the payload: nothing was believed or had yet. */
static bool codec_is_size_sane(const accel_envelope *found)
{
  const bool is_compressed = (found->flags & ACCEL_ENVELOPE_METHOD) != 0;
  if ((found->flags & CODEC_FLAGS) != 0)
    return !is_compressed && found->payload_size == 0 && found->raw_size == 0;
  if (!is_compressed) return found->raw_size == found->payload_size;
  return found->payload_size > 0 && found->raw_size <= ACCEL_COMPRESS_RAW_MAX &&
         found->raw_size / ACCEL_COMPRESS_RATIO_MAX <= found->payload_size;
}

bool accel_envelope_open(const accel_type *type, const char *area, const char *name,
                         size_t name_size, const void *data, size_t size, accel_envelope *out)
{
  if (size < ACCEL_ENVELOPE_SIZE) return false;
  const unsigned char *header = (const unsigned char *)data;
  if (memcmp(header, codec_magic, sizeof codec_magic) != 0) return false;
  if (header[CODEC_AT_FORMAT] != CODEC_FORMAT) return false;
  if (header[CODEC_AT_HEADER] != ACCEL_ENVELOPE_SIZE) return false;

  accel_envelope found;
  found.compressor = NULL;
  found.flags = (uint32_t)accel_bytes_take(header + CODEC_AT_FLAGS, 2);
  found.schema = (uint32_t)accel_bytes_take(header + CODEC_AT_SCHEMA, 4);
  found.payload = header + ACCEL_ENVELOPE_SIZE;
  found.payload_size = size - ACCEL_ENVELOPE_SIZE;
  found.raw_size = (size_t)accel_bytes_take(header + CODEC_AT_SIZE, 4);
  if ((found.flags & ~CODEC_FLAGS_READ) != 0) return false;
  if (found.schema != accel_schema_fingerprint(type)) return false;
  if (!codec_is_size_sane(&found)) return false;
  if (accel_bytes_take(header + CODEC_AT_HASH, 8) !=
      codec_envelope_hash(area, name, name_size, header, found.payload, found.payload_size))
    return false;

  found.token = accel_bytes_take(header + CODEC_AT_TOKEN, 8);
  found.created_ms = accel_bytes_take(header + CODEC_AT_CREATED, 8);
  found.soft_ttl_ms = (uint32_t)accel_bytes_take(header + CODEC_AT_SOFT_TTL, 4);
  found.ttl_ms = (uint32_t)accel_bytes_take(header + CODEC_AT_TTL, 4);
  *out = found;
  return true;
}

uint64_t accel_envelope_token(const void *data, size_t size)
{
  if (size < CODEC_AT_TOKEN + sizeof(uint64_t)) return 0;
  return accel_bytes_take((const unsigned char *)data + CODEC_AT_TOKEN, sizeof(uint64_t));
}

static accel_status codec_make_value(const accel_type *type, const void *payload, size_t size,
                                     void *value_out)
{
  const accel_codec *codec = type->traits().codec;
  if (codec == NULL) {
    if (size != type->value_size) return ACCEL_ERR_CODEC;
    memcpy(value_out, payload, type->value_size);
    return ACCEL_OK;
  }
  const accel_status status = codec->decode(codec->ctx, payload, size, value_out);
  return status == ACCEL_OK || status == ACCEL_ERR_NOMEM ? status : ACCEL_ERR_CODEC;
}

accel_status accel_envelope_value(const accel_type *type, const accel_envelope *envelope,
                                  void *value_out)
{
  const uint32_t method = (envelope->flags & ACCEL_ENVELOPE_METHOD) >> ACCEL_ENVELOPE_METHOD_SHIFT;
  const accel_compressor *compressor = envelope->compressor;
  if ((envelope->flags & CODEC_FLAGS) != 0) return ACCEL_ERR_CODEC;
  if (method == 0)
    return codec_make_value(type, envelope->payload, envelope->payload_size, value_out);
  if (compressor == NULL || compressor->method != method) return ACCEL_ERR_CODEC;
  /* Without a codec only one length can be right. */
  if (type->traits().codec == NULL && envelope->raw_size != type->value_size)
    return ACCEL_ERR_CODEC;
  void *raw = ACCEL_MALLOC(envelope->raw_size + 1);
  if (raw == NULL) return ACCEL_ERR_NOMEM;
  const bool is_whole = compressor->decompress(compressor->ctx, envelope->payload,
                                               envelope->payload_size, raw, envelope->raw_size);
  const accel_status status =
      is_whole ? codec_make_value(type, raw, envelope->raw_size, value_out) : ACCEL_ERR_CODEC;
  ACCEL_FREE(raw);
  return status;
}

uint32_t accel_envelope_ttl_left(const accel_envelope *envelope, uint64_t now_ms)
{
  if (envelope->ttl_ms == ACCEL_FOREVER) return ACCEL_FOREVER;
  const uint64_t age_ms = now_ms > envelope->created_ms ? now_ms - envelope->created_ms : 0;
  return age_ms < envelope->ttl_ms ? envelope->ttl_ms - (uint32_t)age_ms : 0;
}
