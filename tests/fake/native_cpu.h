/* Runs one instruction on the processor under the test, with every register and flag chosen: the oracle for the emulator.
 * For x86-64 hosts, which is what the project's tests run on. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Both lie below 2 GiB, so that 32-bit addresses and displacements reach them. */
#define NATIVE_ARENA 0x10000000ull
#define NATIVE_ARENA_BYTES 8192u
#define NATIVE_CODE 0x20000000ull

struct native_state {
	uint64_t gpr[16]; /* by hardware number */
	uint64_t rflags;
};

/* Maps arena and code; once per program. */
void native_start(void);

/* Where the instruction will stand. */
uint64_t native_insn_address(void);

/* state: registers before, and after. They must be such that the instruction touches nothing but the arena. */
void native_run(const uint8_t *bytes, size_t length, struct native_state *state);
