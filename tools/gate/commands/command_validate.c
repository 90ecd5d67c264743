/* validate: whether files hold what they should. */
#include "command.h"

#include "forms/forms.h"

#include <stdio.h>

static const char usage[] =
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
  if (!gate_parse(groups, usage, argc, argv, &operands, &code)) return code;
  for (int i = 1; i <= operands; i++) is_valid = validate(argv[i]) && is_valid;
  if (operands == 0) return gate_usage_wrong(argv, "name at least one FILE");
  return is_valid ? GATE_EXIT_OK : GATE_EXIT_INPUT;
}
