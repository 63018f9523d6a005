// SPDX-License-Identifier: ISC
/* Our side: the pure core on the workbench of the unit tests. */
#include <string.h>

#include "cross_rule.h"
#include "diff.h"
#include "diff_lab.h"

static struct lab *lab;

static void set_rules(const struct diff_rules *rules)
{
	for (size_t i = 0; i < DIFF_CLIENTS; i++) {
		const char *line[DIFF_RULES_MAX + 1] = { NULL };
		for (size_t r = 0; r < rules[i].count; r++)
			line[r] = rules[i].line[r];
		if (rules[i].closed)
			policy_close(lab->policy, diff_client(i), "closed");
		else
			lab_rules(lab, diff_client(i), rules[i].policy, line);
	}
	for (size_t i = DIFF_INBOUND; i < DIFF_OWNERS; i++) {
		const char *line[DIFF_RULES_MAX + 1] = { NULL };
		for (size_t r = 0; r < rules[i].count; r++)
			line[r] = rules[i].line[r];
		enum rule_kind kind = i == DIFF_INBOUND ? RULE_INBOUND : RULE_BETWEEN;
		if (rules[i].closed)
			policy_close(lab->policy, cross_owner(kind), "off");
		else
			lab_cross_rules(lab, kind, line);
	}
	fw_rules_changed(&lab->fw);
}

static bool begin(const struct diff_case *c)
{
	const struct ip_addr dns[] = { ip_v4(10, 139, 1, 1), ip_v4(10, 139, 1, 2) };
	const struct ip_addr away = DIFF_AWAY;
	if (lab)
		lab_free(lab);
	lab = lab_new(1024);
	struct frame_queue none = { 0 };
	neigh_set(lab->fw.neigh, 1, diff_client(0), LAB_C1_MAC, &none);
	neigh_set(lab->fw.neigh, 2, diff_client(1), LAB_C2_MAC, &none);
	policy_set_dns(lab->policy, dns, array_len(dns));
	fw_set_protected(&lab->fw, &away, 1);
	set_rules(c->rules);
	return true;
}

static bool change(const struct diff_case *c)
{
	set_rules(c->later);
	fw_rules_changed(&lab->fw);
	lab_after(lab, 1000); /* silent flows are looked at by the timer */
	lab_after(lab, 1000);
	return true;
}

/* The kernel's rates are off as well. */
static void lift_limits(void)
{
	enum { MANY = 1000000 };
	for (int i = 0; i <= DIFF_CLIENTS; i++) {
		lab->fw.port[i].icmp_limit = limit_of(MANY, MANY, lab->now_ns);
		lab->fw.port[i].error_limit = limit_of(MANY, MANY, lab->now_ns);
	}
}

static void take_all(struct diff_frames *out)
{
	for (struct frame *f; (f = lab_take(lab)); lab_give(lab, f)) {
		if (out->count == DIFF_FRAMES_MAX || f->len > DIFF_FRAME_MAX)
			continue;
		struct diff_frame *to = &out->frame[out->count++];
		to->port = f->port;
		to->len = f->len;
		memcpy(to->bytes, f->data, f->len);
	}
}

static void send_frame(const struct diff_frame *in, struct diff_frames *out)
{
	struct frame *f = frames_take(&lab->free);
	if (!f || !frame_reset(f, in->len))
		panic("no frame");
	memcpy(f->data, in->bytes, in->len);
	f->port = in->port;
	lift_limits();
	fw_input(&lab->fw, &f, 1, lab->now_ns);
	take_all(out);
	lab_after(lab, 1000);
	take_all(out);
}

const struct diff_side diff_core = { "postern", begin, change, send_frame };
