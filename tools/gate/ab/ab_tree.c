#include "ab.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is to be removed when the program exits, by whatever way. */
static char *made_folder;

void ab_tree_remove(void)
{
  char remove[] = "rm", recursively[] = "-rf", rest[] = "--";
  char *const argv[] = {remove, recursively, rest, made_folder, NULL};
  pid_t id;
  if (made_folder && posix_spawnp(&id, argv[0], NULL, NULL, argv, environ) == 0)
    while (waitpid(id, NULL, 0) < 0 && errno == EINTR) continue;
  made_folder = NULL;
}

static bool make_folder(ab_run *run)
{
  const char *parent = getenv("TMPDIR");
  if (!parent || *parent == '\0') parent = "/tmp";
  made_folder = mkdtemp(arena_format("%s/accel-gate-XXXXXX", parent));
  atexit(ab_tree_remove);
  run->folder = made_folder;
  return made_folder || gate_wrong(run->problems, "cannot make a temporary folder in %s: %s",
                                   parent, strerror(errno));
}

/* The first line of what git says; NULL if it fails. `argument` is "$1" in the command. */
static const char *ask_git(ab_run *run, const char *command, const char *argument)
{
  gate_problems ignored = {0};
  const char *whole = arena_format("git -C \"$0\" %s", command), *output;
  const char *const words[] = {"sh", "-c", whole, run->options->tree, argument, NULL};
  if (gate_run(words, &output, &ignored) != 0) return NULL;
  return arena_copy_bytes(output, strcspn(output, "\n"));
}

/* The base's files in the temporary folder: git keeps no note of them, as of a worktree. */
static gate_exit take_commit(ab_run *run)
{
  const char *tree = run->options->tree, *output;
  const char *commit = ask_git(run, "rev-parse --verify --quiet --end-of-options \"$1^{commit}\"",
                               run->options->base);
  if (!commit) {
    gate_wrong(
        run->problems,
        "cannot resolve base %s in %s; git fetch origin %s, or git fetch --unshallow if this "
        "clone is shallow, or name a folder with --base-dir",
        run->options->base, tree, run->options->base);
    return GATE_EXIT_USAGE;
  }
  const char *const take[] = {"sh", "-c",   "git -C \"$0\" archive \"$1\" | tar -x -C \"$2\"",
                              tree, commit, run->folder,
                              NULL};
  run->base_tree = run->folder;
  run->commits[AB_BASE] = commit;
  run->base_name = arena_format("%s (%.12s)", run->options->base, commit);
  if (gate_run(take, &output, run->problems) == 0) return GATE_EXIT_OK;
  gate_wrong(run->problems, "git archive failed: %s", output);
  return GATE_EXIT_INPUT;
}

/* The current tree's commit, and whether it holds more than that. */
static void name_now(ab_run *run)
{
  const char *tree = run->options->tree, *commit = ask_git(run, "rev-parse HEAD", NULL);
  run->now_name = tree;
  if (!commit) return;
  const char *changes = ask_git(run, "status --porcelain -uno", NULL);
  const bool is_clean = changes && *changes == '\0';
  run->commits[AB_NOW] = is_clean ? commit : arena_format("%s with changes not committed", commit);
  run->now_name =
      arena_format("%s (%.12s%s)", tree, commit, is_clean ? "" : ", with changes not committed");
}

gate_exit ab_tree_open(ab_run *run)
{
  const ab_options *options = run->options;
  run->base_name = options->base ? options->base : "the base";
  name_now(run);
  if (!make_folder(run)) return GATE_EXIT_INPUT;
  if (options->is_self) {
    run->base_tree = options->tree;
    run->base_name = "the current tree itself";
    return GATE_EXIT_OK;
  }
  if (!options->base_tree) return take_commit(run);
  run->base_tree = run->base_name = options->base_tree;
  if (gate_exists(arena_format("%s/accel.h", options->base_tree))) return GATE_EXIT_OK;
  gate_wrong(run->problems, "there is no accel.h in %s", options->base_tree);
  return GATE_EXIT_USAGE;
}

/* ---- building the bench for each side ---- */

/* The same command for both sides, but for the tree whose headers it takes. A shell splits the
 * compiler and the flags into words, as make does. */
static bool start_compiler(ab_run *run, gate_child *child, const char *source, const char *tree,
                           const char *program)
{
  static const char command[] =
      "exec $0 -std=gnu11 -w $1 \"-DBENCH_FLAGS=\\\"$1\\\"\" \"-I$2\" \"-I$3/bench\" \"$4\" "
      "\"$3\"/bench/harness/*.c -o \"$5\" -pthread -ljansson -lm";
  const ab_options *options = run->options;
  const char *const words[] = {"sh", "-c",          command, options->compiler, options->flags,
                               tree, options->tree, source,  program,           NULL};
  return gate_child_start(child, words, true, run->problems);
}

/* Both sides at once: there are two processors nearly everywhere. */
bool ab_build(ab_run *run)
{
  static const char *const sides[AB_SIDES] = {"base", "now"};
  const ab_options *options = run->options;
  const char *trees[AB_SIDES] = {run->base_tree, options->tree};
  const char *source = options->source;
  if (!source) source = arena_format("%s/bench/cache_path_bench.c", options->tree);
  gate_child compilers[AB_SIDES];
  const int last = options->is_self ? AB_BASE : AB_NOW;
  printf("compiling %s against both trees\n", source);
  for (int side = 0; side <= last; side++) {
    run->programs[side] = arena_format("%s/bench_%s", run->folder, sides[side]);
    if (!start_compiler(run, &compilers[side], source, trees[side], run->programs[side]))
      return false;
  }
  bool is_built = true;
  for (int side = 0; side <= last; side++) {
    const char *output;
    if (gate_child_finish(&compilers[side], &output) == 0) continue;
    if (side == AB_NOW || options->is_self || gate_interrupted())
      is_built = gate_wrong(run->problems, "cannot compile %s: %s", source, output);
    run->programs[side] = NULL;
    run->why = arena_copy_bytes(output, strcspn(output, "\n"));
  }
  if (options->is_self) run->programs[AB_NOW] = run->programs[AB_BASE];
  return is_built;
}
