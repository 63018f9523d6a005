// SPDX-License-Identifier: ISC
/* Facts about the machine that measures, and warnings when they spoil the numbers. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "latency_host.h"

enum { STEAL_PER_MILLE_MAX = 5, STEP_NS_MAX = 100000, LINE_BYTES = 256 };

uint64_t latency_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The two clocks cannot be read at once: the reading with the shortest gap counts. */
static int64_t clock_offset(void)
{
	int64_t best_gap = INT64_MAX, offset = 0;
	for (int i = 0; i < 20; i++) {
		struct timespec m;
		int64_t before = (int64_t)latency_now();
		clock_gettime(CLOCK_MONOTONIC, &m);
		int64_t after = (int64_t)latency_now();
		if (after - before >= best_gap)
			continue;
		best_gap = after - before;
		offset = before + best_gap / 2 - (m.tv_sec * 1000000000ll + m.tv_nsec);
	}
	return offset;
}

static void read_stat(struct latency_host *h)
{
	enum { STEAL = 7 }; /* the eighth number of the first line */
	char line[LINE_BYTES] = "", *at = line + 3;
	FILE *in = fopen("/proc/stat", "r");
	if (in && !fgets(line, sizeof(line), in))
		line[0] = '\0';
	if (in)
		fclose(in);
	h->steal = h->total = 0;
	if (strncmp(line, "cpu", 3))
		return;
	for (int i = 0; i <= STEAL; i++) {
		uint64_t n = strtoull(at, &at, 10);
		h->total += n;
		if (i == STEAL)
			h->steal = n;
	}
}

void latency_host_begin(struct latency_host *h)
{
	read_stat(h);
	h->offset_ns = clock_offset();
}

/* First line of a file, or of /proc/cpuinfo the value of a key. */
static bool fact(char to[LINE_BYTES], const char *file, const char *key)
{
	char line[LINE_BYTES];
	bool found = false;
	FILE *in = fopen(file, "r");
	if (!in)
		return false;
	while (!found && fgets(line, sizeof(line), in)) {
		const char *at = line;
		line[strcspn(line, "\n")] = '\0';
		if (key && strncmp(line, key, strlen(key)))
			continue;
		if (key) {
			at = strchr(line, ':');
			at = at ? at + 1 + strspn(at + 1, " \t") : line;
		}
		snprintf(to, LINE_BYTES, "%s", at);
		found = true;
	}
	fclose(in);
	return found;
}

static void put(struct latency_run *run, const char *name, const char *file, const char *key, const char *good,
		const char *doubt)
{
	char text[LINE_BYTES];
	if (!fact(text, file, key))
		return;
	json_object_set_new(run->host, name, json_string(text));
	if (good && strcmp(text, good))
		latency_run_warn(run, "%s is %.100s, not %s: %s", name, text, good, doubt);
}

static void affinity(struct latency_run *run)
{
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	json_object_set_new(run->host, "cpus", json_integer(online));
	json_object_set_new(run->host, "pinned", json_boolean(CPU_COUNT(&set) == 1));
	if (CPU_COUNT(&set) != 1 && online > 1)
		latency_run_warn(run, "not pinned to one CPU: where the scheduler puts it shows in the numbers");
}

static void few_values(struct latency_run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct latency_series *s = &run->series[i];
		if (s->role != LATENCY_MEASURED || !s->total.count)
			continue;
		for (size_t p = 0; p + 1 < latency_ppm_count; p++) {
			uint64_t beyond = histogram_beyond(&s->total, latency_ppm[p]);
			if (beyond >= LATENCY_RELIABLE)
				continue;
			latency_run_warn(run, "%s: from percentile %.6g on fewer than %d values lie beyond", s->name,
					 latency_ppm[p] / 1e4, LATENCY_RELIABLE);
			break;
		}
	}
}

void latency_host_end(const struct latency_host *h, struct latency_run *run)
{
	struct latency_host now;
	struct utsname u;
	latency_host_begin(&now);
	if (!uname(&u))
		json_object_set_new(run->host, "kernel", json_string(u.release));
	put(run, "cpu", "/proc/cpuinfo", "model name", NULL, NULL);
	put(run, "clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL, "tsc",
	    "reading the clock is slow");
	put(run, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL, "performance",
	    "the clock rate of the CPU follows the load");
	affinity(run);
	uint64_t ticks = now.total - h->total, stolen = now.steal - h->steal;
	json_object_set_new(run->host, "steal_per_mille", json_integer(ticks ? (json_int_t)(stolen * 1000 / ticks) : 0));
	if (ticks && stolen * 1000 > ticks * STEAL_PER_MILLE_MAX)
		latency_run_warn(run, "the hypervisor took %.1f %% of the CPU time away",
				 100 * (double)stolen / (double)ticks);
	if (llabs(now.offset_ns - h->offset_ns) > STEP_NS_MAX)
		latency_run_warn(run, "the clock was set by %.3f ms during the run",
				 (double)(now.offset_ns - h->offset_ns) / 1e6);
	few_values(run);
}
