// SPDX-License-Identifier: ISC
/* postern attach and detach: ports of the running appliance come and go. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "answer.h"
#include "columns.h"
#include "tapfile.h"
#include "verbs.h"

enum { NAME_MAX_BYTES = 15 };

struct port_words {
	char *tap, *ip, *second_ip, *mac, *our_mac, *netns, *name, *offload;
};

/* What may stand in a request without splitting it. */
static bool is_name(const char *s)
{
	size_t len = strlen(s);
	return len && len <= NAME_MAX_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static bool is_ip(const char *s)
{
	struct ip_addr ip;
	struct cursor c = cursor_of(s, strlen(s));
	return parse_ip(&c, &ip) && !c.left && ip_is_unicast(ip);
}

static bool is_mac(const char *s)
{
	struct mac mac;
	struct cursor c = cursor_of(s, strlen(s));
	return parse_mac(&c, &mac) && !c.left && !mac_is_group(mac);
}

/* Takes the text apart in place; strings point into it. */
static int parse_words(char *text, struct port_words *w)
{
	char *const keys[] = { "tap", "ip", "mac", "our-mac", "netns", "name", "offload", NULL };
	char **const places[] = { &w->tap, &w->ip, &w->mac, &w->our_mac, &w->netns, &w->name,
				  &w->offload };
	while (*text) {
		char *value = NULL, *word = text;
		int key = getsubopt(&text, keys, &value);
		if (key < 0 || !value || !*value)
			return complain(EXIT_USAGE, "\"%s\": not KEY=VALUE of a port that comes later, "
				"a tap", word);
		if (places[key] == &w->ip && w->ip && !w->second_ip) {
			w->second_ip = value;
			continue;
		}
		if (*places[key])
			return complain(EXIT_USAGE, "%s= stands too often", keys[key]);
		*places[key] = value;
	}
	if (!w->name)
		w->name = w->tap;
	return EXIT_YES;
}

static int check_words(const struct port_words *w)
{
	if (!w->tap || !w->ip)
		return complain(EXIT_USAGE, "a port needs tap= and ip=");
	if (!is_ip(w->ip))
		return complain(EXIT_USAGE, "ip=%s: not the address of a host", w->ip);
	if (w->second_ip && !is_ip(w->second_ip))
		return complain(EXIT_USAGE, "ip=%s: not the address of a host", w->second_ip);
	if (w->mac && !is_mac(w->mac))
		return complain(EXIT_USAGE, "mac=%s: not the MAC of a host", w->mac);
	if (w->our_mac && !is_mac(w->our_mac))
		return complain(EXIT_USAGE, "our-mac=%s: not the MAC of a host", w->our_mac);
	if (w->offload && strcmp(w->offload, "on") && strcmp(w->offload, "off"))
		return complain(EXIT_USAGE, "offload=%s: on or off", w->offload);
	if (!is_name(w->name))
		return complain(EXIT_USAGE, "name=%s: letters, digits, \"_.-\", at most %d",
				w->name, NAME_MAX_BYTES);
	return EXIT_YES;
}

/* Sends the request; the one line of its answer is "ok TEXT" or "error TEXT". Prints TEXT. */
static int exchange(struct controlclient *c, const char *socket, const char *request, int fd)
{
	char answer[COLUMNS_CELL_MAX] = "";
	const char *line;
	enum controlclient_result r = controlclient_send(c, request, fd);
	if (r == CONTROL_LINE)
		r = controlclient_read(c, &line);
	if (r != CONTROL_LINE)
		return answer_broken(r, socket);
	columns_clean(answer, sizeof(answer), line);
	if (!strncmp(answer, "error", 5))
		return answer_refused(answer + 5);
	if (strcmp(answer, "ok") && strncmp(answer, "ok ", 3))
		return answer_broken(CONTROL_MALFORMED, socket);
	/* What it says is done, even if its end is lost. */
	if (answer[2])
		puts(answer + 3);
	return EXIT_YES;
}

static bool add(char *to, size_t room, const char *key, const char *value)
{
	size_t n = strlen(to);
	int more = value ? snprintf(to + n, room - n, ",%s=%s", key, value) : 0;
	return more >= 0 && (size_t)more < room - n;
}

static int attach(const char *socket, const struct port_words *w)
{
	struct controlclient c;
	struct tapfile tap;
	char reason[256], request[512], mtu[16];
	/* First the socket: its path may be relative, and no tap need be touched in vain. */
	if (!controlclient_open(&c, socket))
		return complain(EXIT_UNREACHED, "%s: %s", socket, strerror(errno));
	bool offload = !w->offload || !strcmp(w->offload, "on");
	if (!tapfile_open(&tap, w->tap, w->netns, offload, reason, sizeof(reason))) {
		controlclient_close(&c);
		return complain(EXIT_REFUSED, "%s", reason);
	}
	snprintf(request, sizeof(request), "attach client ip=%s", w->ip);
	snprintf(mtu, sizeof(mtu), "%d", tap.mtu);
	int code = EXIT_USAGE;
	if (add(request, sizeof(request), "ip", w->second_ip) &&
	    add(request, sizeof(request), "mac", w->mac) &&
	    add(request, sizeof(request), "our-mac", w->our_mac) &&
	    add(request, sizeof(request), "mtu", mtu) &&
	    add(request, sizeof(request), "offload", w->offload) &&
	    add(request, sizeof(request), "name", w->name))
		code = exchange(&c, socket, request, tap.fd);
	close(tap.fd);
	controlclient_close(&c);
	return code;
}

static int detach(const char *socket, const char *port)
{
	struct controlclient c;
	char request[64];
	if (!is_name(port))
		return complain(EXIT_USAGE, "%s: not a port or its name", port);
	if (!controlclient_open(&c, socket))
		return complain(EXIT_UNREACHED, "%s: %s", socket, strerror(errno));
	snprintf(request, sizeof(request), "detach %s", port);
	int code = exchange(&c, socket, request, -1);
	controlclient_close(&c);
	return code;
}

/* The one operand of both verbs, or NULL and the exit code. */
static char *operand(int argc, char **argv, const char **control, int *code)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (o == 's') {
			*control = optarg;
			continue;
		}
		*code = o == 'h' ? verb_help(argv[0]) : verb_usage(argv[0]);
		return NULL;
	}
	if (optind + 1 == argc)
		return argv[optind];
	*code = verb_usage(argv[0]);
	return NULL;
}

int verb_attach(int argc, char **argv)
{
	const char *control = NULL;
	struct port_words words = { 0 };
	int code = EXIT_YES;
	char *text = operand(argc, argv, &control, &code);
	if (!text)
		return code;
	code = parse_words(text, &words);
	if (code == EXIT_YES)
		code = check_words(&words);
	return code == EXIT_YES ? attach(controlclient_path(control), &words) : code;
}

int verb_detach(int argc, char **argv)
{
	const char *control = NULL;
	int code = EXIT_YES;
	char *port = operand(argc, argv, &control, &code);
	return port ? detach(controlclient_path(control), port) : code;
}
