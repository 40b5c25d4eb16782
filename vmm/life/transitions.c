/* The table of a VM's life. */
#include "vmm/life/transitions.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"

/* NO must not be a state. */
#define NO VM_STATE_COUNT

/* clang-format off */
static const uint8_t table[VM_STATE_COUNT][LIFE_STEP_COUNT] = {
	/*               LOAD       START       PAUSE      RESUME      RESET       SHUTDOWN    STOP        CRASH       DESTROY */
	[VM_CREATED] = { VM_LOADED, NO,         NO,        NO,         NO,         NO,         NO,         NO,         NO },
	[VM_LOADED]  = { NO,        VM_RUNNING, NO,        NO,         NO,         NO,         NO,         NO,         NO },
	[VM_RUNNING] = { NO,        NO,         VM_PAUSED, NO,         VM_RUNNING, VM_RUNNING, VM_STOPPED, VM_CRASHED, NO },
	[VM_PAUSED]  = { NO,        NO,         NO,        VM_RUNNING, VM_RUNNING, NO,         VM_STOPPED, VM_CRASHED, NO },
	[VM_STOPPED] = { VM_LOADED, NO,         NO,        NO,         VM_RUNNING, NO,         NO,         NO,         NO },
	[VM_CRASHED] = { VM_LOADED, NO,         NO,        NO,         VM_RUNNING, NO,         NO,         NO,         NO },
};
/* clang-format on */

static const char *const state_names[] = {"created", "loaded", "running", "paused", "stopped", "crashed"};

static_assert(ARRAY_LEN(state_names) == VM_STATE_COUNT, "a name for each state");

int life_next(enum vm_state state, enum life_step step, enum vm_state *next)
{
	if (step == LIFE_DESTROY)
		return 0;
	if (table[state][step] == NO)
		return ERR_STATE;
	*next = (enum vm_state)table[state][step];
	return 0;
}

const char *vm_state_name(enum vm_state state)
{
	return state < VM_STATE_COUNT ? state_names[state] : "?";
}
