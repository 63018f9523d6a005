/* libs: */
// SPDX-License-Identifier: ISC
/*
 * Waits until a file that grows has words in it and prints the second since boot: a look costs a stat,
 * where a shell's would cost the machine that is measured two processes.
 *
 *   when FILE WORDS
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 65536, LOOK_US = 10000, LIMIT_S = 60 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int has(const char *path, const char *words)
{
	static char text[BYTES];
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	text[fread(text, 1, BYTES - 1, f)] = 0;
	fclose(f);
	return strstr(text, words) != NULL;
}

int main(int argc, char **argv)
{
	struct stat s;
	off_t seen = 0;
	if (argc != 3)
		return 2;
	for (double end = now() + LIMIT_S; now() < end; usleep(LOOK_US)) {
		if (stat(argv[1], &s) < 0 || s.st_size == seen)
			continue;
		seen = s.st_size;
		if (has(argv[1], argv[2])) {
			printf("%.2f\n", now());
			return 0;
		}
	}
	return 1;
}
