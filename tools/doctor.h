/* SPDX-License-Identifier: ISC */
/*
 * doctor.h: what `postern doctor` finds, and the command that helps.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <jansson.h>

#include "runconf.h"

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_NOTE,  /* it works without, or will when it is started */
	DOCTOR_WRONG,
	DOCTOR_STATES,
};

struct doctor {
	json_t *checks;
	unsigned wrong;
};

/* help: a command, or NULL. */
void doctor_say(struct doctor *, const char *check, enum doctor_state, const char *help, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The machine: devices, kernel, limits. conf: what shall run, or NULL. */
void doctor_host(struct doctor *, const struct runconf *conf);
/* The interfaces and namespaces that conf names, and the programs. */
void doctor_ports(struct doctor *, const struct runconf *conf);
void doctor_programs(struct doctor *, const struct runconf *conf);
/* What runs: the store and the appliance behind these sockets. */
void doctor_store(struct doctor *, const char *socket);
void doctor_appliance(struct doctor *, const char *socket);

#endif
