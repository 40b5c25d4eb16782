/* avatar.conf: text to struct vm_config. One section a VM:
 *
 *	[vm linux]
 *	kernel  = vmlinuz              # a comment; also with ;
 *	cmdline = "console=ttyS0 # this is no comment"
 *
 * A key stands once in a section, except module. Whatever is not understood is an error in words. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/core/vm_config.h"

/* Enough for every message of this file. */
#define CONF_WHY_BYTES 320u

/* Of one conf. */
#define CONF_MAX_VMS 64u

/* A VM without name and kernel, all else as if the conf said nothing. */
void conf_defaults(struct vm_config *c);

void conf_copy(struct vm_config *to, const struct vm_config *from);

/* One key. value: as in the conf, without quotes and comment. why: "memory = 12: ..." */
MUST_CHECK int conf_set(struct vm_config *c, const char *key, const char *value, char *why, size_t why_size);

/* The name of key i, or NULL behind the last one. */
const char *conf_key_name(unsigned i);

/* What must be there, and must fit together. */
MUST_CHECK int conf_check(const struct vm_config *c, char *why, size_t why_size);

/* The whole text, which needs no terminator. */
MUST_CHECK int conf_parse(const char *text, size_t len, struct vm_config *vms, unsigned max, unsigned *count, char *why,
			  size_t why_size);
