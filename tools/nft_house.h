/* SPDX-License-Identifier: ISC */
/*
 * nft_house.h: collects what nft_walk describes: clients, their rules, ports.
 *
 * A house starts as zeros; nft_house_free() gives back all of it.
 */
#ifndef NFT_HOUSE_H
#define NFT_HOUSE_H

#include "nft_walk.h"

/*
 * The client of this IPv4 address, made (closed: "it has no rules") when it is new; or, of a cross_owner, what has
 * those rules. Valid until the next.
 */
struct nft_client *nft_house_client(struct nft_house *, struct ip_addr);
/* IF=IP[,IP]: where clients are. False: malformed, or not IPv4, or a name the kernel would not take. */
bool nft_house_port(struct nft_house *, const char *text);
/* IF, or IF=IP. */
bool nft_house_uplink(struct nft_house *, const char *text);
bool nft_house_dns(struct nft_house *, const char *ip);
/* Blank-separated addresses (connected-ips); what is no IPv4 address is left out. */
void nft_house_away(struct nft_house *, const char *ips);
/* An operator stopped it, whatever its rules say. */
void nft_house_isolate(struct nft_house *, struct ip_addr);
/* Clients other than this one go, but stay known as clients. */
void nft_house_only(struct nft_house *, struct ip_addr);
/* Panic isolates all. Every store has name servers, also when it says nothing. Clients leave the list of those away. */
void nft_house_finish(struct nft_house *);
void nft_house_free(struct nft_house *);

/* An interface name as the kernel takes it. */
bool nft_is_ifname(const char *);

/* Behind the last rule. False, and the client is closed for that reason: no rule. */
bool nft_client_rule(struct nft_client *, unsigned number, const char *line, size_t len);
void nft_client_open(struct nft_client *, enum rule_verdict policy);
void nft_client_close(struct nft_client *, const char *why);
/* The addresses of a name that rules of this client name: "{'192.0.2.1/32', ...}" (qubes.md 2.4). */
void nft_client_name(struct nft_client *, const char *host, const char *addresses);

#endif
