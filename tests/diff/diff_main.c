// SPDX-License-Identifier: ISC
/*
 * Runs random cases on both sides, and shrinks the first that they disagree on.
 *   diff [--agent] [--tender DIRECTORY] [--seed N] [--cases N] [--steps N] [--seconds N]
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "diff.h"
#include "diff_lab.h"

enum { SIDES = 2, KERNEL = 0, CORE = 1 };
static const struct diff_side *side[SIDES] = { &diff_kernel, &diff_core };

static struct run {
	struct diff_trace trace[SIDES];
	char words[SIDES][DIFF_WORDS];
	uint64_t packets, known;
	uint64_t passed, refused, silent; /* what the core did */
} run;

struct difference {
	bool found;
	size_t step;
	char words[SIDES][DIFF_WORDS];
};

/*
 * The one thing that the kernel does and we do not: it takes up a TCP connection in
 * its middle (README, limits). Only where our side never saw the connection open.
 */
static bool is_picked_up(const struct diff_case *c, size_t number)
{
	const struct diff_step *s = &c->step[number], *first = &c->step[s->about];
	bool opened = first->p.flags == TCP_SYN && run.trace[CORE].out[s->about].len &&
		      run.trace[CORE].out[s->about].port != first->p.port;
	return s->kind == DIFF_SEND && s->p.proto == PROTO_TCP && s->p.flags != TCP_SYN && !opened &&
	       !strcmp(run.words[CORE], "nothing") && strcmp(run.words[KERNEL], "nothing") &&
	       !strstr(run.words[KERNEL], "icmp ");
}

static bool was_handed_out(uint16_t port)
{
	for (size_t i = 0; i < SIDES; i++)
		if (run.trace[i].handed_out[port / 8] & 1 << port % 8)
			return true;
	return false;
}

/* One step on one side; false: there is nothing to do there. */
static bool step(const struct diff_case *c, size_t number, size_t i, bool chosen)
{
	struct diff_trace *t = &run.trace[i];
	static struct diff_frames in, out;
	if (!diff_make(c, number, t, &in))
		return false;
	out.count = 0;
	for (size_t f = 0; f < in.count; f++)
		side[i]->send(&in.frame[f], &out);
	run.packets += i == CORE ? in.count : 0;
	diff_join(&in);
	t->in[number] = in.frame[0];
	diff_say(t, number, &out, chosen, run.words[i]);
	if (out.count)
		t->out[number] = out.frame[0];
	return true;
}

static bool can_change(void)
{
	return side[KERNEL]->change && side[CORE]->change;
}

static void count(const char *words)
{
	run.passed += !strncmp(words, "up: ", 4);
	run.silent += !strcmp(words, "nothing");
	run.refused += strncmp(words, "up: ", 4) && strstr(words, "icmp ");
}

/* How long the port of a connection that was reset stays taken is each side's own affair. */
static void note_reset(const struct diff_step *s, const struct diff_case *c)
{
	uint16_t port = c->step[s->about].p.sport;
	if (s->kind == DIFF_REPLY && s->p.proto == PROTO_TCP && s->p.flags & TCP_RST)
		run.trace[KERNEL].handed_out[port / 8] |= (uint8_t)(1 << port % 8);
}

/* The first step on which the sides disagree. */
static struct difference compare(const struct diff_case *c)
{
	struct difference d = { 0 };
	memset(run.trace, 0, sizeof(run.trace));
	for (size_t i = 0; i < SIDES; i++)
		if (!side[i]->begin(c))
			exit(2);
	for (size_t n = 0; n < c->count && !d.found; n++) {
		strcpy(run.words[KERNEL], "not made");
		strcpy(run.words[CORE], "not made");
		if (c->step[n].kind == DIFF_CHANGE) {
			for (size_t i = 0; can_change() && i < SIDES; i++)
				if (!side[i]->change(c))
					exit(2);
			continue;
		}
		bool chosen = was_handed_out(c->step[n].p.sport);
		for (size_t i = 0; i < SIDES; i++)
			step(c, n, i, chosen);
		count(run.words[CORE]);
		note_reset(&c->step[n], c);
		if (!strcmp(run.words[KERNEL], run.words[CORE]))
			continue;
		if (is_picked_up(c, n)) {
			uint16_t port = c->step[n].p.sport; /* taken on one side only, from now on */
			run.trace[KERNEL].handed_out[port / 8] |= (uint8_t)(1 << port % 8);
			run.known++;
			continue;
		}
		d.found = true;
		d.step = n;
		memcpy(d.words, run.words, sizeof(d.words));
	}
	return d;
}

/* --- shrinking ------------------------------------------------------------------------ */

/* Without the step, those about it, and what follows in its connection, which would make no sense any more. */
static void remove_step(struct diff_case *c, size_t gone)
{
	size_t place[DIFF_STEPS_MAX], kept = 0, root = c->step[gone].about;
	for (size_t i = 0; i < c->count; i++) {
		struct diff_step s = c->step[i];
		bool follows = i > gone && s.p.proto == PROTO_TCP && s.about == root;
		bool goes = i == gone || follows || (s.about != i && place[s.about] == SIZE_MAX);
		place[i] = goes ? SIZE_MAX : kept;
		if (goes)
			continue;
		s.about = place[s.about];
		c->step[kept++] = s;
	}
	c->count = kept;
}

/* As it was, but less: still the same disagreement? */
static bool still(const struct diff_case *c, const struct difference *was, struct difference *now)
{
	*now = compare(c);
	return now->found && !strncmp(now->words[KERNEL], was->words[KERNEL], 12) &&
	       !strncmp(now->words[CORE], was->words[CORE], 12);
}

static void remove_rule(struct diff_rules *r, size_t gone)
{
	memmove(r->line[gone], r->line[gone + 1], (r->count - gone - 1) * sizeof(r->line[0]));
	r->count--;
}

/* The rules of the clients, then the later ones. */
static struct diff_rules *rules_of(struct diff_case *c, size_t n)
{
	return n < DIFF_OWNERS ? &c->rules[n] : &c->later[n - DIFF_OWNERS];
}

static void shrink(struct diff_case *c, struct difference *d)
{
	static struct diff_case less;
	struct difference now;
	c->count = d->step + 1;
	for (size_t i = c->count - 1; i-- > 0;) {
		less = *c;
		remove_step(&less, i);
		if (less.count && still(&less, d, &now)) {
			*c = less;
			*d = now;
			c->count = d->step + 1;
			i = i < c->count ? i : c->count;
		}
	}
	for (size_t client = 0; client < 2 * DIFF_OWNERS; client++) {
		for (size_t i = rules_of(c, client)->count; i-- > 0;) {
			less = *c;
			remove_rule(rules_of(&less, client), i);
			if (still(&less, d, &now)) {
				*c = less;
				*d = now;
			}
		}
	}
}

static void print(const struct diff_case *c, const struct difference *d)
{
	diff_print_rules(c->rules, stdout);
	for (size_t i = 0; i < c->count; i++) {
		if (c->step[i].kind == DIFF_CHANGE) {
			printf("  step %zu: a change of rules\n", i);
			diff_print_rules(c->later, stdout);
			continue;
		}
		diff_print_step(&c->step[i], i, stdout);
	}
	printf("  of step %zu came\n    kernel:  %s\n    postern: %s\n", d->step, d->words[KERNEL], d->words[CORE]);
}

/* --- the command ------------------------------------------------------------------------- */

struct wish {
	uint64_t seed;
	bool agent;
	const char *tender; /* not the core alone, but the appliance of this directory */
	size_t cases, steps, seconds; /* seconds 0: as many cases as wished */
};

static struct wish read_words(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "cases", required_argument, NULL, 'c' },
		{ "steps", required_argument, NULL, 'n' }, { "seconds", required_argument, NULL, 't' },
		{ "agent", no_argument, NULL, 'a' },       { "tender", required_argument, NULL, 'd' }, { 0 },
	};
	struct wish w = { .seed = 1, .cases = 100, .steps = 250 };
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		unsigned long long value = strtoull(optarg ? optarg : "", NULL, 0);
		if (o == 's')
			w.seed = value;
		else if (o == 'c')
			w.cases = value;
		else if (o == 'n')
			w.steps = value < DIFF_STEPS_MAX ? value : DIFF_STEPS_MAX;
		else if (o == 't')
			w.seconds = value;
		else if (o == 'a')
			w.agent = true;
		else if (o == 'd')
			w.tender = optarg;
		else
			exit(2);
	}
	return w;
}

static volatile sig_atomic_t asked_to_end;

static void on_signal(int number)
{
	asked_to_end = number;
}

int main(int argc, char **argv)
{
	struct wish w = read_words(argc, argv);
	static struct diff_case c;
	time_t end = time(NULL) + (time_t)w.seconds;
	size_t n = 0;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (w.agent)
		side[KERNEL] = &diff_agent;
	if (w.tender)
		side[CORE] = &diff_tender;
	if (!diff_kernel_init() || (w.tender && !diff_tender_init(w.tender)))
		return 2;
	for (; !asked_to_end && (w.seconds ? time(NULL) < end : n < w.cases); n++) {
		struct diff_random r = { w.seed + n };
		struct diff_taste taste = { w.agent, !w.agent && !w.tender && (w.seed + n) % 2 == 1 };
		diff_generate(&c, &r, w.steps, taste);
		struct difference d = compare(&c);
		if (!d.found)
			continue;
		printf("diff: %s--seed %llu --cases 1 --steps %zu: the kernel and postern disagree:\n",
		       w.agent ? "--agent " : "", (unsigned long long)(w.seed + n), w.steps);
		shrink(&c, &d);
		print(&c, &d);
		return 1;
	}
	unsigned long long packets = run.packets, passed = run.passed, refused = run.refused, silent = run.silent;
	printf("diff%s: %llu packets over %zu rule sets without a difference (%llu passed out, %llu answered by ICMP, "
	       "%llu silent; %llu segments of connections that only the kernel took up)\n",
	       w.agent ? " (agent's chains)" : w.tender ? " (appliance)" : "", packets, n, passed, refused, silent,
	       (unsigned long long)run.known);
	return asked_to_end ? 130 : 0;
}
