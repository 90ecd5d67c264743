/* proxy_rules.c: what a test says to the proxy's thread. */
#include "proxy_pair.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void proxy_unlock(proxy *proxy_)
{
  const uint64_t ring = 1;
  pthread_mutex_unlock(&proxy_->mutex);
  if (write(proxy_->bell, &ring, sizeof ring) != sizeof ring) abort();
}

static void rules_set(proxy *proxy_, bool *rule, bool value)
{
  pthread_mutex_lock(&proxy_->mutex);
  *rule = value;
  proxy_unlock(proxy_);
}

static void rules_count(proxy *proxy_, proxy_target *target_out, proxy_target target,
                        unsigned *rule, unsigned count)
{
  pthread_mutex_lock(&proxy_->mutex);
  *rule = count;
  *target_out = target;
  proxy_unlock(proxy_);
}

void proxy_set_flow(proxy *proxy_, proxy_direction direction, proxy_target target,
                    const proxy_flow *flow)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->flows[direction] = *flow;
  proxy_->flow_target[direction] = target;
  proxy_unlock(proxy_);
}

void proxy_arm(proxy *proxy_, const proxy_trip *trip)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->trip = *trip;
  proxy_unlock(proxy_);
}

void proxy_cut(proxy *proxy_, proxy_trip_kind kind, proxy_target target)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->cut = kind;
  proxy_->cut_target = target;
  proxy_unlock(proxy_);
}

void proxy_refuse(proxy *proxy_, bool refuses)
{
  rules_set(proxy_, &proxy_->refuses, refuses);
}

void proxy_silence(proxy *proxy_, bool silences)
{
  rules_set(proxy_, &proxy_->silences, silences);
}

void proxy_exchange(proxy *proxy_, proxy_target target, unsigned count)
{
  rules_count(proxy_, &proxy_->exchange_target, target, &proxy_->exchanges, count);
}

void proxy_detain(proxy *proxy_, proxy_target target)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->detains = true;
  proxy_->detain_target = target;
  proxy_unlock(proxy_);
}

void proxy_release(proxy *proxy_)
{
  rules_set(proxy_, &proxy_->releases, true);
}

void proxy_drop(proxy *proxy_, proxy_target target, unsigned count)
{
  rules_count(proxy_, &proxy_->drop_target, target, &proxy_->drops, count);
}

void proxy_heal(proxy *proxy_)
{
  pthread_mutex_lock(&proxy_->mutex);
  memset(proxy_->flows, 0, sizeof proxy_->flows);
  proxy_->trip.kind = PROXY_NO_TRIP;
  proxy_->exchanges = proxy_->drops = 0;
  proxy_->refuses = proxy_->silences = false;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    pipe_ *pipe = &pair->pipes[PROXY_REPLIES];
    proxy_pipe_queue(pipe, pipe->kept_back.data, pipe->kept_back.size, 0);
    pipe->kept_back.size = 0;
    pair->pipes[0].next_ns = pair->pipes[1].next_ns = 0;
    if (pair->is_silent) proxy_pair_end(pair, PROXY_RESET); /* the end of a side was not seen */
  }
  proxy_unlock(proxy_);
}

proxy_counts proxy_look(proxy *proxy_)
{
  pthread_mutex_lock(&proxy_->mutex);
  const proxy_counts counts = proxy_->counts;
  pthread_mutex_unlock(&proxy_->mutex);
  return counts;
}
