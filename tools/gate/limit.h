/* What is allowed: how much worse a figure may get before it warns and before it fails, which
 * benches are judged, and how strict the rest is. Profiles are named sets of rules;
 * a config file and options change them. */
#ifndef ACCEL_GATE_LIMIT_H
#define ACCEL_GATE_LIMIT_H

#include "json.h"
#include "record.h"

#include <math.h>

/* Ratios by which a figure may get worse: 0.2 is 20 %. INFINITY: never. */
typedef struct gate_limit {
  const char *key;   /* mean median p95 p99 of the time, or a metric's name */
  const char *match; /* glob over ids; NULL: all */
  double warn;
  double fail;
  const char *origin; /* what the user wrote; NULL: of a profile */
  bool is_used;       /* it limited some figure that was compared */
} gate_limit;

typedef struct gate_waiver {
  const char *match;
  const char *reason;
  const char *until; /* 2026-12-31, the last day on which it holds */
  const char *text; /* GLOB=REASON as it was written: both may hold "=", so that only ids tell where
                        the glob ends; NULL once that is known */
  bool is_used;
} gate_waiver;

typedef enum gate_policy { GATE_POLICY_PASS, GATE_POLICY_WARN, GATE_POLICY_FAIL } gate_policy;

typedef struct gate_limits {
  const char *profile, *config; /* config: its path, or NULL */
  gate_limit *items;            /* the last that fits decides */
  size_t count, capacity;
  gate_waiver *waivers;
  size_t waiver_count, waiver_capacity;
  gate_pairs only;             /* glob -> "" until it matched an id, then "used" */
  double improvement;          /* this much better counts as improved */
  double noise_min;            /* effects below are never told apart from noise */
  bool may_fail_on_single_run; /* as the compat tools do */
  gate_policy missing;
  gate_policy inconclusive;
  bool is_warning_error;
  bool needs_same_machine;
  const char *today; /* 2026-11-21 */
} gate_limits;

/* "default", "seed000", "seed003", "seed004"; false for any other name. */
bool gate_limits_profile(const char *name, gate_limits *out);

/* A bare ratio, 0.15, limits the mean alone and may fail on single runs.
 * Returns NULL, or what is wrong as the compat checker says it. */
const char *gate_limits_ratio(gate_limits *limits, const char *text);
/* metric=warn:fail, or metric=fail; "-" for a part that never applies. NULL, or what is wrong. */
const char *gate_limits_set(gate_limits *limits, const char *text);
/* GLOB=REASON@2026-12-31. NULL, or what is wrong. */
const char *gate_limits_ignore(gate_limits *limits, const char *text);
/* What an opened config file says. */
void gate_limits_configure(gate_limits *limits, const char *path, const gate_json *config,
                           gate_problems *problems);

/* Decides by the ids of both sets where the globs of waivers end. */
void gate_limits_bind(gate_limits *limits, const gate_set *base, const gate_set *now);
/* Adds what the user asked for and what was not there: its text -> a sentence. */
void gate_limits_unused(const gate_limits *limits, gate_pairs *out);

/* Whether there is a limit at all. */
static inline bool gate_is_limited(double warn, double fail)
{
  return warn < INFINITY || fail < INFINITY;
}
/* The limit of a figure; both INFINITY if it is only reported. */
gate_limit gate_limits_find(gate_limits *limits, const char *id, const char *key);
bool gate_limits_judges(gate_limits *limits, const char *id);
/* The waiver of this bench, be it expired or not; NULL if there is none. */
const gate_waiver *gate_limits_waiver(gate_limits *limits, const char *id);

#endif
