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

gate_exit gate_usage_wrong(char **words, const char *text)
{
  fprintf(stderr, "error: %s\naccel-gate %s --help tells what there is\n", text, words[0]);
  return GATE_EXIT_USAGE;
}

bool gate_parse(const argument_group *groups, const char *usage, int count, char **words,
                int *operands_out, gate_exit *code_out)
{
  const char *wrong;
  const bool is_compat = gate_asks_for_compat(count, words);
  const arguments_outcome outcome = arguments_parse(groups, count, words, operands_out, &wrong);
  *code_out = outcome == ARGUMENTS_WRONG ? GATE_EXIT_USAGE : GATE_EXIT_OK;
  if (outcome == ARGUMENTS_TAKEN) return true;
  if (outcome == ARGUMENTS_WRONG && is_compat) fprintf(stderr, "error: %s\n", wrong);
  if (outcome == ARGUMENTS_WRONG && !is_compat) gate_usage_wrong(words, wrong);
  if (outcome == ARGUMENTS_HELP || is_compat) {
    printf("%s\nOPTIONS:\n", usage);
    arguments_help(stdout, groups);
  }
  return false;
}

/* ---- what is asked for ---- */

/* Kept until the profile is known. */
static const char *take_setting(const argument *self, void *all, const char *value)
{
  gate_choices *choices = all;
  gate_pairs *settings = &choices->settings;
  settings->items =
      arena_grow(settings->items, settings->count, &settings->capacity, sizeof *settings->items);
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

#define ARGUMENTS_OF gate_choices
const argument gate_choices_table[] = {
    ARGUMENT_WITH_ALL("threshold", "R", take_threshold,
                      "the mean may get worse by this ratio (0.15);\n"
                      "or METRIC=WARN:FAIL, ratios of mean, median, p95, allocs, alloc_bytes,\n"
                      "peak_bytes, throughput, instructions or any other metric; - for never"),
    ARGUMENT_TEXT("profile", profile, "NAME", "default, seed000, seed003 or seed004"),
    ARGUMENT_TEXT("config", config, "FILE", "limits, waivers and policies as JSON"),
    ARGUMENT_WITH_ALL("only", "GLOB", take_setting, "judge these ids only (may be repeated)"),
    ARGUMENT_WITH_ALL("ignore", "GLOB=REASON@DATE", take_setting,
                      "show but do not judge, until DATE (YYYY-MM-DD)"),
    ARGUMENT_CHOICE("missing", missing, "pass|warn|fail", "benches that are in the baseline only"),
    ARGUMENT_CHOICE("inconclusive", inconclusive, "pass|warn|fail", "what noise hides"),
    ARGUMENT_FLAG("warn-is-error", is_warning_error, "exit 1 on warnings"),
    ARGUMENT_FLAG("require-same-machine", needs_same_machine,
                  "exit 4 if machines or builds differ"),
    ARGUMENT_TEXT("markdown", markdown, "FILE", "the report as a table of Markdown"),
    ARGUMENT_TEXT("md", markdown, "FILE", "the same"),
    ARGUMENT_TEXT("json", json, "FILE", "the report as JSON"),
    ARGUMENT_TEXT("html", html, "FILE", "the report as one page that needs no network"),
    ARGUMENT_TEXT("history", history, "FILE", "what that page draws trends from (see history)"),
    {0},
};

/* ---- limits ---- */

static const char *apply_setting(gate_limits *limits, const char *name, const char *value)
{
  if (strcmp(name, "ignore") == 0) return gate_limits_ignore(limits, value);
  if (strcmp(name, "threshold") == 0)
    return strchr(value, '=') ? gate_limits_set(limits, value) : gate_limits_ratio(limits, value);
  gate_pairs_set(&limits->only, value, "");
  return NULL;
}

const char *gate_choices_limits(const gate_choices *choices, const char *fallback, gate_limits *out)
{
  gate_problems problems = {0};
  gate_json config = {0};
  char *text;
  size_t length;
  if (choices->config && (!gate_file_read(choices->config, &text, &length, &problems) ||
                          !gate_json_open(&config, choices->config, text, length, &problems)))
    return problems.texts[0];
  const char *profile = choices->profile;
  if (!profile) profile = arena_copy(json_string_value(json_object_get(config.root, "profile")));
  const bool is_known = gate_limits_profile(profile ? profile : fallback, out);
  if (is_known && choices->config) gate_limits_configure(out, choices->config, &config, &problems);
  gate_json_release(&config);
  if (!is_known)
    return arena_format("unknown profile: %s (there are default, seed000, seed003, seed004)",
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
