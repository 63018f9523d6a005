/* SPDX-License-Identifier: ISC */
/*
 * vchan_page.h: the memory of a vchan: the server's page lent, or the pages of
 * a foreign server mapped and judged. For vchan.c alone.
 */
#ifndef VCHAN_PAGE_H
#define VCHAN_PAGE_H

#include "vchan.h"

/* Client: maps page `ref` of the peer and the rings it names. False: nothing stays mapped. */
bool vchan_page_map(struct vchan *, uint32_t ref);
/* Server: one page with both rings in it, lent to the peer. False: nothing is lent. */
bool vchan_page_make(struct vchan *);
/* Gives the memory of either side back, now or when the peer lets go of it. */
void vchan_page_drop(struct vchan *);

#endif
