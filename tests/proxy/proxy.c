#include "proxy_pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS_MAX = 1024, WAITING_MAX = 4 << 20 };

static void proxy_apply_detention(proxy *proxy_)
{
  proxy_->counts.outlived = 0;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    if (proxy_->detains && proxy_is_about(pair, proxy_->detain_target))
      pair->is_detained = pair->outlives = true;
    if (proxy_->releases) pair->is_detained = false;
    const pipe_ *requests = &pair->pipes[PROXY_REQUESTS];
    proxy_->counts.outlived += pair->is_detained && requests->has_ended && requests->first != NULL;
  }
  if (proxy_->detains || proxy_->releases) proxy_->counts.detains = proxy_->detains;
  proxy_->detains = proxy_->releases = false;
}

static void proxy_apply_cut(proxy *proxy_)
{
  if (proxy_->cut == PROXY_NO_TRIP) return;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next)
    if (proxy_is_about(pair, proxy_->cut_target)) proxy_pair_end(pair, proxy_->cut);
  proxy_->cut = PROXY_NO_TRIP;
}

static void proxy_sweep(proxy *proxy_)
{
  proxy_->counts.open = 0;
  for (proxy_pair **link = &proxy_->pairs; *link != NULL;) {
    proxy_pair *pair = *link;
    if (!pair->is_over) {
      proxy_->counts.open++;
      link = &pair->next;
      continue;
    }
    *link = pair->next;
    proxy_pair_free(pair);
  }
}

/* What to wait for; returns the timeout. */
static int proxy_watch(proxy *proxy_, struct pollfd *polled, nfds_t *count)
{
  uint64_t wake_ns = UINT64_MAX;
  polled[0] = (struct pollfd){.fd = proxy_->bell, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = proxy_->listener, .events = POLLIN};
  *count = 2;
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    pair->polled = -1;
    if (*count + 2 > 2 * PAIRS_MAX + 2) continue;
    pair->polled = (int)*count;
    for (size_t i = 0; i < 2; i++) {
      const pipe_ *pipe = &pair->pipes[i];
      const bool takes = !pipe->has_ended && pipe->waiting < WAITING_MAX;
      const int events = (takes ? POLLIN : 0) | (pair->pipes[1 - i].is_clogged ? POLLOUT : 0);
      /* One that waits for nothing is left out: its end would be told again and again. */
      polled[(*count)++] =
          (struct pollfd){.fd = events == 0 ? -1 : pipe->from, .events = (short)events};
      if (pipe->first == NULL || pipe->is_clogged || pair->is_silent) continue;
      if (i == PROXY_REQUESTS && pair->is_detained) continue;
      if (i == PROXY_REPLIES && pair->outlives && pair->pipes[PROXY_REQUESTS].has_ended) continue;
      uint64_t at_ns = pipe->first->due_ns;
      if (at_ns < pipe->next_ns) at_ns = pipe->next_ns;
      if (at_ns < wake_ns) wake_ns = at_ns;
    }
  }
  const uint64_t now = proxy_now_ns();
  if (wake_ns == UINT64_MAX) return -1;
  return wake_ns <= now ? 0 : (int)((wake_ns - now) / 1000000u + 1);
}

static void proxy_serve(proxy *proxy_, const struct pollfd *polled)
{
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) {
    if (pair->polled < 0) continue;
    for (int i = 0; i < 2; i++) {
      const short seen = polled[pair->polled + i].revents;
      const bool is_readable = (seen & (POLLIN | POLLERR | POLLHUP)) != 0;
      if (is_readable && !pair->is_over && !pair->pipes[i].has_ended)
        proxy_pipe_read(proxy_, pair, (proxy_direction)i);
    }
    for (int i = 0; i < 2; i++) proxy_pipe_write(proxy_, pair, (proxy_direction)i);
    /* An end that nobody can be told of. */
    if (pair->pipes[0].has_ended && pair->pipes[1].has_ended) pair->is_over = true;
    if (pair->is_silent && (pair->pipes[0].has_ended || pair->pipes[1].has_ended))
      pair->is_over = true;
  }
}

static void *proxy_run(void *proxy_pointer)
{
  proxy *proxy_ = (proxy *)proxy_pointer;
  struct pollfd *polled =
      (struct pollfd *)proxy_grown(NULL, (2 * PAIRS_MAX + 2) * sizeof(struct pollfd));
  pthread_mutex_lock(&proxy_->mutex);
  while (!proxy_->ends) {
    nfds_t count;
    const int timeout_ms = proxy_watch(proxy_, polled, &count);
    pthread_mutex_unlock(&proxy_->mutex);
    poll(polled, count, timeout_ms);
    uint64_t rings;
    if (polled[0].revents != 0 && read(proxy_->bell, &rings, sizeof rings) < 0) abort();
    pthread_mutex_lock(&proxy_->mutex);
    proxy_serve(proxy_, polled);
    if (polled[1].revents != 0) proxy_accept(proxy_);
    proxy_apply_cut(proxy_);
    proxy_apply_detention(proxy_);
    proxy_sweep(proxy_);
  }
  for (proxy_pair *pair = proxy_->pairs; pair != NULL; pair = pair->next) pair->is_over = true;
  proxy_sweep(proxy_);
  pthread_mutex_unlock(&proxy_->mutex);
  free(polled);
  return NULL;
}

bool proxy_open(proxy *proxy_, int target_port)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  memset(proxy_, 0, sizeof *proxy_);
  proxy_->target_port = target_port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  proxy_->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  proxy_->bell = eventfd(0, EFD_CLOEXEC);
  if (proxy_->listener < 0 || proxy_->bell < 0 ||
      bind(proxy_->listener, (struct sockaddr *)&address, size) != 0 ||
      listen(proxy_->listener, 512) != 0 ||
      getsockname(proxy_->listener, (struct sockaddr *)&address, &size) != 0)
    return false;
  proxy_->port = ntohs(address.sin_port);
  snprintf(proxy_->url, sizeof proxy_->url, "redis://127.0.0.1:%d", proxy_->port);
  pthread_mutex_init(&proxy_->mutex, NULL);
  return pthread_create(&proxy_->thread, NULL, proxy_run, proxy_) == 0;
}

void proxy_close(proxy *proxy_)
{
  pthread_mutex_lock(&proxy_->mutex);
  proxy_->ends = true;
  proxy_unlock(proxy_);
  pthread_join(proxy_->thread, NULL);
  pthread_mutex_destroy(&proxy_->mutex);
  close(proxy_->bell);
  close(proxy_->listener);
}
