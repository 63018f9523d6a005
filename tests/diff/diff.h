/* SPDX-License-Identifier: ISC */
/*
 * diff.h: the same rules and packets for the kernel's nftables and for our core.
 *
 *            +--------------------------------+
 *    c1 -----+ 10.137.0.5                     |
 *            |       either side     10.0.0.2 +----- up0, gateway 10.0.0.1
 *    c2 -----+ 10.137.0.6                     |
 *            +--------------------------------+
 *
 * A case is rules for both clients and steps; a step is a packet, perhaps one
 * that answers what came of an earlier step on the same side. What a side did
 * with a step is said in words; the words of both must be the same.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdio.h>

#include "lab.h"

enum {
	DIFF_CLIENTS = 2,
	DIFF_INBOUND = DIFF_CLIENTS, DIFF_BETWEEN, DIFF_OWNERS,
	DIFF_RULES_MAX = 24,
	DIFF_STEPS_MAX = 400,
	DIFF_FRAME_MAX = 2048,
	DIFF_FRAMES_MAX = 16, /* that come of one step */
	DIFF_PIECES_MAX = 8,
	DIFF_PAYLOAD_MAX = 1200,
	DIFF_WORDS = 512,
};

/* --- cases (diff_gen.c) --------------------------------------------------------- */

struct diff_rules {
	bool closed;
	enum rule_verdict policy;
	size_t count;
	char line[DIFF_RULES_MAX][RULE_TEXT];
};

enum diff_kind {
	DIFF_SEND,         /* p as it is */
	DIFF_REPLY,        /* from where the step `about` came out, to where it came from */
	DIFF_ERROR,        /* from the uplink, an ICMP error about what came out of `about` */
	DIFF_CLIENT_ERROR, /* the client's ICMP error about what it got of `about` */
	DIFF_CHANGE,       /* no packet: from now on the case's later rules hold */
};

struct diff_step {
	enum diff_kind kind;
	size_t about;      /* an earlier step; SEND: the first of its flow, perhaps itself */
	struct lab_packet p; /* REPLY: TCP's fields and payload; ERRORs: from (ERROR), type and code */
	uint16_t payload_len;
	uint8_t pieces;    /* fragments it is cut into; 0 or 1: none */
	bool backwards;    /* the last fragment first */
};

struct diff_case {
	/* of the clients, then inbound, then between (cross_rule.h; closed: there are none) */
	struct diff_rules rules[DIFF_OWNERS], later[DIFF_OWNERS];
	size_t count;
	struct diff_step step[DIFF_STEPS_MAX];
};

struct diff_random { uint64_t state; };
uint64_t diff_random(struct diff_random *);
/*
 * agent: nothing on which the Linux agent and we differ with intent (README.md). cross: rules of the world and between
 * clients too, and packets for them.
 */
struct diff_taste { bool agent, cross; };
void diff_generate(struct diff_case *, struct diff_random *, size_t steps, struct diff_taste);
void diff_print_step(const struct diff_step *, size_t number, FILE *);
void diff_print_rules(const struct diff_rules[DIFF_OWNERS], FILE *);

/* --- frames ------------------------------------------------------------------------ */

struct diff_frame {
	uint16_t port; /* PORT_UPLINK, or 1.. for a client */
	size_t len;
	uint8_t bytes[DIFF_FRAME_MAX];
};

struct diff_frames {
	size_t count;
	struct diff_frame frame[DIFF_FRAMES_MAX];
};

/* A side: where frames go in and what comes out. */
struct diff_side {
	const char *name;
	/* New rules, no flows. False: it said why. */
	bool (*begin)(const struct diff_case *);
	/* The later rules; flows that they permit live on. NULL: this side cannot, the step is left out. */
	bool (*change)(const struct diff_case *);
	/* Appends what came out at once. */
	void (*send)(const struct diff_frame *, struct diff_frames *out);
};

/* Our export in the kernel; the chains of the Linux agent in the kernel; our core; the whole appliance. */
extern const struct diff_side diff_kernel, diff_agent, diff_core, diff_tender;
/* After diff_kernel_init; where the programs are. What it starts ends with this process. False: it said why. */
bool diff_tender_init(const char *directory);
/* Makes this process's own network namespace with the three links. False: it said why. */
bool diff_kernel_init(void);
/* For both sides in the kernel. */
bool diff_kernel_forget(void);
bool diff_kernel_cut(const struct diff_rules[DIFF_OWNERS]); /* what these forbid */
void diff_kernel_send(const struct diff_frame *, struct diff_frames *out);

/* What each step of a case was on one side: what was sent in, and first came out (len 0: nothing). */
struct diff_trace {
	struct diff_frame in[DIFF_STEPS_MAX], out[DIFF_STEPS_MAX];
	uint8_t handed_out[65536 / 8]; /* ports that the side chose itself */
};

/* The step's frames, as this side must see them; false: what it is about never came out. (diff_frames.c) */
bool diff_make(const struct diff_case *, size_t number, const struct diff_trace *, struct diff_frames *in);
/* Joins fragments; the frames left are whole, as far as they are all there. */
void diff_join(struct diff_frames *);
/* *f becomes a view of the bytes. */
bool diff_parse(struct diff_frame *bytes, struct frame *f, struct packet *);

/* What came of the step, in words. `chosen`: the packet's port may have been taken by a choice of either side. (diff_say.c) */
void diff_say(struct diff_trace *, size_t number, struct diff_frames *out, bool chosen, char words[DIFF_WORDS]);

#endif
