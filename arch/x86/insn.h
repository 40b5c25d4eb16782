/* The processor's special instructions, one inline function each; SDM 2 describes them under the same names. Nothing here
 * decides anything. Whoever includes this runs privileged, except for the few that any program may use (cpuid, rdtsc,
 * pause, rdrand). MSRs that the architecture does not guarantee are read through msr_safe.h. */
#pragma once

#include "kernel/lib/compiler.h"

/* Ports. */
static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outsb(uint16_t port, const void *bytes, size_t count)
{
	__asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/* Model specific registers. */
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* out: EAX, EBX, ECX, EDX. */
static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

/* Control registers. */
static inline uint64_t read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline void write_cr0(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline void write_cr2(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(v) : "memory");
}

static inline uint64_t read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline void write_cr3(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline uint64_t read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline void write_cr4(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline uint64_t read_cr8(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr8, %0" : "=r"(v));
	return v;
}

/* Debug registers; DR4 and DR5 are other names of DR6 and DR7. */
#define INSN_DEBUG_REGISTER(n)                                                                                         \
	static inline uint64_t read_dr##n(void)                                                                        \
	{                                                                                                              \
		uint64_t v;                                                                                            \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(v));                                                      \
		return v;                                                                                              \
	}                                                                                                              \
	static inline void write_dr##n(uint64_t v)                                                                     \
	{                                                                                                              \
		__asm__ volatile("mov %0, %%dr" #n : : "r"(v) : "memory");                                             \
	}
INSN_DEBUG_REGISTER(0)
INSN_DEBUG_REGISTER(1)
INSN_DEBUG_REGISTER(2)
INSN_DEBUG_REGISTER(3)
INSN_DEBUG_REGISTER(6)
INSN_DEBUG_REGISTER(7)
#undef INSN_DEBUG_REGISTER

/* The operand of LGDT, SGDT, LIDT and SIDT. */
struct table_register {
	uint16_t limit; /* last byte */
	uint64_t base;
} PACKED;

static inline void lgdt(const struct table_register *r)
{
	__asm__ volatile("lgdt %0" : : "m"(*r) : "memory");
}

static inline void sgdt(struct table_register *r)
{
	__asm__ volatile("sgdt %0" : "=m"(*r));
}

static inline void lidt(const struct table_register *r)
{
	__asm__ volatile("lidt %0" : : "m"(*r) : "memory");
}

static inline void sidt(struct table_register *r)
{
	__asm__ volatile("sidt %0" : "=m"(*r));
}

static inline void lldt(uint16_t selector)
{
	__asm__ volatile("lldt %0" : : "rm"(selector) : "memory");
}

static inline uint16_t sldt(void)
{
	uint16_t v;

	__asm__ volatile("sldt %0" : "=rm"(v));
	return v;
}

static inline void ltr(uint16_t selector)
{
	__asm__ volatile("ltr %0" : : "rm"(selector) : "memory");
}

static inline uint16_t str(void)
{
	uint16_t v;

	__asm__ volatile("str %0" : "=rm"(v));
	return v;
}

/* Segment registers, as selectors. */
#define INSN_READ_SEGMENT(name)                                                                                        \
	static inline uint16_t read_##name(void)                                                                       \
	{                                                                                                              \
		uint16_t v;                                                                                            \
		__asm__ volatile("mov %%" #name ", %0" : "=rm"(v));                                                    \
		return v;                                                                                              \
	}
INSN_READ_SEGMENT(cs)
INSN_READ_SEGMENT(ss)
INSN_READ_SEGMENT(ds)
INSN_READ_SEGMENT(es)
INSN_READ_SEGMENT(fs)
INSN_READ_SEGMENT(gs)
#undef INSN_READ_SEGMENT

/* Loads all of them with one data selector; also clears the bases of FS and GS. */
static inline void load_data_segments(uint16_t selector)
{
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%ss\n\tmov %0, %%fs\n\tmov %0, %%gs"
			 :
			 : "r"((uint32_t)selector)
			 : "memory");
}

/* A far return is the only way to load CS in 64-bit mode that every processor knows. */
static inline void load_code_segment(uint16_t selector)
{
	uint64_t scratch;

	__asm__ volatile("pushq %1\n\tleaq 1f(%%rip), %0\n\tpushq %0\n\tlretq\n1:"
			 : "=&r"(scratch)
			 : "r"((uint64_t)selector)
			 : "memory");
}

/* Translations and caches. */
static inline void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/* Interrupts and waiting. */
static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void hlt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* Take the interrupts that are pending now. */
static inline void sti_nop_cli(void)
{
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/* End the blocking of NMIs that an exit by NMI leaves behind: an IRET to the next instruction, which does nothing else.
 * SDM 3 "Handling Multiple NMIs". */
static inline void nmi_unblock(void)
{
	uint64_t stack, word;

	__asm__ volatile("movq %%rsp, %0\n\t"
			 "movl %%ss, %k1\n\t"
			 "pushq %1\n\t"
			 "pushq %0\n\t"
			 "pushfq\n\t"
			 "movl %%cs, %k1\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %1\n\t"
			 "pushq %1\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(stack), "=&r"(word)
			 :
			 : "cc", "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline uint64_t read_rflags(void)
{
	uint64_t v;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(v) : : "memory");
	return v;
}

static inline void int3(void)
{
	__asm__ volatile("int3" : : : "memory");
}

_Noreturn static inline void ud2(void)
{
	__asm__ volatile("ud2" : : : "memory");
	__builtin_unreachable();
}

/* SMAP's override flag. */
static inline void clac(void)
{
	__asm__ volatile("clac" : : : "memory");
}

static inline void stac(void)
{
	__asm__ volatile("stac" : : : "memory");
}

/* Time and chance. */
static inline uint64_t rdtsc(void)
{
	uint64_t lo, hi; /* it clears the upper halves of both registers */

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return hi << 32 | lo;
}

/* Not before everything earlier has completed (SDM 2 "RDTSC"): for measurements. */
static inline uint64_t rdtsc_ordered(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline bool rdrand(uint64_t *out)
{
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
	return ok;
}

/* Extended state. The image itself uses no such register; these move a guest's. Areas are 64-byte aligned. */
static inline uint64_t xgetbv(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
	return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint32_t index, uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void fxsave64(void *area)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void fxrstor64(const void *area)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static inline void xsave64(void *area, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void xsaveopt64(void *area, uint64_t mask)
{
	__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void xsavec64(void *area, uint64_t mask)
{
	__asm__ volatile("xsavec64 (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void xrstor64(const void *area, uint64_t mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static inline void fninit(void)
{
	__asm__ volatile("fninit" : : : "memory");
}
