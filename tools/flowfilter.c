// SPDX-License-Identifier: ISC
/* Picks flows out of a listing. */
#include <stdlib.h>
#include <string.h>

#include "flowfilter.h"
#include "headers.h"

static const char *keep_word(char to[FLOWFILTER_WORD_BYTES], const char *word, const char *reason)
{
	size_t len = strlen(word);
	if (len == 0 || len >= FLOWFILTER_WORD_BYTES)
		return reason;
	memcpy(to, word, len + 1);
	return NULL;
}

const char *flowfilter_client(struct flowfilter *f, const char *word)
{
	struct cursor c = cursor_of(word, strlen(word));
	struct ip_addr ip;
	if (!parse_ip(&c, &ip) || c.left)
		return "not an address";
	f->client = ip;
	f->by_client = true;
	return NULL;
}

const char *flowfilter_proto(struct flowfilter *f, const char *word)
{
	static const struct { const char *name; uint32_t number; } names[] = {
		{ "icmp", PROTO_ICMP }, { "tcp", PROTO_TCP }, { "udp", PROTO_UDP }, { "icmpv6", PROTO_ICMPV6 },
	};
	struct cursor c = cursor_of(word, strlen(word));
	char digits[FLOWFILTER_WORD_BYTES];
	uint32_t n;
	for (size_t i = 0; i < array_len(names); i++)
		if (!strcmp(word, names[i].name))
			return keep_word(f->proto, word, word);
	if (!parse_u32(&c, UINT8_MAX, &n) || c.left)
		return "not tcp, udp, icmp, icmpv6 or a number up to 255";
	for (size_t i = 0; i < array_len(names); i++)
		if (n == names[i].number)
			return keep_word(f->proto, names[i].name, word);
	struct text t = text_on(digits);
	text_u64(&t, n);
	return keep_word(f->proto, digits, word);
}

const char *flowfilter_dst(struct flowfilter *f, const char *word)
{
	struct cursor c = cursor_of(word, strlen(word));
	struct flowfilter to = { .by_dst = false };
	uint32_t port = 0;
	bool bracket = parse_word(&c, "[");
	to.by_dst = parse_prefix(&c, &to.dst);
	if (bracket && (!to.by_dst || !parse_word(&c, "]")))
		return "not [PREFIX]:PORT";
	if (parse_word(&c, ":")) {
		to.by_dport = parse_u32(&c, UINT16_MAX, &port);
		if (!to.by_dport)
			return "not a port behind the colon";
	}
	if (c.left || (!to.by_dst && !to.by_dport))
		return "not PREFIX, PREFIX:PORT or :PORT";
	f->dst = to.dst;
	f->by_dst = to.by_dst;
	f->by_dport = to.by_dport;
	f->dport = (uint16_t)port;
	return NULL;
}

const char *flowfilter_rule(struct flowfilter *f, const char *word)
{
	return keep_word(f->rule, word, "not the id or number of a rule, or \"policy\"");
}

const char *flowfilter_state(struct flowfilter *f, const char *word)
{
	static const char *const states[] = {
		"syn_sent", "syn_both", "syn_both_orig", "syn_both_reply", "syn_recv", "established", "fin_wait",
		"close_wait", "last_ack", "time_wait", "closed", "replied", "unreplied",
	};
	for (size_t i = 0; i < array_len(states); i++)
		if (!strcmp(word, states[i]))
			return keep_word(f->state, word, word);
	return "not a state that `flows` shows (established, syn_sent, replied, unreplied, ...)";
}

const char *flowsort_parse(enum flowsort *sort, const char *word)
{
	static const char *const words[] = { [FLOWSORT_BYTES] = "bytes", [FLOWSORT_PACKETS] = "packets",
					     [FLOWSORT_IDLE] = "idle" };
	for (enum flowsort i = FLOWSORT_BYTES; i <= FLOWSORT_IDLE; i++) {
		if (!strcmp(word, words[i])) {
			*sort = i;
			return NULL;
		}
	}
	return "not bytes, packets or idle";
}

bool flowfilter_any(const struct flowfilter *f)
{
	return f->by_client || f->by_dst || f->by_dport || *f->proto || *f->rule || *f->state;
}

static bool ip_of(const json_t *flow, const char *member, struct ip_addr *ip)
{
	const char *word = json_string_value(json_object_get(flow, member));
	struct cursor c = cursor_of(word ? word : "", word ? strlen(word) : 0);
	return parse_ip(&c, ip) && !c.left;
}

static bool is_word(const json_t *flow, const char *member, const char *wanted)
{
	const json_t *v = json_object_get(flow, member);
	char digits[24];
	struct text t = text_on(digits);
	if (json_is_integer(v) && json_integer_value(v) >= 0)
		text_u64(&t, (uint64_t)json_integer_value(v));
	const char *word = json_is_string(v) ? json_string_value(v) : digits;
	return !*wanted || !strcmp(word, wanted);
}

bool flowfilter_hits(const struct flowfilter *f, const json_t *flow)
{
	struct ip_addr ip;
	if (f->by_client && (!ip_of(flow, "client", &ip) || !ip_eq(ip, f->client)))
		return false;
	if (f->by_dst && (!ip_of(flow, "dst", &ip) || !ip_in_prefix(ip, f->dst)))
		return false;
	if (f->by_dport && json_integer_value(json_object_get(flow, "dport")) != f->dport)
		return false;
	if (!is_word(flow, "rule", f->rule) && !is_word(flow, "rule_id", f->rule))
		return false;
	return is_word(flow, "proto", f->proto) && is_word(flow, "state", f->state);
}

struct ranked {
	json_t *flow;
	json_int_t rank;
	size_t place; /* in the listing: what is equal stays in order */
};

static json_int_t rank(const json_t *flow, enum flowsort sort)
{
	static const struct { const char *up, *down; } members[] = {
		[FLOWSORT_NONE] = { "", "" },
		[FLOWSORT_BYTES] = { "up_bytes", "down_bytes" },
		[FLOWSORT_PACKETS] = { "up_packets", "down_packets" },
		[FLOWSORT_IDLE] = { "idle_s", "" },
	};
	json_int_t up = json_integer_value(json_object_get(flow, members[sort].up));
	json_int_t down = json_integer_value(json_object_get(flow, members[sort].down));
	up = up > 0 ? up : 0;
	down = down > 0 ? down : 0;
	/* A peer's numbers are not believed to have a sum. */
	return up > INT64_MAX - down ? INT64_MAX : up + down;
}

static int before(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

json_t *flowfilter_pick(const struct flowfilter *f, const json_t *flows, enum flowsort sort, size_t top)
{
	size_t count = 0, size = json_array_size(flows);
	struct ranked *of = calloc(size ? size : 1, sizeof(*of));
	json_t *picked = json_array();
	if (!of || !picked)
		panic("out of memory");
	for (size_t i = 0; i < size; i++) {
		json_t *flow = json_array_get(flows, i);
		if (flowfilter_hits(f, flow))
			of[count++] = (struct ranked){ flow, rank(flow, sort), i };
	}
	if (count)
		qsort(of, count, sizeof(*of), before);
	for (size_t i = 0; i < count && (!top || i < top); i++)
		json_array_append(picked, of[i].flow);
	free(of);
	return picked;
}
