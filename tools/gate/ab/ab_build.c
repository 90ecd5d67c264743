#include "ab.h"

#include <stdio.h>
#include <string.h>

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
