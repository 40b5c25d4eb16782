/* Registers, recorder and memory of a VM, as text. The walk of RIP is in inspect_rip.c. */
#include "vmm/life/inspect.h"

#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/time.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/devices/vlapic.h"

#define LINE_BYTES 160u

static void line(const struct text_lines *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void line(const struct text_lines *out, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	out->line(out->ctx, text);
}

uint64_t inspect_interrupts(const struct vcpu *v)
{
	return __atomic_load_n(&v->lapic->accepted, __ATOMIC_RELAXED) + v->pic_interrupts;
}

static unsigned long long reg(struct vcpu *v, enum vcpu_reg r)
{
	return vcpu_hw_get(v, r);
}

static void general_regs(struct vcpu *v, const struct text_lines *out)
{
	static const char names[GPR_COUNT][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						 "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};

	for (unsigned i = 0; i < GPR_COUNT; i += 4)
		line(out, "%s=%016llx %s=%016llx %s=%016llx %s=%016llx", names[i], (unsigned long long)vcpu_gpr(v, i),
		     names[i + 1], (unsigned long long)vcpu_gpr(v, i + 1), names[i + 2],
		     (unsigned long long)vcpu_gpr(v, i + 2), names[i + 3], (unsigned long long)vcpu_gpr(v, i + 3));
	line(out, "rip=%016llx rflags=%08llx", reg(v, VCPU_RIP), reg(v, VCPU_RFLAGS));
}

static void control_regs(struct vcpu *v, const struct text_lines *out)
{
	line(out, "cr0=%016llx cr2=%016llx cr3=%016llx cr4=%016llx", reg(v, VCPU_CR0), reg(v, VCPU_CR2),
	     reg(v, VCPU_CR3), reg(v, VCPU_CR4));
	line(out, "efer=%llx pat=%016llx xcr0=%llx dr6=%llx dr7=%llx", reg(v, VCPU_EFER), reg(v, VCPU_PAT),
	     reg(v, VCPU_XCR0), reg(v, VCPU_DR6), reg(v, VCPU_DR7));
}

static void segment_regs(struct vcpu *v, const struct text_lines *out)
{
	static const char names[][5] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr"};
	struct segment s;

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		vcpu_hw_get_segment(v, (enum vcpu_seg)i, &s);
		if (i >= SEG_GDTR)
			line(out, "%-4s      base=%016llx limit=%08x", names[i], (unsigned long long)s.base, s.limit);
		else
			line(out, "%-4s %04x base=%016llx limit=%08x access=%04x%s", names[i], s.selector,
			     (unsigned long long)s.base, s.limit, s.access, s.unusable ? " unusable" : "");
	}
}

void inspect_regs(struct vcpu *v, const struct text_lines *out)
{
	static const char *const states[] = {"runnable", "halted", "waits for SIPI"};

	line(out, "vcpu %u: %s%s", v->index, states[v->state], v->nmi_pending ? ", NMI pending" : "");
	general_regs(v, out);
	control_regs(v, out);
	segment_regs(v, out);
}

void inspect_trace(const struct vcpu *v, unsigned count, uint64_t tsc_hz, const struct text_lines *out)
{
	struct exit_record newest = {0}, r;
	char words[96];

	(void)exit_ring_at(&v->ring, 0, &newest);
	for (unsigned back = count; back-- > 0;) {
		uint64_t us;

		if (!exit_ring_at(&v->ring, back, &r))
			continue;
		us = time_ns_from_ticks((newest.tsc - r.tsc) & (BIT64(48) - 1), tsc_hz) / 1000;
		vcpu_hw_describe(words, sizeof(words), r.reason, r.qualification, r.value);
		line(out, "-%8llu us  rip %016llx  %s", (unsigned long long)us, (unsigned long long)r.rip, words);
	}
}

void inspect_bytes(uint64_t address, const uint8_t *bytes, size_t len, const struct text_lines *out)
{
	for (size_t row = 0; row < len; row += 16) {
		char hex[16 * 3 + 1] = "", ascii[17] = "";
		size_t hex_len = 0, n = len - row < 16 ? len - row : 16;

		for (size_t i = 0; i < n; i++) {
			uint8_t b = bytes[row + i];

			fmt_append(hex, sizeof(hex), &hex_len, " %02x", b);
			ascii[i] = b >= 0x20 && b < 0x7f ? (char)b : '.';
		}
		line(out, "%016llx %-48s  %s", (unsigned long long)(address + row), hex, ascii);
	}
}
