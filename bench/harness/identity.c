#include "result.h"

#include <inttypes.h>
#include <string.h>

enum { COMPONENT_BYTES = 64, TITLE_BYTES = 100 };

/* The largest length <= `most` at which a character of UTF-8 text begins or the text ends. */
static size_t boundary(const char *text, size_t most)
{
  if (strlen(text) <= most) return strlen(text);
  while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
  return most;
}

char *identity_sanitise(const char *component)
{
  char *name = arena_copy_bytes(component, boundary(component, COMPONENT_BYTES));
  for (char *at = name; (at = strpbrk(at, "?\"/\\*<>:|^")) != NULL;) *at = '_';
  return name;
}

static identity name_case(const bench_case *bench)
{
  identity id = {.full = "", .directory = ""};
  const char *const parts[] = {bench->group, bench->function, bench->parameter};
  for (size_t i = 0; i < 3; i++) {
    if (parts[i] == NULL || parts[i][0] == '\0') continue;
    const char *const separator = id.full[0] == '\0' ? "" : "/";
    id.full = arena_format("%s%s%s", id.full, separator, parts[i]);
    id.directory = arena_format("%s%s%s", id.directory, separator, identity_sanitise(parts[i]));
  }
  const size_t length = boundary(id.full, TITLE_BYTES);
  const bool is_cut = length < strlen(id.full);
  id.title = arena_format("%.*s%s", (int)length, id.full, is_cut ? "..." : "");
  return id;
}

static bool is_taken(const identity *earlier, size_t count, const char *directory)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(earlier[i].directory, directory) == 0) return true;
  return false;
}

identity *identity_fill(const bench_suite *suite)
{
  identity *const ids = (identity *)arena_take(suite->count, sizeof *ids);
  for (size_t i = 0; i < suite->count; i++) {
    ids[i] = name_case(&suite->cases[i]);
    const char *const wanted = ids[i].directory;
    for (unsigned n = 2; is_taken(ids, i, ids[i].directory); n++)
      ids[i].directory = arena_format("%s_%u", wanted, n);
  }
  return ids;
}

const char *identity_hash(const bench_case *bench, const identity *id)
{
  const char *const text =
      arena_format("%s\n%" PRIu64 "\n%" PRIu64 "\n%s", id->full, bench->elements, bench->bytes,
                   bench->definition ? bench->definition : "");
  return arena_format("%016" PRIx64, host_hash(text));
}
