// SPDX-License-Identifier: ISC
/* The stages of a service call, and the services themselves. */
#include "qrexec_call.h"
#include "text.h"

enum {
	CONNECT_MS = 20000, /* for the caller to serve and greet */
	RUN_MS = 60000,
	UPLINK_MS = 9000,   /* qubesd waits for 10 s */
	END_MS = 5000,      /* for the caller to read the rest */
	MESSAGES_PER_ROUND = 16,
	NS_PER_MS = 1000000,
};

static const struct {
	const char *name;
	enum call_service service;
	const char *request; /* of the control protocol; the argument follows with '+' as ' ' */
} services[] = {
	{ "qubes.WaitForSession", SERVICE_WAIT_FOR_SESSION, "" },
	{ "qubes.WaitForNetworkUplink", SERVICE_WAIT_FOR_UPLINK, "" },
	{ "qubes.SetDateTime", SERVICE_SET_DATE_TIME, "" },
	{ "postern.Status", SERVICE_STATUS, "status" },
	{ "postern.Flows", SERVICE_FLOWS, "flows" },
	{ "postern.Explain", SERVICE_EXPLAIN, "explain " },
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static uint64_t after(uint64_t now_ns, uint32_t ms)
{
	return now_ns + (uint64_t)ms * NS_PER_MS;
}

static void look_up(struct call *c, struct cursor command)
{
	struct qrexec_command words;
	c->service = SERVICE_UNKNOWN;
	if (!qrexec_command_parse(command, &words))
		return;
	for (unsigned i = 0; i < array_len(services); i++) {
		if (!same(words.service, services[i].name))
			continue;
		c->service = services[i].service;
		struct text t = text_on(c->request);
		text_put(&t, services[i].request);
		for (const char *at = words.arg; *at && c->service == SERVICE_EXPLAIN; at++)
			text_char(&t, *at == '+' ? ' ' : *at);
		text_char(&t, '\n');
		c->request_len = (uint32_t)t.len;
	}
}

bool call_begin(struct call *c, uint16_t domain, uint32_t port, struct cursor command, uint32_t token,
		uint64_t now_ns)
{
	memset(c, 0, sizeof(*c));
	c->domain = domain;
	c->port = port;
	c->deadline_ns = after(now_ns, CONNECT_MS);
	look_up(c, command);
	if (!vchan_connect(&c->vchan, domain, port, token))
		return false;
	c->stage = CALL_CONNECTING;
	return true;
}

bool call_wants_control(const struct call *c)
{
	return c->stage == CALL_RUNNING && c->service >= SERVICE_STATUS;
}

uint64_t call_deadline(const struct call *c)
{
	if (c->stage == CALL_FREE)
		return UINT64_MAX;
	if (vchan_ready(&c->vchan))
		return 0;
	uint64_t vchan = vchan_deadline(&c->vchan);
	return vchan < c->deadline_ns ? vchan : c->deadline_ns;
}

void call_progress(struct call *c, uint64_t now_ns)
{
	c->deadline_ns = after(now_ns, RUN_MS);
}

/* All three fit: callers of call_finish leave that much room. */
void call_finish(struct call *c, uint32_t code, const char *why, uint64_t now_ns)
{
	uint8_t le[4];
	uint32_t len = 0;
	while (why[len])
		len++;
	if (len)
		qrexec_send(&c->out, QREXEC_STDERR, why, len);
	qrexec_send(&c->out, QREXEC_STDOUT, NULL, 0);
	le32_put(le, code);
	qrexec_send(&c->out, QREXEC_EXIT_CODE, le, sizeof(le));
	c->stage = CALL_ENDING;
	c->deadline_ns = after(now_ns, END_MS);
}

static void greet(struct call *c)
{
	uint8_t le[4];
	le32_put(le, QREXEC_VERSION);
	qrexec_send(&c->out, QREXEC_HELLO, le, sizeof(le));
}

static void start(struct call *c, const struct qrexec_host *host, uint64_t now_ns)
{
	c->stage = CALL_RUNNING;
	c->deadline_ns = after(now_ns, RUN_MS);
	switch (c->service) {
	case SERVICE_UNKNOWN:
		call_finish(c, QREXEC_NOT_FOUND, "postern: no such service\n", now_ns);
		return;
	case SERVICE_WAIT_FOR_SESSION:
		call_finish(c, 0, "", now_ns);
		return;
	case SERVICE_WAIT_FOR_UPLINK:
		c->deadline_ns = after(now_ns, UPLINK_MS);
		if (host->uplink_up())
			call_finish(c, 0, "", now_ns);
		return;
	case SERVICE_SET_DATE_TIME:
	case SERVICE_STATUS:
	case SERVICE_FLOWS:
	case SERVICE_EXPLAIN:
		return;
	}
}

/* Standard input matters to one service: its first line is the date. */
static void input(struct call *c, const struct qrexec_host *host, uint64_t now_ns)
{
	struct cursor body = qrexec_body(&c->in);
	bool whole = c->in.len == 0;
	const uint8_t *at;
	uint64_t seconds;
	if (c->service != SERVICE_SET_DATE_TIME)
		return;
	while (!whole && (at = take(&body, 1))) {
		whole = *at == '\n' || c->line_len == sizeof(c->line);
		if (!whole)
			c->line[c->line_len++] = (char)*at;
	}
	if (!whole)
		return;
	if (qrexec_date_parse(cursor_of(c->line, c->line_len), &seconds)) {
		host->set_wall(seconds);
		call_finish(c, 0, "", now_ns);
	} else {
		call_finish(c, 1, "postern: not a date\n", now_ns);
	}
}

/* One message; false: the caller broke the protocol. */
static bool message(struct call *c, const struct qrexec_host *host, uint64_t now_ns)
{
	struct cursor body = qrexec_body(&c->in);
	if (c->stage == CALL_GREETING) {
		if (c->in.type != QREXEC_HELLO || body.left < 4 || le32(body.at) < QREXEC_VERSION_MIN)
			return false;
		greet(c);
		start(c, host, now_ns);
	} else if (c->stage == CALL_RUNNING && c->in.type == QREXEC_STDIN) {
		input(c, host, now_ns);
	}
	/* anything else is nothing to us */
	return true;
}

static bool talk(struct call *c, const struct qrexec_host *host, uint64_t now_ns)
{
	for (unsigned n = 0; n < MESSAGES_PER_ROUND; n++) {
		enum qrexec_got got = qrexec_receive(&c->in, &c->vchan);
		if (got == QREXEC_NOTHING)
			break;
		if (got == QREXEC_BROKEN || !message(c, host, now_ns))
			return false;
	}
	if (c->stage == CALL_RUNNING && c->service == SERVICE_WAIT_FOR_UPLINK && host->uplink_up())
		call_finish(c, 0, "", now_ns);
	qrexec_flush(&c->out, &c->vchan);
	return c->stage != CALL_ENDING || c->out.len > 0 || !vchan_drained(&c->vchan);
}

static void expire(struct call *c, uint64_t now_ns)
{
	if (c->stage == CALL_RUNNING && c->service == SERVICE_WAIT_FOR_UPLINK)
		call_finish(c, 1, "postern: no uplink\n", now_ns);
	else
		c->stage = CALL_FREE;
}

bool call_poll(struct call *c, const struct qrexec_host *host, uint64_t now_ns)
{
	enum vchan_state state = vchan_poll(&c->vchan, now_ns);
	if (c->stage == CALL_CONNECTING && state == VCHAN_OPEN)
		c->stage = CALL_GREETING;
	if (now_ns >= c->deadline_ns)
		expire(c, now_ns);
	if (state == VCHAN_ENDED || (state == VCHAN_OPEN && c->stage != CALL_FREE && !talk(c, host, now_ns)))
		c->stage = CALL_FREE;
	if (c->stage != CALL_FREE)
		return true;
	vchan_close(&c->vchan);
	return false;
}
