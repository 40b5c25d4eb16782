/* From the Multiboot entry to guest_main(), and the ways out again. */
#include "guests/lib/guest.h"
#include "guests/lib/internal.h"

#define MB_LOADER_MAGIC 0x2badb002u
#define MB_INFO_CMDLINE (1u << 2)
#define MB_INFO_MMAP (1u << 6)
#define MB_RAM 1u

/* ACPI's PM1a control register, SLP_EN with the S5 sleep type: AvatarVt-x and QEMU, then Bochs. */
#define PM1A_CNT_QEMU 0x604
#define PM1A_CNT_BOCHS 0xb004
#define SLP_EN_S5 0x2000
#define DEBUG_EXIT 0xf4
#define RESET_CONTROL 0xcf9

static const struct mb_info *info;

const struct mb_info *guest_info(void)
{
	return info;
}

const char *guest_cmdline(void)
{
	return info->flags & MB_INFO_CMDLINE ? (const char *)(uintptr_t)info->cmdline : "";
}

/* Behind the word, when s begins with it and it ends there or with `stop`. */
static const char *after_word(const char *s, const char *word, char stop)
{
	while (*word && *s == *word) {
		s++;
		word++;
	}
	if (*word)
		return NULL;
	if (stop)
		return *s == stop ? s + 1 : NULL;
	return *s == '\0' || *s == ' ' ? s : NULL;
}

static const char *find_word(const char *word, char stop)
{
	const char *s = guest_cmdline();

	while (*s) {
		const char *after = after_word(s, word, stop);

		if (after)
			return after;
		while (*s && *s != ' ')
			s++;
		while (*s == ' ')
			s++;
	}
	return NULL;
}

bool guest_word(const char *word)
{
	return find_word(word, 0) != NULL;
}

const char *guest_value(const char *name)
{
	return find_word(name, '=');
}

uint32_t guest_number(const char *name, uint32_t otherwise)
{
	const char *s = guest_value(name);
	uint32_t n = 0;
	bool hex = false;

	if (!s)
		return otherwise;
	if (s[0] == '0' && s[1] == 'x') {
		hex = true;
		s += 2;
	}
	for (;; s++) {
		if (*s >= '0' && *s <= '9')
			n = n * (hex ? 16u : 10u) + (uint32_t)(*s - '0');
		else if (hex && *s >= 'a' && *s <= 'f')
			n = n * 16u + (uint32_t)(*s - 'a') + 10u;
		else
			return n;
	}
}

uint32_t guest_ram_end(void)
{
	uint32_t at = info->mmap_addr;
	uint64_t end = 0;

	if (!(info->flags & MB_INFO_MMAP))
		return 0x100000 + info->mem_upper * 1024;
	while (at < info->mmap_addr + info->mmap_length) {
		const struct mb_mmap *m = (const struct mb_mmap *)(uintptr_t)at;

		if (m->type == MB_RAM && m->base < 0x100000000ull && m->base + m->len > end)
			end = m->base + m->len;
		at += m->size + 4;
	}
	return end > 0xfffff000u ? 0xfffff000u : (uint32_t)end;
}

void hang(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void power_off(uint32_t code)
{
	serial_drain();
	if (guest_word("debug-exit"))
		outl(DEBUG_EXIT, code);
	outw(PM1A_CNT_QEMU, SLP_EN_S5);
	outw(PM1A_CNT_BOCHS, SLP_EN_S5);
	hang();
}

void reset(void)
{
	serial_drain();
	outb(RESET_CONTROL, 6);
	hang();
}

void guest_begin(uint32_t magic, const struct mb_info *mb)
{
	info = mb;
	serial_init();
	trap_init();
	if (magic != MB_LOADER_MAGIC) {
		print("not started by Multiboot: EAX is 0x%x\n", magic);
		hang();
	}
	guest_main();
	power_off(0);
}

/* The compiler may call these for initialisers and copies. */
void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);

void *memset(void *dst, int c, size_t n)
{
	void *out = dst;

	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(c) : "memory");
	return out;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	void *out = dst;

	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
	return out;
}
