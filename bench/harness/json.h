/* json.h: what jansson lacks: text with the shortest numbers that read back the same.
 *
 * Values are made by json_pack, whose format omits what is NULL behind "s:o*" and "s:s*". A failure
 * to allocate makes the whole NULL, which json_text passes on: nobody needs to look earlier. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A number; null if it is not finite, because JSON has no such numbers. */
json_t *json_figure(double number);
/* NULL, which a member may be left out by, if it is not finite. */
json_t *json_figure_or_none(double number);
json_t *json_figures(const double *numbers, size_t count);
/* A string; what is not UTF-8 is replaced by "?". */
json_t *json_words(const char *text);

/* The text of `value`, whose reference it takes; to be freed by the caller. Pretty: members on
 * lines of their own, lists of numbers on one. NULL: no memory. */
char *json_text(json_t *value, bool is_pretty);

/* "18.0", "0.1", "1e300", as Rust writes them; `number` is finite. */
#define JSON_DIGITS 64
void json_format(double number, char text[static JSON_DIGITS]);

#endif
