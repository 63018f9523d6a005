// SPDX-License-Identifier: ISC
#include "tender.h"
void hvt_setup(struct memory *m){(void)m;die(1,"hvt","");}
_Noreturn void hvt_run(const struct memory *m){(void)m;die(1,"hvt","");}
int hvt_vcpu_fd(void){return -1;}
void hvt_interrupt(void){}
bool hvt_available(void){return false;}
