/* What avatar.conf (or `create`) says about one VM. Plain data; vmm/core/conf.c parses it. */
#pragma once

#include "kernel/lib/compiler.h"

#define VM_NAME_MAX 32u /* with the terminator */
#define VM_FILE_MAX 64u
#define VM_CMDLINE_MAX 1024u
#define VM_MAX_MODULES 8u
#define VM_MAX_VCPUS 16u
#define VM_MAX_CPUID_RULES 32u
#define VM_WEIGHT_MAX 65535u
#define VM_WEIGHT_DEFAULT 256u
#define VM_CAP_MAX 6400u
#define VM_PINS_ALL UINT64_MAX

enum vm_restart { RESTART_NO, RESTART_ON_CRASH, RESTART_ALWAYS };

struct vm_module_config {
	char file[VM_FILE_MAX];
	char args[VM_CMDLINE_MAX / 4];
};

struct vm_config {
	char name[VM_NAME_MAX];
	char kernel[VM_FILE_MAX];
	char initrd[VM_FILE_MAX]; /* empty: none */
	unsigned module_count;
	uint64_t memory; /* bytes, multiple of 4 KiB */
	unsigned cpus;
	uint32_t weight; /* 1..VM_WEIGHT_MAX: its share of the CPUs, compared to that of others */
	uint32_t cap;    /* percent of one physical CPU for all its vCPUs, up to VM_CAP_MAX; 0: none */
	uint64_t pins;   /* physical CPUs on which they may run, not 0; VM_PINS_ALL: wherever there are any */
	bool autostart;
	bool debug_exit; /* isa-debug-exit at 0xf4 */
	bool stray_stops; /* `unmapped = stop` (the default): an access to an address that is neither RAM nor the platform's
			     stops the VM; `unmapped = ones`: it reads all ones and writes go nowhere */
	enum vm_restart restart;
	uint64_t load_address; /* flat images: where to put and start them */
	unsigned cpuid_hide_count;
	/* Of these only what is in use has a meaning: see conf_copy(). */
	char cmdline[VM_CMDLINE_MAX];
	struct vm_module_config modules[VM_MAX_MODULES]; /* for multiboot kernels */
	char cpuid_hide[VM_MAX_CPUID_RULES][16];         /* `cpuid = -fsrm,-avx2`: names of features to hide */
};
