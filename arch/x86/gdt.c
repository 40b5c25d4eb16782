/* Building and loading a CPU's segments: see gdt.h. */
#include "arch/x86/gdt.h"

#include "arch/x86/insn.h"
#include "kernel/lib/bits.h"

#define DESC_CODE64 0x00af9b000000ffffull
#define DESC_DATA 0x00cf93000000ffffull
#define DESC_TSS_AVAILABLE 0x89ull /* present, type 9 */

/* Fill in a CPU's descriptors. tss: that CPU's, stays where it is.
 * Source: SDM 3 "TSS Descriptor in 64-bit mode". */
void gdt_init(struct gdt *gdt, struct tss *tss)
{
	uint64_t base = (uint64_t)(uintptr_t)tss;
	uint64_t low = sizeof(*tss) - 1;

	low = bits_insert(low, 39, 16, base & 0xffffff);
	low = bits_insert(low, 47, 40, DESC_TSS_AVAILABLE);
	low = bits_insert(low, 63, 56, base >> 24 & 0xff);

	gdt->null = 0;
	gdt->code = DESC_CODE64;
	gdt->data = DESC_DATA;
	gdt->tss_low = low;
	gdt->tss_high = base >> 32;
	tss->io_bitmap = sizeof(*tss);
}

/* Make this CPU use the table: all segment registers and TR. GS's base is 0 afterwards.
 * Context: once per CPU, since LTR marks the descriptor busy; interrupts off. */
void gdt_load(const struct gdt *gdt)
{
	struct table_register r = {.limit = sizeof(*gdt) - 1, .base = (uint64_t)(uintptr_t)gdt};

	lgdt(&r);
	load_code_segment(SEL_CODE);
	load_data_segments(SEL_DATA);
	lldt(0);
	ltr(SEL_TSS);
}
