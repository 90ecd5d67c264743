/* writer.h: OTLP messages, as protobuf or as JSON (backend otlp).
 *
 * There is one description of each message: the calls that write it. A call names a field by its
 * number, which protobuf sends, and by its name, which JSON sends. So both forms always have the
 * same content.
 *
 * Texts become valid UTF-8: a byte that cannot be part of it becomes U+FFFD, because a receiver
 * refuses a whole message for one such byte. After a failed allocation nothing more is written;
 * has_failed says so at the end. Threads: one at a time.
 */
#ifndef ACCEL_BACKENDS_OTLP_WRITER_H
#define ACCEL_BACKENDS_OTLP_WRITER_H

#include "../../accel/type.h"

#define OTLP_WRITER_DEPTH 16 /* messages within messages */

typedef enum otlp_form { OTLP_PROTOBUF = 0, OTLP_JSON } otlp_form;

/* Zeroed: empty, protobuf. */
typedef struct otlp_writer {
  accel_buffer out;
  otlp_form form;
  bool has_failed;
  uint32_t depth;
  size_t starts[OTLP_WRITER_DEPTH]; /* protobuf: the content of each open message begins there */
} otlp_writer;

ACCEL_EXTERN_C_BEGIN

/* Empties it, and keeps its memory. Then a whole message is between begin and end of the root. */
void accel_otlp_writer_reset(otlp_writer *writer, otlp_form form);
void accel_otlp_writer_release(otlp_writer *writer);

void accel_otlp_write_root_begin(otlp_writer *writer);
void accel_otlp_write_root_end(otlp_writer *writer);
/* A message in a field. Inside a list, name is NULL. */
void accel_otlp_write_begin(otlp_writer *writer, uint32_t number, const char *name_or_null);
void accel_otlp_write_end(otlp_writer *writer);
/* Around all messages of a repeated field. */
void accel_otlp_write_list_begin(otlp_writer *writer, const char *name);
void accel_otlp_write_list_end(otlp_writer *writer);

void accel_otlp_write_text(otlp_writer *writer, uint32_t number, const char *name,
                           const char *text);
/* Bytes of an id, which are hexadecimal in JSON. */
void accel_otlp_write_bytes(otlp_writer *writer, uint32_t number, const char *name,
                            const void *data, size_t size);
/* uint32, and an enum's value. */
void accel_otlp_write_uint32(otlp_writer *writer, uint32_t number, const char *name,
                             uint32_t value);
void accel_otlp_write_bool(otlp_writer *writer, uint32_t number, const char *name, bool value);
void accel_otlp_write_int64(otlp_writer *writer, uint32_t number, const char *name, int64_t value);
void accel_otlp_write_sint32(otlp_writer *writer, uint32_t number, const char *name, int32_t value);
void accel_otlp_write_fixed32(otlp_writer *writer, uint32_t number, const char *name,
                              uint32_t value);
void accel_otlp_write_fixed64(otlp_writer *writer, uint32_t number, const char *name,
                              uint64_t value);
/* sfixed64: a larger value becomes INT64_MAX. */
void accel_otlp_write_sfixed64(otlp_writer *writer, uint32_t number, const char *name,
                               uint64_t value);
void accel_otlp_write_double(otlp_writer *writer, uint32_t number, const char *name, double value);
/* repeated uint64, packed. */
void accel_otlp_write_packed(otlp_writer *writer, uint32_t number, const char *name,
                             const uint64_t *values, size_t count);

/* Elements of a list of KeyValue messages. */
void accel_otlp_write_text_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                     const char *text);
void accel_otlp_write_int_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                    int64_t value);
void accel_otlp_write_double_attribute(otlp_writer *writer, uint32_t number, const char *key,
                                       double value);

ACCEL_EXTERN_C_END

#endif
