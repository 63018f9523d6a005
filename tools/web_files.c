// SPDX-License-Identifier: ISC
/* The files of tools/web as bytes of this program; the Makefile says that they are what it depends on. */
#include "base.h"
#include "web_files.h"

/* Paths are from the top of the source, where make runs. */
#define CARRY(name, file)                                                                                          \
	__asm__(".section .rodata\n"                                                                               \
		"web_" #name "_bytes: .incbin \"tools/web/" file "\"\n"                                            \
		"web_" #name "_end: .byte 0\n"                                                                     \
		".previous\n");                                                                                    \
	extern const char web_##name##_bytes[] __attribute__((visibility("hidden")));                              \
	extern const char web_##name##_end[] __attribute__((visibility("hidden")))

CARRY(index, "index.html");
CARRY(style, "postern.css");
CARRY(icon, "icon.svg");
CARRY(main, "main.js");
CARRY(words, "words.js");
CARRY(charts, "charts.js");
CARRY(tables, "tables.js");

#define ENTRY(path, name, type) { path, type, web_##name##_bytes, web_##name##_end }

const struct web_file web_files[] = {
	ENTRY("/", index, "text/html; charset=utf-8"),
	ENTRY("/postern.css", style, "text/css; charset=utf-8"),
	ENTRY("/icon.svg", icon, "image/svg+xml"),
	ENTRY("/main.js", main, "text/javascript; charset=utf-8"),
	ENTRY("/words.js", words, "text/javascript; charset=utf-8"),
	ENTRY("/charts.js", charts, "text/javascript; charset=utf-8"),
	ENTRY("/tables.js", tables, "text/javascript; charset=utf-8"),
};
const size_t web_files_count = array_len(web_files);
