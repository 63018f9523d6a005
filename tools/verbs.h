/* SPDX-License-Identifier: ISC */
/*
 * verbs.h: the verbs of the postern command and what they have in common.
 *
 * A verb gets its own words (argv[0] is its name), parses them with getopt_long
 * and returns the exit code.
 */
#ifndef VERBS_H
#define VERBS_H

enum verb_exit {
	EXIT_YES = 0,	     /* done, or yes */
	EXIT_NO = 1,	     /* a negative answer: absent, or false */
	EXIT_USAGE = 2,	     /* the command line, or the input file, is wrong */
	EXIT_UNREACHED = 3,  /* nobody listens, or the connection broke */
	EXIT_REFUSED = 4,    /* the other side, or the system, said no */
	EXIT_CONFLICT = 5,   /* somebody else changed it meanwhile */
	EXIT_TIMED_OUT = 6,
};

int verb_run(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_flows(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_web(int argc, char **argv);
int verb_names(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_trace(int argc, char **argv);
int verb_capture(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_attach(int argc, char **argv);
int verb_detach(int argc, char **argv);
int verb_rules(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_diff(int argc, char **argv);
int verb_apply(int argc, char **argv);
int verb_confirm(int argc, char **argv);
int verb_rollback(int argc, char **argv);
int verb_allow(int argc, char **argv);
int verb_revoke(int argc, char **argv);
int verb_isolate(int argc, char **argv);
int verb_panic(int argc, char **argv);
int verb_set(int argc, char **argv);
int verb_log(int argc, char **argv);
int verb_store(int argc, char **argv);
int verb_nft(int argc, char **argv);
int verb_latency(int argc, char **argv);

/* Prints a verb's usage on standard error; EXIT_USAGE. */
int verb_usage(const char *verb);
/* The same on standard output, for those who asked; EXIT_YES. */
int verb_help(const char *verb);

/* "postern: ..." and a newline on standard error; returns code. */
int complain(enum verb_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
