#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static ACCEL_THREAD_LOCAL struct {
  const void *owner;
  accel_status status;
  uint64_t number; /* of failures so far */
  char text[ACCEL_ERROR_SIZE];
} error_last;

accel_status accel_error_set(const void *owner, accel_status status, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_last.text, sizeof error_last.text, format, arguments);
  va_end(arguments);
  error_last.owner = owner;
  error_last.status = status;
  error_last.number++;
  return status;
}

const char *accel_error_text(const void *owner)
{
  return owner != NULL && error_last.owner == owner ? error_last.text : "";
}

uint64_t accel_error_mark(void)
{
  return error_last.number;
}

const char *accel_error_since(uint64_t mark, accel_status status)
{
  return error_last.number != mark && error_last.status == status ? error_last.text : "";
}
