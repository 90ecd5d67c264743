#include "record.h"

#include "harness/host.h"

#include <string.h>

void gate_fingerprint(bench_arena *arena, gate_pairs *out)
{
  json_t *machine = host_machine();
  const char *key;
  json_t *value;
  json_object_foreach(machine, key, value)
  {
    const bool is_text = json_is_string(value);
    gate_pairs_set(arena, out, key,
                   is_text ? json_string_value(value)
                           : arena_format(arena, "%lld", (long long)json_integer_value(value)));
  }
  json_decref(machine);
}

const char *gate_time_text(bench_arena *arena)
{
  char date[32];
  host_date(date);
  return arena_copy(arena, date);
}

static const char *pairs_difference(bench_arena *arena, const gate_pairs *base,
                                    const gate_pairs *now, const char *const *keys)
{
  for (; *keys; keys++) {
    const char *old = gate_pairs_get(base, *keys), *current = gate_pairs_get(now, *keys);
    if (old && current && strcmp(old, current) != 0)
      return arena_format(arena, "%s: %s, now %s", *keys, old, current);
  }
  return NULL;
}

const char *gate_machine_difference(bench_arena *arena, const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"cpu", "cores", "flags_hash", NULL};
  return pairs_difference(arena, &base->machine, &now->machine, keys);
}

const char *gate_build_difference(bench_arena *arena, const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"compiler", "compiler_version", "flags", "type", NULL};
  return pairs_difference(arena, &base->build, &now->build, keys);
}
