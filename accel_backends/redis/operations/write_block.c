#include "write_block.h"

bool accel_redis_write_block_cut(redis_write *write)
{
  const redis_write_terms *terms = write->terms;
  const accel_remote_publisher *publisher = terms->publisher;
  const size_t from = write->written, left = write->count - from;
  const size_t most = left < terms->named_max ? left : terms->named_max;
  const accel_remote_item *const *items = (const accel_remote_item *const *)&write->items[from];
  const uint32_t lane = accel_redis_lane_number(write->part->lane_or_null);
  const size_t named = publisher->message(publisher->ctx, lane, items, most, &write->messages);
  if (named == 0) return false;
  write->message_ends[write->block_count] = write->messages.size;
  write->blocks[write->block_count++] = named;
  write->written += named;
  return true;
}

bool accel_redis_write_block_append_publish(const redis_write *write, size_t block,
                                            accel_buffer *out)
{
  const size_t start = block == 0 ? 0 : write->message_ends[block - 1];
  const accel_buffer message = {.data = write->messages.data + start,
                                .size = write->message_ends[block] - start};
  return accel_redis_call_append_publish(out, write->terms->link, &message);
}
