#include "state.h"

#include <stdarg.h>
#include <stdio.h>

accel_status accel_fake_error(accel_remote_call *call, accel_status status, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(call->error, sizeof call->error, format, arguments);
  va_end(arguments);
  return status;
}

uint64_t accel_fake_time_ms(const struct accel_fake_state *state)
{
  return state->clock_base_ms + (state->is_clock_set ? 0 : accel_clock_monotonic_ms());
}
