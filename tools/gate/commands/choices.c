#include "command.h"

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

const char *gate_take_compat(const argument *self, void *field, const char *value)
{
  (void)self;
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

/* Kept until the profile is known. */
static const char *take_setting(const argument *self, void *all, const char *value)
{
  gate_choices *choices = all;
  gate_pairs *settings = &choices->settings;
  settings->items =
      gate_grow(settings->items, settings->count, &settings->capacity, sizeof *settings->items);
  settings->items[settings->count++] = (gate_pair){self->name, value};
  return NULL;
}

/* A bare ratio is checked at once, since the compat checker did. */
static const char *take_threshold(const argument *self, void *all, const char *value)
{
  gate_limits limits;
  (void)gate_limits_profile("seed000", &limits);
  const char *wrong = strchr(value, '=') ? NULL : gate_limits_ratio(&limits, value);
  return wrong ? wrong : take_setting(self, all, value);
}

#define FIELD(name_) offsetof(gate_choices, name_)
const argument gate_choices_table[] = {
    {"threshold", "R",
     "the mean may get worse by this ratio (0.15);\n"
     "or METRIC=WARN:FAIL, ratios of mean, median, p95, allocs, alloc_bytes,\n"
     "peak_bytes, throughput, instructions or any other metric; - for never",
     take_threshold, 0, 0, 0},
    {"profile", "NAME", "default, seed000, seed003 or seed004", arguments_text, FIELD(profile), 0,
     0},
    {"config", "FILE", "limits, waivers and policies as JSON", arguments_text, FIELD(config), 0, 0},
    {"only", "GLOB", "judge these ids only (may be repeated)", take_setting, 0, 0, 0},
    {"ignore", "GLOB=REASON@DATE", "show but do not judge, until DATE (YYYY-MM-DD)", take_setting,
     0, 0, 0},
    {"missing", "pass|warn|fail", "benches that are in the baseline only", arguments_choice,
     FIELD(missing), 0, 0},
    {"inconclusive", "pass|warn|fail", "what noise hides", arguments_choice, FIELD(inconclusive), 0,
     0},
    {"warn-is-error", NULL, "exit 1 on warnings", arguments_flag, FIELD(is_warning_error), 0, 0},
    {"require-same-machine", NULL, "exit 4 if machines or builds differ", arguments_flag,
     FIELD(needs_same_machine), 0, 0},
    {"markdown", "FILE", "the report as a table of Markdown", arguments_text, FIELD(markdown), 0,
     0},
    {"md", "FILE", "the same", arguments_text, FIELD(markdown), 0, 0},
    {"json", "FILE", "the report as JSON", arguments_text, FIELD(json), 0, 0},
    {"html", "FILE", "the report as one page that needs no network", arguments_text, FIELD(html), 0,
     0},
    {"history", "FILE", "what that page draws trends from (see history)", arguments_text,
     FIELD(history), 0, 0},
    {"github", NULL, "annotations, and the table to $GITHUB_STEP_SUMMARY", arguments_flag,
     FIELD(wants_github), 0, 0},
    {"no-annotations", NULL, "no ::warning:: or ::error:: lines", arguments_flag,
     FIELD(wants_no_annotations), 0, 0},
    {"quiet", NULL, "only what is not OK", arguments_flag, FIELD(is_quiet), 0, 0},
    {"color", "auto|always|never", "auto: on terminals", arguments_choice, FIELD(color), 0, 0},
    {0},
};

gate_choices gate_choices_new(void)
{
  return (gate_choices){.missing = -1, .inconclusive = -1};
}

/* ---- limits ---- */

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
  gate_problems problems = {0};
  gate_json config = {0};
  if (choices->config && !gate_json_read(&config, choices->config, &problems))
    return problems.texts[0];
  const char *profile = choices->profile;
  if (!profile) profile = gate_copy(json_string_value(json_object_get(config.root, "profile")));
  const bool is_known = gate_limits_profile(profile ? profile : fallback, out);
  if (is_known && choices->config) gate_limits_configure(out, choices->config, &config, &problems);
  gate_json_release(&config);
  if (!is_known)
    return gate_format("unknown profile: %s (there are default, seed000, seed003, seed004)",
                       profile);
  const char *wrong = problems.count > 0 ? problems.texts[0] : NULL;
  for (size_t i = 0; i < choices->settings.count && !wrong; i++)
    wrong = apply_setting(out, choices->settings.items[i].key, choices->settings.items[i].value);
  out->is_warning_error = out->is_warning_error || choices->is_warning_error;
  out->needs_same_machine = out->needs_same_machine || choices->needs_same_machine;
  if (choices->missing >= 0) out->missing = (gate_policy)choices->missing;
  if (choices->inconclusive >= 0) out->inconclusive = (gate_policy)choices->inconclusive;
  return wrong;
}
