/* A guest that tries to reach what is not its own. Each part prints one line of what it met and must come back. */
#pragma once

#include "guests/lib/guest.h"

void hostile_ports(void);
void hostile_memory(void);
void hostile_msrs(void);
void hostile_instructions(void);
void hostile_registers(void);
void hostile_long(void);
