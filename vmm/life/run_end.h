/* Why a vCPU has left its loop. */
#pragma once

enum run_end {
	RUN_YIELD,   /* slice over, or the host wants the CPU; it can go on at once */
	RUN_HALTED,  /* waits for an event */
	RUN_PAUSED,  /* the VM is to stop here and can go on */
	RUN_STOPPED, /* vm->request says what the guest wants */
	RUN_CRASHED  /* vm->crash says why */
};
