/* Exceptions and interrupts of the host: what a stub saves, and who is called. SDM 3 "64-Bit Mode Stack Frame". */
#pragma once

#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"

/* As traps.asm pushes it, lowest address first; the last five are the processor's. */
struct trap_frame {
	uint64_t r15;
	uint64_t r14;
	uint64_t r13;
	uint64_t r12;
	uint64_t r11;
	uint64_t r10;
	uint64_t r9;
	uint64_t r8;
	uint64_t rdi;
	uint64_t rsi;
	uint64_t rbp;
	uint64_t rbx;
	uint64_t rdx;
	uint64_t rcx;
	uint64_t rax;
	uint64_t vector;
	uint64_t error; /* 0 for vectors that have none */
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

static_assert(sizeof(struct trap_frame) == 22 * 8, "traps.asm pushes 15 registers, vector and error");

typedef void trap_handler_fn(struct trap_frame *frame);

/* Interrupts run with IF = 0 on the stack in use; the handler acknowledges its source. NMI: on a stack of its own, and
 * it must neither fault nor take locks. NULL takes a handler away. */
void trap_set_handler(unsigned vector, trap_handler_fn *fn);

/* Who gets an exception that nothing mends: must not return. */
void trap_set_fatal(trap_handler_fn *fn);

/* An exception that nothing can mend: the fatal handler, on this CPU. */
_Noreturn void trap_fatal(struct trap_frame *frame);

/* "page fault (#PF)"; a number for what has no name is the caller's job: then NULL. */
const char *trap_name(unsigned vector);

/* Called by the stubs. */
void trap_dispatch(struct trap_frame *frame);
