/* libs: xenstore */
// SPDX-License-Identifier: ISC
/*
 * What xl network-attach and network-detach do in xenstore, many times over and without their
 * seconds: clients of a guest's netback whose frontend is dom0's own netfront.
 *
 *   vifs BACKEND-DOMID COUNT IP    each connects, then goes; status 1 with a word when one does not
 *   vifs BACKEND-DOMID HANDLE IP FRONTEND-DIR    only makes the folders of one, in state 1
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

enum { LIMIT_S = 30, FIRST_HANDLE = 100, CONNECTED = 4 };

static struct xs_handle *xs;
static unsigned domid;
static char back[128], front[128];

static void put(xs_transaction_t t, const char *dir, const char *key, const char *value, unsigned owner, unsigned reader)
{
	char path[256];
	struct xs_permissions perms[] = { { owner, XS_PERM_NONE }, { reader, XS_PERM_READ } };
	snprintf(path, sizeof(path), "%s%s%s", dir, *key ? "/" : "", key);
	xs_write(xs, t, path, value, (unsigned)strlen(value));
	xs_set_permissions(xs, t, path, perms, 2);
}

static void back_key(xs_transaction_t t, const char *key, const char *value)
{
	put(t, back, key, value, domid, 0);
}

static void front_key(xs_transaction_t t, const char *key, const char *value)
{
	put(t, front, key, value, 0, domid);
}

static void make(unsigned handle, const char *ip)
{
	char number[16], self[16], parent[128];
	snprintf(number, sizeof(number), "%u", handle);
	snprintf(self, sizeof(self), "%u", domid);
	snprintf(parent, sizeof(parent), "/local/domain/%u/backend/vif/0", domid);
	xs_transaction_t t;
	do {
		t = xs_transaction_start(xs);
		put(t, parent, "", "", 0, domid);
		back_key(t, "", "");
		back_key(t, "frontend", front);
		back_key(t, "frontend-id", "0");
		back_key(t, "online", "1");
		back_key(t, "handle", number);
		back_key(t, "mac", "00:16:3e:5e:6c:77");
		back_key(t, "ip", ip);
		back_key(t, "state", "1");
		front_key(t, "", "");
		front_key(t, "backend", back);
		front_key(t, "backend-id", self);
		front_key(t, "handle", number);
		front_key(t, "mac", "00:16:3e:5e:6c:77");
		front_key(t, "state", "1");
	} while (!xs_transaction_end(xs, t, 0));
}

static int state(const char *dir) /* -1: no such folder */
{
	char path[256];
	unsigned len;
	snprintf(path, sizeof(path), "%s/state", dir);
	char *value = xs_read(xs, XBT_NULL, path, &len);
	int n = value ? atoi(value) : -1;
	free(value);
	return n;
}

static int await(const char *what, int back_state, int front_state) /* -2: any */
{
	time_t end = time(NULL) + LIMIT_S;
	while (state(back) != back_state || (front_state != -2 && state(front) != front_state)) {
		if (time(NULL) > end) {
			printf("%s is not %s: states %d and %d\n", back, what, state(back), state(front));
			return 0;
		}
		usleep(5000);
	}
	return 1;
}

static int cycle(void)
{
	char path[256];
	if (!await("connected", CONNECTED, CONNECTED))
		return 0;
	xs_transaction_t t;
	do {
		t = xs_transaction_start(xs);
		snprintf(path, sizeof(path), "%s/online", back);
		xs_write(xs, t, path, "0", 1);
		snprintf(path, sizeof(path), "%s/state", back);
		xs_write(xs, t, path, "5", 1);
	} while (!xs_transaction_end(xs, t, 0));
	int gone = await("gone", -1, -2);
	xs_rm(xs, XBT_NULL, front);
	return gone;
}

int main(int argc, char **argv)
{
	if (argc < 4 || !(xs = xs_open(0)))
		return 2;
	domid = (unsigned)atoi(argv[1]);
	unsigned count = (unsigned)atoi(argv[2]);
	if (argc == 5) {
		snprintf(back, sizeof(back), "/local/domain/%u/backend/vif/0/%u", domid, count);
		snprintf(front, sizeof(front), "%s", argv[4]);
		make(count, argv[3]);
		return 0;
	}
	for (unsigned i = 0; i < count; i++) {
		/* a new handle each time, as xl gives it: dom0 is not always done with the last one */
		unsigned handle = FIRST_HANDLE + i;
		snprintf(back, sizeof(back), "/local/domain/%u/backend/vif/0/%u", domid, handle);
		snprintf(front, sizeof(front), "/local/domain/0/device/vif/%u", handle);
		make(handle, argv[3]);
		if (!cycle())
			return 1;
	}
	return 0;
}
