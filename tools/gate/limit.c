#include "limit.h"

#include "harness/arguments.h"
#include "harness/host.h"

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
  limits->items =
      arena_grow(limits->items, limits->count, &limits->capacity, sizeof *limits->items);
  limit.key = arena_copy(limit.key);
  limit.match = arena_copy(limit.match);
  limit.origin = arena_copy(limit.origin);
  limits->items[limits->count++] = limit;
}

bool gate_limits_profile(const char *name, gate_limits *out)
{
  for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
    const profile *found = &profiles[i];
    if (strcmp(found->name, name) != 0) continue;
    *out = (gate_limits){.profile = found->name};
    for (const gate_limit *limit = found->limits; limit->key; limit++) add_limit(out, *limit);
    out->improvement = 0.10;
    out->noise_min = 0.01;
    out->may_fail_on_single_run = found->may_fail_on_single_run;
    out->missing = found->missing;
    out->inconclusive = GATE_POLICY_WARN;
    out->today = arena_format("%.10s", host_date());
    return true;
  }
  return false;
}

const char *gate_limits_ratio(gate_limits *limits, const char *text)
{
  double ratio;
  if (!gate_number_parse(text, &ratio)) return arena_format("invalid --threshold value: %s", text);
  if (!(ratio >= 0 && ratio <= 1))
    return arena_format("threshold out of range: %s (expected 0.0..=1.0)",
                        gate_number_plain(ratio));
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

/* A limit that warns above the ratio at which it fails would never warn. */
static bool is_usable(const gate_limit *limit)
{
  return limit->warn >= 0 && limit->fail >= 0 &&
         (limit->warn <= limit->fail || limit->warn == NEVER);
}

static bool parse_part(const char *text, double *out)
{
  *out = NEVER;
  if (strcmp(text, "-") == 0) return true;
  return gate_number_parse(text, out) && *out >= 0 && isfinite(*out);
}

const char *gate_limits_set(gate_limits *limits, const char *text)
{
  char *key = arena_copy(text);
  char *value = strrchr(key, '='); /* a metric's name may hold one */
  if (!value || value == key)
    return arena_format("invalid --threshold value: %s (expected metric=warn:fail)", text);
  *value++ = '\0';
  char *fail = strchr(value, ':');
  gate_limit limit = {.key = key, .warn = NEVER};
  limit.origin = arena_format("--threshold %s", text);
  if (fail) *fail++ = '\0';
  if (!parse_part(fail ? fail : value, &limit.fail) || (fail && !parse_part(value, &limit.warn)) ||
      !is_usable(&limit))
    return arena_format("invalid --threshold value: %s (expected ratios of 0 or more, warn not "
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
  limits->waivers = arena_grow(limits->waivers, limits->waiver_count, &limits->waiver_capacity,
                               sizeof *limits->waivers);
  limits->waivers[limits->waiver_count++] = waiver;
}

const char *gate_limits_ignore(gate_limits *limits, const char *text)
{
  char *match = arena_copy(text);
  char *until = strrchr(match, '@');
  if (until) *until++ = '\0';
  const char *reason = strchr(match, '=');
  if (!until || !reason || reason == match || reason[1] == '\0' || !is_date(until))
    return arena_format("invalid --ignore value: %s (expected GLOB=REASON@YYYY-MM-DD)", text);
  add_waiver(limits, (gate_waiver){.match = match, .reason = "", .until = until, .text = match});
  return NULL;
}

/* ---- the config file ---- */

/* Says what jansson found wrong, such as keys that it does not know. */
static void wrong_config(gate_limits *limits, const char *where, const char *what,
                         gate_problems *problems)
{
  gate_wrong(problems, "failed to parse %s: %s: %s", limits->config, where, what);
}

static void read_thresholds(gate_limits *limits, json_t *object, const char *match,
                            gate_problems *problems)
{
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value)
  {
    json_error_t error = {.text = "expected ratios of 0 or more, warn not above fail"};
    gate_limit limit = {.key = key, .match = match, .warn = NEVER, .fail = NEVER};
    limit.origin = arena_format("threshold %s of %s", key, match ? match : limits->config);
    const bool is_read = json_unpack_ex(value, &error, 0, "{s?F, s?F !}", "warn", &limit.warn,
                                        "fail", &limit.fail) == 0;
    if (is_read && is_usable(&limit))
      add_limit(limits, limit);
    else
      wrong_config(limits, key, error.text, problems);
  }
}

/* What "benches" and "ignore" list. */
static void read_lists(gate_limits *limits, json_t *benches, json_t *ignored,
                       gate_problems *problems)
{
  size_t index;
  json_t *item, *thresholds;
  json_error_t error;
  const char *match;
  gate_waiver waiver = {0};
  json_array_foreach(benches, index, item)
  {
    if (json_unpack_ex(item, &error, 0, "{s:s, s:o !}", "match", &match, "thresholds",
                       &thresholds) == 0)
      read_thresholds(limits, thresholds, match, problems);
    else
      wrong_config(limits, "benches", error.text, problems);
  }
  json_array_foreach(ignored, index, item)
  {
    if (json_unpack_ex(item, &error, 0, "{s:s, s:s, s:s !}", "match", &waiver.match, "reason",
                       &waiver.reason, "until", &waiver.until) != 0)
      wrong_config(limits, "ignore", error.text, problems);
    else if (!is_date(waiver.until))
      wrong_config(limits, "ignore", "until is not YYYY-MM-DD", problems);
    else
      add_waiver(limits, (gate_waiver){.match = arena_copy(waiver.match),
                                       .reason = arena_copy(waiver.reason),
                                       .until = arena_copy(waiver.until)});
  }
}

static void read_policy(gate_limits *limits, const char *key, const char *text, gate_policy *out,
                        gate_problems *problems)
{
  static const argument kind = {.value = "pass|warn|fail"};
  int policy = *out;
  const char *wrong = text ? arguments_choice(&kind, &policy, text) : NULL;
  if (wrong) wrong_config(limits, key, wrong, problems);
  *out = (gate_policy)policy;
}

/* Unknown keys are faults, also within objects: a misspelt limit would not limit. */
void gate_limits_configure(gate_limits *limits, const char *path, const gate_json *config,
                           gate_problems *problems)
{
  json_error_t error;
  json_t *thresholds = NULL, *benches = NULL, *ignored = NULL;
  const char *name, *missing = NULL, *inconclusive = NULL;
  int is_warning_error = limits->is_warning_error, needs_same = limits->needs_same_machine;
  limits->config = path;
  if (json_unpack_ex(config->root, &error, 0, "{s?s, s?o, s?o, s?o, s?s, s?s, s?F, s?b, s?b !}",
                     "profile", &name, "thresholds", &thresholds, "benches", &benches, "ignore",
                     &ignored, "missing", &missing, "inconclusive", &inconclusive, "noise",
                     &limits->noise_min, "warn_is_error", &is_warning_error, "require_same_machine",
                     &needs_same) != 0)
    wrong_config(limits, "config", error.text, problems);
  read_thresholds(limits, thresholds, NULL, problems);
  read_lists(limits, benches, ignored, problems);
  read_policy(limits, "missing", missing, &limits->missing, problems);
  read_policy(limits, "inconclusive", inconclusive, &limits->inconclusive, problems);
  if (!(limits->noise_min > 0)) wrong_config(limits, "noise", "expected more than 0", problems);
  limits->is_warning_error = is_warning_error;
  limits->needs_same_machine = needs_same;
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

bool gate_limits_judges(gate_limits *limits, const char *id)
{
  bool is_chosen = limits->only.count == 0;
  for (size_t i = 0; i < limits->only.count; i++) {
    if (!gate_matches(limits->only.items[i].key, id)) continue;
    limits->only.items[i].value = "used";
    is_chosen = true;
  }
  return is_chosen;
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
static void bind_waiver(gate_waiver *waiver, const gate_set *base, const gate_set *now)
{
  for (size_t length = strlen(waiver->text); length > 0; length--) {
    if (waiver->text[length] != '=') continue;
    const char *glob = arena_copy_bytes(waiver->text, length);
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
    if (limits->waivers[i].text) bind_waiver(&limits->waivers[i], base, now);
}

void gate_limits_unused(const gate_limits *limits, gate_pairs *out)
{
  for (size_t i = 0; i < limits->count; i++)
    if (limits->items[i].origin && !limits->items[i].is_used)
      gate_pairs_set(out, limits->items[i].origin,
                     arena_format("limits nothing: no figure %s was compared%s%s",
                                  limits->items[i].key, limits->items[i].match ? " of " : "",
                                  limits->items[i].match ? limits->items[i].match : ""));
  for (size_t i = 0; i < limits->waiver_count; i++)
    if (!limits->waivers[i].is_used)
      gate_pairs_set(out, arena_format("--ignore %s", limits->waivers[i].match),
                     "waives nothing: no bench has such an id");
  for (size_t i = 0; i < limits->only.count; i++)
    if (limits->only.items[i].value[0] == '\0')
      gate_pairs_set(out, arena_format("--only %s", limits->only.items[i].key),
                     "chooses nothing: no bench has such an id");
}
