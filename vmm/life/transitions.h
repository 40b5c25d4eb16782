/* The life of a VM as one table: which step is legal in which state, and what comes after. Pure. */
#pragma once

#include "vmm/core/vm.h"

enum life_step {
	LIFE_LOAD, /* images into memory, start state set */
	LIFE_START,
	LIFE_PAUSE,
	LIFE_RESUME,
	LIFE_RESET,    /* power cycle: loaded again, then started */
	LIFE_SHUTDOWN, /* press the power button; the guest decides */
	LIFE_STOP,     /* the guest has powered off, or exited */
	LIFE_CRASH,
	LIFE_DESTROY,
	LIFE_STEP_COUNT
};

/* The state after the step. Returns 0, or ERR_STATE when the step is not legal in this state (*next untouched).
 * LIFE_DESTROY is legal always and has no next state: *next is untouched then too. */
MUST_CHECK int life_next(enum vm_state state, enum life_step step, enum vm_state *next);

const char *vm_state_name(enum vm_state state);
