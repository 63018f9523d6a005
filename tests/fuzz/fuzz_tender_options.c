/* links: tender/host/options.c netstack/text.c netstack/addr.c */
// SPDX-License-Identifier: ISC
/* A configuration file, and the same bytes as the options of one port: the control socket's input. */
#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct options o;
	struct option_port p;
	char reason[64];
	struct text why = text_on(reason);
	options_init(&o);
	(void)options_file(&o, (const char *)bytes, len, &why);
	ensure(o.client_count <= PORT_COUNT - PORT_CLIENT_FIRST);
	if (options_port(&p, (const char *)bytes, len, false, &why)) {
		ensure(p.addr_count >= 1 && p.addr_count <= OPTION_ADDRS_MAX);
		ensure(p.name[OPTION_NAME_BYTES - 1] == '\0' && p.iface[OPTION_NAME_BYTES - 1] == '\0');
	}
	ensure(why.len < sizeof(reason));
	return 0;
}
