/* The debug port 0xe9 of Bochs and QEMU: each byte written appears in the emulator's own output. */
#pragma once

#include "drivers/hw_io.h"

bool debug_port_present(const struct hw_io *hw);
void debug_port_write(const struct hw_io *hw, const char *text, size_t len);
