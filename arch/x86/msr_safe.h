/* Access to model specific registers that may not exist: the processor's #GP becomes an error. Works from the moment the
 * IDT is loaded, which is the first thing that the kernel does. Also XSETBV, which refuses values in the same way. */
#pragma once

#include "kernel/lib/compiler.h"

/* 0, or ERR_FAULT: the processor has no such register (out: 0), or does not take this value. */
MUST_CHECK int rdmsr_safe(uint32_t msr, uint64_t *out);
MUST_CHECK int wrmsr_safe(uint32_t msr, uint64_t value);
MUST_CHECK int xsetbv_safe(uint32_t index, uint64_t value);

/* The register, or what to take instead. */
uint64_t rdmsr_or(uint32_t msr, uint64_t otherwise);

/* For the trap dispatcher: where to go on after an exception at rip; false when it is not one of ours: also an NMI or a
 * machine check may come just before one of the instructions. */
bool msr_safe_fixup(unsigned vector, uint64_t rip, uint64_t *resume);
