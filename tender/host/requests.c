// SPDX-License-Identifier: ISC
/* attach, detach and tender: what the tender answers without asking the guest. */
#include "peer.h"

#include <string.h>
#include <unistd.h>

static enum control_result finish(struct text *t, struct peer *p)
{
	text_put(t, "\n.\n");
	p->out_at = 0;
	p->out_len = t->len;
	return CONTROL_DONE;
}

static enum control_result error(struct peer *p, const char *what)
{
	struct text t = text_on(p->out);
	text_put(&t, "error ");
	text_put(&t, what);
	return finish(&t, p);
}

static enum control_result number(struct peer *p, uint32_t port)
{
	struct text t = text_on(p->out);
	text_put(&t, "ok ");
	text_u64(&t, port);
	return finish(&t, p);
}

static void default_name(struct option_port *about)
{
	char shown[IP_TEXT];
	struct text t = text_on(shown);
	text_ip(&t, about->addr[0]);
	size_t n = t.len < sizeof(about->name) ? t.len : sizeof(about->name) - 1;
	memcpy(about->name, shown, n);
}

static enum control_result attach(struct peer *p, struct cursor line)
{
	struct option_port about;
	char reason[160];
	struct text why = text_on(reason);
	if (!options_port(&about, (const char *)line.at, line.left, false, &why))
		return error(p, reason);
	if (about.iface[0] || about.netns[0] || about.fd >= 0)
		return error(p, "a descriptor is passed along, not named");
	if (p->passed < 0)
		return error(p, "no descriptor came along");
	if (!about.name[0])
		default_name(&about);
	if (ports_find(about.name, strlen(about.name)) >= 0)
		return error(p, "the name is taken");
	if (!about.has_ours)
		about.ours = (struct mac){ { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct driver_port way;
	if (!ports_adopt(&way, p->passed, &about))
		return error(p, "the descriptor is not a tap without packet information");
	way.fd = dup(p->passed); /* the attempt takes one over */
	int port = ports_attach(PORT_CLIENT_FIRST, &about, &way);
	if (port == -1) {
		close(way.fd);
		return CONTROL_LATER;
	}
	close(p->passed);
	p->passed = -1;
	return port < 0 ? error(p, "no free port") : number(p, (uint32_t)port);
}

static enum control_result detach(struct peer *p, struct cursor line)
{
	if (p->burial) {
		if (!broker_buried(p->burial))
			return CONTROL_LATER;
		p->burial = 0;
		return number(p, p->detached);
	}
	int port = ports_find((const char *)line.at, line.left);
	if (port < 0)
		return error(p, "no such port");
	if (port == PORT_UPLINK)
		return error(p, "the uplink stays");
	if (pump_event_room() < 64)
		return CONTROL_LATER;
	/* the answer comes when the interface is let go: its name is free then */
	p->burial = ports_detach((uint16_t)port);
	p->detached = (uint32_t)port;
	return detach(p, line);
}

static void member(struct text *t, const char *name, uint64_t value)
{
	text_put(t, name);
	text_u64(t, value);
}

static enum control_result status(struct peer *p)
{
	struct text t = text_on(p->out);
	text_put(&t, tender.mode == MODE_HVT ? "{\"mode\":\"hvt\"" : "{\"mode\":\"spt\"");
	member(&t, ",\"mem_mib\":", tender.options->mem_mib);
	member(&t, ",\"calls\":", tender.calls);
	member(&t, ",\"doorbells\":", tender.calls - tender.waits);
	member(&t, ",\"waits\":", tender.waits);
	member(&t, ",\"sleeps\":", tender.sleeps);
	uint64_t exits = __atomic_load_n(&tender.exits, __ATOMIC_RELAXED), packets = ports_received();
	member(&t, ",\"exits\":", exits);
	member(&t, ",\"exits_per_1000_packets\":", packets ? exits * 1000 / packets : 0);
	member(&t, ",\"buffers\":", tender.memory.buffer_count);
	member(&t, ",\"buffers_free\":", buffers_left(BUFFER_SMALL));
	member(&t, ",\"large_buffers\":", tender.memory.large_count);
	member(&t, ",\"large_buffers_free\":", buffers_left(BUFFER_LARGE));
	member(&t, ",\"bad_frees\":", tender.bad_frees);
	text_put(&t, ",\"ports\":");
	ports_status(&t);
	text_put(&t, "}");
	return finish(&t, p);
}

enum control_result control_own(struct peer *p, size_t len)
{
	struct cursor line = cursor_of(p->in, len - 1); /* without its newline */
	if (line.left > 0 && line.at[line.left - 1] == '\r')
		line.left--;
	if (parse_word(&line, "attach client "))
		return attach(p, line);
	if (parse_word(&line, "detach "))
		return detach(p, line);
	if (parse_word(&line, "tender") && line.left == 0)
		return status(p);
	return CONTROL_NOT_OURS;
}
