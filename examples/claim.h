/* claim.h: what an example says about itself, checked as it is said. */
#ifndef EXAMPLES_CLAIM_H
#define EXAMPLES_CLAIM_H

#include <stdbool.h>
#include <stdio.h>

static bool all_claims_hold = true;

/* Prints the sentence and whether it is so. Threads: one. */
static inline void claim(bool holds, const char *sentence)
{
  printf("%s %s\n", holds ? "   yes:" : "NOT SO:", sentence);
  all_claims_hold = all_claims_hold && holds;
}

#endif
