/* SPDX-License-Identifier: ISC */
/*
 * supervisor.h: the programs of one appliance, kept as postern.conf(5) wants them.
 *
 * supervisor.c: starting, dying, ending; runplan.c: command lines and places;
 * runports.c: clients that come and go. Single-threaded; it may wait some seconds for
 * an appliance that does not answer.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "child.h"
#include "runconf.h"

enum { SUPERVISOR_STORE, SUPERVISOR_TENDER, SUPERVISOR_METRICS, SUPERVISOR_WEB, SUPERVISOR_CHILDREN };

struct supervisor_client {
	bool attached;    /* the appliance has it */
	int64_t again_ms; /* when to try again, while it has not */
	int64_t wait_ms;
};

struct supervisor {
	const char *file;    /* the configuration; fixed at start, as all of conf but its clients */
	struct runconf conf;
	char self[RUNCONF_PATH]; /* the postern program */
	char control[RUNCONF_SOCKETS + 20], store[RUNCONF_SOCKETS + 20], read_only[RUNCONF_SOCKETS + 20],
		link[RUNCONF_SOCKETS + 20];
	struct child child[SUPERVISOR_CHILDREN];
	struct supervisor_client client[RUNCONF_CLIENTS_MAX]; /* as conf.client */
	bool singly;         /* the tender starts without clients that can come later */
	bool told_ready;
	bool reloads;        /* SIGHUP came and was not obeyed yet */
	int64_t watchdog_ms; /* so long the appliance may be silent; 0: for ever */
	int64_t heard_ms, asked_ms; /* when it answered, and was asked, last */
	int lock;            /* on the directory of the sockets */
	int signals;
	bool made_directory;
};

/* A line of its own in the log, which is standard error. */
void supervisor_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Until a signal; the exit code. */
int supervisor_run(struct supervisor *);

/* Fills what the file leaves out, and finds the programs. False: complained. */
bool runplan_complete(struct supervisor *);
/* A program or image that is installed beside the one that runs; false: nowhere. */
bool runplan_find(const char *self, const char *name, char *path, size_t room);
void runplan_store(struct supervisor *);
void runplan_tender(struct supervisor *);
/* `postern metrics` and `postern web`, if they are wanted. */
void runplan_servers(struct supervisor *);
/* The sockets' directory, for this process alone. The exit code. */
int runplan_claim(struct supervisor *);
void runplan_release(struct supervisor *);

/* The tender has all clients that its command line named, and no others. */
void runports_started(struct supervisor *);
/* Attaches what is missing and due. True: none is left whose turn has not come once. */
bool runports_attach(struct supervisor *, int64_t now_ms);
/* When it wants to be called again; INT64_MAX: never. */
int64_t runports_due(const struct supervisor *);
/* The file says something else now. False: it is wrong, and everything stays. */
bool runports_reload(struct supervisor *);

#endif
