/* The panic screen: the last lines of the log, the message, where the other CPUs were, CPU, registers, backtrace with
 * symbols. Privileged: it reads control registers. It trusts nothing that may be broken: callers are looked for only inside the
 * CPU's own stacks, and what it says goes past the log straight to the sinks. */
#include "kernel/panic.h"

#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "kernel/early_console.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/symbols.h"

#define BACKTRACE_DEPTH 12u  /* all of it fits on a screen of 25 lines */
#define OTHERS_DEPTH 4u      /* for the CPUs that have not panicked */
#define LAST_LOG_BYTES 1200u /* a dozen lines */
#define LINE_BYTES 160u

typedef unsigned long long ull; /* what %llx wants */

extern const char image_start[], text_start[], text_end[];

_Noreturn void __stack_chk_fail(void);

static void (*hook_fn)(void);
static uint32_t panicking; /* 1 + the CPU whose panic it is; 0: none */

/* Context: any time; the last one set is called. */
void panic_set_hook(void (*hook)(void))
{
	hook_fn = hook;
}

bool panic_begun(void)
{
	return __atomic_load_n(&panicking, __ATOMIC_ACQUIRE) != 0;
}

PRINTF_LIKE(1, 2) static void say(const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t len;
	va_list args;

	va_start(args, fmt);
	len = fmt_vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	log_to_sinks(line, len);
}

/* Which of a CPU's stacks holds two words at address; CPU_STACK_COUNT: none. */
static unsigned stack_of(const struct percpu *cpu, uint64_t address)
{
	unsigned i;

	for (i = 0; i < CPU_STACK_COUNT; i++) {
		uint64_t base, top;

		cpu_stack_bounds(cpu->stacks, (enum cpu_stack)i, &base, &top);
		if (address >= base && address + 16 <= top)
			break;
	}
	return i;
}

static bool in_text(uint64_t address)
{
	return address >= (uint64_t)text_start && address < (uint64_t)text_end;
}

/* known_inside: an address in the function. It differs for return addresses: what cannot return calls with its last
 * instruction, and the next address is another function's. */
static void print_address(uint64_t address, uint64_t known_inside)
{
	uint64_t offset = 0;
	const char *name = NULL;

	if (in_text(known_inside))
		name = symbol_lookup(&image_symbols, (uint64_t)image_start, known_inside, &offset);
	say("  %016llx  %s+0x%llx\n", (ull)address, name == NULL ? "?" : name, (ull)(offset + address - known_inside));
}

/* Go from where a function is to its caller, or from a trap's stub to what the trap has interrupted. *inside: an address in
 * it; *rip: where it goes on. False: at the end, or the stack is not as the table says. */
static bool leave_frame(const struct percpu *cpu, uint64_t *inside, uint64_t *rip, uint64_t *rsp)
{
	uint32_t words = symbol_frame(&image_symbols, (uint64_t)image_start, *inside);
	uint64_t from = *rsp;
	unsigned stack;

	if (words == SYMBOL_FRAME_UNKNOWN)
		return false;
	if (words == SYMBOL_FRAME_TRAP) {
		const struct trap_frame *f = (const struct trap_frame *)from;

		stack = stack_of(cpu, (uint64_t)&f->rsp);
		if (stack == CPU_STACK_COUNT)
			return false;
		*inside = *rip = f->rip;
		*rsp = f->rsp;
	} else {
		/* RSP itself may be below, in the guard page. */
		const uint64_t *slot = (const uint64_t *)from + words;

		stack = stack_of(cpu, (uint64_t)slot);
		if (stack == CPU_STACK_COUNT)
			return false;
		*rip = *slot;
		*inside = *rip - 1;
		*rsp = (uint64_t)(slot + 1);
	}
	return in_text(*inside) && (*rsp > from || stack_of(cpu, *rsp) != stack);
}

/* The callers of what is at `inside` with this RSP. Inside a stack they stand higher; from a stack of an exception the way
 * leads to the one it interrupted. */
static void backtrace(const struct percpu *cpu, uint64_t inside, uint64_t rsp, unsigned depth)
{
	uint64_t rip;

	for (unsigned i = 0; i < depth && (rsp & 7) == 0 && leave_frame(cpu, &inside, &rip, &rsp); i++)
		print_address(rip, inside);
}

static void print_frame(const struct trap_frame *f)
{
	say("rip %04llx:%016llx  rsp %04llx:%016llx  rflags %08llx\n", (ull)f->cs, (ull)f->rip, (ull)f->ss, (ull)f->rsp,
	    (ull)f->rflags);
	say("rax %016llx  rbx %016llx  rcx %016llx\n", (ull)f->rax, (ull)f->rbx, (ull)f->rcx);
	say("rdx %016llx  rsi %016llx  rdi %016llx\n", (ull)f->rdx, (ull)f->rsi, (ull)f->rdi);
	say("rbp %016llx  r8  %016llx  r9  %016llx\n", (ull)f->rbp, (ull)f->r8, (ull)f->r9);
	say("r10 %016llx  r11 %016llx  r12 %016llx\n", (ull)f->r10, (ull)f->r11, (ull)f->r12);
	say("r13 %016llx  r14 %016llx  r15 %016llx\n", (ull)f->r13, (ull)f->r14, (ull)f->r15);
}

static void print_control(void)
{
	say("cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx\n", (ull)read_cr0(), (ull)read_cr2(), (ull)read_cr3(),
	    (ull)read_cr4());
}

static void print_last_messages(void)
{
	static char text[LAST_LOG_BYTES];
	size_t all = log_bytes();
	size_t len = log_read(all > sizeof(text) ? all - sizeof(text) : 0, text, sizeof(text));
	const char *from = all > sizeof(text) ? memchr(text, '\n', len) : NULL;

	from = from == NULL ? text : from + 1; /* the first line is not whole */
	say("\nlast messages:\n");
	log_to_sinks(from, (size_t)(text + len - from));
}

_Noreturn static void stop(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

static void print_other(const struct percpu *cpu)
{
	const struct trap_frame *f = &cpu->stopped_at;

	if (!__atomic_load_n(&cpu->stopped, __ATOMIC_ACQUIRE)) {
		say("CPU %u does not answer\n", cpu->index);
		return;
	}
	say("CPU %u: rsp %016llx  rflags %08llx\n", cpu->index, (ull)f->rsp, (ull)f->rflags);
	if (cpu->stopped_why != NULL)
		say("  panics too: %s\n", cpu->stopped_why);
	print_address(f->rip, f->rip);
	backtrace(cpu, f->rip, f->rsp, OTHERS_DEPTH);
}

/* Returns whether there are any. */
static bool print_others(void)
{
	bool any = false;

	for (uint32_t i = 0; i < CPU_MAX; i++) {
		const struct percpu *cpu = percpu_get(i);

		if (cpu == NULL || cpu == this_cpu() || !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
			continue;
		print_other(cpu);
		any = true;
	}
	return any;
}

/* One CPU speaks. Another one that comes here meanwhile leaves what it has to say, and stops; a panic inside the panic has
 * one line left. */
static void claim(const char *message, const struct trap_frame *at)
{
	static const char again[] = "\npanic inside a panic: ";
	uint32_t me = this_cpu()->index + 1, nobody = 0;

	if (__atomic_compare_exchange_n(&panicking, &nobody, me, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	if (nobody != me)
		cpu_stop_here(at, message);
	early_console_write(NULL, again, sizeof(again) - 1);
	early_console_write(NULL, message, strlen(message));
	stop();
}

/* From here on nothing may call back into what could have failed. The screen may be short: what matters most comes last, and
 * so the message comes again. */
static void begin(const char *message, const struct trap_frame *at)
{
	cli();
	claim(message, at);
	cpu_stop_others();
	log_unlock_for_ever();
	if (hook_fn != NULL)
		hook_fn();
	print_last_messages();
	say("\nPANIC on CPU %u: %s\n", this_cpu()->index, message);
	if (print_others())
		say("PANIC on CPU %u: %s\n", this_cpu()->index, message);
}

_Noreturn static void end(uint64_t inside, uint64_t rsp)
{
	backtrace(this_cpu(), inside, rsp, BACKTRACE_DEPTH);
	say("the machine is stopped\n");
	stop();
}

/* Context: any, also with locks held. Does not return. */
void panic(const char *fmt, ...)
{
	uint64_t caller = (uint64_t)__builtin_return_address(0);
	/* In the caller's last instruction: nothing of it may come behind. */
	struct trap_frame here = {.rip = caller - 1, .rsp = (uint64_t)__builtin_dwarf_cfa(), .rflags = read_rflags()};
	char message[192];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	begin(message, &here);
	print_control();
	say("backtrace:\n");
	print_address(caller, here.rip);
	end(here.rip, here.rsp);
}

/* The name of the stack whose guard page holds the address, or NULL. A stack that runs full faults there, and, since there
 * is no room for the fault's frame either, ends in a double fault. */
static const char *overflown_stack(uint64_t address)
{
	static const char *const names[CPU_STACK_COUNT] = {"main", "NMI", "double fault", "machine check"};

	for (unsigned i = 0; i < CPU_STACK_COUNT; i++) {
		uint64_t base, top;

		cpu_stack_bounds(this_cpu()->stacks, (enum cpu_stack)i, &base, &top);
		if (address < base && address >= base - PAGE_SIZE)
			return names[i];
	}
	return NULL;
}

static void describe_page_fault(char *out, size_t size, const struct trap_frame *f)
{
	const char *access = f->error & PF_FETCH ? "execution of" : f->error & PF_WRITE ? "write to" : "read from";
	const char *why = f->error & PF_RESERVED  ? "the page tables have reserved bits set"
			  : f->error & PF_PRESENT ? "the page does not allow it"
						  : "nothing is mapped there";

	fmt_snprintf(out, size, "page fault (#PF): %s %016llx at %016llx: %s", access, (ull)read_cr2(), (ull)f->rip,
		     why);
}

static void describe(char *out, size_t size, const struct trap_frame *f)
{
	const char *name = trap_name((unsigned)f->vector);
	bool page_fault = f->vector == VECTOR_PF;
	const char *stack = page_fault || f->vector == VECTOR_DF ? overflown_stack(read_cr2()) : NULL;

	if (stack != NULL)
		fmt_snprintf(out, size, "stack overflow: the %s stack reached its guard page at %016llx", stack,
			     (ull)read_cr2());
	else if (page_fault)
		describe_page_fault(out, size, f);
	else if (name != NULL)
		fmt_snprintf(out, size, "%s at %016llx, error code 0x%llx", name, (ull)f->rip, (ull)f->error);
	else
		fmt_snprintf(out, size, "exception %llu at %016llx, error code 0x%llx", (ull)f->vector, (ull)f->rip,
			     (ull)f->error);
}

static void fatal_trap(struct trap_frame *f)
{
	char message[160];

	describe(message, sizeof(message), f);
	begin(message, f);
	print_frame(f);
	print_control();
	say("backtrace:\n");
	print_address(f->rip, f->rip);
	/* After a call to where there is no code, only the return address tells who called. */
	if (!in_text(f->rip) && stack_of(this_cpu(), f->rsp) != CPU_STACK_COUNT) {
		uint64_t caller = *(const uint64_t *)f->rsp;

		print_address(caller, caller - 1);
		end(caller - 1, f->rsp + 8);
	}
	end(f->rip, f->rsp);
}

/* Context: once, before the first fault. */
void panic_init(void)
{
	trap_set_fatal(fatal_trap);
}

void assert_failed(const char *expr)
{
	panic("assertion failed: %s", expr);
}

/* A function has overwritten its own stack guard. */
void __stack_chk_fail(void)
{
	panic("stack smashed in %p", __builtin_return_address(0));
}
