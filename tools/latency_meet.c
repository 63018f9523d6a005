// SPDX-License-Identifier: ISC
/* Merges two captures by time and hands them to the pairer; aligns their clocks first if asked. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "latency_meet.h"
#include "verbs.h"

enum { SAMPLE = 50000, FIRST_BLOCK_NS = 50000000 };

struct scene {
	struct latency_meeting *m;
	struct latency_series *series;
	struct latency_pairer *pairer;
	struct latency_capture capture[2];
	bool fitting; /* the pass that only looks at the clocks */
	uint64_t base, width; /* of the blocks */
};

/* --- blocks of time, whose number is not known beforehand --------------------------------- */
static uint32_t block_of(struct scene *s, uint64_t ns)
{
	if (!s->base)
		s->base = ns;
	uint64_t since = ns > s->base ? ns - s->base : 0;
	while (since / s->width >= LATENCY_MEET_BLOCKS) {
		for (int w = 0; w < LATENCY_WAYS; w++)
			for (uint32_t i = 0; i < LATENCY_MEET_BLOCKS; i++) {
				struct histogram *h = s->series[w].block, *to = &h[i / 2];
				if (i % 2)
					histogram_merge(to, &h[i]);
				else if (to != &h[i])
					*to = h[i];
				if (to != &h[i] || i % 2)
					histogram_clear(&h[i]);
			}
		s->width *= 2;
		s->m->blocks_used = (s->m->blocks_used + 1) / 2;
	}
	uint32_t block = (uint32_t)(since / s->width);
	if (block >= s->m->blocks_used)
		s->m->blocks_used = block + 1;
	return block;
}

static void found(void *context, enum latency_way way, uint64_t a_ns, uint64_t b_ns, bool sure)
{
	struct scene *s = context;
	if (s->fitting) {
		if (sure)
			latency_clock_add(&s->m->clock, way, a_ns, b_ns + (uint64_t)s->m->clock.coarse_ns);
		return;
	}
	uint64_t from = way == LATENCY_A_TO_B ? a_ns : b_ns, to = way == LATENCY_A_TO_B ? b_ns : a_ns;
	if (to < from)
		s->m->backwards[way]++;
	latency_record(&s->series[way], block_of(s, a_ns), to < from ? 0 : to - from);
}

/* --- the translations that the appliance knows ----------------------------------------------- */
static bool read_end(const json_t *o, const char *ip, const char *port, uint32_t *address, uint16_t *number)
{
	struct in_addr a;
	const char *text = json_string_value(json_object_get(o, ip));
	json_int_t n = json_integer_value(json_object_get(o, port));
	if (!text || inet_pton(AF_INET, text, &a) != 1 || n < 0 || n > 65535)
		return false;
	*address = ntohl(a.s_addr);
	*number = (uint16_t)n;
	return true;
}

static uint8_t protocol(const json_t *o)
{
	const char *word = json_string_value(json_object_get(o, "proto"));
	if (!word)
		return (uint8_t)json_integer_value(json_object_get(o, "proto"));
	return !strcmp(word, "tcp") ? 6 : !strcmp(word, "udp") ? 17 : !strcmp(word, "icmp") ? 1 : 0;
}

static int read_flows(struct scene *s)
{
	json_error_t error;
	json_t *document = json_load_file(s->m->flows, 0, &error), *list, *o;
	size_t i;
	if (!document)
		return complain(EXIT_USAGE, "%s: line %d: %s", s->m->flows, error.line, error.text);
	list = json_is_array(document) ? document : json_object_get(document, "flows");
	if (!json_is_array(list)) {
		json_decref(document);
		return complain(EXIT_USAGE, "%s: no flows in it", s->m->flows);
	}
	json_array_foreach(list, i, o) {
		struct latency_ends in = { .proto = protocol(o) }, out;
		if (!read_end(o, "src", "sport", &in.src, &in.sport) || !read_end(o, "dst", "dport", &in.dst, &in.dport))
			continue;
		out = in;
		if (read_end(o, "nat_ip", "nat_port", &out.src, &out.sport))
			latency_pair_flow(s->pairer, &in, &out);
	}
	json_decref(document);
	return EXIT_YES;
}

/* --- files ------------------------------------------------------------------------------------- */
static int open_both(struct scene *s)
{
	char reason[LATENCY_CAPTURE_REASON];
	for (int i = 0; i < 2; i++) {
		bool ok = s->m->live ? latency_capture_live(&s->capture[i], s->m->from[i], s->m->filter, reason) :
				       latency_capture_file(&s->capture[i], s->m->from[i], reason);
		if (!ok)
			return complain(s->m->live ? EXIT_REFUSED : EXIT_USAGE, "%s: %s", s->m->from[i], reason);
	}
	/* The same bytes on both sides, though one was cut shorter. */
	uint32_t least = s->capture[0].payload_max < s->capture[1].payload_max ? s->capture[0].payload_max :
										 s->capture[1].payload_max;
	s->capture[0].payload_max = s->capture[1].payload_max = least;
	return EXIT_YES;
}

static void close_both(struct scene *s)
{
	for (int i = 0; i < 2; i++) {
		s->m->packets[i] = s->capture[i].packets;
		s->m->passed_over[i] = s->capture[i].passed_over;
		s->m->dropped[i] = latency_capture_dropped(&s->capture[i]);
		latency_capture_close(&s->capture[i]);
	}
}

static int next_of(struct scene *s, int side, struct latency_packet *p, bool *have)
{
	char reason[LATENCY_CAPTURE_REASON];
	int got = latency_capture_next(&s->capture[side], p, reason);
	*have = got == 1;
	if (got < 0)
		return complain(EXIT_USAGE, "%s: after packet %llu: %s", s->m->from[side],
				(unsigned long long)s->capture[side].packets, reason);
	if (*have && side == LATENCY_B && s->m->align)
		p->ns = s->fitting ? p->ns - (uint64_t)s->m->clock.coarse_ns : latency_clock_to_a(&s->m->clock, p->ns);
	return EXIT_YES;
}

static int merge_files(struct scene *s)
{
	struct latency_packet p[2];
	bool have[2];
	int code = EXIT_YES;
	for (int i = 0; i < 2 && code == EXIT_YES; i++)
		code = next_of(s, i, &p[i], &have[i]);
	while (code == EXIT_YES && (have[0] || have[1])) {
		int side = !have[0] || (have[1] && p[1].ns < p[0].ns);
		latency_pair_put(s->pairer, (enum latency_side)side, p[side].ns, &p[side].key);
		code = next_of(s, side, &p[side], &have[side]);
	}
	return code;
}

/* --- clocks ------------------------------------------------------------------------------------ */
static int by_content(const void *a, const void *b)
{
	const struct latency_packet *x = a, *y = b;
	return (x->key.content > y->key.content) - (x->key.content < y->key.content);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static size_t sample(struct scene *s, int side, struct latency_packet *list)
{
	char reason[LATENCY_CAPTURE_REASON];
	size_t n = 0;
	while (n < SAMPLE && latency_capture_next(&s->capture[side], &list[n], reason) == 1)
		n++;
	qsort(list, n, sizeof(*list), by_content);
	return n;
}

static bool alone(const struct latency_packet *list, size_t n, size_t i)
{
	return (!i || list[i - 1].key.content != list[i].key.content) &&
	       (i + 1 == n || list[i + 1].key.content != list[i].key.content);
}

/* The median difference of what is in the beginning of both exactly once: good to a delay or so. */
static int coarse(struct scene *s, int64_t *ns)
{
	struct latency_packet *a = calloc(SAMPLE, sizeof(*a)), *b = calloc(SAMPLE, sizeof(*b));
	int64_t *list = calloc(SAMPLE, sizeof(*list));
	int code = a && b && list ? open_both(s) : complain(EXIT_NO, "out of memory");
	if (code == EXIT_YES) {
		size_t n = sample(s, 0, a), m = sample(s, 1, b), found_n = 0;
		for (size_t i = 0, k = 0; i < n && k < m;) {
			if (a[i].key.content == b[k].key.content && alone(a, n, i) && alone(b, m, k))
				list[found_n++] = (int64_t)(b[k].ns - a[i].ns);
			if (a[i].key.content < b[k].key.content)
				i++;
			else
				k++;
		}
		qsort(list, found_n, sizeof(*list), by_size);
		if (found_n)
			*ns = list[found_n / 2];
		else
			code = complain(EXIT_NO, "the beginnings have no packet in common: the clocks cannot be aligned");
	}
	close_both(s);
	free(a);
	free(b);
	free(list);
	return code;
}

static int pass(struct scene *s)
{
	struct latency_meeting *m = s->m;
	s->pairer = latency_pair_new(m->window_ns, m->entries, found, s);
	int code = s->pairer ? EXIT_YES : complain(EXIT_NO, "no memory for %u entries", m->entries);
	if (code == EXIT_YES && m->align)
		latency_pair_by_ports(s->pairer);
	if (code == EXIT_YES && m->flows)
		code = read_flows(s);
	if (code == EXIT_YES)
		code = open_both(s);
	if (code == EXIT_YES)
		code = m->live ? latency_meet_live(s->pairer, s->capture, m->live_ns) : merge_files(s);
	if (code == EXIT_YES && !s->fitting) {
		latency_pair_end(s->pairer);
		for (int w = 0; w < LATENCY_WAYS; w++)
			m->count[w] = *latency_pair_count(s->pairer, (enum latency_way)w);
	}
	close_both(s);
	latency_pair_free(s->pairer);
	return code;
}

static int align(struct scene *s)
{
	int64_t ns = 0;
	int code = coarse(s, &ns);
	if (code != EXIT_YES)
		return code;
	latency_clock_init(&s->m->clock, ns);
	s->fitting = true;
	code = pass(s);
	s->fitting = false;
	if (code == EXIT_YES && !latency_clock_fit(&s->m->clock))
		code = complain(EXIT_NO, "packets of one direction only: the clocks cannot be aligned");
	if (code == EXIT_YES && s->m->clock.swapped)
		code = complain(EXIT_NO, "the clocks cannot be aligned: the ports do not tell the directions");
	return code;
}

int latency_meet(struct latency_meeting *m, struct latency_series *series)
{
	static struct scene s;
	s = (struct scene){ .m = m, .series = series, .width = FIRST_BLOCK_NS };
	int code = m->align ? align(&s) : EXIT_YES;
	return code == EXIT_YES ? pass(&s) : code;
}
