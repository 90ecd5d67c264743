/* arguments.h: command lines by a table, from which --help is printed too.
 *
 * Long options in both forms (--x v and --x=v), never abbreviated, -h for --help; the last repeat
 * wins. Operands keep their order. Everything behind "--" is an operand. Not getopt_long's, which
 * takes abbreviations and does not tell which word was wrong. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct argument argument;

/* Takes a value (NULL for a flag) into a field. NULL, or what is wrong. */
typedef const char *argument_take(const argument *self, void *field, const char *value);

struct argument {
  const char *name;    /* without the dashes, one of a name of one letter */
  const char *value;   /* what the value is, as --help names it; NULL: a flag */
  const char *meaning; /* lines for --help; NULL: the option is not shown */
  argument_take *take;
  size_t offset;      /* of the field in the group's `to` */
  double least, most; /* of numbers */
};

typedef struct argument_group {
  const argument *items; /* ends with a NULL name; NULL items end the groups */
  void *to;
} argument_group;

typedef enum arguments_outcome {
  ARGUMENTS_TAKEN,
  ARGUMENTS_HELP,
  ARGUMENTS_WRONG
} arguments_outcome;

/* words[0] is the command. Operands are moved to words[1] and on; *operands_out says how many there
 * are. *wrong_out is a sentence if something is. -h acts where it stands. */
arguments_outcome arguments_parse(const argument_group *groups, int count, char **words,
                                  int *operands_out, const char **wrong_out);
void arguments_help(FILE *to, const argument_group *groups);

/* Fields: const char * (NULL from a flag), bool, size_t, double. `value` of a choice is "a|b|c";
 * its field is an int, from 0. */
argument_take arguments_text, arguments_flag, arguments_whole, arguments_number, arguments_choice;

/* Rows of a table whose group's `to` is an ARGUMENTS_OF, which a file defines above its table. */
#define ARGUMENT(name_, value_, meaning_, take_, offset_, least_, most_) \
  { \
    name_, value_, meaning_, take_, offset_, least_, most_ \
  }
/* A value that `take_` checks: into the whole, or into a field. */
#define ARGUMENT_WITH_ALL(name_, value_, take_, meaning_) \
  ARGUMENT(name_, value_, meaning_, take_, 0, 0, 0)
#define ARGUMENT_OWN(name_, field_, value_, take_, meaning_) \
  ARGUMENT(name_, value_, meaning_, take_, offsetof(ARGUMENTS_OF, field_), 0, 0)
#define ARGUMENT_TEXT(name_, field_, value_, meaning_) \
  ARGUMENT_OWN(name_, field_, value_, arguments_text, meaning_)
#define ARGUMENT_FLAG(name_, field_, meaning_) \
  ARGUMENT_OWN(name_, field_, NULL, arguments_flag, meaning_)
#define ARGUMENT_CHOICE(name_, field_, value_, meaning_) \
  ARGUMENT_OWN(name_, field_, value_, arguments_choice, meaning_)
#define ARGUMENT_WHOLE(name_, field_, least_, most_, meaning_) \
  ARGUMENT(name_, "N", meaning_, arguments_whole, offsetof(ARGUMENTS_OF, field_), least_, most_)
#define ARGUMENT_NUMBER(name_, field_, least_, most_, value_, meaning_) \
  ARGUMENT(name_, value_, meaning_, arguments_number, offsetof(ARGUMENTS_OF, field_), least_, most_)

#endif
