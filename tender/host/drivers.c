// SPDX-License-Identifier: ISC
/* The kinds of ports there are; of those that suit an interface, auto takes the first. */
#include "driver.h"

const struct driver *const drivers[] = { &driver_tap, &driver_xdp, &driver_packet, NULL };
