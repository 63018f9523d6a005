// SPDX-License-Identifier: ISC
/* postern latency probe: measures a path by an open-loop stream, for every rate, size and value asked for. */
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latency_host.h"
#include "latency_plan.h"
#include "latency_split.h"
#include "latency_verbs.h"
#include "verbs.h"

extern char **environ;

enum { SEARCH_STEPS = 12, SEARCH_NS = 1000000000, BEHIND_NS_MAX = 5000000, OVERRUN_PERCENT_MAX = 1 };
static const double load_share[] = { 0, 0.1, 0.5, 0.9 };
enum { IDLE_RATE = 100, TRIAL_MORE_S = 3 /* beginning, late replies */, SWEEP_MORE_S = 30 };

static int set_value(const struct latency_plan *p, const char *value)
{
	char *words[] = { (char *)p->program, (char *)value, NULL };
	pid_t pid;
	int status = 0, error = posix_spawnp(&pid, p->program, NULL, NULL, words, environ);
	if (error)
		return complain(EXIT_NO, "%s: %s", p->program, strerror(error));
	while (waitpid(pid, &status, 0) < 0)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return complain(EXIT_NO, "%s %s: failed", p->program, value);
	return EXIT_YES;
}

static void judge(struct latency_run *run, const char *name, const struct latency_outcome *o)
{
	char noise_name[LATENCY_NAME_BYTES];
	snprintf(noise_name, sizeof(noise_name), "%.80s generator", name);
	const struct latency_series *noise = latency_run_find(run, noise_name);
	const struct latency_series *measured = latency_run_find(run, name);
	if (!measured->total.count)
		latency_run_warn(run, "%s: no reply", name);
	else if (histogram_quantile(&noise->total, 500000) * 10 > histogram_quantile(&measured->total, 500000))
		latency_run_warn(run, "%s: the generator's own error is more than a tenth of what it measures", name);
	if (o->overrun * 100 > o->sent * OVERRUN_PERCENT_MAX)
		latency_run_warn(run, "%s: generator overrun, %llu of %llu packets left an interval late or more", name,
				 (unsigned long long)o->overrun, (unsigned long long)o->sent);
	if (o->refused)
		latency_run_warn(run, "%s: %llu packets were refused by this machine", name,
				 (unsigned long long)o->refused);
}

/* The highest rate, up to the one asked for, at which a second loses nothing and keeps its schedule. */
static int find_maximum(const struct latency_plan *p, uint32_t size, double *found)
{
	struct latency_trial t = p->trial;
	double low = 0, high = p->rate[0], next = high;
	t.size = size;
	t.duration_ns = SEARCH_NS;
	t.warmup_ns = 0;
	for (int step = 0; step < SEARCH_STEPS && (high - low) > high / 50; step++) {
		struct latency_run scratch;
		struct latency_outcome o;
		latency_run_init(&scratch, "search");
		t.rate = next;
		int code = latency_trial_run(&t, &scratch, "search", &o);
		const struct latency_series *noise = latency_run_find(&scratch, "search generator");
		bool kept = noise && histogram_quantile(&noise->total, 500000) <= BEHIND_NS_MAX;
		latency_run_free(&scratch);
		if (code != EXIT_YES)
			return code;
		bool good = kept && !o.lost && !o.refused;
		*(good ? &low : &high) = next;
		if (good && next >= p->rate[0])
			break;
		next = (low + high) / 2;
	}
	*found = low;
	return low > 0 ? EXIT_YES : complain(EXIT_NO, "no rate up to %g/s passes without loss", p->rate[0]);
}

static int named_trial(const struct latency_plan *p, struct latency_run *run, const struct latency_trial *t,
		       const char *name)
{
	struct latency_outcome o;
	if (p->report)
		fprintf(stderr, "postern: %s, %.3g s\n", name, (double)t->duration_ns / 1e9);
	int code = latency_trial_run(t, run, name, &o);
	if (code == EXIT_YES)
		judge(run, name, &o);
	return code;
}

/* Through the appliance, then to it. */
static int split_trial(const struct latency_plan *p, struct latency_run *run, const struct latency_trial *t,
		       const char *name)
{
	bool asks = !strcmp(p->reflector, "appliance");
	struct latency_split split = { .control = asks ? p->control : NULL };
	struct latency_trial near = *t;
	char near_name[LATENCY_NAME_BYTES - 16];
	snprintf(near_name, sizeof(near_name), "%.60s appliance", name);
	near.to = p->reflect_to;
	near.one_way = false;
	latency_split_begin(&split);
	int code = named_trial(p, run, t, name);
	latency_split_through(&split);
	if (code == EXIT_YES)
		code = named_trial(p, run, &near, near_name);
	latency_split_end(&split, run, name, near_name);
	return code;
}

static int one_trial(const struct latency_plan *p, struct latency_run *run, double rate, uint32_t size,
		     const char *value, unsigned turn)
{
	static const char *const carrier[] = { "udp", "tcp", "icmp" };
	struct latency_trial t = p->trial;
	char name[LATENCY_NAME_BYTES - 32], number[16] = "";
	if (p->trials > 1)
		snprintf(number, sizeof(number), " #%u", turn + 1);
	snprintf(name, sizeof(name), "%s %.6g/s %uB%s%.20s%s", carrier[t.carrier], rate, size,
		 !value ? "" : p->sweep.client ? " rules=" : " ", value ? value : "", number);
	t.rate = rate;
	t.size = size;
	return p->reflector ? split_trial(p, run, &t, name) : named_trial(p, run, &t, name);
}

static int rates_of(const struct latency_plan *p, struct latency_run *run, uint32_t size, double rate[LATENCY_LIST_MAX],
		    size_t *n)
{
	double most;
	*n = p->rates;
	memcpy(rate, p->rate, sizeof(p->rate));
	if (!p->load)
		return EXIT_YES;
	int code = find_maximum(p, size, &most);
	if (code != EXIT_YES)
		return code;
	for (*n = 0; *n < array_len(load_share); ++*n)
		rate[*n] = load_share[*n] > 0 ? most * load_share[*n] : IDLE_RATE < most ? IDLE_RATE : most;
	json_object_set_new(run->config, "maximum_rate", json_real(most));
	return EXIT_YES;
}

/* Twice what the trials with one value should take, and what it takes to begin: rules that nobody puts back end then. */
static double seconds_of_value(const struct latency_plan *p)
{
	double one = (double)p->trial.duration_ns / 1e9 + TRIAL_MORE_S;
	double search = p->load ? SEARCH_STEPS * ((double)SEARCH_NS / 1e9 + TRIAL_MORE_S) : 0;
	size_t rates = p->load ? array_len(load_share) : p->rates;
	return 2 * (double)p->sizes * (search + (double)rates * p->trials * one * (p->reflector ? 2 : 1)) + SWEEP_MORE_S;
}

static int all_trials(const struct latency_plan *p, struct latency_run *run)
{
	for (size_t v = 0; v < (p->values ? p->values : 1); v++) {
		const char *value = p->values ? p->value[v] : NULL;
		int code = !value ? EXIT_YES :
			   p->sweep.client ? latency_sweep_set(&p->sweep, value, seconds_of_value(p)) : set_value(p, value);
		for (size_t s = 0; s < p->sizes && code == EXIT_YES; s++) {
			double rate[LATENCY_LIST_MAX];
			size_t rates;
			code = rates_of(p, run, p->size[s], rate, &rates);
			for (size_t r = 0; code == EXIT_YES && r < rates; r++)
				for (unsigned t = 0; t < p->trials && code == EXIT_YES; t++)
					code = one_trial(p, run, rate[r], p->size[s], value, t);
		}
		if (code != EXIT_YES)
			return code;
	}
	return EXIT_YES;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *list, size_t n)
{
	qsort(list, n, sizeof(*list), ascending);
	return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

/* RFC 8219 7.2: medians over the trials; RFC 2544 26.2: the mean of them. */
static void summarise(const struct latency_plan *p, struct latency_run *run)
{
	json_t *list = json_array();
	for (size_t first = 0, group = 0; group < p->sizes * p->rates; group++) {
		uint64_t typical[LATENCY_TRIALS_MAX], worst[LATENCY_TRIALS_MAX], sum = 0;
		size_t n = 0;
		for (; first < run->count && n < p->trials; first++) {
			const struct histogram *h = &run->series[first].total;
			if (run->series[first].role != LATENCY_MEASURED)
				continue;
			typical[n] = histogram_quantile(h, 500000);
			worst[n++] = histogram_quantile(h, 999000);
			sum += histogram_mean(h);
		}
		if (!n)
			break;
		json_array_append_new(list, json_pack("{s:I, s:f, s:I, s:I, s:I, s:I}", "frame_bytes",
						      (json_int_t)p->size[group / p->rates] + 46, "rate",
						      p->rate[group % p->rates], "trials", (json_int_t)n, "typical_ns",
						      (json_int_t)median(typical, n), "worst_ns",
						      (json_int_t)median(worst, n), "mean_ns", (json_int_t)(sum / n)));
	}
	json_object_set_new(run->config, p->preset == LATENCY_RFC8219 ? "rfc8219" : "rfc2544", list);
	if (p->scale < 1 || p->trials < 20)
		latency_run_warn(run, "shorter or fewer trials than the RFC asks for");
	latency_run_warn(run, "the RFC wants latency at the throughput rate: see --load");
}

static void print_summary(const struct latency_plan *p, const struct latency_run *run)
{
	size_t i;
	const json_t *o;
	const json_t *list = json_object_get(run->config, p->preset == LATENCY_RFC8219 ? "rfc8219" : "rfc2544");
	printf("\n%-8s %10s %8s %12s %12s %12s\n", "FRAME", "RATE", "TRIALS", "TYPICAL", "WORST(99.9)", "MEAN");
	json_array_foreach(list, i, o) {
		static const char *const member[] = { "typical_ns", "worst_ns", "mean_ns" };
		printf("%-8lld %10.6g %8lld", json_integer_value(json_object_get(o, "frame_bytes")),
		       json_number_value(json_object_get(o, "rate")), json_integer_value(json_object_get(o, "trials")));
		for (size_t m = 0; m < array_len(member); m++) {
			char text[LATENCY_DURATION_BYTES];
			latency_duration(text, (uint64_t)json_integer_value(json_object_get(o, member[m])));
			printf(" %12s", text);
		}
		putchar('\n');
	}
}

int latency_probe(int argc, char **argv)
{
	struct latency_plan p;
	struct latency_run run;
	struct latency_host host;
	int code = latency_plan_read(&p, argc, argv);
	if (code >= 0)
		return code;
	if (p.sweep.client && (code = latency_sweep_begin(&p.sweep)) >= 0)
		return code;
	if (p.cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET((size_t)p.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			return complain(EXIT_REFUSED, "CPU %d: %m", p.cpu);
	}
	latency_run_init(&run, "probe");
	json_object_set_new(run.config, "host", json_string(p.host));
	json_object_set_new(run.config, "duration_s", json_real((double)p.trial.duration_ns / 1e9));
	json_object_set_new(run.config, "warmup_s", json_real((double)p.trial.warmup_ns / 1e9));
	latency_host_begin(&host);
	code = all_trials(&p, &run);
	latency_host_end(&host, &run);
	if (code == EXIT_YES && p.preset)
		summarise(&p, &run);
	const struct latency_run *one = &run;
	if (code == EXIT_YES)
		code = latency_grant(&p.wish, &one, &p.host, 1);
	if (code == EXIT_YES && p.preset && p.wish.form == LATENCY_TABLE)
		print_summary(&p, &run);
	if (code == EXIT_YES && p.wish.form == LATENCY_TABLE)
		latency_split_print(stdout, &run);
	latency_run_free(&run);
	return code;
}
