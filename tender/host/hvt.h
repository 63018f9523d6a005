/* SPDX-License-Identifier: ISC */
/*
 * hvt.h: the guest's page tables.
 *
 * They lie in low guest memory that they do not map, so the guest can neither
 * see nor change them. Text is read and execute, all else is never
 * executable; what memory.c leaves between the parts is not mapped.
 */
#ifndef HVT_H
#define HVT_H

#include "tender.h"

/* Fills them and the canary page; the guest address for CR3. */
uint64_t hvt_page_tables(const struct memory *);

#endif
