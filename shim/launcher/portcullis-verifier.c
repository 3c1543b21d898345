/*
 * portcullis-verifier: what containerd executes before every pull. It carries its arguments and its standard input
 * to the portcullis shim and the shim's answer back (README.md beside this file). It interprets nothing it carries.
 *
 * Exit 0 means "pull it": there is one path to it, at the end of main. Every other path ends in refuse().
 */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/portcullis/launcher.sock"
#define DEFAULT_DEADLINE_MS 9200 /* containerd kills at 10 s, and what was printed by then is lost */
#define JOURNAL "journalctl -u portcullis-shim"

#define MAGIC "portcullis-launcher/1\n"
#define ALLOW "allow\n"
#define REFUSE "refuse\n"

enum {
  MAX_ARGUMENTS = 64,
  MAX_ARGUMENT_BYTES = 64 * 1024,
  MAX_STDIN_BYTES = 1024 * 1024,
  MAX_ANSWER_BYTES = 16 * 1024,
  MAX_QUESTIONS = 2,  /* a shim that was killed says nothing; its successor is asked */
  PATIENCE_MS = 2500, /* a shim that is being restarted is waited for */
  RETRY_MS = 20,
  MAX_LINE_BYTES = 4096, /* what a pipe that polls writable takes without blocking (PIPE_BUF) */
  MAX_PATH_BYTES = sizeof((struct sockaddr_un *)0)->sun_path - 1,
  MAX_REQUEST_BYTES = sizeof MAGIC - 1 + 4 + 4 * MAX_ARGUMENTS + MAX_ARGUMENT_BYTES + 4 + MAX_STDIN_BYTES,
};

static unsigned char request[MAX_REQUEST_BYTES + 1]; /* one more, to notice that standard input is too long */
static size_t request_length;
static char answer[MAX_ANSWER_BYTES + 1];
static const char *socket_path = DEFAULT_SOCKET;
static long deadline_ms = DEFAULT_DEADLINE_MS;
static struct timespec started;
static const char RELAYED[] = "%.*s"; /* the line of the shim, which is plain UTF-8 already */

/* Prints one line, at most MAX_LINE_BYTES, without control bytes, our own in ASCII, and ends with the exit code that blocks the pull. */
__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...) {
  static char line[MAX_LINE_BYTES + 1];
  va_list values; va_start(values, format);
  int written = vsnprintf(line, sizeof line, format, values);
  size_t length = written < 0 ? 0 : (size_t)written;
  va_end(values);
  if (length > MAX_LINE_BYTES - 1) {
    length = MAX_LINE_BYTES - 1;
    while (length > 0 && ((unsigned char)line[length] & 0xC0) == 0x80) length--; /* not inside a UTF-8 character */
  }
  for (size_t i = 0; i < length; i++)
    if ((line[i] & 0x80) != 0 ? format != RELAYED : line[i] < 0x20 || line[i] == 0x7F) line[i] = '?';
  line[length++] = '\n';
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  if (poll(&out, 1, 200) == 1 && write(STDOUT_FILENO, line, length) < 0) _exit(1);
  _exit(1);
}

static long remaining_ms(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  long passed = (long)(now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000;
  return passed >= deadline_ms ? 0 : deadline_ms - passed;
}

/* Waits until one of the events happens on fd, and answers what did; 0 when the deadline came first. */
static short wait_for(int fd, short events) {
  struct pollfd one = {.fd = fd, .events = events};
  for (long left; (left = remaining_ms()) > 0;)
    if (poll(&one, 1, (int)left) > 0) return one.revents;
  return 0;
}

static void read_environment(void) {
  const char *path = getenv("PORTCULLIS_SOCKET");
  if (path != NULL) socket_path = path;
  if (socket_path[0] != '/' || strlen(socket_path) > MAX_PATH_BYTES)
    refuse("LAUNCHER_MISCONFIGURED: PORTCULLIS_SOCKET: expected an absolute path of at most %d bytes, found \"%.120s\"; "
           "correct or unset it in the environment of containerd", MAX_PATH_BYTES, socket_path);
  const char *text = getenv("PORTCULLIS_DEADLINE_MS");
  if (text == NULL) return;
  size_t digits = strspn(text, "0123456789");
  long value = digits >= 3 && digits <= 6 && text[digits] == '\0' ? strtol(text, NULL, 10) : 0;
  if (value < 100 || value > 600000)
    refuse("LAUNCHER_MISCONFIGURED: PORTCULLIS_DEADLINE_MS: expected 100 to 600000, found \"%.40s\"; correct or unset it "
           "in the environment of containerd", text);
  deadline_ms = value;
}

static void put(const void *bytes, size_t length) {
  memcpy(request + request_length, bytes, length);
  request_length += length;
}

static void put_u32(size_t value) {
  put((unsigned char[]){value >> 24 & 255, value >> 16 & 255, value >> 8 & 255, value & 255}, 4);
}

static void frame_arguments(int argc, char **argv) {
  size_t count = argc > 1 ? (size_t)argc - 1 : 0, total = 0;
  if (count > MAX_ARGUMENTS) refuse("INPUT_TOO_LARGE: expected at most %d arguments, found %zu", MAX_ARGUMENTS, count);
  for (size_t i = 1; i <= count; i++) total += strlen(argv[i]);
  if (total > MAX_ARGUMENT_BYTES)
    refuse("INPUT_TOO_LARGE: expected at most %d bytes of arguments, found %zu", MAX_ARGUMENT_BYTES, total);
  put(MAGIC, sizeof MAGIC - 1);
  put_u32(count);
  for (size_t i = 1; i <= count; i++) {
    put_u32(strlen(argv[i]));
    put(argv[i], strlen(argv[i]));
  }
}

static void frame_stdin(void) {
  unsigned char *bytes = request + request_length + 4; /* behind their length */
  size_t length = 0;
  for (;;) {
    if (wait_for(STDIN_FILENO, POLLIN) == 0)
      refuse("INPUT_UNFINISHED: standard input did not end within %ld ms; expected the image descriptor", deadline_ms);
    ssize_t got = read(STDIN_FILENO, bytes + length, MAX_STDIN_BYTES + 1 - length);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) refuse("INPUT_UNFINISHED: standard input cannot be read: %s", strerror(errno));
    if (got == 0) break;
    length += (size_t)got;
    if (length > MAX_STDIN_BYTES)
      refuse("INPUT_TOO_LARGE: expected at most %d bytes on standard input, found more", MAX_STDIN_BYTES);
  }
  put_u32(length);
  request_length += length;
}

__attribute__((noreturn)) static void refuse_silence(void) {
  refuse("SHIM_SILENT: the shim at %s gave no answer within %ld ms; pull again, and see " JOURNAL, socket_path, deadline_ms);
}

/* Waits a moment before the shim is looked for again; errno says why it was not to be had. */
static void wait_for_shim(void) {
  static int waited_ms = 0;
  bool absent = errno == ENOENT || errno == ECONNREFUSED, full = errno == EAGAIN || errno == EINTR; /* unix(7) */
  if (full && remaining_ms() <= 0) refuse_silence();
  if (!full && (!absent || waited_ms >= PATIENCE_MS || remaining_ms() <= RETRY_MS))
    refuse("SHIM_ABSENT: no portcullis shim at %s (%s); systemctl start portcullis-shim, and pull again", socket_path,
           strerror(errno));
  if (absent) waited_ms += RETRY_MS;
  poll(NULL, 0, RETRY_MS);
}

/* Refuses what anyone but root or the caller may change. */
static void check_trust(const char *kind, const char *path, const char *mode, const struct stat *found) {
  if (found->st_uid != 0 && found->st_uid != geteuid())
    refuse("SHIM_UNTRUSTED: %s%s: expected owner 0 or %u, found %u; find out who made it, then chown root %s", kind, path,
           (unsigned)geteuid(), (unsigned)found->st_uid, path);
  if ((found->st_mode & 022) != 0)
    refuse("SHIM_UNTRUSTED: %s%s: expected mode %s, found %04o; chmod go-w %s", kind, path, mode, found->st_mode & 07777, path);
}

/* Refuses a socket that somebody else could have put there. False when there is none, and errno why. */
static bool check_socket(uid_t *owner) {
  static char directory[MAX_PATH_BYTES + 1];
  struct stat at;
  if (lstat(socket_path, &at) != 0) return false;
  if (!S_ISSOCK(at.st_mode))
    refuse("SHIM_UNTRUSTED: %s: expected a socket, found a %s; remove it and systemctl restart portcullis-shim", socket_path,
           S_ISLNK(at.st_mode) ? "symbolic link" : S_ISDIR(at.st_mode) ? "directory" : "file");
  check_trust("", socket_path, "0600", &at);
  *owner = at.st_uid;
  size_t parent = (size_t)(strrchr(socket_path, '/') - socket_path);
  memcpy(directory, socket_path, parent == 0 ? 1 : parent);
  if (stat(directory, &at) != 0) return false;
  check_trust("directory ", directory, "0755 or stricter", &at);
  return true;
}

static int connect_to_shim(void) {
  uid_t owner = 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, socket_path, strlen(socket_path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) refuse("SHIM_ABSENT: no socket to be had for %s: %s; pull again", socket_path, strerror(errno));
  while (!check_socket(&owner) || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) wait_for_shim();
  struct ucred peer = {.uid = (uid_t)-1};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || (peer.uid != owner && peer.uid != 0))
    refuse("SHIM_UNTRUSTED: %s: expected user %u or 0 to listen there, found %u; systemctl restart portcullis-shim", socket_path,
           (unsigned)owner, (unsigned)peer.uid);
  return fd;
}

/* False when the shim answered or hung up before it took the whole request: then its answer can only be a refusal. */
static bool send_request(int fd) {
  for (size_t sent = 0; sent < request_length;) {
    ssize_t took = send(fd, request + sent, request_length - sent, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (took > 0) sent += (size_t)took;
    short happened = took > 0 ? POLLOUT : wait_for(fd, POLLOUT | POLLIN);
    if (happened == 0) refuse_silence();
    if ((happened & POLLIN) != 0) return false;
  }
  return shutdown(fd, SHUT_WR) == 0;
}

/* Reads to the end of the stream, broken or not. A longer answer than the largest good one is cut, and thereby is none. */
static size_t receive_answer(int fd) {
  size_t length = 0;
  while (length < sizeof answer) {
    if (wait_for(fd, POLLIN) == 0) refuse_silence();
    ssize_t got = recv(fd, answer + length, sizeof answer - length, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0 && length > 0)
      refuse("SHIM_GARBLED: the shim at %s broke off (%s); pull again, and see " JOURNAL, socket_path, strerror(errno));
    if (got <= 0) break;
    length += (size_t)got;
  }
  return length;
}

int main(int argc, char **argv) {
  if (clock_gettime(CLOCK_MONOTONIC, &started) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) return 1;
  for (int fd = 0; fd <= 2; fd++) /* or the socket could become standard output */
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return 1;
  read_environment();
  frame_arguments(argc, argv);
  frame_stdin();
  size_t length = 0, head = sizeof REFUSE - 1, sent = 0;
  for (int fd, asked = 0; asked < MAX_QUESTIONS && length == 0; asked++, close(fd)) {
    if (asked > 0) poll(NULL, 0, RETRY_MS); /* a shim that dies may hang up before it stops to listen */
    fd = connect_to_shim();
    sent = send_request(fd);
    length = receive_answer(fd);
  }
  if (length > head + 1 && length <= MAX_ANSWER_BYTES && memcmp(answer, REFUSE, head) == 0 &&
      memchr(answer + head, '\n', length - head) == answer + length - 1 && memchr(answer, '\0', length) == NULL)
    refuse(RELAYED, (int)(length - head - 1), answer + head);
  if (sent && length == sizeof ALLOW - 1 && memcmp(answer, ALLOW, length) == 0) return 0;
  if (length == 0) refuse("SHIM_GARBLED: the shim at %s hung up without an answer; pull again, and see " JOURNAL, socket_path);
  refuse("SHIM_GARBLED: expected an answer from the shim at %s, found %zu bytes that are none; pull again, and see " JOURNAL,
         socket_path, length);
}
