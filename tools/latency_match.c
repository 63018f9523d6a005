// SPDX-License-Identifier: ISC
/* postern latency match: one-way delay, loss, copies and reordering between two points of capture. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "latency_host.h"
#include "latency_meet.h"
#include "latency_out.h"
#include "latency_verbs.h"
#include "verbs.h"

static const char *const way_name[LATENCY_WAYS] = { "A to B", "B to A" };

static void count_way(struct latency_series *s, const struct latency_way_count *n)
{
	latency_count(s, "matched", n->matched);
	latency_count(s, "lost", n->lost);
	latency_count(s, "at_the_edge", n->edge);
	latency_count(s, "duplicated", n->duplicated);
	latency_count(s, "reordered", n->reordered);
	latency_count(s, "ambiguous", n->ambiguous);
}

static void describe(struct latency_run *run, const struct latency_meeting *m)
{
	static const char *const side[] = { "A", "B" };
	for (int i = 0; i < 2; i++) {
		json_object_set_new(run->config, side[i],
				    json_pack("{s:s, s:I, s:I}", "from", m->from[i], "packets",
					      (json_int_t)m->packets[i], "passed_over", (json_int_t)m->passed_over[i]));
		if (m->dropped[i])
			latency_run_warn(run, "%s: the kernel dropped %llu packets before they were seen: not lost on the way",
					 m->from[i], (unsigned long long)m->dropped[i]);
	}
	if (m->align)
		json_object_set_new(run->config, "clock",
				    json_pack("{s:f, s:f, s:f}", "b_ahead_ns",
					      (double)m->clock.coarse_ns + m->clock.offset_ns, "drift_ppm",
					      m->clock.drift * 1e6, "known_to_ns", m->clock.round_trip_ns / 2));
	uint64_t early = m->count[0].early + m->count[1].early;
	if (early)
		latency_run_warn(run, "%llu packets were given up before the window was over: more --entries",
				 (unsigned long long)early);
	for (int w = 0; w < LATENCY_WAYS; w++)
		if (m->backwards[w])
			latency_run_warn(run, "%s: %llu packets arrived before they were sent: clocks differ, see --align",
					 way_name[w], (unsigned long long)m->backwards[w]);
}

static int report(const struct latency_wish *w, struct latency_meeting *m, struct latency_run *run,
		  const struct latency_host *host)
{
	const struct latency_run *one = run;
	const char *label = "match";
	for (int i = 0; i < LATENCY_WAYS; i++) {
		struct latency_series *s = &run->series[i];
		s->blocks = m->blocks_used;
		count_way(s, &m->count[i]);
	}
	describe(run, m);
	latency_host_end(host, run);
	int code = latency_grant(w, &one, &label, 1);
	if (code == EXIT_YES && w->form == LATENCY_TABLE && m->align)
		printf("clocks: B ahead of A by %.6f ms, drifting %.3f ppm; known to +-%.3f us\n",
		       ((double)m->clock.coarse_ns + m->clock.offset_ns) / 1e6, m->clock.drift * 1e6,
		       m->clock.round_trip_ns / 2e3);
	if (code == EXIT_YES && !m->count[0].matched && !m->count[1].matched)
		code = complain(EXIT_NO, "no packet is in both");
	return code;
}

enum { ALIGN = LATENCY_OPT_OWN, WINDOW, ENTRIES, FLOWS, FILTER, FOR };

static bool take(struct latency_meeting *m, int option, const char *argument)
{
	char *end = NULL;
	double v = option == WINDOW || option == FOR || option == ENTRIES ? strtod(argument, &end) : 0;
	if (end && (end == argument || *end || !(v > 0) || v > 1e9))
		return false;
	if (option == ALIGN)
		m->align = true;
	else if (option == WINDOW)
		m->window_ns = (uint64_t)(v * 1e9);
	else if (option == FOR)
		m->live_ns = (uint64_t)(v * 1e9);
	else if (option == FLOWS)
		m->flows = argument;
	else if (option == FILTER)
		m->filter = argument;
	else if (option == ENTRIES)
		while (m->entries < (uint32_t)v && m->entries < 1u << 28)
			m->entries *= 2;
	else
		return false;
	return true;
}

static int read_words(struct latency_meeting *m, struct latency_wish *w, int argc, char **argv)
{
	static const struct option options[] = {
		LATENCY_OUT_OPTIONS,
		{ "align", no_argument, NULL, ALIGN },	       { "window", required_argument, NULL, WINDOW },
		{ "entries", required_argument, NULL, ENTRIES }, { "flows", required_argument, NULL, FLOWS },
		{ "filter", required_argument, NULL, FILTER },  { "for", required_argument, NULL, FOR },
		{ "interface", required_argument, NULL, 'i' },  { 0 },
	};
	int interfaces = 0;
	for (int o; (o = getopt_long(argc, argv, "jo:i:h", options, NULL)) != -1;) {
		if (o == 'i' && interfaces < 2)
			m->from[interfaces++] = optarg;
		else if (!latency_wish_take(w, o, optarg) && !take(m, o, optarg))
			return o == 'h' ? verb_help("latency") : verb_usage("latency");
	}
	m->live = interfaces;
	if (argc - optind != (interfaces ? 0 : 2) || interfaces == 1 || (interfaces && m->align))
		return verb_usage("latency");
	for (int i = 0; i < 2 && !interfaces; i++)
		m->from[i] = argv[optind + i];
	return -1;
}

int latency_match(int argc, char **argv)
{
	struct latency_wish w = { .form = LATENCY_TABLE };
	static struct latency_meeting m;
	struct latency_run run;
	struct latency_host host;
	m = (struct latency_meeting){ .window_ns = 2000000000, .live_ns = 10000000000u, .entries = 1 << 20 };
	int code = read_words(&m, &w, argc, argv);
	if (code >= 0)
		return code;
	latency_run_init(&run, "match");
	latency_host_begin(&host);
	for (int i = 0; i < LATENCY_WAYS; i++)
		latency_run_add(&run, way_name[i], LATENCY_MEASURED, LATENCY_MEET_BLOCKS);
	code = latency_meet(&m, run.series);
	if (code == EXIT_YES)
		code = report(&w, &m, &run, &host);
	latency_run_free(&run);
	return code;
}
