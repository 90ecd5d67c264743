#include "choices.h"

#include <stdio.h>
#include <string.h>

/* ---- parsing ---- */

bool gate_asks_for_compat(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--compat=seed") == 0) return true;
    if (strcmp(argv[i], "--compat") == 0 && i + 1 < argc && strcmp(argv[i + 1], "seed") == 0)
      return true;
  }
  return false;
}

const char *gate_take_compat(void *field, const char *value)
{
  (void)field;
  return strcmp(value, "seed") == 0 ? NULL : "there is seed";
}

static void show_help(const argument_group *groups, const char *usage)
{
  printf("%s\nOPTIONS:\n", usage);
  arguments_help(stdout, groups);
}

gate_exit gate_usage_wrong(char **words, const char *text)
{
  fprintf(stderr, "error: %s\naccel-gate %s --help tells what there is\n", text, words[0]);
  return GATE_EXIT_USAGE;
}

bool gate_parse(const argument_group *groups, const char *usage, int count, char **words,
                int *operands_out, gate_exit *code_out)
{
  char wrong[512];
  const bool is_compat = gate_asks_for_compat(count, words);
  const arguments_outcome outcome = arguments_parse(groups, count, words, operands_out, wrong);
  *code_out = outcome == ARGUMENTS_WRONG ? GATE_EXIT_USAGE : GATE_EXIT_OK;
  if (outcome == ARGUMENTS_TAKEN) return true;
  if (outcome == ARGUMENTS_WRONG && is_compat) fprintf(stderr, "error: %s\n", wrong);
  if (outcome == ARGUMENTS_WRONG && !is_compat) gate_usage_wrong(words, wrong);
  if (outcome == ARGUMENTS_HELP || is_compat) show_help(groups, usage);
  return false;
}

/* ---- what is asked for ---- */

static const char *keep(void *all, const char *name, const char *value)
{
  gate_choices *choices = all;
  gate_pairs *settings = &choices->settings;
  settings->items = gate_grow(choices->arena, settings->items, settings->count, &settings->capacity,
                              sizeof *settings->items);
  settings->items[settings->count++] = (gate_pair){name, value};
  return NULL;
}

/* A bare ratio is checked at once, since the compat checker did. */
static const char *take_threshold(void *all, const char *value)
{
  gate_choices *choices = all;
  gate_limits limits;
  (void)gate_limits_profile(choices->arena, "seed000", &limits);
  const char *wrong = strchr(value, '=') ? NULL : gate_limits_ratio(&limits, value);
  return wrong ? wrong : keep(all, "threshold", value);
}

static const char *take_only(void *all, const char *value)
{
  return keep(all, "only", value);
}

static const char *take_ignore(void *all, const char *value)
{
  return keep(all, "ignore", value);
}

static const char *take_color(void *field, const char *value)
{
  static const char *const names[] = {"never", "auto", "always"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    *(int *)field = i - 1;
    return NULL;
  }
  return "expected auto, always or never";
}

#define FIELD(name_) offsetof(gate_choices, name_)
const argument gate_choices_table[] = {
    {"threshold", "R",
     "the mean may get worse by this ratio (0.15);\n"
     "or METRIC=WARN:FAIL, ratios of mean, median, p95, allocs, alloc_bytes,\n"
     "peak_bytes, throughput, instructions or any other metric; - for never",
     take_threshold, 0, 0},
    {"profile", "NAME", "default, seed000, seed003 or seed004", arguments_text, FIELD(profile), 0},
    {"config", "FILE", "limits, waivers and policies as JSON", arguments_text, FIELD(config), 0},
    {"only", "GLOB", "judge these ids only (may be repeated)", take_only, 0, 0},
    {"ignore", "GLOB=REASON@DATE", "show but do not judge, until DATE (YYYY-MM-DD)", take_ignore, 0,
     0},
    {"missing", "POLICY", "fail, warn or pass: benches that are in the baseline only",
     arguments_text, FIELD(missing), 0},
    {"inconclusive", "POLICY", "fail, warn or pass: what noise hides", arguments_text,
     FIELD(inconclusive), 0},
    {"warn-is-error", NULL, "exit 1 on warnings", arguments_flag, FIELD(is_warning_error), 0},
    {"require-same-machine", NULL, "exit 4 if machines or builds differ", arguments_flag,
     FIELD(needs_same_machine), 0},
    {"markdown", "FILE", "the report as a table of Markdown", arguments_text, FIELD(markdown), 0},
    {"md", "FILE", "the same", arguments_text, FIELD(markdown), 0},
    {"junit", "FILE", "the report as JUnit's XML", arguments_text, FIELD(junit), 0},
    {"json", "FILE", "the report as JSON", arguments_text, FIELD(json), 0},
    {"html", "FILE", "the report as one page that needs no network", arguments_text, FIELD(html),
     0},
    {"history", "FILE", "what that page draws trends from (see history)", arguments_text,
     FIELD(history), 0},
    {"github", NULL, "annotations, and the table to $GITHUB_STEP_SUMMARY", arguments_flag,
     FIELD(wants_github), 0},
    {"no-annotations", NULL, "no ::warning:: or ::error:: lines", arguments_flag,
     FIELD(wants_no_annotations), 0},
    {"quiet", NULL, "only what is not OK", arguments_flag, FIELD(is_quiet), 0},
    {"color", "WHEN", "auto, always or never", take_color, FIELD(color), 0},
    {0},
};

/* ---- limits ---- */

static const char *apply_policy(gate_limits *limits, const char *name, const char *value,
                                gate_policy *out)
{
  if (!value || gate_policy_parse(value, out)) return NULL;
  return gate_format(limits->arena, "invalid --%s value: %s (expected pass, warn or fail)", name,
                     value);
}

static const char *apply_setting(gate_limits *limits, const char *name, const char *value)
{
  if (strcmp(name, "ignore") == 0) return gate_limits_ignore(limits, value);
  if (strcmp(name, "threshold") == 0)
    return strchr(value, '=') ? gate_limits_set(limits, value) : gate_limits_ratio(limits, value);
  gate_limits_only(limits, value);
  return NULL;
}

const char *gate_choices_limits(const gate_choices *choices, const char *fallback, gate_limits *out)
{
  gate_arena *arena = choices->arena;
  gate_problems problems = {.arena = arena};
  const char *profile = choices->profile;
  if (!profile && choices->config)
    profile = gate_limits_profile_of(arena, choices->config, &problems);
  if (!gate_limits_profile(arena, profile ? profile : fallback, out)) {
    (void)gate_limits_profile(arena, "default", out);
    return gate_format(arena, "unknown profile: %s (there are default, seed000, seed003, seed004)",
                       profile);
  }
  if (choices->config && problems.count == 0)
    (void)gate_limits_read(out, choices->config, &problems);
  if (problems.count > 0) return problems.items[0].text;
  for (size_t i = 0; i < choices->settings.count; i++) {
    const gate_pair *setting = &choices->settings.items[i];
    const char *wrong = apply_setting(out, setting->key, setting->value);
    if (wrong) return wrong;
  }
  out->is_warning_error = out->is_warning_error || choices->is_warning_error;
  out->needs_same_machine = out->needs_same_machine || choices->needs_same_machine;
  const char *wrong = apply_policy(out, "missing", choices->missing, &out->missing);
  return wrong ? wrong
               : apply_policy(out, "inconclusive", choices->inconclusive, &out->inconclusive);
}
