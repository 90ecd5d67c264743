/* What the parts of the page share. */
#include "page.h"

gate_numbers page_thinned(bench_arena *arena, const gate_numbers *numbers, size_t most)
{
  if (numbers->count <= most) return *numbers;
  gate_numbers thinned = {0};
  for (size_t i = 0; i < most; i++)
    gate_numbers_add(arena, &thinned, numbers->values[i * numbers->count / most]);
  return thinned;
}

gate_numbers page_shape_of(const gate_metric *metric)
{
  if (!metric) return (gate_numbers){0};
  return metric->samples.count >= 3 ? metric->samples : metric->rounds;
}

void page_open_figure(const page *self, const char *title)
{
  gate_add_markup(self->out, "<figure>\n<figcaption>%s</figcaption>\n", title);
}

void page_close_figure(const page *self, const char *note)
{
  if (note) gate_add_markup(self->out, "<p class=\"muted small\">%s</p>\n", note);
  gate_text_add(self->out, "</figure>\n");
}
