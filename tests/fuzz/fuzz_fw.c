/* links: tests/unit/lab.c @pure */
// SPDX-License-Identifier: ISC
/*
 * Many frames with time between them, from every port, through the whole
 * firewall; now and then the rules change, the world's and those between clients too, or a port goes. After each step no
 * frame is lost, every table holds, and what came out parses.
 *
 * Input: steps of {u8 what, u8 argument, u16 length, bytes}.
 */
#include <stdlib.h>
#include <string.h>
#include "lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static uint32_t held(struct lab *l)
{
	return LAB_FRAMES - (l->free.count + l->fw.spare.count + l->fw.tx.count + l->fw.done.count);
}

static void drain(struct lab *l)
{
	for (struct frame *f; (f = lab_take(l));) {
		struct packet p;
		must(f->port < PORT_COUNT && l->fw.port[f->port].attached);
		must(pkt_parse(f, &p) == DROP_NONE || f->offload.flags);
		/* nothing but our own addresses leaves by the uplink, and ARP */
		if (f->port == PORT_UPLINK && p.class != PKT_ARP)
			must(fw_is_ours(&l->fw, p.tuple.src));
		lab_give(l, f);
	}
}

static void frame_in(struct lab *l, uint8_t argument, const uint8_t *data, size_t len)
{
	struct frame *f = frames_take(&l->free);
	must(f != NULL);
	if (!frame_reset(f, len)) {
		lab_give(l, f);
		return;
	}
	memcpy(f->data, data, len);
	f->port = argument % 4; /* port 3 is never attached */
	fw_input(&l->fw, &f, 1, l->now_ns);
	drain(l);
}

static void change(struct lab *l, uint8_t argument)
{
	static const char *const sets[4][3] = {
		{ "action=accept", NULL }, { NULL },
		{ "action=drop proto=udp", "action=accept", NULL },
		{ "action=accept proto=tcp dstports=80-80", NULL },
	};
	static const char *const inbound[4][3] = {
		{ NULL },
		{ "action=accept proto=tcp dstports=2222 to=10.137.0.5:22",
		  "action=accept proto=udp dstports=53-54 to=10.137.0.6:1053-1054", NULL },
		{ "action=drop src4=192.0.2.0/24", "action=accept dstports=0-65535 to=10.137.0.6", NULL },
		{ "action=accept proto=tcp dstports=2222 to=10.137.0.5:23", NULL },
	};
	static const char *const between[4][3] = {
		{ NULL }, { "action=accept", NULL },
		{ "action=drop proto=udp", "action=accept dst4=10.137.0.6", NULL },
		{ "action=accept src4=10.137.0.5 dst4=10.137.0.6 proto=udp", NULL },
	};
	struct ip_addr c1 = ip_v4(10, 137, 0, 5);
	if (argument >= 96 && argument < 112) {
		lab_cross_rules(l, RULE_INBOUND, inbound[argument % 4]);
	} else if (argument >= 112 && argument < 128) {
		lab_cross_rules(l, RULE_BETWEEN, between[argument % 4]);
	} else if (argument < 128) {
		lab_rules(l, c1, VERDICT_DROP, sets[argument % 4]);
	} else if (l->fw.port[1].attached) {
		fw_detach(&l->fw, 1);
	} else {
		struct fw_port_config c = { .mtu = 1500, .ours = LAB_FW_MAC, .addr_count = 1, .addr = { c1 } };
		must(fw_attach(&l->fw, 1, &c, l->now_ns));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const all[] = { "action=accept", NULL };
	struct lab *l = lab_new(64);
	lab_rules(l, ip_v4(10, 137, 0, 5), VERDICT_DROP, all);
	lab_rules(l, ip_v4(10, 137, 0, 6), VERDICT_ACCEPT, NULL);
	struct cursor c = cursor_of(bytes, len);
	uint8_t what, argument;
	uint16_t n;
	while (get_u8(&c, &what) && get_u8(&c, &argument) && get_be16(&c, &n)) {
		struct cursor part;
		if (!carve(&c, n, &part))
			break;
		if (what < 200)
			frame_in(l, argument, part.at, part.left);
		else if (what < 230)
			lab_after(l, (uint64_t)argument * 300000000);
		else
			change(l, argument);
		drain(l);
		must(lab_conserved(l));
		must(l->free.count > 0);
	}
	/* in the end, everything that waits comes back */
	for (int i = 0; i < 200 && held(l); i++) {
		lab_after(l, 1000000000);
		drain(l);
	}
	must(held(l) == 0);
	lab_free(l);
	return 0;
}
