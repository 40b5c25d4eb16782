/* Who is called for an exception or interrupt: first the exception table, then the registered handler, then the end. */
#include "arch/x86/traps.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/percpu.h"

static trap_handler_fn *handlers[VECTOR_COUNT];
static trap_handler_fn *fatal_handler;

static const char *const names[VECTOR_EXCEPTIONS] = {
	[VECTOR_DE] = "divide error (#DE)",
	[VECTOR_DB] = "debug exception (#DB)",
	[VECTOR_NMI] = "non-maskable interrupt (NMI)",
	[VECTOR_BP] = "breakpoint (#BP)",
	[VECTOR_OF] = "overflow (#OF)",
	[VECTOR_BR] = "bound range exceeded (#BR)",
	[VECTOR_UD] = "invalid opcode (#UD)",
	[VECTOR_NM] = "no FPU available (#NM)",
	[VECTOR_DF] = "double fault (#DF)",
	[VECTOR_TS] = "invalid TSS (#TS)",
	[VECTOR_NP] = "segment not present (#NP)",
	[VECTOR_SS] = "stack segment fault (#SS)",
	[VECTOR_GP] = "general protection fault (#GP)",
	[VECTOR_PF] = "page fault (#PF)",
	[VECTOR_MF] = "x87 error (#MF)",
	[VECTOR_AC] = "alignment check (#AC)",
	[VECTOR_MC] = "machine check (#MC)",
	[VECTOR_XM] = "SIMD error (#XM)",
	[VECTOR_VE] = "virtualization exception (#VE)",
	[VECTOR_CP] = "control protection (#CP)",
};

const char *trap_name(unsigned vector)
{
	return vector < VECTOR_EXCEPTIONS ? names[vector] : NULL;
}

void trap_set_handler(unsigned vector, trap_handler_fn *fn)
{
	assert(vector < VECTOR_COUNT);
	__atomic_store_n(&handlers[vector], fn, __ATOMIC_RELEASE);
}

void trap_set_fatal(trap_handler_fn *fn)
{
	fatal_handler = fn;
}

void trap_fatal(struct trap_frame *frame)
{
	if (fatal_handler)
		fatal_handler(frame);
	for (;;) {
		cli();
		hlt();
	}
}

/* frame: what the stub saved; changes in it take effect on return.
 * Context: the vector's stack, IF = 0. */
void trap_dispatch(struct trap_frame *frame)
{
	unsigned vector = (unsigned)frame->vector;
	trap_handler_fn *handler = __atomic_load_n(&handlers[vector], __ATOMIC_ACQUIRE);
	uint64_t resume;

	if (vector < VECTOR_EXCEPTIONS && msr_safe_fixup(frame->rip, &resume)) {
		frame->rip = resume;
		this_cpu()->fixups++;
		return;
	}
	if (handler) {
		handler(frame);
		return;
	}
	if (vector < VECTOR_EXCEPTIONS)
		trap_fatal(frame);
	this_cpu()->spurious++;
}
