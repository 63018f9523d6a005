/* SPDX-License-Identifier: ISC */
/*
 * guest.h: the guest's side of our tender, under hvt and spt alike.
 */
#ifndef GUEST_H
#define GUEST_H

#include "arena.h"
#include "platform.h"
#include "ring.h"

/* From entry.S; starts postern_main. */
_Noreturn void guest_main(struct boot_info *boot);
/* One call to the tender. */
void guest_call(enum abi_call call);

extern struct shared *guest_shared;
extern struct boot_info *guest_boot;

/* buffers.c: the buffers and the port rings. */
void buffers_boot(struct arena *);
size_t buffers_rx(struct frame *burst[], size_t max);
uint64_t buffers_rx_ticks(void);
uint32_t buffers_tx_ticks(uint64_t *ticks);
void buffers_tx(struct frame_queue *q);
void buffers_give(struct frame_queue *q);
struct frame *buffers_free(void);
void buffers_wanted(void);     /* before a call: says how many grants are welcome */
void buffers_take_grants(void); /* after it */
bool buffers_ready(void);
void buffers_drain(uint16_t port); /* the port is gone: its arrivals come home */
void buffers_status(struct text *);

#endif
