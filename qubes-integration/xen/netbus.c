// SPDX-License-Identifier: ISC
/* Keys and states of a network device in xenstore. */
#include "netbus.h"

enum { VALUE_BYTES = 32, LINE_BYTES = 160 };

static void (*log_line)(const char *line, size_t len);

static bool join(char path[XS_PATH_BYTES], const char *dir, const char *key)
{
	struct text t = text_of(path, XS_PATH_BYTES);
	text_put(&t, dir);
	text_char(&t, '/');
	text_put(&t, key);
	return !t.cut;
}

static enum xs_result read(const char *dir, const char *key, char *value, size_t room)
{
	char path[XS_PATH_BYTES];
	return join(path, dir, key) ? xs_read(XS_NO_TX, path, value, room) : XS_RESULT_TOO_LONG;
}

static bool number(const char *value, uint32_t max, uint32_t *out)
{
	struct cursor c = cursor_of(value, netbus_length(value));
	uint32_t n;
	if (!parse_u32(&c, max, &n) || c.left)
		return false;
	*out = n;
	return true;
}

bool netbus_text(const char *dir, const char *key, char *value, size_t room)
{
	return read(dir, key, value, room) == XS_RESULT_OK;
}

bool netbus_u32(const char *dir, const char *key, uint32_t max, uint32_t *value)
{
	char text[VALUE_BYTES];
	return read(dir, key, text, sizeof(text)) == XS_RESULT_OK && number(text, max, value);
}

/* What its owner hides from us is as good as gone. */
static bool answered(enum xs_result result)
{
	return result == XS_RESULT_OK || result == XS_RESULT_NOENT || result == XS_RESULT_TOO_LONG ||
	       result == XS_RESULT_DENIED;
}

bool netbus_ask_text(const char *dir, const char *key, char *value, size_t room)
{
	value[0] = '\0';
	return answered(read(dir, key, value, room));
}

bool netbus_ask_u32(const char *dir, const char *key, uint32_t max, uint32_t *value)
{
	char text[VALUE_BYTES];
	bool said = netbus_ask_text(dir, key, text, sizeof(text));
	(void)number(text, max, value);
	return said;
}

bool netbus_flag(const char *dir, const char *key)
{
	uint32_t n;
	return netbus_u32(dir, key, UINT32_MAX, &n) && n != 0;
}

bool netbus_caps(const char *dir, struct netcaps *caps)
{
	enum { SG, GSO4, GSO6, NO_CSUM4, CSUM6, KEYS };
	static const char *const keys[KEYS] = {
		[SG] = "feature-sg", [GSO4] = "feature-gso-tcpv4", [GSO6] = "feature-gso-tcpv6",
		[NO_CSUM4] = "feature-no-csum-offload", [CSUM6] = "feature-ipv6-csum-offload",
	};
	uint32_t flag[KEYS] = { 0 };
	for (size_t i = 0; i < KEYS; i++)
		if (!netbus_ask_u32(dir, keys[i], UINT32_MAX, &flag[i]))
			return false;
	*caps = (struct netcaps){ .sg = flag[SG], .gso4 = flag[GSO4], .gso6 = flag[GSO6],
				  .csum4 = !flag[NO_CSUM4], .csum6 = flag[CSUM6] };
	return true;
}

bool netbus_state(const char *dir, enum xenbus_state *state)
{
	uint32_t n = XENBUS_UNKNOWN;
	if (!netbus_ask_u32(dir, "state", XENBUS_CLOSED, &n))
		return false;
	*state = (enum xenbus_state)n;
	return true;
}

enum xs_result netbus_put(uint32_t tx, const char *dir, const char *key, const char *value)
{
	char path[XS_PATH_BYTES];
	return join(path, dir, key) ? xs_write(tx, path, value) : XS_RESULT_TOO_LONG;
}

enum xs_result netbus_put_u32(uint32_t tx, const char *dir, const char *key, uint32_t value)
{
	char digits[16];
	struct text t = text_on(digits);
	text_u64(&t, value);
	return netbus_put(tx, dir, key, digits);
}

enum xs_result netbus_put_state(const char *dir, enum xenbus_state state)
{
	return netbus_put_u32(XS_NO_TX, dir, "state", state);
}

size_t netbus_length(const char *text)
{
	size_t len = 0;
	while (text[len])
		len++;
	return len;
}

bool netbus_below(const char *path, const char *above)
{
	while (*above && *path == *above) {
		path++;
		above++;
	}
	return !*above && (!*path || *path == '/');
}

void netbus_log_to(void (*log)(const char *line, size_t len))
{
	log_line = log;
}

void netbus_log(const char *dir, const char *text)
{
	char line[LINE_BYTES];
	struct text t = text_on(line);
	text_put(&t, dir);
	text_put(&t, ": ");
	text_put(&t, text);
	if (log_line)
		log_line(line, t.len);
}
