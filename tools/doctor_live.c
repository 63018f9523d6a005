// SPDX-License-Identifier: ISC
/* What runs already: does it answer, and what does it complain of? */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "doctor.h"
#include "generations.h"
#include "statusdoc.h"
#include "storeclient.h"

enum { SCHEMA = 1 };

static void nobody(struct doctor *d, const char *check, const char *socket)
{
	if (errno == ENOENT || errno == ENOTDIR)
		doctor_say(d, check, DOCTOR_NOTE, "postern run, or systemctl start postern", "%s: not running", socket);
	else if (errno == EACCES)
		doctor_say(d, check, DOCTOR_WRONG, "be root, or in the group that the configuration names", "%s: %s", socket,
			   strerror(errno));
	else
		doctor_say(d, check, DOCTOR_WRONG, "systemctl restart postern", "%s: %s", socket, strerror(errno));
}

void doctor_store(struct doctor *d, const char *socket)
{
	struct storeclient c;
	uint8_t value[WIRE_VALUE_MAX + 1];
	long long number = 0;
	unsigned seconds = 0;
	size_t len = 0;
	if (storeclient_open(&c, socket, STORECLIENT_WAIT_MS) != STORE_DONE) {
		nobody(d, "store", socket);
		return;
	}
	enum store_result r = storeclient_read(&c, GENERATIONS_KEY, value, &len);
	storeclient_close(&c);
	value[len] = 0;
	if (r != STORE_DONE && r != STORE_ABSENT) {
		doctor_say(d, "store", DOCTOR_WRONG, "systemctl restart postern", "%s: it does not answer", socket);
		return;
	}
	doctor_say(d, "store", DOCTOR_OK, NULL, "%s answers", socket);
	if (sscanf((char *)value, "%lld %u", &number, &seconds) == 2 && seconds)
		doctor_say(d, "generation", DOCTOR_NOTE, "postern confirm", "%lld holds for %u s unless it is confirmed",
			   number, seconds);
}

static const char *word_of(const json_t *object, const char *key)
{
	const char *word = json_string_value(json_object_get(object, key));
	return word ? word : "";
}

static void clients(struct doctor *d, const json_t *status)
{
	const json_t *one;
	char check[80], help[80];
	size_t i;
	json_array_foreach(json_object_get(status, "clients"), i, one) {
		const char *error = word_of(one, "error");
		snprintf(check, sizeof(check), "rules of %.48s", word_of(one, "ip"));
		snprintf(help, sizeof(help), "postern rules %.48s", word_of(one, "ip"));
		if (*error)
			doctor_say(d, check, DOCTOR_WRONG, help, "closed: %.200s", error);
		else if (!strcmp(word_of(one, "state"), "closed") && json_is_true(json_object_get(one, "attached")))
			doctor_say(d, check, DOCTOR_NOTE, "postern rules set CLIENT FILE", "it has none: everything is refused");
	}
}

static void ports(struct doctor *d, const json_t *status)
{
	const json_t *one;
	char check[80];
	size_t i;
	json_array_foreach(json_object_get(json_object_get(status, "tender"), "ports"), i, one) {
		snprintf(check, sizeof(check), "port %.32s", word_of(one, "name"));
		if (strcmp(word_of(one, "link"), "up"))
			doctor_say(d, check, DOCTOR_NOTE, "ip link", "its link is %.20s", word_of(one, "link"));
		if (json_is_false(json_object_get(one, "guarded")))
			doctor_say(d, check, DOCTOR_WRONG, "sysctl -w net.ipv4.ip_forward=0; ip addr flush dev IF",
				   "the host's own stack sees its frames");
	}
}

void doctor_appliance(struct doctor *d, const char *socket)
{
	static struct controlclient c;
	json_t *status = statusdoc_new();
	bool reached = controlclient_open(&c, socket);
	if (!reached)
		nobody(d, "appliance", socket);
	controlclient_close(&c);
	if (reached && (answer_ask(socket, "status", statusdoc_take, status) != 0 ||
			answer_ask(socket, "tender", statusdoc_take_tender, status) != 0)) {
		doctor_say(d, "appliance", DOCTOR_WRONG, "systemctl restart postern", "%s: no answer", socket);
	} else if (reached) {
		const json_t *a = json_object_get(status, "appliance");
		const char *store = word_of(a, "store");
		doctor_say(d, "appliance", DOCTOR_OK, NULL, "mode %.16s, up %lld s", word_of(a, "platform"),
			   (long long)json_integer_value(json_object_get(a, "uptime_s")));
		if (json_integer_value(json_object_get(a, "schema")) != SCHEMA)
			doctor_say(d, "versions", DOCTOR_WRONG, "make install, and systemctl restart postern",
				   "the appliance speaks version %lld of its answers, this program %d",
				   (long long)json_integer_value(json_object_get(a, "schema")), SCHEMA);
		bool synced = !strcmp(store, "synced");
		doctor_say(d, "its store", synced ? DOCTOR_OK : DOCTOR_WRONG,
			   synced ? NULL : "systemctl status postern; without it the last good rules hold", "%.20s", store);
		clients(d, status);
		ports(d, status);
	}
	json_decref(status);
}
