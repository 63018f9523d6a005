/* SPDX-License-Identifier: ISC */
/*
 * runconf_value.h: the kinds of values that postern.conf(5) has.
 */
#ifndef RUNCONF_VALUE_H
#define RUNCONF_VALUE_H

#include <stddef.h>

/* Takes a printable value of len bytes, at least one, to `to`; NULL, or what is wrong with it. */
typedef const char *runconf_take_value(void *to, size_t room, const char *value, size_t len);

/* Strings of `room` bytes. */
runconf_take_value runconf_take_path;
runconf_take_value runconf_take_name;
runconf_take_value runconf_take_mode;
runconf_take_value runconf_take_switch;
runconf_take_value runconf_take_watchdog;
runconf_take_value runconf_take_cpus;
runconf_take_value runconf_take_mac;
runconf_take_value runconf_take_host;
runconf_take_value runconf_take_network;
runconf_take_value runconf_take_listen;
/* An unsigned. */
runconf_take_value runconf_take_memory;
runconf_take_value runconf_take_mtu;

#endif
