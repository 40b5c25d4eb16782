/* A program for the machine that builds: reads an avatar.conf as the hypervisor does, by the same code, so that a slip is told
 * when the ISO is made, and not by a machine that has booted without its guests.
 *
 * usage: check_conf FILE     exit code 0: it is right */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/lib/assert.h"
#include "vmm/core/conf.h"

void assert_failed(const char *expr)
{
	fprintf(stderr, "assertion failed: %s\n", expr);
	abort();
}

/* All of the file, or NULL. *len: its bytes. */
static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL, *more;
	size_t room = 0, got = 0;

	*len = 0;
	if (f == NULL)
		return NULL;
	do {
		*len += got;
		if (*len == room) {
			room = room * 2 + 4096;
			more = realloc(text, room);
			if (more == NULL)
				break;
			text = more;
		}
		got = fread(text + *len, 1, room - *len, f);
	} while (got > 0);
	if (got > 0 || ferror(f)) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	static struct vm_config vms[CONF_MAX_VMS];
	char why[CONF_WHY_BYTES];
	unsigned count;
	size_t len;
	char *text = argc == 2 ? read_file(argv[1], &len) : NULL;
	int err;

	if (text == NULL) {
		fprintf(stderr, "error: %s cannot be read\n", argc == 2 ? argv[1] : "usage: check_conf FILE: it");
		return 1;
	}
	err = conf_parse(text, len, vms, CONF_MAX_VMS, &count, why, sizeof(why));
	free(text);
	if (err != 0)
		fprintf(stderr, "error: %s: %s\n", argv[1], why);
	return err != 0;
}
