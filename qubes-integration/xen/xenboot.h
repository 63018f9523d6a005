/* SPDX-License-Identifier: ISC */
/*
 * xenboot.h: the order in which the Xen platform comes up, and the parts that
 * only its boot and its glue call.
 */
#ifndef XENBOOT_H
#define XENBOOT_H

#include "arena.h"
#include "text.h"
#include "xen_abi.h"

/* pvh.S: page tables and stack (its top is returned), then all the rest. */
uint8_t *xenboot_memory(const struct xen_start_info *);
_Noreturn void xenboot_main(void);

/* xenplatform.c: runs the firewall. */
_Noreturn void xenplatform_run(struct arena *);

/* A parameter the toolstack set; false when it did not. */
bool xenboot_param(uint32_t index, uint64_t *value);

void grant_boot(void);
void xenpage_boot(uint8_t *from, uint32_t count);
/* The rings' pages, and memory for the queue of watch events. */
void xenstore_boot(struct xen_store_ring *, uint32_t port, struct arena *);
/* The port of xenstored's events, to be taken each round. */
void xenstore_poll(void);

void xenentropy_draw(void *bytes, size_t len);

#endif
