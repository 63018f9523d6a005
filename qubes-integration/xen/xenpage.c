// SPDX-License-Identifier: ISC
/* A free list of pages. */
#include "xenpage.h"

#include "xenboot.h"

struct free_page {
	struct free_page *next;
};

static struct free_page *list;
static uint32_t left;

void xenpage_boot(uint8_t *from, uint32_t count)
{
	for (uint32_t i = count; i-- > 0;)
		xenpage_give(from + (size_t)i * XEN_PAGE_BYTES);
}

void *xenpage_take(void)
{
	struct free_page *page = list;
	if (!page)
		return NULL;
	list = page->next;
	left--;
	memset(page, 0, XEN_PAGE_BYTES);
	return page;
}

void xenpage_give(void *at)
{
	struct free_page *page = at;
	ensure(at && (uintptr_t)at % XEN_PAGE_BYTES == 0);
	page->next = list;
	list = page;
	left++;
}

uint32_t xenpage_free(void)
{
	return left;
}
