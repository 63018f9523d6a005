/* libs: xenvchan xenstore xenevtchn */
// SPDX-License-Identifier: ISC
/*
 * dom0's side of one qrexec call (qubes.md 6): connects to the guest's agent, greets, asks for a
 * command, serves its vchan, gives it standard input, prints what it says.
 *
 *   qrx DOMID 'root:QUBESRPC qubes.SetDateTime dom0' <INPUT      the exit status is the service's
 *   qrx DOMID trigger       waits for the guest to ask for a service, prints which, plays that service
 *
 * 200: the agent is not there; 201: it broke the protocol.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>
#include <libxenvchan.h>

enum { AGENT = 512, DATA = 513, BODY = 65536, TRIES = 100, NO_AGENT = 200, BREACH = 201 };
enum { STDIN = 0x190, STDOUT, STDERR, EXIT_CODE, EXEC = 0x200, CONNECT = 0x202, REFUSED = 0x203 };
enum { TERMINATED = 0x211, TRIGGER3 = 0x212, HELLO = 0x300, TARGET_BYTES = 64, IDENT_BYTES = 32 };

static uint8_t body[BODY];

static void breach(const char *what)
{
	fprintf(stderr, "qrx: %s\n", what);
	exit(BREACH);
}

static void move(struct libxenvchan *v, void *bytes, size_t len, int out)
{
	for (size_t at = 0; at < len;) {
		int n = out ? libxenvchan_write(v, (char *)bytes + at, len - at) :
			      libxenvchan_read(v, (char *)bytes + at, len - at);
		if (n <= 0)
			breach(out ? "gone while writing" : "gone while reading");
		at += (size_t)n;
	}
}

static void send(struct libxenvchan *v, uint32_t type, const void *bytes, uint32_t len)
{
	uint32_t header[2] = { type, len };
	move(v, header, sizeof(header), 1);
	move(v, (void *)(uintptr_t)bytes, len, 1);
}

static uint32_t receive(struct libxenvchan *v, uint32_t *len)
{
	uint32_t header[2];
	move(v, header, sizeof(header), 0);
	if (header[1] > BODY)
		breach("message too long");
	*len = header[1];
	move(v, body, *len, 0);
	return header[0];
}

static uint32_t greeting(struct libxenvchan *v)
{
	uint32_t len, version;
	if (receive(v, &len) != HELLO || len != sizeof(version))
		breach("no HELLO");
	memcpy(&version, body, sizeof(version));
	return version;
}

/* The guest advertises in its own home; it may just be making its page anew. */
static struct libxenvchan *client_of(int domid, int port)
{
	char path[80];
	snprintf(path, sizeof(path), "/local/domain/%d/data/vchan/0/%d", domid, port);
	for (int i = 0; i < TRIES; i++) {
		struct libxenvchan *v = libxenvchan_client_init(NULL, domid, path);
		if (v) {
			v->blocking = 1;
			/* as Qubes' library does: the server may sleep until told */
			xenevtchn_notify(v->event, v->event_port);
			return v;
		}
		usleep(100000);
	}
	fprintf(stderr, "qrx: no agent\n");
	exit(NO_AGENT);
}

/* The next TERMINATED, which must be of this connection; what the guest asks for meanwhile is refused. */
static void terminated(struct libxenvchan *a, const uint32_t where[2])
{
	uint32_t len, type;
	while ((type = receive(a, &len)) == TRIGGER3 && len > TARGET_BYTES + IDENT_BYTES)
		send(a, REFUSED, body + TARGET_BYTES, IDENT_BYTES);
	if (type != TERMINATED || len != 8 || memcmp(body, where, 8))
		breach("no CONNECTION_TERMINATED");
}

/* The guest asks, we connect it to a service that reads to the end and exits with 0. */
static void play_service(struct libxenvchan *a, int domid)
{
	uint32_t len, where[2] = { 0, DATA }, version = 3, code = 0;
	if (receive(a, &len) != TRIGGER3 || len <= TARGET_BYTES + IDENT_BYTES)
		breach("no TRIGGER_SERVICE3");
	printf("%s %s\n", body, body + TARGET_BYTES + IDENT_BYTES);
	memmove(body + sizeof(where), body + TARGET_BYTES, IDENT_BYTES);
	memcpy(body, where, sizeof(where));
	send(a, CONNECT, body, sizeof(where) + IDENT_BYTES);
	struct libxenvchan *data = client_of(domid, DATA);
	if (greeting(data) < 2)
		breach("version");
	send(data, HELLO, &version, sizeof(version));
	while (receive(data, &len) != STDIN || len > 0)
		;
	send(data, STDOUT, NULL, 0);
	send(data, EXIT_CODE, &code, sizeof(code));
	terminated(a, where);
}

static int talk(struct libxenvchan *data)
{
	uint32_t version = 3, len, type;
	send(data, HELLO, &version, sizeof(version));
	if (greeting(data) < 2)
		breach("version");
	static char input[4096];
	size_t n = fread(input, 1, sizeof(input), stdin);
	if (n)
		send(data, STDIN, input, (uint32_t)n);
	send(data, STDIN, NULL, 0);
	while ((type = receive(data, &len)) != EXIT_CODE) {
		if (type != STDOUT && type != STDERR)
			breach("message type");
		fwrite(body, 1, len, type == STDOUT ? stdout : stderr);
	}
	uint32_t code;
	memcpy(&code, body, sizeof(code));
	return (int)code;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int domid = atoi(argv[1]);
	char path[64];
	uint32_t version = 4, where[2] = { 0, DATA };
	struct libxenvchan *a = client_of(domid, AGENT);
	if (greeting(a) < 2)
		breach("version");
	send(a, HELLO, &version, sizeof(version));
	if (!strcmp(argv[2], "trigger")) {
		play_service(a, domid);
		return 0;
	}

	snprintf(path, sizeof(path), "data/vchan/%d/%d", domid, DATA);
	struct libxenvchan *data = libxenvchan_server_init(NULL, domid, path, 65536, 65536);
	if (!data)
		breach("cannot serve");
	data->blocking = 1;
	memcpy(body, where, sizeof(where));
	snprintf((char *)body + sizeof(where), BODY - sizeof(where), "%s", argv[2]);
	send(a, EXEC, body, (uint32_t)(sizeof(where) + strlen(argv[2]) + 1));
	while (libxenvchan_is_open(data) == 2)
		libxenvchan_wait(data);
	struct xs_handle *xs = xs_open(0);
	if (xs) {
		xs_rm(xs, XBT_NULL, path);
		xs_close(xs);
	}
	int code = talk(data);
	libxenvchan_close(data);
	terminated(a, where);
	libxenvchan_close(a);
	return code;
}
