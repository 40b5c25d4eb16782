/* Boot modules by name. */
#include "vmm/life/images.h"

#include "kernel/lib/string.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

const struct image *images_find(const struct image_store *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (str_eq(s->images[i].name, name))
			return &s->images[i];
	}
	for (unsigned i = 0; i < s->count; i++) {
		if (str_eq(last_part(s->images[i].name), last_part(name)))
			return &s->images[i];
	}
	return NULL;
}

int images_add(struct image_store *s, const char *name, const void *bytes, size_t size)
{
	struct image *image = &s->images[s->count];

	if (name[0] == '\0' || strlen(name) >= sizeof(image->name))
		return ERR_INVAL;
	for (unsigned i = 0; i < s->count; i++) {
		if (str_eq(s->images[i].name, name))
			return ERR_EXIST;
	}
	if (s->count == IMAGES_MAX)
		return ERR_FULL;
	(void)str_copy(image->name, name, sizeof(image->name));
	image->bytes = bytes;
	image->size = size;
	s->count++;
	return 0;
}
