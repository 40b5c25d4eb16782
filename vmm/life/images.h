/* The files that GRUB brought: kernels, ramdisks, and avatar.conf itself, by name. Plain views of memory that is reserved. */
#pragma once

#include "kernel/lib/compiler.h"

#define IMAGES_MAX 64u

struct image {
	char name[64];
	const void *bytes;
	size_t size;
};

struct image_store {
	struct image images[IMAGES_MAX];
	unsigned count;
};

/* Add one. Returns 0; ERR_FULL; ERR_EXIST when the name is there already; ERR_INVAL for an empty or too long name. */
MUST_CHECK int images_add(struct image_store *s, const char *name, const void *bytes, size_t size);

/* The image of that name, or NULL. A path is looked up by its last part too, as the ISO is flat. */
const struct image *images_find(const struct image_store *s, const char *name);
