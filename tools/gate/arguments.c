#include "arguments.h"

#include <stdio.h>
#include <string.h>

const char gate_choices_help[] =
    "  --threshold R              the founding limit: the mean may get worse by this ratio (0.15)\n"
    "  --threshold METRIC=W:F     warn and fail ratios of mean, median, p95, allocs, peak_bytes,\n"
    "                             throughput, instructions or any other metric; - for never\n"
    "  --profile NAME             default, seed000, seed003 or seed004\n"
    "  --config FILE              limits, waivers and policies as JSON\n"
    "  --only GLOB                judge these ids only (may be repeated)\n"
    "  --ignore GLOB=REASON@DATE  show but do not judge, until DATE (YYYY-MM-DD)\n"
    "  --missing fail|warn|pass   benches that are in the baseline only\n"
    "  --inconclusive warn|fail|pass\n"
    "  --warn-is-error            exit 1 on warnings\n"
    "  --require-same-machine     exit 4 if machines or builds differ\n"
    "  --markdown FILE (or --md), --junit FILE, --openmetrics FILE, --json FILE\n"
    "                             write a report in this form\n"
    "  --html FILE                the report as one page that needs no network\n"
    "  --history FILE             what that page draws trends from (see history)\n"
    "  --github                   annotations, and the table to $GITHUB_STEP_SUMMARY\n"
    "  --no-annotations           no ::warning:: or ::error:: lines\n"
    "  --quiet                    only what is not OK\n"
    "  --color auto|always|never, --ascii, --width N\n"
    "  -h, --help\n";

static const struct option *find_option(const struct option *options, const char *name,
                                        size_t length)
{
  for (; options->name; options++)
    if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
      return options;
  return NULL;
}

int gate_next_option(gate_arguments *arguments)
{
  if (optind < 1) optind = 1;
  const char *word = optind < arguments->argc ? arguments->argv[optind] : NULL;
  /* getopt_long would take --base for --baseline. */
  if (word && strncmp(word, "--", 2) == 0 && word[2] != '\0') {
    const size_t length = strcspn(word + 2, "=");
    const struct option *option = find_option(arguments->options, word + 2, length);
    arguments->value = word;
    if (!option || (option->has_arg == no_argument && word[2 + length] == '=')) return GATE_UNKNOWN;
  }
  opterr = 0;
  const int answer = getopt_long(arguments->argc, arguments->argv, "-:h", arguments->options, NULL);
  if (answer == -1 && optind < arguments->argc) { /* behind "--" */
    arguments->value = arguments->argv[optind++];
    return GATE_POSITIONAL;
  }
  if (answer == ':') {
    arguments->value = word ? word + 2 : "";
    return GATE_NO_VALUE;
  }
  arguments->value = answer == '?' ? word : optarg;
  return answer == '?' ? GATE_UNKNOWN : answer;
}

gate_exit gate_show_help(const gate_arguments *arguments)
{
  fputs(arguments->help, stdout);
  return GATE_EXIT_OK;
}

gate_exit gate_usage_wrong(const gate_arguments *arguments, const char *text, bool is_seed)
{
  fprintf(stderr, "error: %s\n", text);
  if (is_seed) {
    fputs(arguments->help, stdout);
  } else {
    fprintf(stderr, "accel-gate %s --help tells what there is\n", arguments->argv[0]);
  }
  return GATE_EXIT_USAGE;
}

gate_exit gate_usage_error(const gate_arguments *arguments, int answer, bool is_seed)
{
  char text[512];
  if (answer == GATE_NO_VALUE) {
    snprintf(text, sizeof text, "missing value for --%s", arguments->value);
  } else {
    snprintf(text, sizeof text, "unknown argument: %s", arguments->value);
  }
  return gate_usage_wrong(arguments, text, is_seed);
}

bool gate_asks_for_seed(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--compat=seed") == 0) return true;
    if (strcmp(argv[i], "--compat") == 0 && i + 1 < argc && strcmp(argv[i + 1], "seed") == 0)
      return true;
  }
  return false;
}

static const char *const setting_names[] = {
    "threshold",    "profile",       "config",
    "only",         "ignore",        "missing",
    "inconclusive", "warn-is-error", "require-same-machine"};

static void keep_setting(gate_choices *choices, const char *name, const char *value)
{
  gate_pairs *settings = &choices->settings;
  settings->items = gate_grow(choices->arena, settings->items, settings->count, &settings->capacity,
                              sizeof *settings->items);
  settings->items[settings->count++] = (gate_pair){name, value ? value : ""};
}

static const char *take_color(gate_choices *choices, const char *value)
{
  static const char *const names[] = {"never", "auto", "always"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(value, names[i]) != 0) continue;
    choices->color = i - 1;
    return NULL;
  }
  return gate_format(choices->arena, "invalid --color value: %s", value);
}

const char *gate_choices_take(gate_choices *choices, int val, const char *value)
{
  switch (val - GATE_CHOICE_FIRST) {
    case 1: choices->profile = value; return NULL;
    case 2: choices->config = value; return NULL;
    case 9: choices->wants_no_annotations = true; return NULL;
    case 10: choices->markdown = value; return NULL;
    case 11: choices->html = value; return NULL;
    case 12: choices->junit = value; return NULL;
    case 13: choices->openmetrics = value; return NULL;
    case 14: choices->json = value; return NULL;
    case 15: choices->wants_github = true; return NULL;
    case 16: choices->is_quiet = true; return NULL;
    case 17: choices->is_ascii = true; return NULL;
    case 18: return take_color(choices, value);
    case 19:
      return gate_count_parse(value, 1000, &choices->width)
                 ? NULL
                 : gate_format(choices->arena, "invalid --width value: %s", value);
    case 20: choices->history = value; return NULL;
    default: keep_setting(choices, setting_names[val - GATE_CHOICE_FIRST], value); return NULL;
  }
}

static const char *apply_policy(gate_limits *limits, const char *name, const char *value,
                                gate_policy *out)
{
  if (gate_policy_parse(value, out)) return NULL;
  return gate_format(limits->arena, "invalid --%s value: %s (expected pass, warn or fail)", name,
                     value);
}

static const char *apply_setting(gate_limits *limits, const char *name, const char *value)
{
  if (strcmp(name, "threshold") == 0)
    return strchr(value, '=') ? gate_limits_set(limits, value) : gate_limits_ratio(limits, value);
  if (strcmp(name, "only") == 0) gate_limits_only(limits, value);
  if (strcmp(name, "ignore") == 0) return gate_limits_ignore(limits, value);
  if (strcmp(name, "missing") == 0) return apply_policy(limits, name, value, &limits->missing);
  if (strcmp(name, "inconclusive") == 0)
    return apply_policy(limits, name, value, &limits->inconclusive);
  if (strcmp(name, "warn-is-error") == 0) limits->is_warning_error = true;
  if (strcmp(name, "require-same-machine") == 0) limits->needs_same_machine = true;
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
  return NULL;
}
