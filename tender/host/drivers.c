// SPDX-License-Identifier: ISC
/* The kinds of ports there are. */
#include "driver.h"

const struct driver *const drivers[] = { &driver_tap, NULL };
