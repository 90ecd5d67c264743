/* codec.h: key to text, value to bytes, the envelope (layer 2). Threads: any, all functions.
 *
 * A key's name is its text with everything but A-Z a-z 0-9 _ . - percent-encoded, so that no two
 * keys have the same name and none reaches into another area. L2 knows a key as area:name; a name
 * over 200 bytes is replaced there by '#' and a 128-bit hash.
 *
 * What lies in L2 is an envelope of 48 bytes, little endian, and the payload:
 *
 *    0 4 magic "ACL1"             16 8 token (compare-and-set field; random for fills and puts)
 *    4 1 format = 1               24 8 created, ms since 1970 on L2's clock
 *    5 1 header length = 48       32 4 soft TTL in ms, 0: none
 *    6 2 flags, method            36 4 TTL in ms, ACCEL_FOREVER: none
 *    8 4 schema fingerprint       40 8 SipHash-2-4 over u32 key length, area:name (whole),
 *   12 4 payload length, raw           bytes 0 to 39, and the payload
 *
 * The hash covers the key, so that a reply which belongs to another request is never taken for
 * this one. Its secret is a constant: it proves integrity, not authorship.
 */
#ifndef ACCEL_CODEC_H
#define ACCEL_CODEC_H

#include "compress.h"
#include "ttl.h"
#include "type.h"

#define ACCEL_ENVELOPE_SIZE 48
#define ACCEL_KEY_NAME_MAX 200 /* longer ones are hashed in L2 */

/* Flags of the envelope. Any other bit that is set makes a reader treat the bytes as a miss. */
#define ACCEL_ENVELOPE_NEGATIVE 1u
#define ACCEL_ENVELOPE_LEASE 2u
#define ACCEL_ENVELOPE_METHOD_SHIFT 4 /* bits 4 to 6: how the payload is compressed; 0: not */
#define ACCEL_ENVELOPE_METHOD 0x70u

typedef struct accel_envelope {
  uint32_t flags;
  uint32_t schema;
  uint64_t token;
  uint64_t created_ms;
  uint32_t soft_ttl_ms, ttl_ms;
  const void *payload; /* open: points into the input */
  size_t payload_size; /* as it lies in L2 */
  size_t raw_size;     /* open: of the payload once decompressed */
  /* append: compresses; value: decompresses; NULL: none. open leaves it NULL. */
  const accel_compressor *compressor;
} accel_envelope;

ACCEL_EXTERN_C_BEGIN

/* Appends the key's name: the trait key_text's text if it is given, else a string's own or an
 * integer's decimal digits. OK, NOMEM; CONFIG: a string key of NULL, a key_text that fails, a
 * struct key without one. On failure nothing was appended. */
accel_status accel_key_append_name(const accel_type *type, const void *key, accel_buffer *out);
/* Appends area:name as L2 knows it. False: no memory. */
bool accel_key_append_remote(const char *area, const char *name, size_t name_size,
                             accel_buffer *out);
/* Whether untrusted bytes can be what accel_key_append_remote makes of a key behind "area:". */
bool accel_key_is_remote(const char *text, size_t size);
/* The inverse of accel_key_append_name, for untrusted names. The decoded text goes into `text`
 * (name_size + 1 bytes); the key of a string type points to it. False: not a name of this type,
 * or a type whose keys have no inverse; *key_out is undefined then. */
bool accel_key_parse_name(const accel_type *type, const char *name, size_t name_size, char *text,
                          void *key_out);

/* What must agree between a writer and a reader: the type's name, the value's size, the user's
 * schema number, and the machine's byte order and size of a pointer. */
uint32_t accel_schema_fingerprint(const accel_type *type);
/* The same as another machine writes it. */
uint32_t accel_schema_fingerprint_of(const accel_type *type, bool is_big_endian,
                                     size_t pointer_size);

/* Appends envelope and payload, the payload made by the type's codec; value NULL: without
 * payload, a negative entry unless the flags say lease. `envelope` gives token, times, flags
 * (0 with a value) and the compressor; its other fields are not read. OK, CODEC, NOMEM; on failure
 * nothing was appended. */
accel_status accel_envelope_append(const accel_type *type, const char *area, const char *name,
                                   size_t name_size, const accel_envelope *envelope,
                                   const void *value_or_null, accel_buffer *out);
/* Checks untrusted bytes: false for anything that is not a whole, unharmed envelope of this key
 * and schema. A lease is whole: the caller looks at the flags. */
bool accel_envelope_open(const accel_type *type, const char *area, const char *name,
                         size_t name_size, const void *data, size_t size, accel_envelope *out);
/* The token of untrusted bytes, whether or not they are an envelope; 0: they are too short. */
uint64_t accel_envelope_token(const void *data, size_t size);
/* Makes the value of an opened envelope that is neither negative nor a lease: OK; CODEC, also where
 * it is compressed in a way that envelope->compressor does not know; NOMEM;
 * not OK: *value_out owns nothing. */
accel_status accel_envelope_value(const accel_type *type, const accel_envelope *envelope,
                                  void *value_out);
/* What is left of its TTL at `now_ms` on L2's clock: [0, ttl]; ACCEL_FOREVER: no end. A creation
 * in the future counts as now. */
uint32_t accel_envelope_ttl_left(const accel_envelope *envelope, uint64_t now_ms);

ACCEL_EXTERN_C_END
#endif
