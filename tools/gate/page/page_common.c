/* What the parts of the page share. */
#include "page.h"

#include <string.h>

const gate_numbers *page_shape_of(const gate_metric *metric)
{
  static const gate_numbers none;
  if (!metric) return &none;
  return metric->samples.count >= 3 ? &metric->samples : &metric->rounds;
}

const char *page_commit_address(const page *self, const char *commit)
{
  const bool is_hash = commit && strlen(commit) >= 7 && strspn(commit, "0123456789abcdef") >= 7;
  return self->commits && is_hash ? gate_format("%s%s", self->commits, commit) : NULL;
}
