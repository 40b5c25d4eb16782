/* Port 0xe9 of the emulators. Where it exists it reads back its own number (Bochs "port_e9_hack", QEMU "debugcon"); on
 * hardware nothing answers there, and a write goes nowhere. */
#include "drivers/debug_port.h"

#define DEBUG_PORT 0xe9u

/* Is there an emulator listening? */
bool debug_port_present(const struct hw_io *hw)
{
	return hw_in8(hw, DEBUG_PORT) == DEBUG_PORT;
}

/* Write text.  Context: any, also a panic; debug_port_present(). */
void debug_port_write(const struct hw_io *hw, const char *text, size_t len)
{
	hw_out8_run(hw, DEBUG_PORT, text, len);
}
