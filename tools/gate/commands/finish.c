/* Where a report goes: the terminal, and files. */
#include "command.h"

#include "page/page.h"

#include <stdio.h>

void gate_print(const gate_text *text)
{
  fputs(gate_text_c(text), stdout);
  fflush(stdout);
}

void gate_print_problems(const gate_problems *problems)
{
  for (size_t i = 0; i < problems->count; i++) fprintf(stderr, "error: %s\n", problems->texts[i]);
}

/* A history that cannot be read is told, and the page is written without; on a fresh clone there is
 * none yet. */
static void write_page(const gate_report *report, const gate_choices *choices,
                       gate_problems *problems, gate_problems *unwritten)
{
  gate_text text = {0};
  gate_history history = {0};
  if (choices->history && gate_exists(choices->history))
    history = gate_history_read(choices->history, problems);
  else if (choices->history)
    printf("no history yet: %s\n", choices->history);
  gate_show_page(&text, report, &history, problems->count > 0);
  (void)gate_file_write(choices->html, &text, unwritten);
}

static void write_files(const gate_report *report, const gate_choices *choices,
                        gate_problems *problems, gate_problems *unwritten)
{
  const bool has_problems = problems->count > 0;
  gate_text markdown = {0}, json = {0};
  gate_show_markdown(&markdown, report, has_problems);
  gate_show_json(&json, report, has_problems);
  if (choices->html) write_page(report, choices, problems, unwritten);
  if (choices->markdown) (void)gate_file_write(choices->markdown, &markdown, unwritten);
  if (choices->json) (void)gate_file_write(choices->json, &json, unwritten);
}

gate_exit gate_report_finish(gate_report *report, const gate_choices *choices,
                             gate_problems *problems)
{
  gate_text out = {0};
  gate_note_unused(report);
  gate_report_sort(report);
  gate_show_table(&out, report);
  gate_print(&out);
  gate_problems unwritten = {0};
  write_files(report, choices, problems, &unwritten);
  gate_print_problems(problems);
  gate_print_problems(&unwritten);
  const bool has_problems = problems->count + unwritten.count > 0;
  const gate_exit code = gate_report_exit(report, has_problems);
  printf("%s: %s\n", gate_report_word(report, has_problems),
         unwritten.count > 0 ? "a report could not be written"
                             : gate_report_sentence(report, has_problems));
  return code;
}
