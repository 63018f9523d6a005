/* links: tools/runconf.c tools/runconf_value.c tools/nearest.c tools/rulefile.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Configuration files: a wrong one says so, a good one reads again as it was written out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "runconf.h"

static char *print(const struct runconf *c, size_t *len)
{
	char *text;
	FILE *to = open_memstream(&text, len);
	runconf_print(c, to);
	fclose(to);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rulefile_source s = { .name = "f", .text = (const char *)bytes, .len = len };
	struct runconf c, again;
	char *said, *text, *second;
	size_t n;
	FILE *errors = open_memstream(&said, &n);
	bool good = runconf_parse(&c, &s, errors);
	fclose(errors);
	ensure(good == (n == 0));
	if (good) {
		text = print(&c, &s.len);
		s.text = text;
		ensure(runconf_parse(&again, &s, stderr) && again.count == c.count);
		for (size_t i = 0; i < c.count; i++)
			ensure(!strcmp(again.client[i].words, c.client[i].words));
		second = print(&again, &n);
		ensure(!strcmp(text, second));
		runconf_free(&again);
		free(second);
		free(text);
	}
	runconf_free(&c);
	free(said);
	return 0;
}
