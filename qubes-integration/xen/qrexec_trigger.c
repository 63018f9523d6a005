// SPDX-License-Identifier: ISC
/* Asks dom0 to read our feature requests, and plays the empty standard input of that call. */
#include "qrexec_trigger.h"

enum {
	TRIGGER3_VERSION = 3,
	TARGET_BYTES = 64,
	IDENT_BYTES = 32,
	GIVE_UP_MS = 30000,
	MESSAGES_PER_ROUND = 16,
	NS_PER_MS = 1000000,
};

static const char ident[IDENT_BYTES] = "postern-features";
static const char service[] = "qubes.FeaturesRequest";

static uint64_t after(uint64_t now_ns, uint32_t ms)
{
	return now_ns + (uint64_t)ms * NS_PER_MS;
}

void trigger_ready(struct trigger *t, uint32_t version, uint64_t now_ns)
{
	if (t->stage != TRIGGER_IDLE)
		return;
	t->stage = version < TRIGGER3_VERSION ? TRIGGER_DONE : TRIGGER_DUE;
	t->at_ns = after(now_ns, TRIGGER_AFTER_MS);
}

static void done(struct trigger *t)
{
	vchan_close(&t->vchan);
	t->stage = TRIGGER_DONE;
}

void trigger_reset(struct trigger *t)
{
	if (t->stage == TRIGGER_DONE)
		return;
	vchan_close(&t->vchan);
	memset(t, 0, sizeof(*t));
}

/* target "dom0", the identifier that the answer will bear, the service. */
static void ask(struct trigger *t, struct qrexec_out *out, uint64_t now_ns)
{
	uint8_t body[TARGET_BYTES + IDENT_BYTES + sizeof(service)];
	memset(body, 0, sizeof(body));
	memcpy(body, "dom0", 4);
	memcpy(body + TARGET_BYTES, ident, sizeof(ident));
	memcpy(body + TARGET_BYTES + IDENT_BYTES, service, sizeof(service));
	if (!qrexec_send(out, QREXEC_TRIGGER3, body, sizeof(body)))
		return;
	t->stage = TRIGGER_ASKED;
	t->at_ns = after(now_ns, GIVE_UP_MS);
}

void trigger_answer(struct trigger *t, enum qrexec_type type, struct cursor body, uint64_t now_ns)
{
	const uint8_t *where;
	if (t->stage != TRIGGER_ASKED)
		return;
	t->stage = TRIGGER_DONE;
	if (type != QREXEC_SERVICE_CONNECT || !(where = take(&body, 8)) || le32(where) > UINT16_MAX)
		return;
	t->domain = (uint16_t)le32(where);
	t->port = le32(where + 4);
	if (!vchan_listen(&t->vchan, t->domain, t->port))
		return;
	t->stage = TRIGGER_SERVING;
	t->at_ns = after(now_ns, GIVE_UP_MS);
}

/* Greets, says that there is no input, reads until the exit code. True: it has come. */
static bool serve(struct trigger *t)
{
	uint8_t le[4];
	bool ended = false;
	if (!t->greeted) {
		t->greeted = true;
		le32_put(le, QREXEC_VERSION);
		qrexec_send(&t->out, QREXEC_HELLO, le, sizeof(le));
		qrexec_send(&t->out, QREXEC_STDIN, NULL, 0);
	}
	for (unsigned n = 0; n < MESSAGES_PER_ROUND && !ended; n++) {
		enum qrexec_got got = qrexec_receive(&t->in, &t->vchan);
		if (got == QREXEC_NOTHING)
			break;
		ended = got == QREXEC_BROKEN || t->in.type == QREXEC_EXIT_CODE;
	}
	qrexec_flush(&t->out, &t->vchan);
	return ended;
}

bool trigger_poll(struct trigger *t, struct qrexec_out *out, uint64_t now_ns)
{
	bool over = now_ns >= t->at_ns;
	if (t->stage == TRIGGER_DUE && over)
		ask(t, out, now_ns);
	else if (t->stage == TRIGGER_ASKED && over)
		done(t);
	if (t->stage != TRIGGER_SERVING)
		return false;
	enum vchan_state state = vchan_poll(&t->vchan, now_ns);
	over |= state == VCHAN_ENDED || (state == VCHAN_OPEN && serve(t));
	if (over)
		done(t);
	return over;
}

uint64_t trigger_deadline(const struct trigger *t)
{
	if (vchan_ready(&t->vchan))
		return 0;
	return t->stage == TRIGGER_IDLE || t->stage == TRIGGER_DONE ? UINT64_MAX : t->at_ns;
}
