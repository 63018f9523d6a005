/* SPDX-License-Identifier: ISC */
/* http_listen.h: a listening socket that only this machine reaches. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

/*
 * where: unix:PATH, or IP:PORT of a loopback address ([::1]:PORT for IPv6). A socket file that nobody
 * answers at is replaced; a new one may be used by its owner and group. The descriptor, or -1
 * after telling standard error, with the exit code in *code.
 */
int http_listen(const char *where, int *code);
/* The path of unix:PATH; NULL: it is none. */
const char *http_listen_path(const char *where);

#endif
