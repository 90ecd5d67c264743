/* observer_text.h: texts of an observer's outputs, appended to a buffer (layer 2).
 *
 * After the first failed allocation nothing more is appended, so the caller checks has_failed once,
 * at the end. Only for .c files. Threads: a text belongs to one.
 */
#ifndef ACCEL_OBSERVER_TEXT_H
#define ACCEL_OBSERVER_TEXT_H

#include "type.h"

typedef struct accel_observer_text {
  accel_buffer *out;
  bool has_failed; /* there was no memory */
} accel_observer_text;

ACCEL_EXTERN_C_BEGIN

/* The length of the UTF-8 character at `text`, which ends in a zero; 0: there is none, or it is not
 * valid. */
size_t accel_observer_utf8_length(const char *text);

void accel_observer_text_bytes(accel_observer_text *text, const void *data, size_t size);
void accel_observer_text_string(accel_observer_text *text, const char *string);
void accel_observer_text_number(accel_observer_text *text, uint64_t number);
/* number / 10^places, without zeros at the end. */
void accel_observer_text_decimal(accel_observer_text *text, uint64_t number, unsigned places);
/* A number of [0, 1e12), to six places; any other is 0. */
void accel_observer_text_double(accel_observer_text *text, double number);
/* In quotes, escaped as JSON is; bytes that are not UTF-8 become U+FFFD. */
void accel_observer_text_json(accel_observer_text *text, const char *string);
/* In quotes, escaped as a label's value of Prometheus is; bytes that are not UTF-8 become U+FFFD.
 */
void accel_observer_text_label(accel_observer_text *text, const char *string);
/* Escaped as the text of an HTML element is; control characters become spaces, and bytes that are
 * not UTF-8 U+FFFD. */
void accel_observer_text_html(accel_observer_text *text, const char *string);

ACCEL_EXTERN_C_END
#endif
