#include "transaction.h"

bool accel_redis_transaction_cut(redis_write *write)
{
  const redis_write_terms *terms = write->terms;
  const accel_remote_publisher *publisher = terms->publisher;
  const size_t from = write->written, left = write->count - from;
  const size_t most = left < terms->named_max ? left : terms->named_max;
  const accel_remote_item *const *items = (const accel_remote_item *const *)&write->items[from];
  const uint32_t lane = accel_redis_lane_number(write->part->lane_or_null);
  const size_t named = publisher->message(publisher->ctx, lane, items, most, &write->messages);
  if (named == 0) return false;
  write->message_ends[write->message_count] = write->messages.size;
  write->named[write->message_count++] = named;
  write->written += named;
  return true;
}

bool accel_redis_transaction_append_publish(const redis_write *write, size_t message,
                                            accel_buffer *out)
{
  const size_t start = message == 0 ? 0 : write->message_ends[message - 1];
  const accel_buffer text = {.data = write->messages.data + start,
                             .size = write->message_ends[message] - start};
  return accel_redis_append_publish(out, write->terms->link, &text);
}
