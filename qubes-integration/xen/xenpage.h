/* SPDX-License-Identifier: ISC */
/*
 * xenpage.h: pages of our own memory for rings and grants, from a fixed set
 * made at boot.
 */
#ifndef XENPAGE_H
#define XENPAGE_H

#include "xen_abi.h"

/* A zeroed, page aligned page; NULL when none is left. */
void *xenpage_take(void);
void xenpage_give(void *page);
uint32_t xenpage_free(void);

#endif
