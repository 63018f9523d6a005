/* SPDX-License-Identifier: ISC */
/* main.c: postern-store's command line, start and end. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

enum { EXIT_CANNOT = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: postern-store --db FILE --socket PATH [--ro-socket PATH] [--link PATH]\n"
	"                     [--mode 0660] [--group GROUP] [--patience SECONDS]\n"
	"                     [--half SECONDS]\n"
	"  --db FILE         where everything is kept\n"
	"  --socket PATH     for programs that may read and write\n"
	"  --ro-socket PATH  for programs that may only read (mode 0666)\n"
	"  --link PATH       for the appliance, one at a time\n"
	"  --mode, --group   who may use the first socket and the link\n"
	"  --patience S      a peer that leaves answers unread so long is closed (10)\n"
	"  --half S          a rule tree whose writer left before its commit is kept so long (60)\n"
	"exit status: 0 ended by a signal, 1 cannot start or go on, 2 usage\n";

struct settings {
	const char *db;
	mode_t mode;
	gid_t group;
};

/* Unsigned number in the given base up to max; false if it is anything else. */
static bool number(const char *s, int base, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(s, &end, base);
	return errno == 0 && *s >= '0' && *s <= '9' && *end == 0 && *out <= max;
}

static bool group_of(const char *name, gid_t *group)
{
	const struct group *g = getgrnam(name);
	unsigned long n = 0;

	if (g)
		*group = g->gr_gid;
	else if (number(name, 10, UINT32_MAX - 1ul, &n))
		*group = (gid_t)n;
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct settings *want, struct server *s)
{
	static const struct option options[] = {
		{ "db", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },
		{ "ro-socket", required_argument, NULL, 'r' },
		{ "link", required_argument, NULL, 'l' },
		{ "mode", required_argument, NULL, 'm' },
		{ "group", required_argument, NULL, 'g' },
		{ "patience", required_argument, NULL, 'p' },
		{ "half", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long n = 0;
	bool good = true;
	int o;

	while (good && (o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'd')
			want->db = optarg;
		else if (o == 's')
			s->listener[0].path = optarg;
		else if (o == 'r')
			s->listener[1].path = optarg;
		else if (o == 'l')
			s->listener[2].path = optarg;
		else if (o == 'm' && (good = number(optarg, 8, 0777, &n)))
			want->mode = (mode_t)n;
		else if (o == 'g')
			good = group_of(optarg, &want->group);
		else if (o == 'p' && (good = number(optarg, 10, 3600, &n)))
			s->patience_ms = (int64_t)n * 1000;
		else if (o == 'H' && (good = number(optarg, 10, 86400, &n)))
			s->half_ms = (int64_t)n * 1000;
		else if (o == 'h') {
			fputs(usage, stdout);
			exit(0);
		} else
			good = false;
	}
	return good && optind == argc && want->db && s->listener[0].path;
}

/* Tells a service manager, if there is one, that connections are served now. */
static void notify_ready(void)
{
	static const char ready[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL, (const struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		fprintf(stderr, "postern-store: NOTIFY_SOCKET: %s\n", strerror(errno));
	close(fd);
}

static bool open_all(struct server *s, const struct settings *want, char *reason, size_t len)
{
	s->listener[0].mode = want->mode;
	s->listener[1].mode = 0666;
	s->listener[1].kind = PEER_READ_ONLY;
	s->listener[2].mode = want->mode;
	s->listener[2].kind = PEER_LINK;
	if (!db_open(&s->db, want->db, reason, len))
		return false;
	for (size_t i = 0; i < SERVER_LISTENERS; i++) {
		if (s->listener[i].path &&
		    !listener_open(&s->listener[i], want->group, reason, len))
			return false;
	}
	return server_start(s, reason, len);
}

int main(int argc, char **argv)
{
	static struct server s = { .epoll = -1, .signals = -1, .patience_ms = 10 * 1000,
				  .half_ms = 60 * 1000 };
	struct settings want = { .mode = 0660, .group = (gid_t)-1 };
	char reason[300] = "";
	bool stopped;

	s.db.lock = -1;
	for (size_t i = 0; i < SERVER_LISTENERS; i++)
		s.listener[i].fd = -1;
	if (!parse(argc, argv, &want, &s)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	umask(0077);
	if (!open_all(&s, &want, reason, sizeof(reason))) {
		fprintf(stderr, "postern-store: %s\n", reason);
		server_end(&s);
		return EXIT_CANNOT;
	}
	fputs("postern-store: ready\n", stderr);
	notify_ready();
	stopped = server_run(&s);
	server_end(&s);
	return stopped ? 0 : EXIT_CANNOT;
}
