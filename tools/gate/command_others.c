/* convert, validate, targets, fingerprint. */
#include "command.h"

#include "file.h"
#include "fingerprint.h"
#include "json.h"
#include "read.h"
#include "write.h"

#include "harness/host.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- convert ---- */

static const char convert_help[] =
    "usage: accel-gate convert --to FORM [--output FILE] INPUT\n\n"
    "INPUT is a file of any form that can be read, or a folder of criterion's. Forms: google,\n"
    "gab-smaller, gab-bigger, bmf, go, bencher, 004, own, seed. Without --output to stdout.\n";

static gate_exit convert(gate_arena *arena, const char *input, const char *output,
                         const gate_writer *writer)
{
  gate_problems problems = {.arena = arena};
  gate_text text = {.arena = arena};
  gate_set *set = gate_read(arena, input, (gate_read_options){0}, &problems);
  /* Half of the results would look like all of them. */
  if (set && problems.count == 0) {
    if (!writer->write(&text, set))
      gate_wrong(&problems, input, "%s has nothing that form %s can tell", input, writer->name);
    else if (output)
      (void)gate_file_write(arena, output, gate_text_c(&text), text.length, &problems);
    else
      gate_print(&text);
  }
  gate_print_problems(&problems);
  return problems.count > 0 ? GATE_EXIT_INPUT : GATE_EXIT_OK;
}

gate_exit gate_command_convert(gate_arena *arena, int argc, char **argv)
{
  static const struct option list[] = {{"to", required_argument, NULL, 't'},
                                       {"output", required_argument, NULL, 'o'},
                                       {"help", no_argument, NULL, 'h'},
                                       {0}};
  gate_arguments arguments = {argc, argv, list, convert_help, NULL};
  const char *input = NULL, *output = NULL, *form = NULL;
  for (int answer; (answer = gate_next_option(&arguments)) != GATE_END;) {
    switch (answer) {
      case 'h': return gate_show_help(&arguments);
      case 't': form = arguments.value; break;
      case 'o': output = arguments.value; break;
      case GATE_POSITIONAL:
        if (input) return gate_usage_error(&arguments, GATE_UNKNOWN, false);
        input = arguments.value;
        break;
      default: return gate_usage_error(&arguments, answer, false);
    }
  }
  if (!form || !input) return gate_usage_wrong(&arguments, "--to FORM and INPUT are needed", false);
  for (const gate_writer *writer = gate_writers; writer->name; writer++)
    if (strcmp(writer->name, form) == 0) return convert(arena, input, output, writer);
  return gate_usage_wrong(&arguments, gate_format(arena, "unknown form: %s", form), false);
}

/* ---- validate ---- */

static const char validate_help[] =
    "usage: accel-gate validate FILE...\n\n"
    "Reads every FILE (or folder) strictly and tells its form, or all that is wrong in it.\n";

static bool validate(gate_arena *arena, const char *path)
{
  gate_problems problems = {.arena = arena};
  const gate_set *set = gate_read(arena, path, (gate_read_options){0}, &problems);
  if (set && problems.count == 0 && set->count == 0)
    gate_wrong(&problems, path, "%s holds no benchmark", path);
  if (problems.count == 0)
    printf("OK %s (%s, %s)\n", path, gate_form_name(set->form),
           gate_some(arena, set->count, "bench", "benches"));
  fflush(stdout);
  gate_print_problems(&problems);
  return problems.count == 0;
}

gate_exit gate_command_validate(gate_arena *arena, int argc, char **argv)
{
  static const struct option list[] = {{"help", no_argument, NULL, 'h'}, {0}};
  gate_arguments arguments = {argc, argv, list, validate_help, NULL};
  bool is_valid = true;
  size_t files = 0;
  for (int answer; (answer = gate_next_option(&arguments)) != GATE_END;) {
    if (answer == 'h') return gate_show_help(&arguments);
    if (answer != GATE_POSITIONAL) return gate_usage_error(&arguments, answer, false);
    is_valid = validate(arena, arguments.value) && is_valid;
    files++;
  }
  if (files == 0) return gate_usage_wrong(&arguments, "name at least one FILE", false);
  return is_valid ? GATE_EXIT_OK : GATE_EXIT_INPUT;
}

/* ---- targets ---- */

static const char targets_help[] =
    "usage: accel-gate targets [--from FILE | --criterion-dir DIR] [--targets FILE] [--md FILE]\n\n"
    "The table of absolute targets: each bench's time against what it should and what it may\n"
    "take. Targets stand in the results, or in FILE: {\"ID\": {\"target\": NS, \"acceptable\": "
    "NS}}.\n"
    "Exit 1 if one takes longer than is acceptable, 3 if there is no target at all.\n";

static void read_targets(gate_set *set, const char *path, gate_problems *problems)
{
  char *text;
  size_t length;
  gate_json json;
  if (!gate_file_read(set->arena, path, &text, &length, problems) ||
      !gate_json_open(&json, path, text, length, problems))
    return;
  const char *id;
  json_t *object;
  json_object_foreach(json.root, id, object)
  {
    json.where = id;
    const double target = gate_json_number(&json, object, "target", GATE_POSITIVE);
    const double acceptable = gate_json_number(&json, object, "acceptable", GATE_POSITIVE);
    bool is_known = false;
    if (isnan(target) || acceptable < target)
      gate_json_wrong(&json, "needs a target, and an acceptable time not below it");
    for (size_t i = 0; i < set->count; i++) {
      if (!gate_ids_equal(set->benches[i].id, id)) continue;
      set->benches[i].target = target;
      set->benches[i].acceptable = isnan(acceptable) ? target : acceptable;
      is_known = true;
    }
    if (!is_known) gate_json_wrong(&json, "has a target but no result");
  }
  gate_json_release(&json);
}

/* Rows into `out`; counts those with a target, and those that miss it by too much. */
static void add_targets(gate_text *out, const gate_set *set, size_t *count_out, size_t *missed_out)
{
  gate_arena *arena = out->arena;
  gate_text_add(out, "| Benchmark | Target | Acceptable | Current | Status |\n"
                     "|-----------|--------|------------|---------|--------|\n");
  for (size_t i = 0; i < set->count; i++) {
    const gate_bench *bench = &set->benches[i];
    const gate_metric *time = gate_bench_find(bench, "time");
    if (isnan(bench->target) || !time) continue;
    const double now = gate_metric_main(time);
    const double acceptable = isnan(bench->acceptable) ? bench->target : bench->acceptable;
    const char *status = "\xE2\x9C\x85 met";
    if (now > bench->target) status = "\xF0\x9F\x9F\xA1 acceptable";
    if (now > acceptable) status = "\xF0\x9F\x94\xB4 missed";
    *count_out += 1;
    *missed_out += now > acceptable;
    gate_text_printf(out, "| %s | < %s | < %s | %s | %s |\n", bench->full_id,
                     gate_quantity(arena, bench->target, "ns"),
                     gate_quantity(arena, acceptable, "ns"), gate_quantity(arena, now, "ns"),
                     status);
  }
}

static gate_exit show_targets(gate_arena *arena, const char *from, const char *targets,
                              const char *markdown)
{
  gate_problems problems = {.arena = arena};
  gate_text out = {.arena = arena};
  size_t count = 0, missed = 0;
  gate_set *set = gate_read(arena, from, (gate_read_options){0}, &problems);
  if (set && targets) read_targets(set, targets, &problems);
  if (set) add_targets(&out, set, &count, &missed);
  if (count > 0)
    gate_print(&out);
  else if (problems.count == 0)
    gate_wrong(&problems, from, "no bench of %s has a target", from);
  if (markdown) (void)gate_file_write(arena, markdown, gate_text_c(&out), out.length, &problems);
  gate_print_problems(&problems);
  if (problems.count > 0) return GATE_EXIT_INPUT;
  return missed > 0 ? GATE_EXIT_REGRESSION : GATE_EXIT_OK;
}

gate_exit gate_command_targets(gate_arena *arena, int argc, char **argv)
{
  static const struct option list[] = {
      {"from", required_argument, NULL, 'd'},    {"criterion-dir", required_argument, NULL, 'd'},
      {"targets", required_argument, NULL, 't'}, {"md", required_argument, NULL, 'm'},
      {"help", no_argument, NULL, 'h'},          {0}};
  gate_arguments arguments = {argc, argv, list, targets_help, NULL};
  const char *from = gate_criterion_folder(arena), *targets = NULL, *markdown = NULL;
  for (int answer; (answer = gate_next_option(&arguments)) != GATE_END;) {
    switch (answer) {
      case 'h': return gate_show_help(&arguments);
      case 'd': from = arguments.value; break;
      case 't': targets = arguments.value; break;
      case 'm': markdown = arguments.value; break;
      default:
        return gate_usage_error(&arguments, answer == GATE_POSITIONAL ? GATE_UNKNOWN : answer,
                                false);
    }
  }
  return show_targets(arena, from, targets, markdown);
}

/* ---- fingerprint ---- */

static const char fingerprint_help[] =
    "usage: accel-gate fingerprint [--json] [--advice]\n\n"
    "What of this machine matters to speed. --advice tells what to mend before measuring.\n";

gate_exit gate_command_fingerprint(gate_arena *arena, int argc, char **argv)
{
  static const struct option list[] = {{"json", no_argument, NULL, 'j'},
                                       {"advice", no_argument, NULL, 'a'},
                                       {"help", no_argument, NULL, 'h'},
                                       {0}};
  gate_arguments arguments = {argc, argv, list, fingerprint_help, NULL};
  bool is_json = false, is_advice = false;
  for (int answer; (answer = gate_next_option(&arguments)) != GATE_END;) {
    switch (answer) {
      case 'h': return gate_show_help(&arguments);
      case 'j': is_json = true; break;
      case 'a': is_advice = true; break;
      default:
        return gate_usage_error(&arguments, answer == GATE_POSITIONAL ? GATE_UNKNOWN : answer,
                                false);
    }
  }
  gate_pairs machine = {0};
  gate_text out = {.arena = arena};
  gate_fingerprint(arena, &machine);
  if (is_json) gate_add_json(&out, gate_pairs_json(&machine), true);
  for (size_t i = 0; !is_json && i < machine.count; i++)
    gate_text_printf(&out, "%-15s %s\n", machine.items[i].key, machine.items[i].value);
  gate_print(&out);
  if (is_advice) host_print_checklist(stdout);
  return GATE_EXIT_OK;
}
