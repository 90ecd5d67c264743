#include "record.h"

#include "harness/host.h"

#include <string.h>

void gate_fingerprint(gate_pairs *out)
{
  json_t *machine = host_machine();
  const char *key;
  json_t *value;
  json_object_foreach(machine, key, value)
  {
    const bool is_text = json_is_string(value);
    gate_pairs_set(out, key,
                   is_text ? json_string_value(value)
                           : gate_format("%lld", (long long)json_integer_value(value)));
  }
  json_decref(machine);
}

const char *gate_time_text(void)
{
  char date[32];
  host_date(date);
  return gate_copy(date);
}

static const char *pairs_difference(const gate_pairs *base, const gate_pairs *now,
                                    const char *const *keys)
{
  for (; *keys; keys++) {
    const char *old = gate_pairs_get(base, *keys), *current = gate_pairs_get(now, *keys);
    if (old && current && strcmp(old, current) != 0)
      return gate_format("%s: %s, now %s", *keys, old, current);
  }
  return NULL;
}

const char *gate_machine_difference(const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"cpu", "cores", "flags_hash", NULL};
  return pairs_difference(&base->machine, &now->machine, keys);
}

const char *gate_build_difference(const gate_set *base, const gate_set *now)
{
  static const char *const keys[] = {"compiler", "compiler_version", "flags", "type", NULL};
  return pairs_difference(&base->build, &now->build, keys);
}
