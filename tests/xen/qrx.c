/* libs: xenvchan xenstore xenevtchn */
// SPDX-License-Identifier: ISC
/*
 * dom0's side of one qrexec call (qubes.md 6): connects to the guest's agent, greets, asks for a
 * command, serves its vchan, gives it standard input, prints what it says.
 *
 *   qrx DOMID 'root:QUBESRPC qubes.SetDateTime dom0' <INPUT      the exit status is the service's
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
enum { STDIN = 0x190, STDOUT, STDERR, EXIT_CODE, EXEC = 0x200, TERMINATED = 0x211, HELLO = 0x300 };

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

/* The agent advertises in its own home; it may just be making its page anew. */
static struct libxenvchan *agent(int domid)
{
	char path[80];
	snprintf(path, sizeof(path), "/local/domain/%d/data/vchan/0/%d", domid, AGENT);
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
	uint32_t version = 4, where[2] = { 0, DATA }, len;
	struct libxenvchan *a = agent(domid);
	if (greeting(a) < 2)
		breach("version");
	send(a, HELLO, &version, sizeof(version));

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
	if (receive(a, &len) != TERMINATED || len != sizeof(where) || memcmp(body, where, sizeof(where)))
		breach("no CONNECTION_TERMINATED");
	libxenvchan_close(a);
	return code;
}
