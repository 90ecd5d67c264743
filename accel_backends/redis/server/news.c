#include "news.h"

#include <stdio.h>
#include <string.h>

bool accel_redis_news_open(redis_news *news)
{
  memset(news, 0, sizeof *news);
  return accel_mutex_open(&news->mutex);
}

void accel_redis_news_close(redis_news *news)
{
  accel_mutex_close(&news->mutex);
}

/* With the mutex held. */
static void redis_news_tell_reader(const redis_news_reader *reader,
                                   const redis_news_subject *subject)
{
  const accel_remote_news news = {subject->last, subject->server, subject->why};
  reader->tell(reader->ctx, &news);
}

static bool redis_news_is_bad(accel_remote_change change)
{
  return change == ACCEL_REMOTE_DISCONNECTED || change == ACCEL_REMOTE_BREAKER_OPENED ||
         change == ACCEL_REMOTE_BREAKER_HALF_OPENED || change == ACCEL_REMOTE_SERVERS_LOST;
}

void accel_redis_news_add(redis_news *news, redis_news_reader *reader)
{
  if (reader->tell == NULL) return;
  accel_mutex_lock(&news->mutex);
  reader->next = news->readers;
  news->readers = reader;
  for (const redis_news_subject *each = news->subjects; each != NULL; each = each->next)
    if (redis_news_is_bad(each->last)) redis_news_tell_reader(reader, each);
  accel_mutex_unlock(&news->mutex);
}

void accel_redis_news_remove(redis_news *news, redis_news_reader *reader)
{
  if (reader->tell == NULL) return;
  accel_mutex_lock(&news->mutex);
  redis_news_reader **place = &news->readers;
  while (*place != reader) place = &(*place)->next;
  *place = reader->next;
  accel_mutex_unlock(&news->mutex);
}

void accel_redis_news_tell(redis_news *news, redis_news_subject *subject,
                           accel_remote_change change, const char *server_or_null, const char *why)
{
  accel_mutex_lock(&news->mutex);
  if (subject->last != change) {
    if (!subject->is_listed) {
      subject->next = news->subjects;
      news->subjects = subject;
      subject->is_listed = true;
    }
    subject->last = change;
    if (server_or_null != NULL)
      snprintf(subject->server, sizeof subject->server, "%s", server_or_null);
    snprintf(subject->why, sizeof subject->why, "%s", why);
    for (const redis_news_reader *reader = news->readers; reader != NULL; reader = reader->next)
      redis_news_tell_reader(reader, subject);
  }
  accel_mutex_unlock(&news->mutex);
}

void accel_redis_news_forget(redis_news *news, redis_news_subject *subject)
{
  accel_mutex_lock(&news->mutex);
  subject->last = ACCEL_REMOTE_UNCHANGED;
  accel_mutex_unlock(&news->mutex);
}

accel_remote_change accel_redis_news_last(redis_news *news, const redis_news_subject *subject)
{
  accel_mutex_lock(&news->mutex);
  const accel_remote_change last = subject->last;
  accel_mutex_unlock(&news->mutex);
  return last;
}
