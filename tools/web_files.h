/* SPDX-License-Identifier: ISC */
/* web_files.h: the page itself: the files of tools/web, carried in the command. */
#ifndef WEB_FILES_H
#define WEB_FILES_H

#include <stddef.h>

struct web_file {
	const char *path; /* begins with '/' */
	const char *type;
	const char *bytes, *end;
};

extern const struct web_file web_files[];
extern const size_t web_files_count;

#endif
