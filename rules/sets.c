/* SPDX-License-Identifier: ISC */
/*
 * sets.c: the members of all sets one behind the other, a set's together.
 */
#include "sets.h"

bool set_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = name[i], lower = (char)(c | 0x20);
		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
			return false;
	}
	return len > 0 && len <= RULE_LABEL_MAX;
}

enum set_fault set_parse(const char *value, size_t len, struct ip_prefix to[SET_MEMBERS_MAX], uint32_t *count,
			 uint32_t *column)
{
	struct cursor c = cursor_of(value, len);
	for (*count = 0;; ++*count) {
		while (c.left > 0 && (*c.at == ' ' || *c.at == '\t'))
			take(&c, 1);
		*column = (uint32_t)(len - c.left) + 1;
		if (c.left == 0)
			return SET_GOOD;
		struct ip_prefix member;
		if (!parse_prefix(&c, &member) || (c.left > 0 && *c.at != ' ' && *c.at != '\t'))
			return SET_BAD_MEMBER;
		if (*count == SET_MEMBERS_MAX)
			return SET_MANY_MEMBERS;
		to[*count] = member;
	}
}

static bool is_named(const struct set *set, const char *name, size_t len)
{
	return !memcmp(set->name, name, len) && !set->name[len];
}

uint32_t sets_handle(struct sets *s, const char *name, size_t len)
{
	uint32_t idle = NONE;
	if (!set_is_name(name, len))
		return NONE;
	for (uint32_t i = 0; i < SETS_MAX; i++) {
		if (is_named(&s->set[i], name, len))
			return i;
		const struct set *best = idle == NONE ? NULL : &s->set[idle];
		if (s->set[i].held == 0 && s->set[i].count == 0 && (!best || (best->name[0] && !s->set[i].name[0])))
			idle = i;
	}
	if (idle == NONE)
		return NONE;
	memset(s->set[idle].name, 0, sizeof(s->set[idle].name));
	memcpy(s->set[idle].name, name, len);
	return idle;
}

void sets_hold(struct sets *s, uint32_t handle)
{
	if (handle < SETS_MAX)
		s->set[handle].held++;
}

void sets_release(struct sets *s, uint32_t handle)
{
	if (handle < SETS_MAX)
		s->set[handle].held--;
}

static void take_out(struct sets *s, struct set *gone)
{
	uint32_t first = gone->first, count = gone->count;
	if (count == 0)
		return; /* all of them are emptied when a dump begins */
	memmove(&s->member[first], &s->member[first + count], (s->members - first - count) * sizeof(s->member[0]));
	s->members -= count;
	for (uint32_t i = 0; i < SETS_MAX; i++)
		if (s->set[i].first > first)
			s->set[i].first -= count;
	gone->count = gone->first = 0;
}

void sets_empty(struct sets *s, uint32_t handle)
{
	if (handle < SETS_MAX)
		take_out(s, &s->set[handle]);
}

bool sets_put(struct sets *s, uint32_t handle, const char *value, size_t len)
{
	struct ip_prefix member[SET_MEMBERS_MAX];
	uint32_t count, column;
	if (handle >= SETS_MAX)
		return false;
	struct set *set = &s->set[handle];
	take_out(s, set);
	bool good = set_parse(value, len, member, &count, &column) == SET_GOOD && count <= SETS_MEMBERS_MAX - s->members;
	if (good && count > 0) {
		memcpy(&s->member[s->members], member, count * sizeof(member[0]));
		set->first = s->members;
		set->count = count;
		s->members += count;
	}
	return good;
}

const char *sets_name(const struct sets *s, uint32_t handle)
{
	return handle < SETS_MAX && s->set[handle].name[0] ? s->set[handle].name : "?";
}

static bool has_family(const struct sets *s, const struct set *set, bool v6)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (ip_is_v4(s->member[set->first + i].addr) != v6)
			return true;
	return false;
}

bool sets_expand(const struct sets *s, const struct rule *rule, bool v6, uint32_t *at, struct rule *out)
{
	static const struct set unknown = { .count = 0 };
	const struct set *set = rule->host < SETS_MAX ? &s->set[rule->host] : &unknown;
	*out = *rule;
	while (*at < set->count) {
		struct ip_prefix member = s->member[set->first + (*at)++];
		if (ip_is_v4(member.addr) == v6)
			continue;
		out->dst = member;
		out->flags |= RULE_HAS_DST;
		return true;
	}
	if (*at > set->count || has_family(s, set, v6))
		return false;
	*at = set->count + 1;
	/* fail closed: what drops and has a set that nobody knows drops everything */
	if (set->count > 0 || rule->action == VERDICT_ACCEPT)
		out->flags |= RULE_VOID;
	return true;
}
