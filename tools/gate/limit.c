#include "limit.h"

#include "file.h"
#include "fingerprint.h"
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NEVER INFINITY

typedef struct profile {
  const char *name;
  gate_limit limits[12]; /* ends with a NULL key */
  bool may_fail_on_single_run;
  gate_policy missing;
} profile;

static const profile profiles[] = {
    {
        .name = "default",
        .limits = {{"mean", NULL, 0.10, 0.20},
                   {"median", NULL, 0.10, 0.20},
                   {"p95", NULL, 0.15, 0.25},
                   {"peak_bytes", NULL, 0.20, 0.50},
                   {"alloc_bytes", NULL, 0.20, 0.50},
                   {"allocs", NULL, NEVER, 0.15},
                   {"throughput", NULL, 0.05, 0.10},
                   {"instructions", NULL, 0.01, 0.03},
                   {"code_size", NULL, 0.05, 0.20}},
        .missing = GATE_POLICY_FAIL,
    },
    {
        .name = "seed000",
        .limits = {{"mean", NULL, NEVER, 0.15}},
        .may_fail_on_single_run = true,
        .missing = GATE_POLICY_WARN,
    },
    {
        .name = "seed003",
        .limits = {{"median", NULL, NEVER, 0.20},
                   {"throughput", NULL, NEVER, 0.10},
                   {"allocs", NULL, NEVER, 0.15}},
        .may_fail_on_single_run = true,
        .missing = GATE_POLICY_WARN,
    },
    {
        .name = "seed004",
        .limits = {{"p95", NULL, NEVER, 0.20}, {"throughput", NULL, NEVER, 0.25}},
        .may_fail_on_single_run = true,
        .missing = GATE_POLICY_FAIL,
    },
};

static void add_limit(gate_limits *limits, gate_limit limit)
{
  limits->items = gate_grow(limits->arena, limits->items, limits->count, &limits->capacity,
                            sizeof *limits->items);
  limit.key = gate_copy_text(limits->arena, limit.key);
  limit.match = gate_copy_text(limits->arena, limit.match);
  limit.origin = gate_copy_text(limits->arena, limit.origin);
  limits->items[limits->count++] = limit;
}

bool gate_limits_profile(gate_arena *arena, const char *name, gate_limits *out)
{
  for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
    const profile *found = &profiles[i];
    if (strcmp(found->name, name) != 0) continue;
    *out = (gate_limits){.arena = arena, .profile = found->name};
    for (const gate_limit *limit = found->limits; limit->key; limit++) add_limit(out, *limit);
    out->improvement = 0.10;
    out->noise_min = 0.01;
    out->may_fail_on_single_run = found->may_fail_on_single_run;
    out->missing = found->missing;
    out->inconclusive = GATE_POLICY_WARN;
    out->today = gate_format(arena, "%.10s", gate_time_text(arena));
    return true;
  }
  return false;
}

const char *gate_limits_ratio(gate_limits *limits, const char *text)
{
  double ratio;
  if (!gate_number_parse(text, &ratio))
    return gate_format(limits->arena, "invalid --threshold value: %s", text);
  if (!(ratio >= 0 && ratio <= 1))
    return gate_format(limits->arena, "threshold out of range: %s (expected 0.0..=1.0)",
                       gate_number_plain(limits->arena, ratio));
  add_limit(limits, (gate_limit){.key = "mean", .warn = NEVER, .fail = ratio});
  add_limit(limits, (gate_limit){.key = "median", .warn = NEVER, .fail = NEVER});
  /* Other faces of the same times: one ratio judges them, the mean's. */
  const bool is_by_mean =
      strcmp(limits->profile, "default") == 0 || strcmp(limits->profile, "seed000") == 0;
  if (is_by_mean) add_limit(limits, (gate_limit){.key = "p95", .warn = NEVER, .fail = NEVER});
  if (is_by_mean)
    add_limit(limits, (gate_limit){.key = "throughput", .warn = NEVER, .fail = NEVER});
  limits->may_fail_on_single_run = true;
  return NULL;
}

static bool parse_part(const char *text, double *out)
{
  *out = NEVER;
  if (strcmp(text, "-") == 0) return true;
  return gate_number_parse(text, out) && *out >= 0 && isfinite(*out);
}

const char *gate_limits_set(gate_limits *limits, const char *text)
{
  gate_arena *arena = limits->arena;
  char *key = gate_copy_text(arena, text);
  char *value = strrchr(key, '='); /* a metric's name may hold one */
  if (!value || value == key)
    return gate_format(arena, "invalid --threshold value: %s (expected metric=warn:fail)", text);
  *value++ = '\0';
  char *fail = strchr(value, ':');
  gate_limit limit = {.key = key, .warn = NEVER};
  limit.origin = gate_format(arena, "--threshold %s", text);
  if (fail) *fail++ = '\0';
  if (!parse_part(fail ? fail : value, &limit.fail) || (fail && !parse_part(value, &limit.warn)) ||
      (isfinite(limit.warn) && limit.warn > limit.fail))
    return gate_format(arena,
                       "invalid --threshold value: %s (expected ratios of 0 or more, warn not "
                       "above fail)",
                       text);
  add_limit(limits, limit);
  return NULL;
}

static bool is_date(const char *text)
{
  int year, month, day, end = 0;
  if (strlen(text) != 10 || strspn(text, "0123456789-") != 10) return false;
  if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10) return false;
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static void add_waiver(gate_limits *limits, gate_waiver waiver)
{
  limits->waivers = gate_grow(limits->arena, limits->waivers, limits->waiver_count,
                              &limits->waiver_capacity, sizeof *limits->waivers);
  limits->waivers[limits->waiver_count++] = waiver;
}

const char *gate_limits_ignore(gate_limits *limits, const char *text)
{
  char *match = gate_copy_text(limits->arena, text);
  char *until = strrchr(match, '@');
  if (until) *until++ = '\0';
  const char *reason = strchr(match, '=');
  if (!until || !reason || reason == match || reason[1] == '\0' || !is_date(until))
    return gate_format(limits->arena,
                       "invalid --ignore value: %s (expected GLOB=REASON@YYYY-MM-DD)", text);
  add_waiver(limits, (gate_waiver){.match = match, .reason = "", .until = until, .text = match});
  return NULL;
}

void gate_limits_only(gate_limits *limits, const char *glob)
{
  gate_pairs_set(limits->arena, &limits->only, glob, "");
}

bool gate_policy_parse(const char *text, gate_policy *out)
{
  static const char *const names[] = {"pass", "warn", "fail"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(text, names[i]) == 0) {
      *out = (gate_policy)i;
      return true;
    }
  }
  return false;
}

/* ---- the config file ---- */

/* Also within objects: a misspelt key would not limit. */
static void check_keys(gate_json *json, json_t *object, const char *known)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    const char *found = strstr(known, gate_format(json->problems->arena, " %s ", key));
    if (!found || strchr(key, ' '))
      gate_json_wrong(json, "unknown key %s; there are%s", key, known);
  }
}

static void read_thresholds(gate_limits *limits, gate_json *json, json_t *object, const char *match)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    json->where = key;
    const double warn = gate_json_number(json, value, "warn", GATE_NOT_NEGATIVE);
    const double fail = gate_json_number(json, value, "fail", GATE_NOT_NEGATIVE);
    if (isnan(warn) && isnan(fail) && !json->is_wrong)
      gate_json_wrong(json, "expected {\"warn\": ratio, \"fail\": ratio}");
    check_keys(json, value, " warn fail ");
    if (warn > fail) gate_json_wrong(json, "warn is above fail");
    add_limit(limits, (gate_limit){.key = key,
                                   .match = match,
                                   .warn = isnan(warn) ? NEVER : warn,
                                   .fail = isnan(fail) ? NEVER : fail,
                                   .origin = gate_format(limits->arena, "threshold %s of %s", key,
                                                         match ? match : json->path)});
  }
  json->where = NULL;
}

static void read_benches(gate_limits *limits, gate_json *json, json_t *array)
{
  size_t index;
  json_t *item;
  json_array_foreach(array, index, item)
  {
    const char *match = gate_json_text(json, item, "match");
    json_t *thresholds = gate_json_object(json, item, "thresholds");
    check_keys(json, item, " match thresholds ");
    if (match && thresholds) {
      read_thresholds(limits, json, thresholds, match);
    } else if (!json->is_wrong) {
      gate_json_wrong(json, "benches[%zu] needs match and thresholds", index);
    }
  }
}

static void read_waivers(gate_limits *limits, gate_json *json, json_t *array)
{
  gate_arena *arena = limits->arena;
  size_t index;
  json_t *item;
  json_array_foreach(array, index, item)
  {
    const char *match = gate_json_text(json, item, "match");
    const char *reason = gate_json_text(json, item, "reason");
    const char *until = gate_json_text(json, item, "until");
    check_keys(json, item, " match reason until ");
    if (match && reason && until && is_date(until)) {
      add_waiver(limits, (gate_waiver){.match = gate_copy_text(arena, match),
                                       .reason = gate_copy_text(arena, reason),
                                       .until = gate_copy_text(arena, until)});
    } else if (!json->is_wrong) {
      gate_json_wrong(json, "ignore[%zu] needs match, reason and until (YYYY-MM-DD)", index);
    }
  }
}

static bool read_flag(gate_json *json, const char *key)
{
  json_t *value = json_object_get(json->root, key);
  if (value && !json_is_boolean(value)) gate_json_wrong(json, "%s is neither true nor false", key);
  return json_is_true(value);
}

static void read_policy(gate_json *json, const char *key, gate_policy *out)
{
  const char *text = gate_json_text(json, json->root, key);
  if (text && !gate_policy_parse(text, out))
    gate_json_wrong(json, "%s is neither pass, warn nor fail", key);
}

static bool open_config(gate_arena *arena, const char *path, gate_json *json,
                        gate_problems *problems)
{
  char *text;
  size_t length;
  if (!gate_file_read(arena, path, &text, &length, problems) ||
      !gate_json_open(json, path, text, length, problems))
    return false;
  return json_is_object(json->root) || gate_json_wrong(json, "is not an object");
}

bool gate_limits_read(gate_limits *limits, const char *path, gate_problems *problems)
{
  gate_json json;
  if (!open_config(limits->arena, path, &json, problems)) return false;
  check_keys(&json, json.root,
             " profile thresholds benches ignore missing inconclusive noise warn_is_error "
             "require_same_machine ");
  read_thresholds(limits, &json, gate_json_object(&json, json.root, "thresholds"), NULL);
  read_benches(limits, &json, gate_json_array(&json, json.root, "benches"));
  read_waivers(limits, &json, gate_json_array(&json, json.root, "ignore"));
  read_policy(&json, "missing", &limits->missing);
  read_policy(&json, "inconclusive", &limits->inconclusive);
  const double noise = gate_json_number(&json, json.root, "noise", GATE_POSITIVE);
  if (!isnan(noise)) limits->noise_min = noise;
  limits->is_warning_error = read_flag(&json, "warn_is_error") || limits->is_warning_error;
  limits->needs_same_machine =
      read_flag(&json, "require_same_machine") || limits->needs_same_machine;
  const bool is_read = !json.is_wrong;
  gate_json_release(&json);
  return is_read;
}

const char *gate_limits_profile_of(gate_arena *arena, const char *path, gate_problems *problems)
{
  gate_json json;
  if (!open_config(arena, path, &json, problems)) return NULL;
  const char *name = gate_copy_text(arena, gate_json_text(&json, json.root, "profile"));
  gate_json_release(&json);
  return name;
}

/* ---- asking ---- */

gate_limit gate_limits_find(gate_limits *limits, const char *id, const char *key)
{
  gate_limit found = {.key = key, .warn = NEVER, .fail = NEVER};
  for (size_t i = 0; i < limits->count; i++) {
    gate_limit *limit = &limits->items[i];
    if (strcmp(limit->key, key) != 0 || (limit->match && !gate_matches(limit->match, id))) continue;
    limit->is_used = true;
    found = *limit;
  }
  return found;
}

bool gate_limits_judges(const gate_limits *limits, const char *id)
{
  for (size_t i = 0; i < limits->only.count; i++)
    if (gate_matches(limits->only.items[i].key, id)) return true;
  return limits->only.count == 0;
}

const gate_waiver *gate_limits_waiver(gate_limits *limits, const char *id)
{
  for (size_t i = 0; i < limits->waiver_count; i++) {
    gate_waiver *waiver = &limits->waivers[i];
    if (waiver->text || !gate_matches(waiver->match, id)) continue;
    waiver->is_used = true;
    return waiver;
  }
  return NULL;
}

bool gate_waiver_holds(const gate_limits *limits, const gate_waiver *waiver)
{
  return strcmp(limits->today, waiver->until) <= 0;
}

static bool matches_any(const char *glob, const gate_set *set)
{
  const gate_pairs *absent[] = {&set->failed, &set->skipped};
  for (size_t i = 0; i < set->count; i++)
    if (gate_matches(glob, set->benches[i].id)) return true;
  for (size_t a = 0; a < 2; a++)
    for (size_t i = 0; i < absent[a]->count; i++)
      if (gate_matches(glob, absent[a]->items[i].key)) return true;
  return false;
}

/* The longest glob that matches an id is meant. */
static void bind_waiver(gate_waiver *waiver, gate_arena *arena, const gate_set *base,
                        const gate_set *now)
{
  for (size_t length = strlen(waiver->text); length > 0; length--) {
    if (waiver->text[length] != '=') continue;
    const char *glob = gate_copy_bytes(arena, waiver->text, length);
    if (!matches_any(glob, base) && !matches_any(glob, now)) continue;
    waiver->match = glob;
    waiver->reason = waiver->text + length + 1;
    waiver->text = NULL;
    return;
  }
}

void gate_limits_bind(gate_limits *limits, const gate_set *base, const gate_set *now)
{
  for (size_t i = 0; i < limits->waiver_count; i++)
    if (limits->waivers[i].text) bind_waiver(&limits->waivers[i], limits->arena, base, now);
  for (size_t i = 0; i < limits->only.count; i++)
    if (matches_any(limits->only.items[i].key, base) || matches_any(limits->only.items[i].key, now))
      limits->only.items[i].value = "used";
}

void gate_limits_unused(const gate_limits *limits, gate_pairs *out)
{
  gate_arena *arena = limits->arena;
  for (size_t i = 0; i < limits->count; i++)
    if (limits->items[i].origin && !limits->items[i].is_used)
      gate_pairs_set(arena, out, limits->items[i].origin,
                     gate_format(arena, "limits nothing: no figure %s was compared%s%s",
                                 limits->items[i].key, limits->items[i].match ? " of " : "",
                                 limits->items[i].match ? limits->items[i].match : ""));
  for (size_t i = 0; i < limits->waiver_count; i++)
    if (!limits->waivers[i].is_used)
      gate_pairs_set(arena, out, gate_format(arena, "--ignore %s", limits->waivers[i].match),
                     "waives nothing: no bench has such an id");
  for (size_t i = 0; i < limits->only.count; i++)
    if (limits->only.items[i].value[0] == '\0')
      gate_pairs_set(arena, out, gate_format(arena, "--only %s", limits->only.items[i].key),
                     "chooses nothing: no bench has such an id");
}
