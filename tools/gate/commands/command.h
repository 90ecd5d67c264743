/* commands/: the command line. main.c finds the subcommand, command_*.c are those, choices.c reads
 * their options, show_*.c and finish.c write what they found. A command gets its own name as
 * argv[0] and returns an exit code. */
#ifndef ACCEL_GATE_COMMAND_H
#define ACCEL_GATE_COMMAND_H

#include "show.h"

/* Writes a set as a baseline of our own form. */
bool gate_baseline_write(bench_arena *arena, const char *path, gate_set *set,
                         gate_problems *problems);

gate_exit gate_command_export(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_ab(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_check(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_convert(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_fingerprint(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_history(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_report(bench_arena *arena, int argc, char **argv);
gate_exit gate_command_validate(bench_arena *arena, int argc, char **argv);

#endif
