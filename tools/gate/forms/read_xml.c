/* Catch2's XML reporter: benchmarks within test cases, in nanoseconds. */
#include "forms.h"

#include <libxml/parser.h>
#include <math.h>
#include <string.h>

static const char *attribute(gate_arena *arena, xmlNode *node, const char *name)
{
  xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
  const char *copy = gate_copy_text(arena, (const char *)value);
  xmlFree(value);
  return copy ? copy : "";
}

static double number(gate_arena *arena, xmlNode *node, const char *name)
{
  double value;
  return gate_number_parse(attribute(arena, node, name), &value) ? value : NAN;
}

static bool is_named(const xmlNode *node, const char *name)
{
  return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static void read_results(gate_set *set, xmlNode *results, const char *test, gate_problems *problems)
{
  gate_arena *arena = set->arena;
  const char *id = gate_format(arena, "%s/%s", test, attribute(arena, results, "name"));
  double mean = NAN, low = NAN, high = NAN, deviation = NAN;
  if (gate_id_fault(id)) {
    gate_wrong(problems, set->path, "failed to parse %s: a name %s", set->path, gate_id_fault(id));
    return;
  }
  for (xmlNode *node = results->children; node; node = node->next) {
    if (is_named(node, "failed")) {
      gate_pairs_set(arena, &set->failed, id, attribute(arena, node, "message"));
      return;
    }
    if (is_named(node, "standardDeviation")) deviation = number(arena, node, "value");
    if (!is_named(node, "mean")) continue;
    mean = number(arena, node, "value");
    low = number(arena, node, "lowerBound");
    high = number(arena, node, "upperBound");
  }
  if (!(mean > 0) || !isfinite(mean)) {
    gate_wrong(problems, set->path, "failed to parse %s: %s has no mean above 0 (line %d)",
               set->path, id, (int)results->line);
    return;
  }
  gate_metric *time = gate_bench_add(set, gate_set_add(set, id), "time", "ns", GATE_LOWER);
  const double samples = number(arena, results, "samples");
  time->figures[GATE_MEAN] = mean;
  time->figures[GATE_LOW] = low <= mean ? low : NAN;
  time->figures[GATE_HIGH] = high >= mean ? high : NAN;
  time->figures[GATE_DEVIATION] = deviation;
  time->sample_count = samples >= 1 ? samples : 0;
}

static void walk(gate_set *set, xmlNode *node, const char *test, gate_problems *problems)
{
  for (; node; node = node->next) {
    if (is_named(node, "BenchmarkResults")) {
      read_results(set, node, test, problems);
    } else if (is_named(node, "OverallResult") && test[0] != '\0' && !gate_id_fault(test) &&
               strcmp(attribute(set->arena, node, "success"), "false") == 0) {
      gate_pairs_set(set->arena, &set->failed, test, "the test case failed");
    } else if (node->type == XML_ELEMENT_NODE) {
      const bool is_test = is_named(node, "TestCase");
      walk(set, node->children, is_test ? attribute(set->arena, node, "name") : test, problems);
    }
  }
}

static void be_quiet(void *ctx, const char *format, ...)
{
  (void)ctx;
  (void)format;
}

void gate_read_catch2(gate_set *set, const char *text, size_t length, gate_problems *problems)
{
  xmlSetGenericErrorFunc(NULL, be_quiet);
  /* Nothing from the network, no entities, and libxml2's own limit of depth. */
  xmlDoc *document = xmlReadMemory(text, (int)length, NULL, NULL,
                                   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  const xmlError *error = xmlGetLastError();
  if (document)
    walk(set, xmlDocGetRootElement(document), "", problems);
  else
    gate_wrong(problems, set->path, "failed to parse %s: %.*s at line %d", set->path,
               error ? (int)strcspn(error->message, "\n") : 0, error ? error->message : "",
               error ? error->line : 0);
  xmlFreeDoc(document);
  xmlCleanupParser();
}
