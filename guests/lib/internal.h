/* Between the files of guests/lib only. */
#pragma once

#include "guests/lib/guest.h"

void serial_init(void);
void serial_drain(void);
void trap_init(void);
void trap_dispatch(struct trap_frame *f);
_Noreturn void guest_begin(uint32_t magic, const struct mb_info *info);
