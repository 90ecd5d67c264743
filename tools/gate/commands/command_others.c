/* convert, validate, fingerprint. */
#include "command.h"

#include "forms/forms.h"

#include <stdio.h>
#include <string.h>

/* ---- convert ---- */

static const char convert_usage[] =
    "usage: accel-gate convert --to FORM [--output FILE] INPUT\n\n"
    "INPUT is of any form that check reads. Without --output to stdout.\n";

typedef struct convert_options {
  const char *form, *output;
} convert_options;

static const argument convert_table[] = {
    {"to", "FORM", "google, gab-smaller, gab-bigger, bmf, go, bencher, 004, own or seed",
     arguments_text, offsetof(convert_options, form), 0, 0},
    {"output", "FILE", "where to", arguments_text, offsetof(convert_options, output), 0, 0},
    {0},
};

static gate_exit convert(const char *input, const char *output, const gate_writer *writer)
{
  gate_problems problems = {0};
  gate_text text = {0};
  gate_set *set = gate_read(input, (gate_read_options){0}, &problems);
  /* Half of the results would look like all of them. */
  if (set && problems.count == 0) {
    if (!writer->write(&text, set))
      gate_wrong(&problems, "%s has nothing that form %s can tell", input, writer->name);
    else if (output)
      (void)gate_file_write(output, &text, &problems);
    else
      gate_print(&text);
  }
  gate_print_problems(&problems);
  return problems.count > 0 ? GATE_EXIT_INPUT : GATE_EXIT_OK;
}

gate_exit gate_command_convert(int argc, char **argv)
{
  convert_options options = {NULL, NULL};
  const argument_group groups[] = {{convert_table, &options}, {0}};
  gate_exit code;
  int operands;
  if (!gate_parse(groups, convert_usage, argc, argv, &operands, &code)) return code;
  if (!options.form || operands != 1)
    return gate_usage_wrong(argv, "--to FORM and one INPUT are needed");
  for (const gate_writer *writer = gate_writers; writer->name; writer++)
    if (strcmp(writer->name, options.form) == 0) return convert(argv[1], options.output, writer);
  return gate_usage_wrong(argv, gate_format("unknown form: %s", options.form));
}

/* ---- validate ---- */

static const char validate_usage[] =
    "usage: accel-gate validate FILE...\n\n"
    "Reads every FILE (or folder) strictly and tells its form, or all that is wrong in it.\n";

static bool validate(const char *path)
{
  gate_problems problems = {0};
  const gate_set *set = gate_read(path, (gate_read_options){0}, &problems);
  if (set && problems.count == 0 && set->count == 0)
    gate_wrong(&problems, "%s holds no benchmark", path);
  if (problems.count == 0)
    printf("OK %s (%s, %s)\n", path, gate_form_names[set->form],
           gate_some(set->count, "bench", "benches"));
  fflush(stdout);
  gate_print_problems(&problems);
  return problems.count == 0;
}

gate_exit gate_command_validate(int argc, char **argv)
{
  static const argument none[] = {{0}};
  const argument_group groups[] = {{none, NULL}, {0}};
  gate_exit code;
  int operands;
  bool is_valid = true;
  if (!gate_parse(groups, validate_usage, argc, argv, &operands, &code)) return code;
  for (int i = 1; i <= operands; i++) is_valid = validate(argv[i]) && is_valid;
  if (operands == 0) return gate_usage_wrong(argv, "name at least one FILE");
  return is_valid ? GATE_EXIT_OK : GATE_EXIT_INPUT;
}

/* ---- fingerprint ---- */

static const argument fingerprint_table[] = {
    {"json", NULL, "as JSON", arguments_flag, 0, 0, 0},
    {0},
};

gate_exit gate_command_fingerprint(int argc, char **argv)
{
  bool is_json = false;
  const argument_group groups[] = {{fingerprint_table, &is_json}, {0}};
  gate_pairs machine = {0};
  gate_text out = {0};
  gate_exit code;
  int operands;
  if (!gate_parse(groups,
                  "usage: accel-gate fingerprint [--json]\n\n"
                  "What of this machine matters to speed.\n",
                  argc, argv, &operands, &code))
    return code;
  if (operands > 0) return gate_usage_wrong(argv, "fingerprint takes options only");
  gate_fingerprint(&machine);
  if (is_json) gate_add_json(&out, gate_pairs_json(&machine), true);
  for (size_t i = 0; !is_json && i < machine.count; i++)
    gate_text_printf(&out, "%-15s %s\n", machine.items[i].key, machine.items[i].value);
  gate_print(&out);
  return GATE_EXIT_OK;
}
