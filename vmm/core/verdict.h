/* What a handler says shall happen next. Only the loop in vmm/life/run.c acts on it; only the loop moves RIP. */
#pragma once

enum verdict {
	VERDICT_RESUME, /* back into the guest where it stands (faults injected, page mapped, RIP set by the handler) */
	VERDICT_SKIP,   /* the instruction is done: step over it, then resume */
	VERDICT_WAIT,   /* step over it; the vCPU sleeps until an event comes (HLT) */
	VERDICT_YIELD,  /* resume later: give the CPU to whoever waits (PAUSE loop, slice over) */
	VERDICT_PAUSE,  /* the VM stops here and can go on (breakpoint, operator) */
	VERDICT_STOP,   /* step over it; the VM has ended or wants a reset by its own wish: vm->request says which */
	VERDICT_CRASH   /* the VM cannot go on: vm->crash says why */
};
