#include "messages.h"

#include <string.h>

void accel_otlp_write_head(otlp_writer *writer, const otlp_pairs *resource, const char *resources,
                           const char *scopes, const char *list)
{
  accel_otlp_write_root_begin(writer);
  accel_otlp_write_list_begin(writer, resources);
  accel_otlp_write_begin(writer, 1, NULL);
  accel_otlp_write_begin(writer, 1, "resource");
  accel_otlp_write_list_begin(writer, "attributes");
  for (size_t i = 0; i < resource->count; i++)
    accel_otlp_write_text_attribute(writer, 1, resource->items[i].name, resource->items[i].value);
  accel_otlp_write_list_end(writer);
  accel_otlp_write_end(writer);
  accel_otlp_write_list_begin(writer, scopes);
  accel_otlp_write_begin(writer, 2, NULL);
  accel_otlp_write_begin(writer, 1, "scope");
  accel_otlp_write_text(writer, 1, "name", "accel");
  accel_otlp_write_text(writer, 2, "version", ACCEL_VERSION);
  accel_otlp_write_end(writer);
  accel_otlp_write_list_begin(writer, list);
}

void accel_otlp_write_tail(otlp_writer *writer)
{
  accel_otlp_write_list_end(writer); /* what is sent */
  accel_otlp_write_end(writer);      /* one scope */
  accel_otlp_write_list_end(writer);
  accel_otlp_write_end(writer); /* one resource */
  accel_otlp_write_list_end(writer);
  accel_otlp_write_root_end(writer);
}
