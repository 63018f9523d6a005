// SPDX-License-Identifier: ISC
/* postern capture: packets as they came and as they left, with what became of them, into a pcapng file. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "pcapng.h"
#include "verbs.h"
#include "watchclient.h"
#include "watchwords.h"

enum { INTERFACES_MAX = 512, NAME_BYTES = 16, COMMENT_BYTES = 512, SNAPLEN = 1600 };

struct interface {
	json_int_t port;
	char name[NAME_BYTES];
};

struct capture {
	FILE *to;
	uint32_t snaplen;
	struct interface interface[INTERFACES_MAX];
	uint32_t interfaces;
	uint64_t begun_ns;
	bool ending;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const char *word_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static json_int_t number_of(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* --- interfaces --------------------------------------------------------------------------- */

static uint32_t interface_of(struct capture *c, json_int_t port, const char *name, const char *description)
{
	for (uint32_t i = 0; i < c->interfaces; i++)
		if (c->interface[i].port == port && !strcmp(c->interface[i].name, name))
			return i;
	if (c->interfaces == INTERFACES_MAX)
		return 0; /* so many ports came and went: theirs is the comment's to tell */
	struct interface *i = &c->interface[c->interfaces];
	i->port = port;
	snprintf(i->name, sizeof(i->name), "%s", name);
	pcapng_interface(c->to, *name ? name : "port", description, c->snaplen);
	return c->interfaces++;
}

static void take_port(void *context, const json_t *o)
{
	struct capture *c = context;
	char name[NAME_BYTES], description[COLUMNS_CELL_MAX];
	columns_clean(name, sizeof(name), word_of(o, "name"));
	json_int_t port = number_of(o, "port");
	snprintf(description, sizeof(description), "%s port %lld, %.64s, MTU %lld", port ? "client" : "uplink",
		 (long long)port, *word_of(o, "ip") ? word_of(o, "ip") : "no address", (long long)number_of(o, "mtu"));
	uint32_t i = interface_of(c, port, name, description);
	if (c->ending)
		pcapng_statistics(c->to, &(struct pcapng_statistics){
			.interface = i, .begun_ns = c->begun_ns, .ended_ns = now_ns(),
			.seen = (uint64_t)number_of(o, "seen"), .lost = (uint64_t)number_of(o, "lost") });
}

/* --- packets ------------------------------------------------------------------------------- */

static size_t say(char *at, size_t used, const char *key, const json_t *value)
{
	char word[COLUMNS_CELL_MAX];
	if (!value || used >= COMMENT_BYTES)
		return used;
	columns_value(word, sizeof(word), value);
	if (!*word)
		return used;
	int n = snprintf(at + used, COMMENT_BYTES - used, "%s%s=%s", used ? " " : "", key, word);
	return n < 0 ? used : used + (size_t)n;
}

/* Words with '=' between, for a display filter or a script as for the eye. */
static void comment(char at[COMMENT_BYTES], const json_t *o, bool out)
{
	static const struct { const char *key, *member; } words[] = {
		{ "verdict", "fate" }, { "reason", "reason" }, { "rule", "rule" }, { "id", "rule_id" },
		{ "generation", "generation" }, { "client", "client" }, { "flow", "flow" }, { "state", "state" },
		{ "direction", "direction" },
	};
	size_t used = 0;
	at[0] = 0;
	for (size_t i = 0; i < array_len(words); i++)
		used = say(at, used, words[i].key, json_object_get(o, words[i].member));
	if (out)
		used = say(at, used, "in", json_object_get(o, "in_name"));
	else
		used = say(at, used, "out", json_object_get(o, "out_name"));
	if (out && !strcmp(word_of(o, "fate"), "dropped") && used < COMMENT_BYTES)
		snprintf(at + used, COMMENT_BYTES - used, " answer=yes");
}

static void put_side(struct capture *c, const json_t *o, const struct watchclient_frame *f, bool out)
{
	char text[COMMENT_BYTES], name[NAME_BYTES];
	json_int_t len = number_of(o, out ? "out_len" : "in_len");
	const json_t *port = json_object_get(o, out ? "out_port" : "in_port");
	if (!port || len <= 0)
		return;
	columns_clean(name, sizeof(name), word_of(o, out ? "out_name" : "in_name"));
	comment(text, o, out);
	pcapng_put(c->to, &(struct pcapng_packet){
		.interface = interface_of(c, json_integer_value(port), name, NULL),
		.unix_ns = (uint64_t)number_of(o, "unix_ns"), .bytes = f->bytes, .kept = (uint32_t)f->len,
		.len = (uint32_t)len, .way = out ? PCAPNG_OUT : PCAPNG_IN, .id = (uint64_t)number_of(o, "number"),
		.comment = text });
}

static void take_packet(void *context, const json_t *o, const struct watchclient_frame frame[2])
{
	put_side(context, o, &frame[0], false);
	put_side(context, o, &frame[1], true);
	fflush(((struct capture *)context)->to);
}

/* --- the words ------------------------------------------------------------------------------ */

static int finish(struct capture *c, const struct watchclient *w, const char *path)
{
	bool bad = fflush(c->to) || ferror(c->to);
	if (c->to != stdout)
		bad |= fclose(c->to) != 0;
	if (bad)
		return complain(EXIT_NO, "%s: cannot write", path);
	fprintf(stderr, "%lld packets, %lld lost%s%s\n", (long long)w->matched, (long long)w->lost,
		*w->why ? "; ended: " : "", w->why);
	return EXIT_YES;
}

static int capture(const char *socket, const struct watchclient_wish *wish, const char *path)
{
	struct capture c = { .snaplen = wish->snaplen, .begun_ns = now_ns() };
	bool on_output = !strcmp(path, "-");
	if (on_output && isatty(STDOUT_FILENO))
		return complain(EXIT_USAGE, "a capture is not for a terminal: name a file, or a pipe");
	c.to = on_output ? stdout : fopen(path, "we");
	if (!c.to)
		return complain(EXIT_NO, "%s: %s", path, strerror(errno));
	struct watchclient w = { .socket = socket, .each = take_packet, .port = take_port, .context = &c };
	const volatile sig_atomic_t *stop = watchclient_signals();
	pcapng_begin(c.to, "postern capture", wish->expression);
	int code = watchclient_start(&w, wish);
	c.ending = true;
	if (code == EXIT_YES)
		code = watchclient_run(&w, stop);
	int written = finish(&c, &w, path);
	watchclient_free(&w);
	return code == EXIT_YES ? written : code;
}

int verb_capture(int argc, char **argv)
{
	static const struct option options[] = { WATCHWORDS_OPTIONS, { "snaplen", required_argument, NULL, 'l' },
						 { "write", required_argument, NULL, 'w' }, { 0 } };
	struct watchwords words = { .wish = { .snaplen = SNAPLEN } };
	const char *path = NULL;
	for (int o; (o = getopt_long(argc, argv, WATCHWORDS_SHORT "w:", options, NULL)) != -1;) {
		if (o == 'h')
			return verb_help("capture");
		if (o == '?')
			return verb_usage("capture");
		int code = EXIT_YES;
		if (o == 'w')
			path = optarg;
		else if (o == 'l')
			code = watchwords_number(&words.wish.snaplen, "--snaplen", optarg, WATCHCLIENT_FRAME_MAX);
		else
			code = watchwords_take(&words, o, optarg);
		if (code != EXIT_YES)
			return code;
	}
	if (!path)
		return verb_usage("capture");
	int code = watchwords_rest(&words, argc - optind, argv + optind);
	return code == EXIT_YES ? capture(controlclient_path(words.control), &words.wish, path) : code;
}
