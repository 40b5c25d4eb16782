/* The roof: boot, as a list. */
#include "arch/x86/idt.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "kernel/early_console.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"

void kernel_entry(uint32_t magic, uint64_t info_hpa, uint64_t load_hpa);
_Noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void) { for (;;) hlt(); }
void assert_failed(const char *expr, const char *file, int line)
{
	(void)file; (void)line;
	early_console_write(NULL, expr, __builtin_strlen(expr));
	for (;;)
		hlt();
}

void kernel_entry(uint32_t magic, uint64_t info_hpa, uint64_t load_hpa)
{
	char buf[100];
	percpu_load(percpu_init_bsp());
	idt_init();
	idt_load();
	early_console_init();
	size_t n = fmt_snprintf(buf, sizeof(buf), "AvatarVt-x: hello %x %lx %lx\n", magic, info_hpa, load_hpa);
	early_console_write(NULL, buf, n);
	for (;;)
		hlt();
}
