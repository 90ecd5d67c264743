#include "settings.h"

#include "../../../accel/platform/clock.h"

redis_dial accel_redis_settings_dial(const redis_settings *settings, redis_address *address_or_null,
                                     int stop_fd)
{
  const redis_dial dial = {
      .credentials = settings->credentials,
      .database = settings->url.database,
      .address = address_or_null,
      .tls = settings->tls,
      .stop_fd = stop_fd,
      .deadline_ms = accel_clock_deadline(settings->connect_timeout_ms),
  };
  return dial;
}
