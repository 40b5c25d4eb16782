/* The panic screen: message, CPU, registers, backtrace with symbols, the last lines of the log. Privileged: it reads control
 * registers. It trusts nothing that may be broken: stack frames are followed only inside the CPU's own stacks. */
#include "kernel/panic.h"

#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"
#include "kernel/log.h"
#include "kernel/symbols.h"

#define BACKTRACE_DEPTH 24u
#define LAST_LOG_BYTES 800u

extern const char image_start[], text_start[], text_end[];

_Noreturn void __stack_chk_fail(void);

static void (*hook_fn)(void);
static bool panicking;

void panic_set_hook(void (*hook)(void))
{
	hook_fn = hook;
}

static bool on_stack(uint64_t address)
{
	for (unsigned i = 0; i < CPU_STACK_COUNT; i++) {
		uint64_t base, top;

		cpu_stack_bounds(this_cpu()->stacks, (enum cpu_stack)i, &base, &top);
		if (address >= base && address + 16 <= top)
			return true;
	}
	return false;
}

static void print_address(uint64_t address)
{
	uint64_t offset = 0;
	const char *name = symbol_lookup(&image_symbols, (uint64_t)image_start, address, &offset);

	log_error("  %016llx  %s+0x%llx", (unsigned long long)address, name == NULL ? "?" : name,
		  (unsigned long long)offset);
}

/* rbp: a frame pointer; the frames are compiled with -fno-omit-frame-pointer. */
static void backtrace(uint64_t rip, uint64_t rbp)
{
	log_error("backtrace:");
	if (rip != 0)
		print_address(rip);
	for (unsigned i = 0; i < BACKTRACE_DEPTH && (rbp & 7) == 0 && on_stack(rbp); i++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (frame[1] < (uint64_t)text_start || frame[1] >= (uint64_t)text_end)
			break;
		print_address(frame[1]);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

static void print_frame(const struct trap_frame *f)
{
	typedef unsigned long long u;

	log_error("rip %04llx:%016llx  rsp %04llx:%016llx  rflags %08llx", (u)f->cs, (u)f->rip, (u)f->ss, (u)f->rsp,
		  (u)f->rflags);
	log_error("rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx", (u)f->rax, (u)f->rbx, (u)f->rcx, (u)f->rdx);
	log_error("rsi %016llx  rdi %016llx  rbp %016llx  r8  %016llx", (u)f->rsi, (u)f->rdi, (u)f->rbp, (u)f->r8);
	log_error("r9  %016llx  r10 %016llx  r11 %016llx  r12 %016llx", (u)f->r9, (u)f->r10, (u)f->r11, (u)f->r12);
	log_error("r13 %016llx  r14 %016llx  r15 %016llx  error %llx", (u)f->r13, (u)f->r14, (u)f->r15, (u)f->error);
}

static void print_control(void)
{
	log_error("cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx", (unsigned long long)read_cr0(),
		  (unsigned long long)read_cr2(), (unsigned long long)read_cr3(), (unsigned long long)read_cr4());
}

_Noreturn static void stop(void)
{
	for (;;) {
		cli();
		hlt();
	}
}

/* From here on nothing may call back into what could have failed; a panic inside the panic stops at once. */
static void begin(const char *message)
{
	cli();
	if (panicking)
		stop();
	panicking = true;
	if (hook_fn != NULL)
		hook_fn();
	log_error("PANIC on CPU %u: %s", this_cpu()->index, message);
}

void panic(const char *fmt, ...)
{
	char message[192];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	begin(message);
	print_control();
	backtrace(0, (uint64_t)__builtin_frame_address(0));
	log_error("the machine is stopped");
	stop();
}

static void fatal_trap(struct trap_frame *f)
{
	char message[96];
	const char *name = trap_name((unsigned)f->vector);

	fmt_snprintf(message, sizeof(message), "%s at %016llx, error code 0x%llx", name == NULL ? "exception" : name,
		     (unsigned long long)f->rip, (unsigned long long)f->error);
	begin(message);
	print_frame(f);
	print_control();
	backtrace(f->rip, f->rbp);
	log_error("the machine is stopped");
	stop();
}

void panic_init(void)
{
	trap_set_fatal(fatal_trap);
}

void assert_failed(const char *expr, const char *file, int line)
{
	panic("assertion failed: %s (%s:%d)", expr, file, line);
}

/* A function has overwritten its own stack guard. */
void __stack_chk_fail(void)
{
	panic("stack smashed in %p", __builtin_return_address(0));
}
