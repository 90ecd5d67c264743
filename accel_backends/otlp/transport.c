#include "transport.h"

#include "reader.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TRANSPORT_AGENT "OTel-OTLP-Exporter-C/" ACCEL_VERSION " (accel)"

/* ---- open and close ---- */

static bool transport_add_line(struct curl_slist **list, const char *line)
{
  struct curl_slist *longer = curl_slist_append(*list, line);
  if (longer != NULL) *list = longer;
  return longer != NULL;
}

/* curl leaves a header without a value out, unless it ends in ';'. */
static bool transport_add_header(struct curl_slist **list, const otlp_pair *pair)
{
  const size_t size = strlen(pair->name) + strlen(pair->value) + 3;
  char *line = (char *)ACCEL_MALLOC(size);
  if (line == NULL) return false;
  if (pair->value[0] == '\0')
    snprintf(line, size, "%s;", pair->name);
  else
    snprintf(line, size, "%s: %s", pair->name, pair->value);
  const bool is_added = transport_add_line(list, line);
  explicit_bzero(line, size);
  ACCEL_FREE(line);
  return is_added;
}

static bool transport_open_headers(const otlp_target *target, struct curl_slist **list)
{
  const char *type = target->form == OTLP_JSON ? "Content-Type: application/json"
                                               : "Content-Type: application/x-protobuf";
  bool is_whole = transport_add_line(list, type) && transport_add_line(list, "Expect:");
  if (is_whole && target->is_gzip) is_whole = transport_add_line(list, "Content-Encoding: gzip");
  for (size_t i = 0; i < target->headers.count && is_whole; i++)
    is_whole = transport_add_header(list, &target->headers.items[i]);
  return is_whole;
}

/* A program that runs another one does not pass the connection on. */
static curl_socket_t transport_socket(void *unused, curlsocktype purpose,
                                      struct curl_sockaddr *address)
{
  (void)unused, (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t transport_receive(char *data, size_t size, size_t count, void *transport_pointer)
{
  otlp_transport *transport = (otlp_transport *)transport_pointer;
  const size_t bytes = size * count;
  if (bytes > OTLP_ANSWER_BYTES - transport->answer.size) return 0; /* curl ends the request */
  if (!transport->is_cut && !accel_buffer_append(&transport->answer, data, bytes))
    transport->is_cut = true;
  return bytes;
}

bool accel_otlp_transport_open(otlp_transport *transport, const otlp_settings *settings)
{
  if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK) return false;
  bool is_open = true;
  transport->settings = settings;
  transport->curl = curl_easy_init();
  for (size_t i = 0; i < OTLP_SIGNALS && is_open; i++)
    is_open = transport_open_headers(&settings->targets[i], &transport->headers[i]);
  if (is_open && transport->curl != NULL) return true;
  accel_otlp_transport_close(transport);
  return false;
}

static void transport_free_headers(otlp_transport *transport)
{
  for (size_t i = 0; i < OTLP_SIGNALS; i++) {
    for (struct curl_slist *line = transport->headers[i]; line != NULL; line = line->next)
      explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(transport->headers[i]);
    transport->headers[i] = NULL;
  }
}

void accel_otlp_transport_close(otlp_transport *transport)
{
  curl_easy_cleanup((CURL *)transport->curl);
  transport->curl = NULL;
  accel_otlp_transport_abandon(transport);
  curl_global_cleanup();
}

/* Leaves the connection alone: to end TLS is to send on it, and it is the parent's. */
void accel_otlp_transport_abandon(otlp_transport *transport)
{
  transport_free_headers(transport);
  accel_buffer_release(&transport->answer);
}

/* ---- a request ---- */

static CURLcode transport_set_files(CURL *curl, const otlp_target *target)
{
  CURLcode code = CURLE_OK;
  if (target->certificate != NULL)
    code = curl_easy_setopt(curl, CURLOPT_CAINFO, target->certificate);
  if (code == CURLE_OK && target->client_certificate != NULL)
    code = curl_easy_setopt(curl, CURLOPT_SSLCERT, target->client_certificate);
  if (code == CURLE_OK && target->client_key != NULL)
    code = curl_easy_setopt(curl, CURLOPT_SSLKEY, target->client_key);
  return code;
}

static CURLcode transport_perform(otlp_transport *transport, otlp_signal signal,
                                  const accel_buffer *body, uint32_t timeout_ms, char *error)
{
  CURL *curl = (CURL *)transport->curl;
  const otlp_target *target = &transport->settings->targets[signal];
  curl_easy_reset(curl);
  CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, target->url);
  if (code == CURLE_OK) code = transport_set_files(curl, target);
  if (code != CURLE_OK) return code;
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transport->headers[signal]);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, TRANSPORT_AGENT);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, transport_receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transport);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, transport_socket);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* close does not wait for a name lookup */
#endif
  code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
  return code;
}

/* ---- the answer ---- */

static bool transport_contains(const accel_buffer *answer, const char *text)
{
  const size_t size = strlen(text);
  for (size_t i = 0; i + size <= answer->size; i++)
    if (memcmp(answer->data + i, text, size) == 0) return true;
  return false;
}

/* Whether an answer repeats the value of a header, which may be a key. */
static bool transport_repeats(const accel_buffer *answer, const otlp_pairs *headers)
{
  for (size_t i = 0; i < headers->count; i++) {
    const char *value = headers->items[i].value, *word = strrchr(value, ' ');
    const char *secret = word == NULL ? value : word + 1;
    if (*secret != '\0' && transport_contains(answer, secret)) return true;
  }
  return false;
}

static void transport_explain(const otlp_transport *transport, const otlp_target *target, long http,
                              const otlp_details *details, otlp_answer *out)
{
  if (details->message[0] == '\0')
    snprintf(out->text, sizeof out->text, "it answered %ld", http);
  else if (transport_repeats(&transport->answer, &target->headers))
    snprintf(out->text, sizeof out->text, "it answered %ld, with a text that repeats a header",
             http);
  else
    snprintf(out->text, sizeof out->text, "it answered %ld: %s", http, details->message);
}

static bool transport_is_later(long http)
{
  return http == 429 || http == 502 || http == 503 || http == 504;
}

static void transport_read_refusal(const otlp_transport *transport, const otlp_target *target,
                                   long http, otlp_answer *out)
{
  curl_off_t after_s = 0;
  otlp_details details;
  accel_otlp_read_refusal(target->form, transport->answer.data, transport->answer.size, &details);
  transport_explain(transport, target, http, &details, out);
  out->outcome = transport_is_later(http) ? OTLP_LATER : OTLP_REFUSED;
  if (curl_easy_getinfo((CURL *)transport->curl, CURLINFO_RETRY_AFTER, &after_s) != CURLE_OK ||
      after_s <= 0)
    return;
  const curl_off_t most_s = OTLP_RETRY_AFTER_MAX_MS / 1000;
  out->retry_after_ms = (uint32_t)(after_s < most_s ? after_s : most_s) * 1000;
}

static void transport_read_answer(const otlp_transport *transport, const otlp_target *target,
                                  otlp_answer *out)
{
  long http = 0;
  otlp_details details;
  curl_easy_getinfo((CURL *)transport->curl, CURLINFO_RESPONSE_CODE, &http);
  if (http < 200 || http > 299) {
    transport_read_refusal(transport, target, http, out);
    return;
  }
  out->outcome = OTLP_ACCEPTED;
  if (transport->is_cut) return;
  if (!accel_otlp_read_partial(target->form, transport->answer.data, transport->answer.size,
                               &details)) {
    out->outcome = OTLP_REFUSED;
    snprintf(out->text, sizeof out->text,
             "it answered %ld with no message of OTLP; is the endpoint a receiver?", http);
    return;
  }
  out->rejected = details.rejected;
  if (details.rejected > 0 || details.message[0] != '\0')
    transport_explain(transport, target, http, &details, out);
}

/* A connection that fails may succeed later; an answer that is none will not get better. */
static void transport_read_failure(CURLcode code, const char *error, otlp_answer *out)
{
  out->outcome = OTLP_LATER;
  switch (code) {
    case CURLE_WRITE_ERROR:
      out->outcome = OTLP_REFUSED;
      snprintf(out->text, sizeof out->text, "its answer is longer than 4 MiB");
      return;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING: out->outcome = OTLP_REFUSED; break;
    default: break;
  }
  snprintf(out->text, sizeof out->text, "%.190s",
           error[0] == '\0' ? curl_easy_strerror(code) : error);
}

void accel_otlp_transport_send(otlp_transport *transport, otlp_signal signal,
                               const accel_buffer *body, uint32_t timeout_ms, otlp_answer *out)
{
  char error[CURL_ERROR_SIZE] = "";
  memset(out, 0, sizeof *out);
  transport->answer.size = 0;
  transport->is_cut = false;
  const CURLcode code = transport_perform(transport, signal, body, timeout_ms, error);
  if (code == CURLE_OK)
    transport_read_answer(transport, &transport->settings->targets[signal], out);
  else
    transport_read_failure(code, error, out);
  accel_buffer_release(&transport->answer);
}
