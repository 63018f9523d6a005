/* SPDX-License-Identifier: ISC */
/*
 * diff_lab.h: the addresses of the picture in diff.h, the same on both sides.
 */
#ifndef DIFF_LAB_H
#define DIFF_LAB_H

#include "lab.h"

#define DIFF_FIREWALL ip_v4(10, 0, 0, 2)
#define DIFF_GATEWAY ip_v4(10, 0, 0, 1)
#define DIFF_AWAY ip_v4(10, 137, 0, 99) /* a client that is not running */

static inline struct ip_addr diff_client(size_t i) /* of port i + 1 */
{
	return ip_v4(10, 137, 0, (uint8_t)(5 + i));
}

static inline struct mac diff_mac(uint16_t port) /* of the host at that port */
{
	return port == PORT_UPLINK ? LAB_GW_MAC : port == 1 ? LAB_C1_MAC : LAB_C2_MAC;
}

static inline struct mac diff_our_mac(uint16_t port) /* the firewall's there */
{
	return port == PORT_UPLINK ? LAB_UP_MAC : LAB_FW_MAC;
}

#endif
