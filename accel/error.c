#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static ACCEL_THREAD_LOCAL struct {
  const void *owner;
  char text[ACCEL_ERROR_SIZE];
} error_last;

accel_status accel_error_set(const void *owner, accel_status status, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_last.text, sizeof error_last.text, format, arguments);
  va_end(arguments);
  error_last.owner = owner;
  return status;
}

const char *accel_error_text(const void *owner)
{
  return owner != NULL && error_last.owner == owner ? error_last.text : "";
}
