#include "ab.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 1024 };

typedef struct words {
  const char *items[WORDS_MAX]; /* ends with NULL */
  size_t count;
} words;

static void add_word(words *list, const char *word)
{
  if (list->count + 1 < WORDS_MAX) list->items[list->count++] = word;
}

static void add_words(words *list, const char *text)
{
  char *rest = NULL;
  for (char *word = strtok_r(arena_copy(text), " \t\n", &rest); word;
       word = strtok_r(NULL, " \t\n", &rest))
    add_word(list, word);
}

/* CC FLAGS -I TREE -I bench SOURCE HARNESS -o PROGRAM: the same but for the tree. */
static bool compile_command(ab_run *run, words *list, const char *source, const char *tree,
                            const char *program)
{
  const ab_options *options = run->options;
  const char *harness = arena_format("%s/bench/harness/*.c", options->tree);
  glob_t found;
  if (glob(harness, 0, NULL, &found) != 0)
    return gate_wrong(run->problems, "there is no bench harness: %s", harness);
  add_words(list, options->compiler);
  add_words(list, "-std=gnu11 -w");
  add_words(list, options->flags);
  add_word(list, arena_format("-DBENCH_FLAGS=\"%s\"", options->flags));
  add_word(list, arena_format("-I%s", tree));
  add_word(list, arena_format("-I%s/bench", options->tree));
  add_word(list, source);
  for (size_t i = 0; i < found.gl_pathc; i++) add_word(list, arena_copy(found.gl_pathv[i]));
  globfree(&found);
  add_word(list, "-o");
  add_word(list, program);
  add_words(list, "-pthread -ljansson -lm");
  return list->count + 1 < WORDS_MAX ||
         gate_wrong(run->problems, "the compiler's command is too long: %s", options->flags);
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
    words command = {0};
    run->programs[side] = arena_format("%s/bench_%s", run->folder, sides[side]);
    if (!compile_command(run, &command, source, trees[side], run->programs[side]) ||
        !gate_child_start(&compilers[side], command.items, true, run->problems))
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
