/* observer_answer.c: the public functions that show an observation (layer 2). */
#include "observer.h"

#include "error.h"
#include "observer_output.h"
#include "observer_page.h"
#include "observer_state.h"

#include <string.h>

typedef void answer_show_fn(const accel_observation *observation, accel_observer_text *out);

/* Appends what is shown of this moment, or nothing. */
static accel_status answer_append(accel_observer *observer, answer_show_fn *show, accel_buffer *out,
                                  accel_health *health_out)
{
  if (observer == NULL || out == NULL)
    return accel_error_set(observer, ACCEL_ERR_CONFIG, "%s is NULL",
                           observer == NULL ? "observer" : "out");
  const size_t before = out->size;
  accel_observation observation;
  const bool has_hot_keys = show == accel_observer_show_json; /* no other output shows them */
  const accel_status status = has_hot_keys ? accel_observer_observe_all(observer, &observation)
                                           : accel_observer_observe(observer, &observation);
  if (status != ACCEL_OK) return status;
  accel_observer_text text = {out, false};
  show(&observation, &text);
  *health_out = observation.health;
  accel_observation_release(&observation);
  if (!text.has_failed) return ACCEL_OK;
  out->size = before;
  return accel_error_set(observer, ACCEL_ERR_NOMEM, "no memory to show the caches");
}

accel_status accel_observer_prometheus(accel_observer *observer, accel_buffer *out)
{
  accel_health health;
  return answer_append(observer, accel_observer_show_prometheus, out, &health);
}

accel_status accel_observer_json(accel_observer *observer, accel_buffer *out)
{
  accel_health health;
  return answer_append(observer, accel_observer_show_json, out, &health);
}

/* ---- requests ---- */

typedef struct answer_target {
  const char *path, *content_type;
  answer_show_fn *show;
} answer_target;

static const answer_target answer_targets[] = {
    {"/", "text/html; charset=utf-8", accel_observer_show_page},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", accel_observer_show_prometheus},
    {"/state.json", "application/json", accel_observer_show_json},
    {"/health", "application/json", accel_observer_show_health},
};

static const answer_target *answer_find(const char *target)
{
  const size_t size = strcspn(target, "?");
  for (size_t i = 0; i < sizeof answer_targets / sizeof answer_targets[0]; i++) {
    const char *path = answer_targets[i].path;
    if (strlen(path) == size && memcmp(path, target, size) == 0) return &answer_targets[i];
  }
  return NULL;
}

static void answer_say(accel_answer *out, int status, const char *sentence)
{
  out->status = status;
  out->content_type = "text/plain; charset=utf-8";
  accel_buffer_append(&out->body, sentence, strlen(sentence)); /* or nothing is said */
}

static void answer_get(accel_observer *observer, const answer_target *found, accel_answer *out)
{
  accel_health health = ACCEL_HEALTH_OK;
  const accel_status status = answer_append(observer, found->show, &out->body, &health);
  if (status != ACCEL_OK) {
    accel_answer_release(out);
    answer_say(out, 503,
               status == ACCEL_ERR_NOMEM ? "no memory to answer\n" : "the observer is not open\n");
    return;
  }
  out->content_type = found->content_type;
  const bool is_failed = found->show == accel_observer_show_health && health == ACCEL_HEALTH_FAILED;
  out->status = is_failed ? 503 : 200;
}

bool accel_observer_answer(accel_observer *observer, const char *method, const char *target,
                           accel_answer *out)
{
  if (out == NULL) return false;
  memset(out, 0, sizeof *out);
  const answer_target *found = method == NULL || target == NULL ? NULL : answer_find(target);
  if (found == NULL) return false;
  const bool is_head = strcmp(method, "HEAD") == 0;
  if (is_head || strcmp(method, "GET") == 0)
    answer_get(observer, found, out);
  else
    answer_say(out, 405, "the methods are GET and HEAD\n");
  if (is_head) accel_buffer_release(&out->body);
  return true;
}

void accel_answer_release(accel_answer *answer)
{
  if (answer == NULL) return;
  accel_buffer_release(&answer->body);
  memset(answer, 0, sizeof *answer);
}
