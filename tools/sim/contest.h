/* contest.h: who is compared, and what came of it: hits of every contender at every capacity. */
#ifndef SIM_CONTEST_H
#define SIM_CONTEST_H

#include "trace.h"

#include <stdio.h>

typedef struct sim_contender {
  const char *name; /* a word: in CSV, and on the command line */
  const char *title;
  bool is_engine; /* else a reference with one queue */
  bool (*run)(const sim_trace *trace, uint32_t capacity, uint64_t *hits);
} sim_contender;

#define SIM_CONTENDERS_MAX 16u
#define SIM_CAPACITIES_MAX 64u

extern const sim_contender sim_contenders[];
extern const unsigned sim_contender_count;

typedef struct sim_contest {
  const char *trace_name;
  size_t length;
  uint32_t distinct;
  uint32_t capacities[SIM_CAPACITIES_MAX];
  unsigned capacity_count;
  const sim_contender *contenders[SIM_CONTENDERS_MAX];
  unsigned contender_count;
  uint64_t hits[SIM_CAPACITIES_MAX][SIM_CONTENDERS_MAX];
} sim_contest;

/* Runs everybody at every capacity. Tells `progress`, if it is not NULL, what is being done. */
bool sim_contest_run(sim_contest *contest, const sim_trace *trace, FILE *progress,
                     sim_error *error);

/* In percent. */
double sim_contest_ratio(const sim_contest *contest, unsigned capacity, unsigned contender);

/* False: could not be written, errno says why. */
bool sim_report_table(const sim_contest *contest, FILE *to);
bool sim_report_csv(const sim_contest *contest, FILE *to);
/* A page of its own: the curves of misses as a picture, and the numbers. */
bool sim_report_html(const sim_contest *contest, FILE *to);

#endif
