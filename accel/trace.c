#include "trace.h"

#include <string.h>

#define TRACE_MEMBERS_MAX 32 /* of a tracestate */
#define TRACE_KEY_MAX 256u
#define TRACE_VALUE_MAX 256u

/* The tracestate outlives a change to another trace, so that saving and restoring a context is a
 * copy of a few bytes. */
static ACCEL_THREAD_LOCAL struct {
  accel_trace now;
  uint8_t state_trace_id[16]; /* whose tracestate it is */
  size_t state_size;
  char state[ACCEL_TRACE_STATE_BYTES];
} trace_own;

/* ---- traceparent ---- */

static int trace_digit(char digit)
{
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Reads `count` bytes, two digits each, and moves behind them. It stops at the first character that
 * is no digit, so it reads no further than the text's end. */
static bool trace_take(const char **text, uint8_t *out, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const int high = trace_digit((*text)[0]);
    const int low = high < 0 ? -1 : trace_digit((*text)[1]);
    if (low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
    *text += 2;
  }
  return true;
}

static bool trace_take_dash(const char **text)
{
  if (**text != '-') return false;
  *text += 1;
  return true;
}

static bool trace_is_zero(const uint8_t *bytes, size_t count)
{
  uint8_t any = 0;
  for (size_t i = 0; i < count; i++) any |= bytes[i];
  return any == 0;
}

static bool trace_parse(const char *text, accel_trace *trace)
{
  uint8_t version;
  if (!trace_take(&text, &version, 1) || version == 0xFF) return false;
  if (!trace_take_dash(&text) || !trace_take(&text, trace->trace_id, 16)) return false;
  if (!trace_take_dash(&text) || !trace_take(&text, trace->span_id, 8)) return false;
  if (!trace_take_dash(&text) || !trace_take(&text, &trace->flags, 1)) return false;
  const bool may_go_on = version > 0 && *text == '-';
  if (*text != '\0' && !may_go_on) return false;
  trace->flags &= ACCEL_TRACE_SAMPLED | ACCEL_TRACE_RANDOM;
  return !trace_is_zero(trace->trace_id, 16) && !trace_is_zero(trace->span_id, 8);
}

static char *trace_append_digits(char *text, const uint8_t *bytes, size_t count)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < count; i++) {
    *text++ = digits[bytes[i] >> 4];
    *text++ = digits[bytes[i] & 15];
  }
  return text;
}

/* ---- tracestate ---- */

static bool trace_is_key_start(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool trace_is_key(const char *text, size_t size)
{
  static const char others[] = {'_', '-', '*', '/', '@'};
  if (size == 0 || size > TRACE_KEY_MAX || !trace_is_key_start(text[0])) return false;
  for (size_t i = 1; i < size; i++)
    if (!trace_is_key_start(text[i]) && memchr(others, text[i], sizeof others) == NULL)
      return false;
  return true;
}

/* Printable ASCII without commas and equals signs, and no space at its end. */
static bool trace_is_value(const char *text, size_t size)
{
  if (size == 0 || size > TRACE_VALUE_MAX || text[size - 1] == ' ') return false;
  for (size_t i = 0; i < size; i++)
    if (text[i] < ' ' || text[i] > '~' || text[i] == '=') return false;
  return true;
}

static bool trace_is_member(const char *text, size_t size)
{
  const char *equals = (const char *)memchr(text, '=', size);
  if (equals == NULL) return false;
  const size_t key_size = (size_t)(equals - text);
  return trace_is_key(text, key_size) && trace_is_value(equals + 1, size - key_size - 1);
}

static bool trace_is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* Takes the next member without the blanks around it, and moves behind its comma. */
static const char *trace_next_member(const char **text, size_t *size)
{
  const char *start = *text + strspn(*text, " \t");
  const char *end = start + strcspn(start, ",");
  *text = *end == ',' ? end + 1 : end;
  while (end > start && trace_is_blank(end[-1])) end--;
  *size = (size_t)(end - start);
  return start;
}

/* Writes the well-formed list in its shortest form, as much as fits. Returns its length; 0: there
 * is none, or it is malformed. */
static size_t trace_read_state(const char *text, char *out)
{
  size_t used = 0, size;
  bool is_full = false;
  for (int members = 0; *text != '\0';) {
    const char *member = trace_next_member(&text, &size);
    if (size == 0) continue;
    if (++members > TRACE_MEMBERS_MAX || !trace_is_member(member, size)) return 0;
    const size_t comma = used > 0 ? 1 : 0;
    is_full |= used + comma + size >= ACCEL_TRACE_STATE_BYTES;
    if (is_full) continue;
    if (comma > 0) out[used++] = ',';
    memcpy(out + used, member, size);
    used += size;
  }
  return used;
}

/* ---- the thread's context ---- */

bool accel_trace_set(const char *traceparent, const char *tracestate_or_null)
{
  accel_trace trace = {0};
  char state[ACCEL_TRACE_STATE_BYTES];
  const bool is_none = traceparent == NULL || traceparent[0] == '\0';
  const bool is_set = !is_none && trace_parse(traceparent, &trace);
  size_t size = 0;
  if (!is_set) memset(&trace, 0, sizeof trace);
  if (is_set && tracestate_or_null != NULL) size = trace_read_state(tracestate_or_null, state);
  trace_own.now = trace;
  trace_own.state_size = size;
  memcpy(trace_own.state_trace_id, trace.trace_id, sizeof trace.trace_id);
  if (size > 0) memcpy(trace_own.state, state, size);
  return is_set || is_none;
}

static size_t trace_copy_text(const char *from, size_t length, char *text, size_t size)
{
  if (text == NULL || size == 0) return length;
  const size_t kept = length < size ? length : size - 1;
  memcpy(text, from, kept);
  text[kept] = '\0';
  return length;
}

size_t accel_trace_get(char *traceparent, size_t size)
{
  char text[ACCEL_TRACE_TEXT_BYTES] = "00-";
  const accel_trace *trace = &trace_own.now;
  if (!accel_trace_is_set(trace)) return trace_copy_text("", 0, traceparent, size);
  char *next = trace_append_digits(text + 3, trace->trace_id, sizeof trace->trace_id);
  *next++ = '-';
  next = trace_append_digits(next, trace->span_id, sizeof trace->span_id);
  *next++ = '-';
  trace_append_digits(next, &trace->flags, 1);
  return trace_copy_text(text, sizeof text - 1, traceparent, size);
}

size_t accel_trace_get_state(char *tracestate, size_t size)
{
  const accel_trace *trace = &trace_own.now;
  const bool is_of_trace =
      memcmp(trace->trace_id, trace_own.state_trace_id, sizeof trace->trace_id) == 0;
  const bool has_state = accel_trace_is_set(trace) && is_of_trace;
  return trace_copy_text(trace_own.state, has_state ? trace_own.state_size : 0, tracestate, size);
}

accel_trace accel_trace_current(void)
{
  return trace_own.now;
}

bool accel_trace_is_set(const accel_trace *trace)
{
  return !trace_is_zero(trace->trace_id, sizeof trace->trace_id);
}

void accel_trace_enter(const accel_trace *trace_or_null)
{
  static const accel_trace none;
  trace_own.now = trace_or_null == NULL ? none : *trace_or_null;
}
