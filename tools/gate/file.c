#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

bool gate_is_folder(const char *path)
{
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool gate_exists(const char *path)
{
  struct stat status;
  return strcmp(path, "-") == 0 || stat(path, &status) == 0;
}

static bool cannot(gate_problems *problems, const char *verb, const char *path, const char *why)
{
  return gate_wrong(problems, path, "failed to %s %s: %s", verb, path, why);
}

/* ---- reading ---- */

/* Reads to the end, however long the file says that it is. NULL, or why not. */
static const char *read_all(int file, gate_text *text)
{
  char bytes[32 * 1024];
  for (;;) {
    const ssize_t count = read(file, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return strerror(errno);
    if (count == 0) return NULL;
    gate_text_add_bytes(text, bytes, (size_t)count);
    if (text->length > GATE_FILE_BYTES_MAX) return "larger than 64 MiB";
  }
}

/* A pipe with a name that nobody writes to would be waited for without end. */
static const char *await_writer(int file)
{
  enum { WRITER_MS = 3000 };
  struct pollfd waited = {.fd = file, .events = POLLIN};
  if (poll(&waited, 1, WRITER_MS) <= 0) return "nobody writes to this pipe";
  return fcntl(file, F_SETFL, 0) == 0 ? NULL : strerror(errno);
}

static const char *read_open(int file, gate_text *text)
{
  struct stat status;
  if (fstat(file, &status) != 0) return strerror(errno);
  if (S_ISDIR(status.st_mode)) return strerror(EISDIR);
  if (S_ISREG(status.st_mode) && status.st_size > GATE_FILE_BYTES_MAX) return "larger than 64 MiB";
  const bool is_waiting = (fcntl(file, F_GETFL) & O_NONBLOCK) != 0;
  const char *why = S_ISFIFO(status.st_mode) && is_waiting ? await_writer(file) : NULL;
  return why ? why : read_all(file, text);
}

/* What gzip packed, unpacked; never more than a file may hold. NULL, or why not. */
static const char *unpack(gate_text *text)
{
  enum { GZIP_ONLY = 16 };
  Bytef bytes[32 * 1024];
  gate_text out = {.arena = text->arena};
  z_stream stream = {.next_in = (Bytef *)text->bytes, .avail_in = (uInt)text->length};
  if (inflateInit2(&stream, MAX_WBITS + GZIP_ONLY) != Z_OK) return "no memory to unpack it";
  int state = Z_OK;
  while (state == Z_OK && out.length <= GATE_FILE_BYTES_MAX) {
    stream.next_out = bytes;
    stream.avail_out = sizeof bytes;
    state = inflate(&stream, Z_NO_FLUSH);
    gate_text_add_bytes(&out, (const char *)bytes, sizeof bytes - stream.avail_out);
    /* Files that were packed one by one may be put one behind the other. */
    if (state == Z_STREAM_END && stream.avail_in > 0) state = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (out.length > GATE_FILE_BYTES_MAX) return "larger than 64 MiB unpacked";
  if (state != Z_STREAM_END) return "its gzip data is broken or incomplete";
  *text = out;
  return NULL;
}

bool gate_file_read(gate_arena *arena, const char *path, char **text_out, size_t *length_out,
                    gate_problems *problems)
{
  const bool is_stdin = strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0;
  const bool is_ours = strncmp(path, "/dev/fd/", 8) == 0;
  const int file =
      is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | (is_ours ? 0 : O_NONBLOCK));
  if (file < 0) return cannot(problems, "read", path, strerror(errno));
  gate_text text = {.arena = arena};
  const char *why = read_open(file, &text);
  close(file);
  const bool is_gzip = text.length > 2 && memcmp(text.bytes, "\x1F\x8B", 2) == 0;
  if (!why && is_gzip) why = unpack(&text);
  if (why) return cannot(problems, "read", path, why);
  if (!text.bytes) text.bytes = gate_take(arena, 1, 1);
  const bool has_mark = text.length >= 3 && memcmp(text.bytes, "\xEF\xBB\xBF", 3) == 0;
  *text_out = text.bytes + (has_mark ? 3 : 0);
  *length_out = text.length - (has_mark ? 3 : 0);
  return true;
}

/* ---- writing ---- */

/* Makes the folders of `path`; true if they are there in the end. */
static bool make_folders(gate_arena *arena, const char *path)
{
  char *folder = gate_copy_text(arena, path);
  for (char *at = folder + 1; *at != '\0'; at++) {
    if (*at != '/') continue;
    *at = '\0';
    if (mkdir(folder, 0777) != 0 && errno != EEXIST && errno != EISDIR) return false;
    *at = '/';
  }
  return true;
}

static bool write_all(int file, const char *text, size_t length)
{
  while (length > 0) {
    const ssize_t count = write(file, text, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text += count;
    length -= (size_t)count;
  }
  return true;
}

/* The rename lasts only once the folder is written too; a folder that cannot be is no failure. */
static void flush_folder(gate_arena *arena, const char *path)
{
  char *folder = gate_copy_text(arena, path);
  char *slash = strrchr(folder, '/');
  if (slash) slash[slash == folder] = '\0';
  const int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  (void)fsync(file);
  close(file);
}

/* A rename would put a file in the place of a link; what it points to is meant. */
static const char *behind_links(gate_arena *arena, const char *path)
{
  char *real = realpath(path, NULL);
  if (!real) return path;
  const char *copy = gate_copy_text(arena, real);
  free(real);
  return copy;
}

bool gate_file_write(gate_arena *arena, const char *path, const char *text, size_t length,
                     gate_problems *problems)
{
  if (!make_folders(arena, path)) return cannot(problems, "create", path, strerror(errno));
  if (gate_is_folder(path)) return cannot(problems, "write", path, strerror(EISDIR));
  /* What is open already, such as /dev/stdout, is not to be replaced. */
  if (strncmp(path, "/dev/", 5) == 0) return gate_file_append(arena, path, text, length, problems);
  const char *target = behind_links(arena, path);
  struct stat old;
  const mode_t mode = stat(target, &old) == 0 ? old.st_mode & 07777 : 0644;
  char *beside = gate_format(arena, "%s.XXXXXX", target);
  const int file = mkstemp(beside);
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  errno = 0;
  const bool is_whole =
      write_all(file, text, length) && fchmod(file, mode) == 0 && fsync(file) == 0;
  int error = errno;
  const bool is_closed = close(file) == 0;
  if (is_whole && is_closed && rename(beside, target) == 0) {
    flush_folder(arena, target);
    return true;
  }
  if (is_whole) error = errno;
  unlink(beside);
  return cannot(problems, "write", path, strerror(error));
}

bool gate_file_append(gate_arena *arena, const char *path, const char *text, size_t length,
                      gate_problems *problems)
{
  if (!make_folders(arena, path)) return cannot(problems, "create", path, strerror(errno));
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return cannot(problems, "write", path, strerror(errno));
  const off_t before = lseek(file, 0, SEEK_END);
  bool is_written = write_all(file, text, length) && (fsync(file) == 0 || errno == EINVAL);
  const int error = errno;
  /* Half a line would spoil the file for every later reader. */
  if (!is_written && before >= 0 && ftruncate(file, before) != 0) is_written = false;
  close(file);
  return is_written || cannot(problems, "write", path, strerror(error));
}
