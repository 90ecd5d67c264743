#include "14_stack_http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, CONNECTIONS = 256, IDLE_S = 30 };

void http_say(http_reply *reply, const char *format, ...)
{
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  accel_buffer_append(&reply->body, text, strlen(text));
}

void http_say_json(http_reply *reply, const char *text)
{
  http_say(reply, "\"");
  for (; *text != '\0'; text++) {
    const unsigned char byte = (unsigned char)*text;
    if (byte < 0x20) {
      http_say(reply, "\\u%04x", byte);
    } else {
      if (byte == '"' || byte == '\\') http_say(reply, "\\");
      accel_buffer_append(&reply->body, text, 1);
    }
  }
  http_say(reply, "\"");
}

const char *http_header(const http_request *request, const char *name)
{
  return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_argument(const http_request *request, const char *name)
{
  return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, http_reply *reply)
{
  struct MHD_Response *response =
      MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_MUST_COPY);
  accel_buffer_release(&reply->body);
  if (response == NULL) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (reply->source != NULL) MHD_add_response_header(response, "X-Cache", reply->source);
  const enum MHD_Result result =
      MHD_queue_response(connection, (unsigned int)reply->status, response);
  MHD_destroy_response(response);
  return result;
}

/* libmicrohttpd calls it once for the headers, once for each piece of a body, once at the end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
  (void)version;
  http_request *request = (http_request *)*state;
  if (request == NULL) {
    *state = calloc(1, sizeof *request);
    return *state != NULL ? MHD_YES : MHD_NO;
  }
  if (*size > 0) {
    const size_t kept = request->size < HTTP_BODY_SIZE - 1 ? request->size : HTTP_BODY_SIZE - 1;
    const size_t room = HTTP_BODY_SIZE - 1 - kept;
    memcpy(request->body + kept, data, *size < room ? *size : room);
    request->size += *size;
    *size = 0;
    return MHD_YES;
  }
  http_reply reply = {.status = MHD_HTTP_OK, .content_type = "application/json"};
  request->method = method;
  request->path = path;
  request->connection = connection;
  (*(http_handler **)ctx)(request, &reply);
  return send_reply(connection, &reply);
}

static void forget_request(void *ctx, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code)
{
  (void)ctx;
  (void)connection;
  (void)code;
  free(*state);
}

struct MHD_Daemon *http_open(unsigned long port, http_handler *handler)
{
  static http_handler *only_handler; /* libmicrohttpd passes pointers to objects only */
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  only_handler = handler;
  return MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request,
                          &only_handler, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                          MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)THREADS,
                          MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
                          MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
                          MHD_OPTION_NOTIFY_COMPLETED, forget_request, NULL, MHD_OPTION_END);
}

void http_close(struct MHD_Daemon *daemon_or_null)
{
  if (daemon_or_null != NULL) MHD_stop_daemon(daemon_or_null);
}
