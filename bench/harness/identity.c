#include "identity.h"

#include "host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COMPONENT_BYTES 64
#define TITLE_BYTES 100

/* The largest length <= `most` at which a character of UTF-8 text begins or the text ends. */
static size_t boundary(const char *text, size_t most)
{
  if (strlen(text) <= most) return strlen(text);
  while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
  return most;
}

void identity_sanitise(const char *component, char to[static 65])
{
  const size_t length = boundary(component, COMPONENT_BYTES);
  for (size_t i = 0; i < length; i++)
    to[i] = strchr("?\"/\\*<>:|^", component[i]) != NULL ? '_' : component[i];
  to[length] = '\0';
}

static void append(char *to, const char *separator, const char *part)
{
  const size_t length = strlen(to);
  snprintf(to + length, IDENTITY_SIZE - length, "%s%s", separator, part);
}

static void append_part(identity *out, const char *part)
{
  char component[65];
  if (part == NULL || part[0] == '\0') return;
  const char *const separator = out->full[0] == '\0' ? "" : "/";
  identity_sanitise(part, component);
  append(out->full, separator, part);
  append(out->directory, separator, component);
}

static void name_case(const bench_case *bench, unsigned threads, identity *out)
{
  *out = (identity){0};
  if (bench->parameter != NULL) append(out->parameter, "", bench->parameter);
  if (threads > 1) {
    char text[32];
    snprintf(text, sizeof text, "threads=%u", threads);
    append(out->parameter, out->parameter[0] == '\0' ? "" : ",", text);
  }
  append_part(out, bench->group);
  append_part(out, bench->function);
  append_part(out, out->parameter);
  const size_t length = boundary(out->full, TITLE_BYTES);
  const bool is_cut = length < strlen(out->full);
  snprintf(out->title, sizeof out->title, "%.*s%s", (int)length, out->full, is_cut ? "..." : "");
}

static bool is_taken(const identity *earlier, size_t count, const char *directory)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(earlier[i].directory, directory) == 0) return true;
  return false;
}

void identity_fill(const bench_suite *suite, unsigned threads, identity *out)
{
  for (size_t i = 0; i < suite->count; i++) {
    char wanted[IDENTITY_SIZE];
    name_case(&suite->cases[i], threads, &out[i]);
    strcpy(wanted, out[i].directory);
    for (unsigned n = 2; is_taken(out, i, out[i].directory); n++)
      snprintf(out[i].directory, sizeof out[i].directory, "%.490s_%u", wanted, n);
  }
}

void identity_hash(const bench_case *bench, const identity *id, char text[static 17])
{
  char sizes[96];
  snprintf(sizes, sizeof sizes, "\n%" PRIu64 "\n%" PRIu64 "\n", bench->elements, bench->bytes);
  uint64_t hash = host_hash(host_hash(0, id->full), sizes);
  if (bench->definition != NULL) hash = host_hash(hash, bench->definition);
  snprintf(text, 17, "%016" PRIx64, hash);
}
