/* links: tools/plan.c tools/setlist.c rules/sets.c tools/ruletree.c tools/rulefile.c tools/storeclient.c rules/rule.c rules/qvm_rule.c rules/cross_line.c rules/cross_rule.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* Rule files for many clients: what was read reads again as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rulefile_source s = { .name = "f", .text = (const char *)bytes, .len = len, .now = 1000 };
	struct plan plan, again;
	char *said, *text;
	size_t n;
	FILE *errors = open_memstream(&said, &n);
	bool good = plan_parse(&plan, &s, true, errors);
	fclose(errors);
	ensure(good == (n == 0));
	if (good) {
		FILE *to = open_memstream(&text, &s.len);
		for (size_t i = 0; i < plan.count; i++) {
			const struct plan_client *c = &plan.client[i];
			fprintf(to, "[%s]\npolicy %s\n", c->ip, c->policy);
			for (size_t r = 0; r < c->rules.count; r++)
				fprintf(to, "%s\n", c->rules.line[r].text);
		}
		fclose(to);
		s.text = text;
		ensure(plan_parse(&again, &s, true, stderr) && again.count == plan.count);
		for (size_t i = 0; i < plan.count; i++) {
			const struct rulefile *a = &plan.client[i].rules, *b = &again.client[i].rules;
			ensure(!strcmp(plan.client[i].policy, again.client[i].policy) && a->count == b->count);
			for (size_t r = 0; r < a->count; r++)
				ensure(!strcmp(a->line[r].text, b->line[r].text));
		}
		plan_free(&again);
		free(text);
	}
	plan_free(&plan);
	free(said);
	return 0;
}
