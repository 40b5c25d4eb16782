/* Who is called for an exception or interrupt: first the exception table, then the registered handler, then the end. */
#include "arch/x86/traps.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/percpu.h"
#include "kernel/lib/texts.h"

static trap_handler_fn *handlers[VECTOR_COUNT];
static trap_handler_fn *fatal_handler;

/* In the order of the vectors, from 0; empty where there is none. */
/* clang-format off */
static const char names[] =
	"divide error (#DE)\0" /* 0 */
	"debug exception (#DB)\0"
	"non-maskable interrupt (NMI)\0"
	"breakpoint (#BP)\0"
	"overflow (#OF)\0"
	"bound range exceeded (#BR)\0"
	"invalid opcode (#UD)\0"
	"no FPU available (#NM)\0"
	"double fault (#DF)\0" /* 8 */
	"\0" /* 9 */
	"invalid TSS (#TS)\0"
	"segment not present (#NP)\0"
	"stack segment fault (#SS)\0"
	"general protection fault (#GP)\0"
	"page fault (#PF)\0"
	"\0" /* 15 */
	"x87 error (#MF)\0" /* 16 */
	"alignment check (#AC)\0"
	"machine check (#MC)\0"
	"SIMD error (#XM)\0"
	"virtualization exception (#VE)\0"
	"control protection (#CP)\0";
/* clang-format on */
#define NAMES 22u

const char *trap_name(unsigned vector)
{
	const char *name = vector < NAMES ? text_nth(names, vector) : "";

	return *name != '\0' ? name : NULL;
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

	if (msr_safe_fixup(vector, frame->rip, &resume)) {
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
