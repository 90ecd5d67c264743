#include "contest.h"

#include <string.h>

bool sim_report_table(const sim_contest *contest, FILE *to)
{
  fprintf(to, "%s: %zu requests of %u keys; hits in percent\n\n%10s", contest->trace_name,
          contest->length, contest->distinct, "capacity");
  for (unsigned j = 0; j < contest->contender_count; j++)
    fprintf(to, "  %s", contest->contenders[j]->title);
  fputc('\n', to);
  for (unsigned i = 0; i < contest->capacity_count; i++) {
    fprintf(to, "%10u", contest->capacities[i]);
    for (unsigned j = 0; j < contest->contender_count; j++)
      fprintf(to, "  %*.2f", (int)strlen(contest->contenders[j]->title),
              sim_contest_ratio(contest, i, j));
    fputc('\n', to);
  }
  return fflush(to) == 0 && !ferror(to);
}

bool sim_report_csv(const sim_contest *contest, FILE *to)
{
  fputs("capacity,policy,kind,requests,hits,miss_ratio\n", to);
  for (unsigned i = 0; i < contest->capacity_count; i++)
    for (unsigned j = 0; j < contest->contender_count; j++)
      fprintf(to, "%u,%s,%s,%zu,%llu,%.6f\n", contest->capacities[i], contest->contenders[j]->name,
              contest->contenders[j]->is_engine ? "engine" : "reference", contest->length,
              (unsigned long long)contest->hits[i][j],
              1.0 - sim_contest_ratio(contest, i, j) / 100.0);
  return fflush(to) == 0 && !ferror(to);
}
