#include "gzip.h"

#include <zlib.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What is sent repeats itself so much that a higher level costs time and saves little. */
#define GZIP_LEVEL 1
#define GZIP_WINDOW (15 + 16) /* the largest, with gzip's header */
#define GZIP_MEMORY 8

static void *gzip_alloc(void *unused, unsigned count, unsigned size)
{
  (void)unused;
  return ACCEL_MALLOC((size_t)count * size);
}

static void gzip_free(void *unused, void *memory)
{
  (void)unused;
  ACCEL_FREE(memory);
}

static bool gzip_reserve(accel_buffer *out, size_t size)
{
  out->size = 0;
  if (size <= out->capacity) return true;
  unsigned char *data = (unsigned char *)ACCEL_MALLOC(size);
  if (data == NULL) return false;
  ACCEL_FREE(out->data);
  out->data = data;
  out->capacity = size;
  return true;
}

static z_stream *gzip_open(void)
{
  z_stream *stream = (z_stream *)ACCEL_MALLOC(sizeof *stream);
  if (stream == NULL) return NULL;
  memset(stream, 0, sizeof *stream);
  stream->zalloc = gzip_alloc;
  stream->zfree = gzip_free;
  if (deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) ==
      Z_OK)
    return stream;
  ACCEL_FREE(stream);
  return NULL;
}

bool accel_otlp_gzip(otlp_gzip *gzip, const accel_buffer *in, accel_buffer *out)
{
  if (gzip->stream == NULL) gzip->stream = gzip_open();
  z_stream *stream = (z_stream *)gzip->stream;
  if (stream == NULL || in->size > UINT_MAX / 2 || deflateReset(stream) != Z_OK) return false;
  const size_t bound = deflateBound(stream, (unsigned long)in->size);
  if (!gzip_reserve(out, bound)) return false;
  stream->next_in = in->data;
  stream->avail_in = (unsigned)in->size;
  stream->next_out = out->data;
  stream->avail_out = (unsigned)bound;
  if (deflate(stream, Z_FINISH) == Z_STREAM_END) out->size = stream->total_out;
  return out->size > 0;
}

void accel_otlp_gzip_release(otlp_gzip *gzip)
{
  if (gzip->stream == NULL) return;
  deflateEnd((z_stream *)gzip->stream);
  ACCEL_FREE(gzip->stream);
  gzip->stream = NULL;
}
