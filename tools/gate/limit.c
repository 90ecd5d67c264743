#include "limit.h"

#include "file.h"
#include "fingerprint.h"
#include "json.h"

#include <math.h>
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
    out->today = gate_format(arena, "%.10s", gate_time_text(arena, gate_now_s()));
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
  add_limit(limits, (gate_limit){"mean", NULL, NEVER, ratio});
  add_limit(limits, (gate_limit){"median", NULL, NEVER, NEVER});
  /* Other faces of the same times: one ratio judges them, the mean's. */
  const bool is_by_mean =
      strcmp(limits->profile, "default") == 0 || strcmp(limits->profile, "seed000") == 0;
  if (is_by_mean) add_limit(limits, (gate_limit){"p95", NULL, NEVER, NEVER});
  if (is_by_mean) add_limit(limits, (gate_limit){"throughput", NULL, NEVER, NEVER});
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
  char *value = strchr(key, '=');
  if (!value || value == key)
    return gate_format(arena, "invalid --threshold value: %s (expected metric=warn:fail)", text);
  *value++ = '\0';
  char *fail = strchr(value, ':');
  gate_limit limit = {.key = key, .warn = NEVER};
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
  static const char form[] = "0000-00-00";
  if (strlen(text) != strlen(form)) return false;
  for (size_t i = 0; form[i] != '\0'; i++) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !is_digit : text[i] != form[i]) return false;
  }
  return true;
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
  char *reason = strchr(match, '=');
  char *until = strrchr(match, '@');
  if (!reason || reason == match || !until || until < reason + 2 || !is_date(until + 1))
    return gate_format(limits->arena,
                       "invalid --ignore value: %s (expected GLOB=REASON@YYYY-MM-DD)", text);
  *reason++ = '\0';
  *until++ = '\0';
  add_waiver(limits, (gate_waiver){match, reason, until});
  return NULL;
}

void gate_limits_only(gate_limits *limits, const char *glob)
{
  limits->only = gate_grow(limits->arena, limits->only, limits->only_count, &limits->only_capacity,
                           sizeof *limits->only);
  limits->only[limits->only_count++] = gate_copy_text(limits->arena, glob);
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
    if (warn > fail) gate_json_wrong(json, "warn is above fail");
    add_limit(limits,
              (gate_limit){key, match, isnan(warn) ? NEVER : warn, isnan(fail) ? NEVER : fail});
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
    if (match && thresholds) {
      read_thresholds(limits, json, thresholds, match);
    } else if (!json->is_wrong) {
      gate_json_wrong(json, "benches[%zu] needs match and thresholds", index);
    }
  }
}

static void read_waivers(gate_limits *limits, gate_json *json, json_t *array)
{
  size_t index;
  json_t *item;
  json_array_foreach(array, index, item)
  {
    const char *match = gate_json_text(json, item, "match");
    const char *reason = gate_json_text(json, item, "reason");
    const char *until = gate_json_text(json, item, "until");
    if (match && reason && until && is_date(until)) {
      gate_arena *arena = limits->arena;
      add_waiver(limits, (gate_waiver){gate_copy_text(arena, match), gate_copy_text(arena, reason),
                                       gate_copy_text(arena, until)});
    } else if (!json->is_wrong) {
      gate_json_wrong(json, "ignore[%zu] needs match, reason and until (YYYY-MM-DD)", index);
    }
  }
}

static void read_policy(gate_json *json, const char *key, gate_policy *out)
{
  const char *text = gate_json_text(json, json->root, key);
  if (text && !gate_policy_parse(text, out))
    gate_json_wrong(json, "%s is neither pass, warn nor fail", key);
}

static void check_keys(gate_json *json)
{
  static const char *const known[] = {"profile", "thresholds",    "benches",
                                      "ignore",  "missing",       "inconclusive",
                                      "noise",   "warn_is_error", "require_same_machine"};
  const char *key;
  json_t *value;
  json_object_foreach(json->root, key, value)
  {
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
      is_known = is_known || strcmp(key, known[i]) == 0;
    if (!is_known) gate_json_wrong(json, "unknown key %s", key);
  }
}

static bool open_config(gate_arena *arena, const char *path, gate_json *json,
                        gate_problems *problems)
{
  char *text;
  size_t length;
  return gate_file_read(arena, path, &text, &length, problems) &&
         gate_json_open(json, path, text, length, problems);
}

bool gate_limits_read(gate_limits *limits, const char *path, gate_problems *problems)
{
  gate_json json;
  if (!open_config(limits->arena, path, &json, problems)) return false;
  check_keys(&json);
  read_thresholds(limits, &json, gate_json_object(&json, json.root, "thresholds"), NULL);
  read_benches(limits, &json, gate_json_array(&json, json.root, "benches"));
  read_waivers(limits, &json, gate_json_array(&json, json.root, "ignore"));
  read_policy(&json, "missing", &limits->missing);
  read_policy(&json, "inconclusive", &limits->inconclusive);
  const double noise = gate_json_number(&json, json.root, "noise", GATE_POSITIVE);
  if (!isnan(noise)) limits->noise_min = noise;
  if (json_is_true(json_object_get(json.root, "warn_is_error"))) limits->is_warning_error = true;
  if (json_is_true(json_object_get(json.root, "require_same_machine")))
    limits->needs_same_machine = true;
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

gate_limit gate_limits_find(const gate_limits *limits, const char *id, const char *key)
{
  for (size_t i = limits->count; i > 0; i--) {
    const gate_limit *limit = &limits->items[i - 1];
    if (strcmp(limit->key, key) == 0 && (!limit->match || gate_matches(limit->match, id)))
      return *limit;
  }
  return (gate_limit){key, NULL, NEVER, NEVER};
}

bool gate_limits_judges(const gate_limits *limits, const char *id)
{
  if (limits->only_count == 0) return true;
  for (size_t i = 0; i < limits->only_count; i++)
    if (gate_matches(limits->only[i], id)) return true;
  return false;
}

const gate_waiver *gate_limits_waiver(const gate_limits *limits, const char *id)
{
  for (size_t i = 0; i < limits->waiver_count; i++)
    if (gate_matches(limits->waivers[i].match, id)) return &limits->waivers[i];
  return NULL;
}

bool gate_waiver_holds(const gate_limits *limits, const gate_waiver *waiver)
{
  return strcmp(limits->today, waiver->until) <= 0;
}
