/* command.c: the name of an operation in spans: the command that it usually sends. It may send
 * others instead, where a server lacks that one or values are large. */
#include "operations.h"

static const char *redis_command_of(bool is_published, size_t count, const char *one,
                                    const char *many)
{
  if (is_published) return "MULTI";
  return count > 1 ? many : one;
}

const char *accel_redis_operation_command(void *link_pointer, accel_remote_operation operation,
                                          const accel_remote_item *items, size_t count,
                                          bool is_published)
{
  const redis_link *link = (const redis_link *)link_pointer;
  const bool is_cluster = accel_redis_route_is_cluster(link->route);
  const bool compares = operation == ACCEL_REMOTE_FILL && items[0].token != 0;
  if (operation == ACCEL_REMOTE_CLEAR) return "SCAN";
  if (operation == ACCEL_REMOTE_GET && is_cluster)
    return redis_command_of(false, count, "GET", "PIPELINE GET");
  if (operation == ACCEL_REMOTE_GET) return redis_command_of(false, count, "GET", "MGET");
  if (operation == ACCEL_REMOTE_DEL)
    return redis_command_of(is_published, count, "UNLINK", "PIPELINE UNLINK");
  if (compares)
    return redis_command_of(link->settings->is_tracking, count, "EVALSHA", "PIPELINE EVALSHA");
  return redis_command_of(is_published, count, "SET", "PIPELINE SET");
}
