/* The first way to be heard: COM1, polled, and the emulators' debug port. Serves until the real drivers have taken over;
 * a panic may fall back to it. */
#pragma once

#include "kernel/lib/compiler.h"

void early_console_init(void);
void early_console_write(void *ctx, const char *s, size_t n);
