// SPDX-License-Identifier: ISC
/* Reads the words after `postern latency probe`. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "controlclient.h"
#include "latency_plan.h"
#include "latency_split.h"
#include "latency_wire.h"
#include "verbs.h"

/* RFC 2544 9.1: frame sizes on Ethernet; of a frame, this much is not UDP payload. */
static const uint32_t frame_bytes[] = { 64, 128, 256, 512, 1024, 1280, 1518 };
enum { FRAME_OVERHEAD = 14 + 4 + 20 + 8, PRESET_S = 120, PRESET_WARM_S = 60, PRESET_TRIALS = 20 };
enum { RATE_MAX = 2000000, SECONDS_MAX = 86400, SPIN_DEFAULT_US = 60 };

static bool number(const char *text, double least, double most, double *value)
{
	char *end;
	double v = strtod(text, &end);
	if (end == text || *end || !(v >= least && v <= most))
		return false;
	*value = v;
	return true;
}

/* Cuts the text at its commas; how many, 0 when too many. */
static size_t split(char *text, const char *into[LATENCY_LIST_MAX])
{
	size_t n = 0;
	for (char *rest = text, *word; (word = strsep(&rest, ","));) {
		if (n == LATENCY_LIST_MAX)
			return 0;
		into[n++] = word;
	}
	return n;
}

static bool read_rates(struct latency_plan *p, char *text)
{
	const char *word[LATENCY_LIST_MAX];
	p->rates = split(text, word);
	for (size_t i = 0; i < p->rates; i++)
		if (!number(word[i], 0.1, RATE_MAX, &p->rate[i]))
			return false;
	return p->rates;
}

static bool read_sizes(struct latency_plan *p, char *text)
{
	const char *word[LATENCY_LIST_MAX];
	double v;
	p->sizes = split(text, word);
	for (size_t i = 0; i < p->sizes; i++) {
		if (!number(word[i], LATENCY_WIRE_BYTES, LATENCY_WIRE_MAX, &v))
			return false;
		p->size[i] = (uint32_t)v;
	}
	return p->sizes;
}

static bool read_preset(struct latency_plan *p, const char *word)
{
	p->preset = !strcmp(word, "rfc8219") ? LATENCY_RFC8219 :
		    !strcmp(word, "rfc2544") ? LATENCY_RFC2544 :
					       LATENCY_NO_PRESET;
	p->trials = PRESET_TRIALS;
	for (p->sizes = 0; p->sizes < array_len(frame_bytes); p->sizes++)
		p->size[p->sizes] = frame_bytes[p->sizes] - FRAME_OVERHEAD;
	return p->preset;
}

enum {
	RATE = LATENCY_OPT_OWN, SIZE, DURATION, WARMUP, TRIALS, TCP, ICMP, BIND, LOAD, PRESET, SCALE, VALUES,
	WITH, SPIN, CPU, ONE_WAY, QUIET, REFLECTOR, CONTROL, SWEEP, SWEPT, STORE,
};

static bool take(struct latency_plan *p, int option, char *argument)
{
	double v = 0;
	bool ok = true;
	switch (option) {
	case RATE: return read_rates(p, argument);
	case SIZE: return read_sizes(p, argument);
	case DURATION:
		ok = number(argument, 0.01, SECONDS_MAX, &v);
		p->trial.duration_ns = (uint64_t)(v * 1e9);
		return ok;
	case WARMUP:
		ok = number(argument, 0, SECONDS_MAX, &v);
		p->trial.warmup_ns = (uint64_t)(v * 1e9);
		return ok;
	case TRIALS:
		ok = number(argument, 1, LATENCY_TRIALS_MAX, &v);
		p->trials = (unsigned)v;
		return ok;
	case TCP: p->trial.carrier = LATENCY_TCP; return true;
	case ICMP: p->trial.carrier = LATENCY_ICMP; return true;
	case BIND: return inet_pton(AF_INET, argument, &p->trial.from) == 1;
	case LOAD: return p->load = true;
	case PRESET: return read_preset(p, argument);
	case SCALE: return number(argument, 0.0001, 1, &p->scale);
	case VALUES: return (p->values = split(argument, p->value));
	case WITH: p->program = argument; return true;
	case SPIN:
		ok = number(argument, 0, 1e6, &v);
		p->trial.spin_ns = (uint64_t)(v * 1e3);
		return ok;
	case CPU:
		ok = number(argument, 0, 1023, &v);
		p->cpu = (int)v;
		return ok;
	case ONE_WAY: return p->trial.one_way = true;
	case REFLECTOR: p->reflector = argument; return true;
	case SWEEP:
		if (strncmp(argument, "rules=", 6))
			return false;
		return (p->values = split(argument + 6, p->value));
	case SWEPT: p->sweep.client = argument; return true;
	case STORE: p->sweep.store = argument; return true;
	case CONTROL: p->control = argument; return true;
	case QUIET: p->report = false; return true;
	default: return latency_wish_take(&p->wish, option, argument);
	}
}

/* HOST[:PORT]; names are looked up once, before anything is measured. */
static int find_host(const char *word, struct sockaddr_in *to)
{
	char host[256];
	const char *port = strrchr(word, ':');
	struct addrinfo want = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *found;
	double v = LATENCY_PORT;
	if (port && !number(port + 1, 1, 65535, &v))
		return complain(EXIT_USAGE, "%s: no port", word);
	snprintf(host, sizeof(host), "%.*s", (int)(port ? port - word : 255), word);
	int error = getaddrinfo(host, NULL, &want, &found);
	if (error)
		return complain(EXIT_UNREACHED, "%s: %s", host, gai_strerror(error));
	memcpy(to, found->ai_addr, sizeof(*to));
	freeaddrinfo(found);
	to->sin_port = htons((uint16_t)v);
	return -1;
}

static int find_reflector(struct latency_plan *p)
{
	bool asks = !strcmp(p->reflector, "appliance");
	if (p->trial.carrier != LATENCY_UDP || p->load)
		return complain(EXIT_USAGE, "--reflector needs UDP, and rates that are known");
	if (!asks)
		return find_host(p->reflector, &p->reflect_to);
	p->control = controlclient_path(p->control);
	int code = latency_split_find(p->control, &p->reflect_to);
	return code == EXIT_YES ? -1 : code;
}

static int settle(struct latency_plan *p)
{
	if (p->preset) {
		p->trial.duration_ns = (uint64_t)(PRESET_S * p->scale * 1e9);
		p->trial.warmup_ns = (uint64_t)(PRESET_WARM_S * p->scale * 1e9);
	}
	if (p->trial.warmup_ns >= p->trial.duration_ns)
		return complain(EXIT_USAGE, "the warm-up takes all of the duration");
	if (p->program ? !p->values || p->sweep.client : !p->values != !p->sweep.client)
		return complain(EXIT_USAGE, "--values and --with belong together, and --sweep and --client");
	size_t all = (p->load ? 4 : p->rates) * p->sizes * (p->values ? p->values : 1) * p->trials;
	if (all * (p->reflector ? 12 : 6) > LATENCY_SERIES_MAX)
		return complain(EXIT_USAGE, "%zu trials are too many for one run", all);
	if (p->trial.carrier == LATENCY_TCP && p->trial.one_way)
		return complain(EXIT_USAGE, "--one-way needs UDP");
	return -1;
}

int latency_plan_read(struct latency_plan *p, int argc, char **argv)
{
	static const struct option options[] = {
		LATENCY_OUT_OPTIONS,
		{ "rate", required_argument, NULL, RATE },     { "size", required_argument, NULL, SIZE },
		{ "duration", required_argument, NULL, DURATION }, { "warmup", required_argument, NULL, WARMUP },
		{ "trials", required_argument, NULL, TRIALS }, { "tcp", no_argument, NULL, TCP },
		{ "icmp", no_argument, NULL, ICMP },	       { "bind", required_argument, NULL, BIND },
		{ "load", no_argument, NULL, LOAD },	       { "preset", required_argument, NULL, PRESET },
		{ "scale", required_argument, NULL, SCALE },   { "values", required_argument, NULL, VALUES },
		{ "with", required_argument, NULL, WITH },     { "spin", required_argument, NULL, SPIN },
		{ "cpu", required_argument, NULL, CPU },       { "one-way", no_argument, NULL, ONE_WAY },
		{ "quiet", no_argument, NULL, QUIET },	       { "reflector", required_argument, NULL, REFLECTOR },
		{ "control", required_argument, NULL, CONTROL }, { "sweep", required_argument, NULL, SWEEP },
		{ "client", required_argument, NULL, SWEPT },  { "store", required_argument, NULL, STORE },
		{ 0 },
	};
	*p = (struct latency_plan){ .rate = { 1000 }, .rates = 1, .size = { 64 }, .sizes = 1, .trials = 1, .cpu = -1,
				    .report = true, .scale = 1 };
	p->trial.duration_ns = 10000000000u;
	p->trial.spin_ns = SPIN_DEFAULT_US * 1000;
	for (int o; (o = getopt_long(argc, argv, "jo:h", options, NULL)) != -1;)
		if (o == 'h')
			return verb_help("latency");
		else if (!take(p, o, optarg))
			return o == '?' ? verb_usage("latency") :
					  complain(EXIT_USAGE, "%s: not what can be asked for", argv[optind - 1]);
	if (optind + 1 != argc)
		return complain(EXIT_USAGE, "%s: one host to probe, as HOST or HOST:PORT",
				optind < argc ? argv[optind + 1] : "nothing is named");
	p->host = argv[optind];
	int code = find_host(p->host, &p->trial.to);
	if (p->trial.carrier == LATENCY_ICMP)
		p->trial.to.sin_port = 0;
	if (code < 0 && p->reflector)
		code = find_reflector(p);
	return code < 0 ? settle(p) : code;
}
