// SPDX-License-Identifier: ISC
/* postern top: who sends how much through which rule, second by second. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "answer.h"
#include "base.h"
#include "columns.h"
#include "toprates.h"
#include "verbs.h"

enum { INTERVAL_MS = 1000, ROWS_PLAIN = 1 << 20, ROWS_TERMINAL = 24 };

static const struct column client_columns[] = {
	{ "PORT", "port", NULL, true },	     { "NAME", "name", NULL, false },	   { "CLIENT", "ip", NULL, false },
	{ "FLOWS", "flows", NULL, true },    { "UP-B/S", "up_bytes_s", NULL, true },   { "DOWN-B/S", "down_bytes_s", NULL, true },
	{ "UP-P/S", "up_packets_s", NULL, true },  { "DOWN-P/S", "down_packets_s", NULL, true }, { "DROPS/S", "drops_s", NULL, true },
};
static const struct column rule_columns[] = {
	{ "CLIENT", "client", NULL, false }, { "RULE", "rule", NULL, false },	   { "ID", "rule_id", NULL, false },
	{ "FLOWS", "flows", NULL, true },
	{ "UP-B/S", "up_bytes_s", NULL, true },  { "DOWN-B/S", "down_bytes_s", NULL, true }, { "UP-P/S", "up_packets_s", NULL, true },
	{ "DOWN-P/S", "down_packets_s", NULL, true },
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

/* 12345678 as "12.3M": a rate is read, not copied. */
static json_t *short_number(json_int_t n)
{
	static const char units[] = " kMGT";
	char text[32];
	double v = (double)n;
	size_t unit = 0;
	while (v >= 999.95 && units[unit + 1]) {
		v /= 1000;
		unit++;
	}
	if (unit)
		snprintf(text, sizeof(text), "%.1f%c", v, units[unit]);
	else
		snprintf(text, sizeof(text), "%.0f", v);
	return json_string(text);
}

/* At most `rows` lines, title included; returns how many. */
static size_t print_table(FILE *to, const json_t *objects, const struct column *column, size_t count, size_t rows)
{
	static const char *const rates[] = { "up_bytes_s", "down_bytes_s", "up_packets_s", "down_packets_s", "drops_s" };
	struct columns t;
	columns_on(&t, column, count);
	for (size_t i = 0; i < json_array_size(objects) && i + 1 < rows; i++) {
		json_t *row = json_copy(json_array_get(objects, i));
		for (size_t k = 0; k < array_len(rates); k++)
			json_object_set_new(row, rates[k],
					    short_number(json_integer_value(json_object_get(row, rates[k]))));
		columns_add(&t, row);
		json_decref(row);
	}
	size_t lines = t.rows ? t.rows + 1 : 0;
	columns_print(&t, to);
	columns_free(&t);
	return lines;
}

static void print_rates(FILE *to, const json_t *rates, size_t rows)
{
	fprintf(to, "flows %lld of %lld\n\n", (long long)json_integer_value(json_object_get(rates, "flows")),
		(long long)json_integer_value(json_object_get(rates, "flow_capacity")));
	size_t left = rows > 4 ? rows - 4 : 2;
	const json_t *rules = json_object_get(rates, "rules");
	/* Clients may have all that the rules leave, and half in any case. */
	size_t for_rules = json_array_size(rules) + 1 < left / 2 ? json_array_size(rules) + 1 : left / 2;
	size_t used = print_table(to, json_object_get(rates, "clients"), client_columns, array_len(client_columns),
				  left - for_rules);
	fputc('\n', to);
	print_table(to, rules, rule_columns, array_len(rule_columns), left - used);
}

/* Waits; true: a q, the end of input or a signal came. */
static bool wait_for_end(bool keys)
{
	struct pollfd p = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	char c;
	if (poll(&p, 1, INTERVAL_MS) <= 0)
		return ended;
	return read(STDIN_FILENO, &c, 1) <= 0 || c == 'q' || c == 'Q' || ended;
}

static void draw(const json_t *rates)
{
	struct winsize size = { .ws_row = 0 };
	char *picture = NULL;
	size_t len = 0;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	FILE *to = open_memstream(&picture, &len);
	if (!to)
		panic("out of memory");
	print_rates(to, rates, size.ws_row ? size.ws_row : ROWS_TERMINAL);
	fclose(to);
	fputs("\033[H", stdout);
	/* Line by line over the last picture: erasing all of it first would flicker. */
	for (const char *line = picture; *line; line += strcspn(line, "\n") + 1)
		printf("%.*s\033[K\n", (int)strcspn(line, "\n"), line);
	fputs("\033[J", stdout);
	fflush(stdout);
	free(picture);
}

static int watch(const char *socket, bool terminal)
{
	struct toplook before, after;
	int code = toplook_take(&before, socket);
	if (terminal && !code)
		fputs("\033[2J", stdout);
	while (!code && !ended && !wait_for_end(terminal)) {
		code = toplook_take(&after, socket);
		if (!code) {
			json_t *rates = toprates(&before, &after);
			draw(rates);
			json_decref(rates);
		}
		toplook_free(&before);
		before = after;
	}
	toplook_free(&before);
	return ended ? EXIT_YES : code;
}

static int once(const char *socket, bool json)
{
	struct toplook before, after = { .ports = NULL };
	int code = toplook_take(&before, socket);
	if (!code) {
		usleep(INTERVAL_MS * 1000);
		code = toplook_take(&after, socket);
	}
	if (!code) {
		json_t *rates = toprates(&before, &after);
		if (json) {
			code = answer_print(rates);
		} else {
			print_rates(stdout, rates, ROWS_PLAIN);
			json_decref(rates);
		}
	}
	toplook_free(&before);
	toplook_free(&after);
	return code;
}

static int live(const char *socket)
{
	struct termios was, raw;
	struct sigaction act = { .sa_handler = end }; /* no SA_RESTART: a wait ends too */
	bool keys = tcgetattr(STDIN_FILENO, &was) == 0;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	int code = watch(socket, keys);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return code;
}

int verb_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "once", no_argument, NULL, '1' },
		{ "control", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *control = NULL;
	bool json = false, one = !isatty(STDOUT_FILENO);
	for (int o; (o = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
		if (o == 'j')
			json = true;
		else if (o == '1')
			one = true;
		else if (o == 's')
			control = optarg;
		else
			return o == 'h' ? verb_help("top") : verb_usage("top");
	}
	if (optind != argc)
		return verb_usage("top");
	control = controlclient_path(control);
	return one || json ? once(control, json) : live(control);
}
