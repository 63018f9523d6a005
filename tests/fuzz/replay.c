// SPDX-License-Identifier: ISC
/* Runs a fuzz target over the files and folders named, without a fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	static uint8_t bytes[1 << 20];
	size_t len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	/* exact size, so that the sanitizer sees a read past the end */
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, bytes, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

static int replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	int count = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		char file[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		int one = replay(file);
		if (one < 0) {
			count = -1;
			break;
		}
		count += one;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		int n = !stat(argv[i], &st) && S_ISDIR(st.st_mode) ? replay_folder(argv[i]) : replay(argv[i]);
		if (n < 0)
			return 1;
		total += n;
	}
	printf("%s: %d inputs replayed\n", argv[0], total);
	return total ? 0 : 1;
}
