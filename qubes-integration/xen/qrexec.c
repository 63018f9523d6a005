// SPDX-License-Identifier: ISC
/* The agent's connection to dom0, the calls it hands out, and their turns at the control channel. */
#include "qrexec.h"
#include "qrexec_trigger.h"
#include "text.h"

enum { AGAIN_MS = 1000, NS_PER_MS = 1000000, EXEC_BYTES = 8, TERMINATED_BYTES = 8, MESSAGES_PER_ROUND = 16 };

static const char error_answer[] = "{\"type\":\"error\""; /* status.h */

static struct {
	const struct qrexec_host *host;
	struct vchan vchan;
	struct qrexec_in in;
	struct qrexec_out out;
	uint64_t again_ns;
	uint64_t connects, calls, refused;
	bool open, greeted;
	struct trigger trigger;
	struct call call[QREXEC_CALLS];
	struct call *control; /* whose turn it is, NULL: nobody's */
	bool told;            /* the firewall was told that the control channel is open for it */
	bool line_start;      /* of the answer */
	uint32_t answered;    /* bytes of it */
	bool is_error;        /* they begin as error_answer does */
	uint64_t now_ns;
} self;

void qrexec_init(const struct qrexec_host *host)
{
	for (unsigned i = 0; i < QREXEC_CALLS; i++)
		vchan_close(&self.call[i].vchan);
	vchan_close(&self.vchan);
	vchan_close(&self.trigger.vchan);
	memset(&self, 0, sizeof(self));
	self.host = host;
}

void qrexec_look(uint32_t token)
{
	if (token - QREXEC_TOKEN < QREXEC_CALLS)
		vchan_look(&self.call[token - QREXEC_TOKEN].vchan);
}

/* --- the agent's connection ------------------------------------------------------------- */

static void listen(uint64_t now_ns)
{
	if (now_ns >= self.again_ns && !vchan_listen(&self.vchan, 0, QREXEC_PORT))
		self.again_ns = now_ns + (uint64_t)AGAIN_MS * NS_PER_MS;
}

/* The daemon may use the port of the call again. Lost only to a daemon that asks for hundreds of calls and reads nothing. */
static void terminated(uint16_t domain, uint32_t port)
{
	uint8_t body[TERMINATED_BYTES];
	le32_put(body, domain);
	le32_put(body + 4, port);
	if (self.open)
		qrexec_send(&self.out, QREXEC_TERMINATED, body, sizeof(body));
}

static void begin_call(struct cursor body)
{
	unsigned i = 0;
	uint32_t domain = le32(take(&body, 4)), port = le32(take(&body, 4));
	self.calls++;
	while (i < QREXEC_CALLS && self.call[i].stage != CALL_FREE)
		i++;
	if (domain > UINT16_MAX || i == QREXEC_CALLS ||
	    !call_begin(&self.call[i], (uint16_t)domain, port, body, QREXEC_TOKEN + i, self.now_ns)) {
		self.refused++;
		terminated((uint16_t)domain, port);
	}
}

/* False: the daemon broke the protocol. */
static bool message(void)
{
	struct cursor body = qrexec_body(&self.in);
	if (!self.greeted) {
		self.greeted = self.in.type == QREXEC_HELLO && body.left >= 4 && le32(body.at) >= QREXEC_VERSION_MIN;
		if (self.greeted)
			trigger_ready(&self.trigger, le32(body.at), self.now_ns);
		return self.greeted;
	}
	if (self.in.type == QREXEC_EXEC || self.in.type == QREXEC_JUST_EXEC) {
		if (body.left < EXEC_BYTES)
			return false;
		begin_call(body);
	} else if (self.in.type == QREXEC_SERVICE_CONNECT || self.in.type == QREXEC_SERVICE_REFUSED) {
		trigger_answer(&self.trigger, (enum qrexec_type)self.in.type, body, self.now_ns);
	}
	/* nothing else concerns us */
	return true;
}

static void hang_up(void)
{
	vchan_close(&self.vchan);
	trigger_reset(&self.trigger);
	memset(&self.in, 0, sizeof(self.in));
	memset(&self.out, 0, sizeof(self.out));
	self.open = self.greeted = false;
}

static void agent(uint64_t now_ns)
{
	uint8_t le[4];
	if (self.vchan.state == VCHAN_OFF)
		listen(now_ns);
	enum vchan_state state = vchan_poll(&self.vchan, now_ns);
	if (state == VCHAN_OPEN && !self.open) {
		self.open = true;
		self.connects++;
		le32_put(le, QREXEC_VERSION);
		qrexec_send(&self.out, QREXEC_HELLO, le, sizeof(le));
	}
	bool fine = state != VCHAN_ENDED;
	for (unsigned n = 0; n < MESSAGES_PER_ROUND && fine && self.open; n++) {
		enum qrexec_got got = qrexec_receive(&self.in, &self.vchan);
		if (got == QREXEC_NOTHING)
			break;
		fine = got == QREXEC_MESSAGE && message();
	}
	qrexec_flush(&self.out, &self.vchan);
	if (!fine)
		hang_up();
}

/* --- calls, and their turns -------------------------------------------------------------- */

void qrexec_poll(uint64_t now_ns)
{
	self.now_ns = now_ns;
	agent(now_ns);
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		struct call *c = &self.call[i];
		if (c->stage == CALL_FREE || call_poll(c, self.host, now_ns))
			continue;
		terminated(c->domain, c->port);
		/* its place may be another call's before the firewall is told */
		if (self.control == c)
			self.control = NULL;
	}
	if (trigger_poll(&self.trigger, &self.out, now_ns))
		terminated(self.trigger.domain, self.trigger.port);
	qrexec_flush(&self.out, &self.vchan);
}

static struct call *next_in_turn(void)
{
	for (unsigned i = 0; i < QREXEC_CALLS; i++)
		if (call_wants_control(&self.call[i]))
			return &self.call[i];
	return NULL;
}

/* The call whose request the firewall has, or shall have. */
static struct call *served(void)
{
	return self.told && self.control && call_wants_control(self.control) ? self.control : NULL;
}

/* What the firewall must be told next. */
static enum platform_event_kind event_due(void)
{
	if (self.told)
		return served() ? EVENT_NONE : EVENT_CHANNEL_CLOSED;
	return next_in_turn() ? EVENT_CHANNEL_OPEN : EVENT_NONE;
}

uint64_t qrexec_deadline(void)
{
	if (event_due() != EVENT_NONE || vchan_ready(&self.vchan))
		return 0;
	uint64_t first = trigger_deadline(&self.trigger);
	if (self.vchan.state == VCHAN_OFF && self.again_ns < first)
		first = self.again_ns;
	for (unsigned i = 0; i < QREXEC_CALLS; i++) {
		uint64_t deadline = call_deadline(&self.call[i]);
		first = deadline < first ? deadline : first;
	}
	return first;
}

bool qrexec_event(struct platform_event *e)
{
	enum platform_event_kind due = event_due();
	if (due == EVENT_NONE)
		return false;
	*e = (struct platform_event){ .kind = due, .channel = CHANNEL_CONTROL };
	self.told = self.line_start = due == EVENT_CHANNEL_OPEN;
	self.control = self.told ? next_in_turn() : NULL;
	self.answered = 0;
	self.is_error = true;
	return true;
}

size_t qrexec_read(void *bytes, size_t len)
{
	struct call *c = served();
	if (!c)
		return 0;
	size_t n = c->request_len - c->request_sent;
	n = n < len ? n : len;
	memcpy(bytes, c->request + c->request_sent, n);
	c->request_sent += (uint32_t)n;
	return n;
}

/* How much of the answer goes on before its end, a line that starts with '.' */
static size_t answer_length(const char *bytes, size_t len, bool *ended)
{
	size_t n = 0;
	for (*ended = false; n < len; n++) {
		*ended = self.line_start && bytes[n] == '.';
		if (*ended)
			break;
		self.line_start = bytes[n] == '\n';
	}
	return n;
}

/* Is the answer an error, as far as it has come? */
static void watch_for_error(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && self.answered < sizeof(error_answer) - 1; i++)
		self.is_error &= bytes[i] == error_answer[self.answered++];
}

size_t qrexec_write(const void *bytes, size_t len)
{
	enum { RESERVE_BYTES = 64 }; /* for the end of the call */
	struct call *c = served();
	bool ended;
	if (!c)
		return len; /* the caller is gone; nobody wants the rest */
	uint32_t room = qrexec_send_room(&c->out);
	room = room > RESERVE_BYTES ? room - RESERVE_BYTES : 0;
	size_t n = answer_length(bytes, len < room ? len : room, &ended);
	if (n) {
		qrexec_send(&c->out, QREXEC_STDOUT, bytes, (uint32_t)n);
		call_progress(c, self.now_ns);
		watch_for_error(bytes, n);
	}
	if (ended)
		call_finish(c, self.is_error && self.answered == sizeof(error_answer) - 1, "", self.now_ns);
	qrexec_flush(&c->out, &c->vchan);
	return ended ? len : n;
}

void qrexec_status(struct text *t)
{
	text_put(t, "\"qrexec_connects\":");
	text_u64(t, self.connects);
	text_put(t, ",\"qrexec_calls\":");
	text_u64(t, self.calls);
	text_put(t, ",\"qrexec_refused\":");
	text_u64(t, self.refused);
}
