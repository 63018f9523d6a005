/* SPDX-License-Identifier: ISC */
/*
 * watchreport.h: the control protocol's side of watches (watch.h):
 *
 *   watch start SNAPLEN COUNT SECONDS [EXPRESSION]   watch, watchport...; 0: no bytes, no bound; match.h
 *   watch read ID      packet, its bytes...; and again; at last watch. As much as was there when it was asked.
 *   watch stop ID      watch. It can still be read
 *
 *   watch      id, state "runs" or "ended" with why; matched, lost, and `left`: there is more to read now. When a
 *              watch that ended has been read empty, watchport lines follow, and it is gone.
 *   watchport  a port with its name, address and MTU, and how many frames of it were matched, and lost
 *   packet     number; unix_ns; fate "passed", "dropped", "taken" (in, by the firewall itself) or "held" (it waits,
 *              for a neighbour or its first fragment: what becomes of it is a packet of its own that has no way in)
 *              with reason; in_port, in_name, out_port, out_name; in_len, out_len of the frames, in_bytes, out_bytes of
 *              what follows; the tuple as it came, and as it left (to_...); client; flow "none", "found" or "opened"
 *              with state and direction; rule, rule_id and generation; next_hop. What a dropped packet's sender is told
 *              is its way out.
 *   bytes      side "in" or "out", at, data: base64 of up to 1380 bytes of the frame
 */
#ifndef WATCHREPORT_H
#define WATCHREPORT_H

#include "fw.h"
#include "watch.h"

enum watchreport_stage {
	WATCHREPORT_PACKET, WATCHREPORT_BYTES, WATCHREPORT_STATE, WATCHREPORT_PORTS, WATCHREPORT_END
};

struct watchreport {
	enum watchreport_stage stage;
	uint32_t id, port;
	uint64_t until;             /* of the ring: the answer ends there */
	struct watch_record record; /* whose bytes are being sent */
	uint32_t at;
	bool ports;                 /* are told */
	bool reads, over;           /* it is a read; and the last one */
	char fault[MATCH_FAULT_BYTES];
};

/* words: what stands behind "watch "; NULL, or what is wrong with them. */
struct status_facts;
const char *watchreport_begin(struct watchreport *, struct fw *, const char *words, size_t len,
			      const struct status_facts *);
/* As status_next; false: complete. */
bool watchreport_next(struct watchreport *, struct fw *, uint64_t now_ns, struct text *line);

#endif
