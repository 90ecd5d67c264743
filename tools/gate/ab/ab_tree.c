#include "ab.h"

#include "file.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is to be removed when the program exits, by whatever way. */
static char made_folder[PATH_MAX];
static char made_worktree[PATH_MAX];
static char repository[PATH_MAX];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
  (void)status;
  (void)kind;
  (void)place;
  (void)remove(path);
  return 0;
}

void ab_tree_remove(void)
{
  enum { OPEN_FOLDERS = 16 };
  bench_arena arena = {0};
  gate_problems problems = {.arena = &arena};
  const char *output;
  gate_children_end();
  if (made_folder[0] != '\0') nftw(made_folder, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
  if (made_worktree[0] != '\0') {
    /* The folder is gone; git's note of it goes too. */
    const char *const argv[] = {"git", "-C", repository, "worktree", "prune", NULL};
    (void)gate_run(&arena, argv, &output, &problems);
  }
  made_folder[0] = made_worktree[0] = '\0';
  arena_release(&arena);
}

static bool make_folder(ab_run *run)
{
  const char *parent = getenv("TMPDIR");
  if (!parent || *parent == '\0') parent = "/tmp";
  if ((size_t)snprintf(made_folder, sizeof made_folder, "%s/accel-gate-XXXXXX", parent) >=
          sizeof made_folder ||
      !mkdtemp(made_folder)) {
    made_folder[0] = '\0';
    return gate_wrong(run->problems, parent, "cannot make a temporary folder in %s: %s", parent,
                      strerror(errno));
  }
  atexit(ab_tree_remove);
  run->folder = arena_copy(run->arena, made_folder);
  return true;
}

/* The first line of what git says; NULL if it fails. */
static const char *ask_git(ab_run *run, const char *const *argv)
{
  gate_problems ignored = {.arena = run->arena};
  const char *output;
  if (gate_run(run->arena, argv, &output, &ignored) != 0) return NULL;
  return arena_copy_bytes(run->arena, output, strcspn(output, "\n"));
}

/* Which git command makes the base known. */
static gate_exit cannot_resolve(ab_run *run, char *tree)
{
  const char *base = run->options->base;
  const char *const shallow[] = {"git", "-C", tree, "rev-parse", "--is-shallow-repository", NULL};
  const char *answer = ask_git(run, shallow);
  if (!answer) {
    gate_wrong(run->problems, tree,
               "cannot resolve base %s: %s is not in a git repository; git clone it, or name a "
               "folder with --base-dir",
               base, tree);
  } else if (strcmp(answer, "true") == 0) {
    gate_wrong(run->problems, tree,
               "cannot resolve base %s: this clone is shallow; git fetch --unshallow origin", base);
  } else {
    gate_wrong(run->problems, tree, "cannot resolve base %s; git fetch origin %s", base, base);
  }
  return GATE_EXIT_USAGE;
}

static gate_exit add_worktree(ab_run *run)
{
  bench_arena *arena = run->arena;
  char *tree = arena_copy(arena, run->options->tree);
  char *wanted = arena_format(arena, "%s^{commit}", run->options->base);
  const char *const resolve[] = {
      "git", "-C", tree, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, NULL};
  char *commit = arena_copy(arena, ask_git(run, resolve));
  if (!commit) return cannot_resolve(run, tree);
  char *folder = arena_format(arena, "%s/tree", run->folder);
  const char *const add[] = {"git",  "-c",       "advice.detachedHead=false",
                             "-C",   tree,       "worktree",
                             "add",  "--detach", "--quiet",
                             folder, commit,     NULL};
  const char *output;
  snprintf(made_worktree, sizeof made_worktree, "%s", folder);
  if (!realpath(tree, repository)) snprintf(repository, sizeof repository, "%s", tree);
  if (gate_run(arena, add, &output, run->problems) != 0) {
    gate_wrong(run->problems, tree, "git worktree add failed: %s", output);
    return GATE_EXIT_INPUT;
  }
  run->base_tree = folder;
  run->commits[AB_BASE] = commit;
  run->base_name = arena_format(arena, "%s (%.12s)", run->options->base, commit);
  return GATE_EXIT_OK;
}

/* The current tree's commit, and whether it holds more than that. */
static void name_now(ab_run *run)
{
  const char *program = run->options->programs[AB_NOW];
  char *tree = arena_copy(run->arena, run->options->tree);
  const char *const head[] = {"git", "-C", tree, "rev-parse", "HEAD", NULL};
  const char *const status[] = {"git", "-C", tree, "status", "--porcelain", "-uno", NULL};
  const char *commit = program ? NULL : ask_git(run, head);
  run->now_name = program ? program : tree;
  if (!commit) return;
  const char *changes = ask_git(run, status);
  const bool is_clean = changes && *changes == '\0';
  run->commits[AB_NOW] =
      is_clean ? commit : arena_format(run->arena, "%s with changes not committed", commit);
  run->now_name = arena_format(run->arena, "%s (%.12s%s)", tree, commit,
                               is_clean ? "" : ", with changes not committed");
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
  if (options->programs[AB_BASE]) {
    run->base_name = options->programs[AB_BASE];
    return GATE_EXIT_OK;
  }
  if (!options->base_tree) return add_worktree(run);
  run->base_tree = run->base_name = options->base_tree;
  if (gate_exists(arena_format(run->arena, "%s/accel.h", options->base_tree))) return GATE_EXIT_OK;
  gate_wrong(run->problems, options->base_tree, "there is no accel.h in %s", options->base_tree);
  return GATE_EXIT_USAGE;
}
