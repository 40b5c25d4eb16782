/* Inside vmm/load only: one loading under way. Every piece that goes into guest memory is first given a place here, which
 * checks it against the guest's RAM and against all other pieces, so that no loader can let two things overlap. */
#pragma once

#include "kernel/lib/errors.h"
#include "vmm/load/load.h"

#define LOADER_MAX_PIECES 96u

#define LOADER_4G (1ull << 32)
/* Data for a kernel below 640 KiB stay away from the first 64 KiB (interrupt vectors, start-up code of other CPUs) and from
 * what a BIOS would have at the end. */
#define LOADER_LOW_BASE 0x10000ull
#define LOADER_LOW_END 0x9f000ull

struct loader_piece {
	uint64_t gpa;
	uint64_t len;
	const char *what;
};

struct loader {
	const struct guest_mem *mem;
	const struct load_request *req;
	struct start_state *start;
	struct loader_piece pieces[LOADER_MAX_PIECES];
	unsigned piece_count;
	char *why;
	size_t why_size;
};

/* Note why loading fails, in words; returns err. */
int loader_fail(struct loader *l, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Give [gpa, gpa + len) to `what`, which ends up in messages. Returns 0, or the error of loader_fail(). */
MUST_CHECK int loader_claim(struct loader *l, const char *what, uint64_t gpa, uint64_t len);

/* The same at the lowest, or highest, free place of that alignment (a power of two) wholly inside [from, to). */
MUST_CHECK int loader_claim_lowest(struct loader *l, const char *what, uint64_t len, uint64_t align, uint64_t from,
				   uint64_t to, uint64_t *gpa);
MUST_CHECK int loader_claim_highest(struct loader *l, const char *what, uint64_t len, uint64_t align, uint64_t from,
				    uint64_t to, uint64_t *gpa);

/* Is the range free RAM, so that a claim would succeed? */
bool loader_is_free(const struct loader *l, uint64_t gpa, uint64_t len);

/* Does the address lie in what was loaded? */
bool loader_is_claimed(const struct loader *l, uint64_t gpa);

/* Copy into, or clear, memory that was claimed. */
MUST_CHECK int loader_put(struct loader *l, const char *what, uint64_t gpa, const void *data, uint64_t len);
MUST_CHECK int loader_clear(struct loader *l, const char *what, uint64_t gpa, uint64_t len);

/* Copy a string with its terminator to the highest free place in low memory. NULL counts as "". */
MUST_CHECK int loader_put_low_string(struct loader *l, const char *what, const char *s, uint64_t *gpa);

/* Set up the start state: segments, GDT and (64-bit) identity page tables over the first 4 GiB; general registers 0. */
MUST_CHECK int loader_start_protected32(struct loader *l, uint64_t entry);
MUST_CHECK int loader_start_long64(struct loader *l, uint64_t entry);

/* The formats. Each _matches() looks at bytes only; each _load() is called when it matched. */
bool linux_matches(const uint8_t *image, uint64_t size);
MUST_CHECK int linux_load(struct loader *l);
/* The data that a Linux kernel finds by RSI: zero page with map, command line and ramdisk. header: setup header to copy in
 * at 0x1f1, header_len bytes; NULL: none. */
MUST_CHECK int linux_put_zero_page(struct loader *l, const uint8_t *header, uint64_t header_len, uint64_t initrd_gpa,
				   uint64_t cmdline_gpa, uint64_t *gpa);
/* Place the ramdisk, if any, so that its last byte lies below `to`; *gpa is 0 without one. */
MUST_CHECK int linux_put_initrd(struct loader *l, uint64_t to, uint64_t *gpa);

bool multiboot1_matches(const uint8_t *image, uint64_t size);
MUST_CHECK int multiboot1_load(struct loader *l);

bool elf_matches(const uint8_t *image, uint64_t size);
MUST_CHECK int elf_load(struct loader *l);

bool pvh_matches(const uint8_t *image, uint64_t size);
MUST_CHECK int pvh_load(struct loader *l);

MUST_CHECK int flat_load(struct loader *l);
