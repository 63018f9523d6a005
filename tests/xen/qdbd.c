/* libs: xenvchan xenstore */
// SPDX-License-Identifier: ISC
/*
 * dom0's QubesDB daemon for one guest, as qubes.md 1.3 describes the genuine one: serves vchan port
 * 111, dumps once, pushes changes. What would end the genuine daemon ends this one, with a word.
 *
 *   qdbd DOMID FIFO      reads lines from FIFO: `write PATH VALUE`, `rm PATH`, `drop` (hang up and
 *                        serve anew), `break` (its protocol), `quit`; before the guest connects they fill the database
 *
 * Prints: connected; dumped N; guest write PATH VALUE; guest ok PATH; closed; VIOLATION why.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>
#include <libxenvchan.h>

enum { KEYS = 20000, PATH = 64, VALUE = 3072, LINE = 4096, PORT = 111 };
enum { WRITE = 1, MULTIREAD = 2, RM = 4, OK = 7, NOENT = 8, ERROR = 9, MULTIREAD_IS = 11, NONSENSE = 99 };

struct header {
	uint8_t type;
	char path[PATH];
	uint8_t pad[3];
	uint32_t len;
};

static struct { char path[PATH], *value; } db[KEYS];
static unsigned count;
static struct libxenvchan *vchan;
static int domid, live, connected;

static void violation(const char *why)
{
	printf("VIOLATION %s\n", why);
	exit(1);
}

static void move(void *bytes, size_t len, int out)
{
	for (size_t at = 0; at < len;) {
		int n = out ? libxenvchan_write(vchan, (char *)bytes + at, len - at) :
			      libxenvchan_read(vchan, (char *)bytes + at, len - at);
		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static void send(uint8_t type, const char *path, const char *value)
{
	struct header h = { .type = type, .len = (uint32_t)strlen(value) };
	snprintf(h.path, PATH, "%s", path);
	move(&h, sizeof(h), 1);
	move((char *)(uintptr_t)value, h.len, 1);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(a, b);
}

static unsigned find(const char *path)
{
	unsigned i = 0;
	while (i < count && strcmp(db[i].path, path))
		i++;
	return i;
}

static void put(const char *path, const char *value)
{
	unsigned i = find(path);
	if (i == count) {
		if (count == KEYS)
			violation("too many keys");
		db[count].value = NULL; /* what a removed key left there is another's */
		snprintf(db[count++].path, PATH, "%s", path);
	}
	free(db[i].value);
	db[i].value = strdup(value);
}

static unsigned drop(const char *path)
{
	size_t n = strlen(path);
	unsigned kept = 0, before = count;
	for (unsigned i = 0; i < count; i++) {
		int gone = path[n - 1] == '/' ? !strncmp(db[i].path, path, n) : !strcmp(db[i].path, path);
		if (gone)
			free(db[i].value);
		else
			db[kept++] = db[i];
	}
	count = kept;
	return before - kept;
}

/* --- the guest --------------------------------------------------------------------------- */

static void serve(void)
{
	char path[64];
	snprintf(path, sizeof(path), "data/vchan/%d/%d", domid, PORT);
	vchan = libxenvchan_server_init(NULL, domid, path, 4096, 4096);
	if (!vchan) {
		perror("libxenvchan_server_init");
		exit(1);
	}
	vchan->blocking = 1;
	live = connected = 0;
}

static void unadvertise(void)
{
	char path[64];
	struct xs_handle *xs = xs_open(0);
	snprintf(path, sizeof(path), "data/vchan/%d/%d", domid, PORT);
	if (xs) {
		xs_rm(xs, XBT_NULL, path);
		xs_close(xs);
	}
}

static int fine_path(const char *p)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.:@-";
	return p[0] == '/' && memchr(p, 0, PATH) && strspn(p, set) == strlen(p);
}

static void dump(const char *prefix)
{
	if (live)
		violation("a second MULTIREAD");
	qsort(db, count, sizeof(db[0]), by_path);
	unsigned sent = 0;
	for (unsigned i = count; i-- > 0;)
		if (!strncmp(db[i].path, prefix, strlen(prefix))) {
			send(MULTIREAD_IS, db[i].path, db[i].value);
			sent++;
		}
	send(MULTIREAD_IS, "", "");
	live = 1;
	printf("dumped %u\n", sent);
}

static void message(void)
{
	struct header h;
	char value[VALUE] = "";
	move(&h, sizeof(h), 0);
	if (h.len >= VALUE)
		violation("data_len");
	move(value, h.len, 0);
	h.path[PATH - 1] = 0;
	switch (h.type) {
	case WRITE:
		if (!fine_path(h.path) || h.path[strlen(h.path) - 1] == '/')
			violation("WRITE of a bad path");
		put(h.path, value);
		send(OK, h.path, "");
		printf("guest write %s %s\n", h.path, value);
		break;
	case MULTIREAD:
		dump(h.path);
		break;
	case RM:
		if (!drop(h.path))
			violation("RM of what is not there");
		send(OK, h.path, "");
		break;
	case OK:
		printf("guest ok %s\n", h.path);
		break;
	case ERROR:
		printf("guest error %s\n", h.path);
		break;
	default:
		violation("message type");
	}
}

/* All that there is to do now. Events may be gone, taken by a read or write that had to wait. */
static void guest(void)
{
	if (libxenvchan_is_open(vchan) == 1 && !connected) {
		printf("connected\n");
		unadvertise();
		connected = 1;
	}
	while (libxenvchan_data_ready(vchan) >= (int)sizeof(struct header))
		message();
	if (libxenvchan_is_open(vchan) == 0) {
		printf("closed\n");
		libxenvchan_close(vchan);
		serve();
	}
}

/* --- the operator -------------------------------------------------------------------------- */

static void command(char *line)
{
	char *word = strtok(line, " "), *path = strtok(NULL, " "), *value = strtok(NULL, "");
	if (word && path && !strcmp(word, "write")) {
		put(path, value ? value : "");
		if (live)
			send(WRITE, path, value ? value : "");
	} else if (word && path && !strcmp(word, "rm")) {
		if (drop(path) && live)
			send(RM, path, "");
	} else if (word && !strcmp(word, "drop")) {
		libxenvchan_close(vchan);
		printf("dropped\n");
		serve();
	} else if (word && !strcmp(word, "break") && live) {
		send(NONSENSE, "/name", "");
	} else if (word && !strcmp(word, "quit")) {
		libxenvchan_close(vchan);
		exit(0);
	}
}

static void commands(int fifo)
{
	static char text[LINE];
	static size_t have;
	ssize_t n = read(fifo, text + have, sizeof(text) - 1 - have);
	if (n <= 0)
		return;
	have += (size_t)n;
	char *end;
	while ((end = memchr(text, '\n', have))) {
		*end = 0;
		size_t used = (size_t)(end - text) + 1;
		command(text);
		memmove(text, text + used, have - used);
		have -= used;
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	domid = atoi(argv[1]);
	int fifo = open(argv[2], O_RDWR); /* for writing too: it never ends */
	if (fifo < 0) {
		perror(argv[2]);
		return 1;
	}
	serve();
	for (;;) {
		guest();
		struct pollfd fds[2] = { { .fd = fifo, .events = POLLIN },
					 { .fd = libxenvchan_fd_for_select(vchan), .events = POLLIN } };
		poll(fds, 2, -1);
		if (fds[1].revents)
			libxenvchan_wait(vchan);
		if (fds[0].revents)
			commands(fifo);
	}
}
