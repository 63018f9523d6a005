/* SPDX-License-Identifier: ISC */
/*
 * latency_verbs.h: what follows `postern latency`; like verbs.h, argv[0] is its own name.
 */
#ifndef LATENCY_VERBS_H
#define LATENCY_VERBS_H

#include <stdbool.h>

int latency_show(int argc, char **argv);
int latency_probe(int argc, char **argv);
int latency_reflect(int argc, char **argv);
int latency_match(int argc, char **argv);
int latency_compare(int argc, char **argv);
/* on, stages, off, reset, state: its own name is what is asked for. */
int latency_switch_verb(int argc, char **argv);

/* Asks and prints the last line of the answer, if it has any. The exit code. */
int latency_tell(const char *control, const char *request, bool json);

#endif
