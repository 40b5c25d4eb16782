/* The ground that our tiny guests stand on: COM1, text, exceptions, power. Freestanding 32-bit C without a library; the same
 * binary runs under AvatarVt-x, `qemu-system-i386 -kernel`, and straight from GRUB. */
#pragma once

#include "kernel/lib/compiler.h"

/* Each guest's own. Returning from it powers the machine off. */
void guest_main(void);

/* The value of a word NAME=VALUE on the command line, or the number `otherwise`. */
uint32_t guest_number(const char *name, uint32_t otherwise);
/* What stands behind NAME= on the command line, up to a blank or the end; NULL: nothing does. */
const char *guest_value(const char *name);
/* Does the command line have this word? */
bool guest_word(const char *word);
const char *guest_cmdline(void);

/* Multiboot 1 information, "Boot information format". */
struct mb_module {
	uint32_t start, end, string, reserved;
};
struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length,
		mmap_addr;
};
struct PACKED mb_mmap {
	uint32_t size;
	uint64_t base, len;
	uint32_t type;
};
const struct mb_info *guest_info(void);
/* The end of RAM below 4 GiB. */
uint32_t guest_ram_end(void);

/* %s %c %d %u %x %p, with 0 and width; ll for %u and %x. */
void print(const char *fmt, ...) PRINTF_LIKE(1, 2);
void put_char(char c);
/* The next byte from COM1; waits, or returns -1 when there is none. */
uint8_t get_char(void);
int poll_char(void);

/* Wait for the last bit to leave the UART, then end: through isa-debug-exit when the command line has the word debug-exit,
 * by ACPI otherwise. */
_Noreturn void power_off(uint32_t code);
/* Reset by the chipset's register 0xcf9. */
_Noreturn void reset(void);
_Noreturn void hang(void);

struct trap_frame {
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
};

/* -1: fn came back; otherwise the exception's vector, with its error code in trap_error. */
int trap_try(void (*fn)(void *arg), void *arg);
extern uint32_t trap_error;
/* Who gets an interrupt from 32 on, or an exception that is not tried; NULL: nobody, which ends the guest. */
void trap_set(unsigned vector, void (*handler)(struct trap_frame *f));

/* An IRQ of the 8259s goes to vector 32 + irq; the handler is called, then EOI is sent. All are masked at the start. */
void irq_set(unsigned irq, void (*handler)(void));

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint64_t rdtsc(void)
{
	uint64_t v;

	__asm__ volatile("rdtsc" : "=A"(v));
	return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t v;

	__asm__ volatile("rdmsr" : "=A"(v) : "c"(msr) : "memory");
	return v;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "A"(v) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

static inline void irq_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Wait for an interrupt, without a gap between enabling them and halting. */
static inline void irq_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}
