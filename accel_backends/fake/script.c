/* script.c: what was ordered to go wrong, and what was asked of the fake.
 *
 * A call passes two points, before and after the server's work. At each it may wait, be delayed
 * and fail, in this order, and always within its deadline.
 */
#include "state.h"

#include <stdlib.h>
#include <string.h>

static const char *const fake_op_names[ACCEL_FAKE_OPS] = {"get", "lease", "fill",
                                                          "put", "del",   "clear"};

static bool fake_script_is_over(const struct accel_fake_state *state, const accel_remote_call *call)
{
  return state->script.is_stopped || accel_clock_monotonic_ms() >= call->deadline_ms;
}

static void fake_script_wait(struct accel_fake_state *state, fake_rule *rule,
                             const accel_remote_call *call)
{
  if (!rule->is_blocked) return;
  const uint64_t round = rule->round;
  rule->waiting++;
  accel_condition_broadcast(&state->changed);
  while (rule->round == round && rule->passes == 0 && !fake_script_is_over(state, call))
    accel_condition_wait(&state->changed, &state->mutex, call->deadline_ms);
  if (rule->round != round) return;
  rule->waiting--;
  if (rule->passes > 0) rule->passes--;
}

static void fake_script_delay(struct accel_fake_state *state, const fake_rule *rule,
                              const accel_remote_call *call)
{
  if (rule->delay_ms == 0) return;
  const uint64_t end_ms = accel_clock_monotonic_ms() + rule->delay_ms;
  const uint64_t until_ms = end_ms < call->deadline_ms ? end_ms : call->deadline_ms;
  while (accel_clock_monotonic_ms() < until_ms && !fake_script_is_over(state, call))
    accel_condition_wait(&state->changed, &state->mutex, until_ms);
}

/* Takes one off what was ordered. */
static bool fake_script_is_due(uint32_t *times)
{
  if (*times == 0) return false;
  if (*times != ACCEL_FAKE_ALWAYS) --*times;
  return true;
}

accel_status accel_fake_script_pass(struct accel_fake_state *state, accel_fake_op op,
                                    accel_fake_point point, accel_remote_call *call)
{
  fake_rule *rule = &state->script.rules[op][point];
  const char *name = fake_op_names[op];
  fake_script_wait(state, rule, call);
  fake_script_delay(state, rule, call);
  if (state->script.is_stopped)
    return accel_fake_error(call, ACCEL_ERR_BACKEND, "fake: %s: the server is stopped", name);
  if (fake_script_is_over(state, call))
    return accel_fake_error(call, ACCEL_ERR_TIMEOUT, "fake: %s: the deadline passed", name);
  if (fake_script_is_due(&rule->fail_times))
    return accel_fake_error(call, rule->fail_status, "fake: %s: failed as ordered", name);
  return ACCEL_OK;
}

accel_status accel_fake_script_item(struct accel_fake_state *state, accel_fake_op op,
                                    const accel_remote_item *item)
{
  fake_key_rule *rule = &state->script.key_rules[op];
  if (rule->key == NULL || strlen(rule->key) != item->key_size) return ACCEL_OK;
  if (memcmp(rule->key, item->key, item->key_size) != 0) return ACCEL_OK;
  return fake_script_is_due(&rule->times) ? rule->status : ACCEL_OK;
}

void accel_fake_script_release(fake_script *script)
{
  for (size_t op = 0; op < ACCEL_FAKE_OPS; op++) ACCEL_FREE(script->key_rules[op].key);
}

/* ---- orders ---- */

void accel_fake_fail(accel_fake *fake, accel_fake_op op, accel_fake_point point,
                     accel_status status, uint32_t times)
{
  accel_mutex_lock(&fake->state->mutex);
  fake_rule *rule = &fake->state->script.rules[op][point];
  rule->fail_status = status;
  rule->fail_times = times;
  accel_mutex_unlock(&fake->state->mutex);
}

bool accel_fake_fail_key(accel_fake *fake, accel_fake_op op, const char *key, accel_status status,
                         uint32_t times)
{
  const size_t size = strlen(key) + 1;
  char *copy = (char *)ACCEL_MALLOC(size);
  if (copy == NULL) return false;
  memcpy(copy, key, size);
  accel_mutex_lock(&fake->state->mutex);
  fake_key_rule *rule = &fake->state->script.key_rules[op];
  ACCEL_FREE(rule->key);
  rule->key = copy;
  rule->status = status;
  rule->times = times;
  accel_mutex_unlock(&fake->state->mutex);
  return true;
}

void accel_fake_delay(accel_fake *fake, accel_fake_op op, accel_fake_point point, uint32_t ms)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->script.rules[op][point].delay_ms = ms;
  accel_mutex_unlock(&fake->state->mutex);
}

void accel_fake_stop(accel_fake *fake, bool keeps_data)
{
  struct accel_fake_state *state = fake->state;
  accel_mutex_lock(&state->mutex);
  if (!state->script.is_stopped) accel_fake_bus_report(state, false);
  state->script.is_stopped = true;
  accel_fake_bus_break(state);
  if (!keeps_data) accel_fake_store_remove_prefix(&state->store, "", 0);
  accel_condition_broadcast(&state->changed);
  accel_mutex_unlock(&state->mutex);
  accel_fake_bus_pump(state);
}

void accel_fake_start(accel_fake *fake)
{
  accel_mutex_lock(&fake->state->mutex);
  if (fake->state->script.is_stopped) accel_fake_bus_report(fake->state, true);
  fake->state->script.is_stopped = false;
  accel_mutex_unlock(&fake->state->mutex);
  accel_fake_bus_pump(fake->state);
}

void accel_fake_block(accel_fake *fake, accel_fake_op op, accel_fake_point point)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->script.rules[op][point].is_blocked = true;
  accel_mutex_unlock(&fake->state->mutex);
}

/* Passes given but not yet taken belong to calls that no longer wait. */
static size_t fake_script_blocked(const fake_rule *rule)
{
  return rule->waiting > rule->passes ? rule->waiting - rule->passes : 0;
}

bool accel_fake_wait_blocked(accel_fake *fake, accel_fake_op op, accel_fake_point point,
                             size_t count, uint32_t timeout_ms)
{
  struct accel_fake_state *state = fake->state;
  const uint64_t deadline_ms = accel_clock_deadline(timeout_ms);
  accel_mutex_lock(&state->mutex);
  const fake_rule *rule = &state->script.rules[op][point];
  while (fake_script_blocked(rule) < count)
    if (!accel_condition_wait(&state->changed, &state->mutex, deadline_ms)) break;
  const bool arrived = fake_script_blocked(rule) >= count;
  accel_mutex_unlock(&state->mutex);
  return arrived;
}

void accel_fake_pass(accel_fake *fake, accel_fake_op op, accel_fake_point point, size_t count)
{
  accel_mutex_lock(&fake->state->mutex);
  fake->state->script.rules[op][point].passes += count;
  accel_condition_broadcast(&fake->state->changed);
  accel_mutex_unlock(&fake->state->mutex);
}

void accel_fake_unblock(accel_fake *fake, accel_fake_op op, accel_fake_point point)
{
  accel_mutex_lock(&fake->state->mutex);
  fake_rule *rule = &fake->state->script.rules[op][point];
  rule->is_blocked = false;
  rule->round++;
  rule->waiting = 0;
  rule->passes = 0;
  accel_condition_broadcast(&fake->state->changed);
  accel_mutex_unlock(&fake->state->mutex);
}

/* ---- counts ---- */

uint64_t accel_fake_calls(accel_fake *fake, accel_fake_op op)
{
  accel_mutex_lock(&fake->state->mutex);
  const uint64_t calls = fake->state->script.calls[op];
  accel_mutex_unlock(&fake->state->mutex);
  return calls;
}

uint64_t accel_fake_items(accel_fake *fake, accel_fake_op op)
{
  accel_mutex_lock(&fake->state->mutex);
  const uint64_t items = fake->state->script.items[op];
  accel_mutex_unlock(&fake->state->mutex);
  return items;
}

void accel_fake_forget_counts(accel_fake *fake)
{
  fake_script *script = &fake->state->script;
  accel_mutex_lock(&fake->state->mutex);
  memset(script->calls, 0, sizeof script->calls);
  memset(script->items, 0, sizeof script->items);
  accel_mutex_unlock(&fake->state->mutex);
}
