/* The interrupt descriptor table: one for all CPUs, with a stub for every vector (traps.asm). SDM 3 "64-Bit Mode IDT". */
#pragma once

void idt_init(void);
void idt_load(void);
