// SPDX-License-Identifier: ISC
/* Options into the expression and bounds of a watch. */
#include <string.h>

#include "text.h"
#include "verbs.h"
#include "watchwords.h"

enum { SECONDS_MAX = 86400 };

int watchwords_number(uint32_t *to, const char *option, const char *value, uint32_t max)
{
	struct cursor c = cursor_of(value, strlen(value));
	uint32_t n;
	if (!parse_u32(&c, max, &n) || c.left || n == 0)
		return complain(EXIT_USAGE, "%s %s: not a number from 1 to %u", option, value, max);
	*to = n;
	return EXIT_YES;
}

/* One word: the expression's grammar must not be got around by a space in it. */
static int term(struct watchwords *w, const char *option, const char *word, const char *value)
{
	if (value && (!*value || strpbrk(value, " \t\n")))
		return complain(EXIT_USAGE, "%s %s: not one word", option, value);
	return watchclient_add(&w->wish, word, value) ? EXIT_YES : complain(EXIT_USAGE, "the expression is too long");
}

static int expression(struct watchwords *w, const char *text)
{
	if (strpbrk(text, "\n\r"))
		return complain(EXIT_USAGE, "an expression is one line");
	if (!*text)
		return EXIT_YES;
	return watchclient_add(&w->wish, text, NULL) ? EXIT_YES : complain(EXIT_USAGE, "the expression is too long");
}

int watchwords_take(struct watchwords *w, int option, const char *value)
{
	switch (option) {
	case 'D': return term(w, "--dropped", "dropped", NULL);
	case 'P': return term(w, "--passed", "passed", NULL);
	case 'R': return term(w, "--rule", "rule", value);
	case 'C': return term(w, "--client", "client", value);
	case 'M': return expression(w, value);
	case 'c': return watchwords_number(&w->wish.count, "--count", value, UINT32_MAX);
	case 'S': return watchwords_number(&w->wish.seconds, "--seconds", value, SECONDS_MAX);
	case 's': w->control = value; break;
	}
	return EXIT_YES;
}

int watchwords_rest(struct watchwords *w, int count, char **words)
{
	int code = EXIT_YES;
	for (int i = 0; i < count && code == EXIT_YES; i++)
		code = expression(w, words[i]);
	return code;
}
