#include "log.h"

#include "platform/clock.h"
#include "platform/system.h"

#include <stdio.h>
#include <string.h>

#define LOG_LINE_BYTES 2560u /* less than PIPE_BUF: lines of several threads do not mix */
#define LOG_TEXT_BYTES 320u  /* of one text, before it is quoted */

const char *accel_log_level_name(accel_log_level level)
{
  static const char *const names[] = {"debug", "info", "warning", "error"};
  return (unsigned)level < sizeof names / sizeof *names ? names[level] : "unknown";
}

/* ---- lines ---- */

/* Never full: what does not fit is left out, but for the line's end. */
typedef struct log_line {
  char text[LOG_LINE_BYTES];
  size_t size;
} log_line;

static void log_append(log_line *line, const char *text, size_t size)
{
  if (size > LOG_LINE_BYTES - 1 - line->size) return;
  memcpy(line->text + line->size, text, size);
  line->size += size;
}

static void log_append_word(log_line *line, const char *name, const char *word)
{
  log_append(line, name, strlen(name));
  log_append(line, word, strlen(word));
}

static void log_append_quoted(log_line *line, const char *name, const char *text)
{
  static const char digits[] = "0123456789abcdef";
  log_append_word(line, name, "\"");
  for (size_t i = 0; i < LOG_TEXT_BYTES && text[i] != '\0'; i++) {
    const unsigned char byte = (unsigned char)text[i];
    const char escaped[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    const char quoted[2] = {'\\', text[i]};
    if (byte < 0x20 || byte >= 0x7F)
      log_append(line, escaped, sizeof escaped);
    else if (byte == '"' || byte == '\\')
      log_append(line, quoted, sizeof quoted);
    else
      log_append(line, text + i, 1);
  }
  log_append_word(line, "\"", "");
}

void accel_log_stderr(void *ctx, const accel_log_record *record)
{
  const accel_log_level least = ctx == NULL ? ACCEL_LOG_INFO : *(const accel_log_level *)ctx;
  if (record->level < least) return;
  log_line line;
  char text[ACCEL_CLOCK_UTC_BYTES];
  line.size = 0;
  accel_clock_utc_text(record->wall_time_ms, text);
  log_append_word(&line, "time=", text);
  log_append_word(&line, " level=", accel_log_level_name(record->level));
  log_append_word(&line, " area=", record->area);
  log_append_word(&line, " op=", record->op);
  log_append_word(&line, " result=", record->result);
  if (record->latency_ms > 0) {
    snprintf(text, sizeof text, "%.3f", record->latency_ms);
    log_append_word(&line, " latency_ms=", text);
  }
  if (record->error_kind[0] != '\0') log_append_word(&line, " error_kind=", record->error_kind);
  if (record->left_out > 0) {
    snprintf(text, sizeof text, "%u", (unsigned)record->left_out);
    log_append_word(&line, " left_out=", text);
  }
  if (record->key != NULL) log_append_quoted(&line, " key=", record->key);
  if (record->message[0] != '\0') log_append_quoted(&line, " message=", record->message);
  line.text[line.size++] = '\n';
  accel_stderr_write(line.text, line.size);
}
