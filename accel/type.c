#include "type.h"

#include <stdlib.h>
#include <string.h>

#define TYPE_BUFFER_MIN 64u

static bool type_buffer_reserve(accel_buffer *buffer, size_t size)
{
  if (size <= buffer->capacity - buffer->size) return true;
  if (size > SIZE_MAX - buffer->size) return false;
  const size_t needed = buffer->size + size;
  size_t capacity = buffer->capacity <= SIZE_MAX / 2 ? buffer->capacity * 2 : needed;
  if (capacity < TYPE_BUFFER_MIN) capacity = TYPE_BUFFER_MIN;
  if (capacity < needed) capacity = needed;
  unsigned char *data = (unsigned char *)ACCEL_REALLOC(buffer->data, capacity);
  if (data == NULL) return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

bool accel_buffer_append(accel_buffer *out, const void *data, size_t size)
{
  if (!type_buffer_reserve(out, size)) return false;
  if (size > 0) memcpy(out->data + out->size, data, size);
  out->size += size;
  return true;
}

void accel_buffer_release(accel_buffer *buffer)
{
  ACCEL_FREE(buffer->data);
  memset(buffer, 0, sizeof *buffer);
}
