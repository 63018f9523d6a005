// SPDX-License-Identifier: ISC
/* Takes the head of a request apart without believing any of it. */
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "http_request.h"

size_t http_head_length(const char *bytes, size_t len)
{
	size_t line = 0; /* where the current one begins */
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n')
			continue;
		size_t text = i - line;
		if (line && (text == 0 || (text == 1 && bytes[line] == '\r')))
			return i + 1;
		line = i + 1;
	}
	return 0;
}

/* --- lines ------------------------------------------------------------------------- */

static bool is_view(struct cursor c, const char *word)
{
	return c.left == strlen(word) && !memcmp(c.at, word, c.left);
}

static bool is_name(struct cursor c, const char *word)
{
	return c.left == strlen(word) && !strncasecmp((const char *)c.at, word, c.left);
}

/* Up to the separator, which is taken too; the rest when there is none. */
static struct cursor cut(struct cursor *c, char separator)
{
	const uint8_t *at = c->left ? memchr(c->at, separator, c->left) : NULL;
	struct cursor part = { c->at, at ? (size_t)(at - c->at) : c->left };
	take(c, part.left + (at != NULL));
	return part;
}

static struct cursor next_line(struct cursor *c)
{
	struct cursor line = cut(c, '\n');
	if (line.left && line.at[line.left - 1] == '\r')
		line.left--;
	return line;
}

static bool is_text(struct cursor c)
{
	for (size_t i = 0; i < c.left; i++)
		if ((c.at[i] < ' ' && c.at[i] != '\t') || c.at[i] == 0x7f)
			return false;
	return true;
}

static bool is_token(struct cursor c) /* RFC 9110 5.6.2 */
{
	static const char also[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < c.left; i++) {
		uint8_t b = c.at[i], lower = b | 0x20;
		if (!(lower >= 'a' && lower <= 'z') && !(b >= '0' && b <= '9') && (!b || !strchr(also, b)))
			return false;
	}
	return c.left > 0;
}

static bool is_blank(uint8_t b)
{
	return b == ' ' || b == '\t';
}

static struct cursor trimmed(struct cursor c)
{
	while (c.left && is_blank(c.at[0]))
		take(&c, 1);
	while (c.left && is_blank(c.at[c.left - 1]))
		c.left--;
	return c;
}

static enum http_status take_first_line(struct http_request *r, struct cursor line, bool *needs_host)
{
	struct cursor method = cut(&line, ' '), target = cut(&line, ' ');
	if (!is_token(method) || !target.left || !is_text(target))
		return HTTP_BAD_REQUEST;
	if (line.left != 8 || memcmp(line.at, "HTTP/", 5) || line.at[6] != '.')
		return HTTP_BAD_REQUEST;
	if (line.at[5] != '1' || (line.at[7] != '0' && line.at[7] != '1'))
		return HTTP_VERSION_UNKNOWN;
	if (!is_view(method, "GET"))
		return HTTP_NOT_ALLOWED;
	if (target.left > HTTP_TARGET_MAX)
		return HTTP_TARGET_TOO_LONG;
	if (target.at[0] != '/' || memchr(target.at, '#', target.left))
		return HTTP_BAD_REQUEST;
	*needs_host = line.at[7] == '1';
	r->query = target;
	r->path = cut(&r->query, '?');
	return HTTP_OK;
}

static bool accepts_openmetrics(struct cursor value)
{
	static const char type[] = "application/openmetrics-text";
	return memmem(value.at, value.left, type, sizeof(type) - 1) != NULL;
}

enum http_status http_request_parse(struct http_request *r, const char *head, size_t len)
{
	struct cursor c = cursor_of(head, len);
	bool needs_host = false;
	*r = (struct http_request){ .openmetrics = false };
	enum http_status status = take_first_line(r, next_line(&c), &needs_host);
	if (status != HTTP_OK)
		return status;
	while (c.left) {
		struct cursor value = next_line(&c);
		if (!value.left)
			break;
		/* A line that begins with a blank goes on with the one before (RFC 9112 5.2): refused, as it may be. */
		if (is_blank(value.at[0]) || !is_text(value) || !memchr(value.at, ':', value.left))
			return HTTP_BAD_REQUEST;
		struct cursor name = cut(&value, ':');
		if (!is_token(name))
			return HTTP_BAD_REQUEST;
		value = trimmed(value);
		if (is_name(name, "host")) {
			if (r->host.at)
				return HTTP_BAD_REQUEST;
			r->host = value;
		} else if (is_name(name, "accept") && accepts_openmetrics(value)) {
			r->openmetrics = true;
		}
	}
	return needs_host && !r->host.at ? HTTP_BAD_REQUEST : HTTP_OK;
}

bool http_path_is(const struct http_request *r, const char *path)
{
	return is_view(r->path, path);
}

/* --- the query ---------------------------------------------------------------------- */

static int hex_digit(uint8_t b)
{
	uint8_t lower = b | 0x20;
	if (b >= '0' && b <= '9')
		return b - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool decode_one(struct cursor *c, uint8_t *to)
{
	if (!get_u8(c, to))
		return false;
	if (*to == '+')
		*to = ' ';
	if (*to != '%')
		return true;
	const uint8_t *at = take(c, 2);
	if (!at || hex_digit(at[0]) < 0 || hex_digit(at[1]) < 0)
		return false;
	*to = (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
	return true;
}

static bool decode(struct cursor value, char *to, size_t room)
{
	size_t len = 0;
	while (value.left) {
		uint8_t b;
		if (len + 1 >= room || !decode_one(&value, &b) || b < ' ' || b == 0x7f)
			return false;
		to[len++] = (char)b;
	}
	to[len] = 0;
	return true;
}

bool http_query(const struct http_request *r, const char *name, char *to, size_t room)
{
	struct cursor c = r->query;
	to[0] = 0;
	while (c.left) {
		struct cursor value = cut(&c, '&');
		struct cursor key = cut(&value, '=');
		if (!is_view(key, name))
			continue;
		if (decode(value, to, room))
			return true;
		to[0] = 0;
		return false;
	}
	return false;
}

/* --- the host ------------------------------------------------------------------------- */

static bool only_port(struct cursor c)
{
	uint32_t port;
	return !c.left || (parse_word(&c, ":") && parse_u32(&c, UINT16_MAX, &port) && !c.left);
}

bool http_host_is_here(const struct http_request *r)
{
	static const char name[] = "localhost";
	struct cursor c = r->host;
	struct ip_addr ip;
	if (!c.at)
		return true; /* HTTP/1.0 and no browser */
	if (c.left >= sizeof(name) - 1 && !strncasecmp((const char *)c.at, name, sizeof(name) - 1)) {
		take(&c, sizeof(name) - 1);
		return only_port(c);
	}
	if (parse_word(&c, "["))
		return parse_ip6(&c, &ip) && parse_word(&c, "]") && only_port(c) && ip_is_loopback(ip);
	return parse_ip4(&c, &ip) && only_port(c) && ip_is_loopback(ip);
}
