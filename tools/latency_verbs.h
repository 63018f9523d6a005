/* SPDX-License-Identifier: ISC */
/*
 * latency_verbs.h: what follows `postern latency`; like verbs.h, argv[0] is its own name.
 */
#ifndef LATENCY_VERBS_H
#define LATENCY_VERBS_H

int latency_show(int argc, char **argv);
int latency_probe(int argc, char **argv);
int latency_reflect(int argc, char **argv);
int latency_match(int argc, char **argv);
int latency_compare(int argc, char **argv);

#endif
