/* Recognise an image and hand it to its loader. */
#include "vmm/load/load.h"

#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/load/loader.h"

struct format {
	const char *name;
	bool (*matches)(const uint8_t *image, uint64_t size);
	int (*load)(struct loader *l);
};

/* In this order: a bzImage may contain anything later on, a Multiboot kernel is usually an ELF file as well. */
static const struct format formats[] = {
	{"Linux bzImage", linux_matches, linux_load},
	{"Multiboot 1 kernel", multiboot1_matches, multiboot1_load},
	{"PVH kernel", pvh_matches, pvh_load},
	{"ELF kernel", elf_matches, elf_load},
};

static const struct format flat = {"flat image", NULL, flat_load};

static const struct format *find_format(const struct load_request *req)
{
	if (req->load_address)
		return &flat;
	for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].matches(req->image, req->image_size))
			return &formats[i];
	return NULL;
}

/* Returns a constant string, "unknown" for an image that load_image() would refuse as such.  Context: any. */
const char *load_kind(const struct load_request *req)
{
	const struct format *f = find_format(req);

	return f ? f->name : "unknown";
}

/* Multiboot2, "OS image format": a header in the first 32 KiB, on 8 bytes. */
static bool is_multiboot2(const uint8_t *p, uint64_t size)
{
	uint64_t end = size < 32 * KIB ? size : 32 * KIB;

	for (uint64_t at = 0; at + 16 <= end; at += 8)
		if (load_le32(p + at) == 0xe85250d6u &&
		    load_le32(p + at) + load_le32(p + at + 4) + load_le32(p + at + 8) + load_le32(p + at + 12) == 0)
			return true;
	return false;
}

/* What the operator probably gave us instead of a kernel. */
static int refuse_unknown(struct loader *l)
{
	const uint8_t *p = l->req->image;
	uint64_t size = l->req->image_size;

	if (size == 0)
		return loader_fail(l, ERR_TRUNC, "kernel: the file is empty");
	if (size >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return loader_fail(l, ERR_FORMAT, "kernel: the file is compressed by gzip; unpack it first");
	if (size >= 6 && memcmp(p, "070701", 6) == 0)
		return loader_fail(l, ERR_FORMAT, "kernel: the file is a cpio archive; is it meant as the initrd?");
	return loader_fail(
		l, ERR_FORMAT,
		"kernel: no bzImage, no ELF, and no Multiboot header in its first 8 KiB (it begins with %02x %02x %02x %02x); "
		"to start it as a flat image, give load-address",
		p[0], size > 1 ? p[1] : 0, size > 2 ? p[2] : 0, size > 3 ? p[3] : 0);
}

/* Put the image, and what belongs to it, into guest memory.
 * req: see there; the caller's own tables (ACPI) lie in entries of the map that are not RAM.  start: filled.
 * why, why_size: for the reason of a failure in words, beginning with the conf's key it is about: "kernel: ...".
 * Returns 0; ERR_FORMAT, ERR_TRUNC, ERR_NOSUP (the image), ERR_NOMEM, ERR_RANGE, ERR_OVERLAP, ERR_FULL (does not fit),
 * ERR_INVAL (image and rest do not go together). Guest memory may be partly written then.
 * Context: VM not running. RAM of the guest need not be zero. */
int load_image(const struct guest_mem *mem, const struct load_request *req, struct start_state *start, char *why,
	       size_t why_size)
{
	struct loader l; /* of the 2 KiB of its pieces none is in use */
	const struct format *f = find_format(req);

	l.mem = mem;
	l.req = req;
	l.start = start;
	l.piece_count = 0;
	l.why = why;
	l.why_size = why_size;
	memset(start, 0, sizeof(*start));
	if (why_size)
		why[0] = '\0';
	if (!f && is_multiboot2(req->image, req->image_size))
		return loader_fail(&l, ERR_NOSUP, "kernel: a Multiboot2 kernel; only Multiboot 1 is supported");
	if (f == &formats[ARRAY_LEN(formats) - 1] && is_multiboot2(req->image, req->image_size))
		return loader_fail(&l, ERR_NOSUP, "kernel: a Multiboot2 kernel; only Multiboot 1 is supported");
	return f ? f->load(&l) : refuse_unknown(&l);
}
