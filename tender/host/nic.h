/* SPDX-License-Identifier: ISC */
/*
 * nic.h: network interfaces by name, before the sandbox. Functions without a
 * result to say so end the tender with a reason when they cannot.
 */
#ifndef NIC_H
#define NIC_H

#include "addr.h"

struct nic {
	int index;
	uint16_t mtu;
	struct mac mac;
};

/* Goes into the namespace /run/netns/NETNS; what nic_leave wants to go back. "": stays; -1. */
int nic_enter(const char *netns);
void nic_leave(int home);

/* Sets it up (IFF_UP) and tells what it is. */
struct nic nic_up(const char *name);
/* Its kernel driver is that one ("tun", "veth"); ends the tender when there is no such interface. */
bool nic_driven_by(const char *name, const char *driver);
/* How many queues frames may come in by; 1 if it does not say. */
uint32_t nic_queues(const char *name);

/*
 * Descriptors that are kept to keep something in force, at numbers which
 * nothing else uses; closing them ends it. -1: the kernel would not, errno says why.
 */
int nic_keep(int fd); /* moves it to such a number; -1 stays -1 */
int nic_promiscuous(const struct nic *);
/*
 * Keeps the host's own stack away from what comes in: an nftables table of
 * family netdev that belongs to the descriptor, with an ingress chain that drops all.
 */
int nic_guard(const char *name);

#endif
