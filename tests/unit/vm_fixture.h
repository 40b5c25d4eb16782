/* A whole VM without a processor: what vmm/life makes of a configuration, over a fake page source and the fake seam. For the
 * tests of the exit handlers, the run loop, the life cycle and the monitor. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "kernel/idle.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "tests/fake/fake_pages.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "tests/unit/cpuid_dumps.h"
#include "vmm/core/conf.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/life/board.h"
#include "vmm/life/freeze.h"
#include "vmm/life/life.h"
#include "vmm/life/run.h"

#define FX_TSC_HZ 1000000000ull
#define FX_PAGES 32768u /* 128 MiB */
#ifndef FX_CPUS
#define FX_CPUS 1u /* CPUs, bit by bit */
#endif

static struct fake_pages fx_pages;
static struct heap fx_heap;
static struct vmm_host fx_host;
static char fx_why[LIFE_WHY];
static unsigned fx_idles, fx_windows;
static void (*fx_on_idle)(uint64_t tsc);
static uint64_t fx_idle_until; /* what the last idle_until() was asked */
static uint64_t fx_idle_alarm; /* and the last idle_alarm(); 0: it was not called */

/* The two places where the kernel takes interrupts: here they only count. */
void idle_until(uint64_t tsc)
{
	fx_idles++;
	fx_idle_until = tsc;
	if (fx_on_idle != NULL)
		fx_on_idle(tsc);
}

void idle_alarm(uint64_t tsc)
{
	fx_idle_alarm = tsc;
}

void idle_window(void)
{
	fx_windows++;
}

/* One CPU, unless a test makes more: whose runner is this CPU's, and who was sent NMIs. */
static struct runner *fx_runner;
static uint32_t fx_attention[4];
static unsigned fx_kicks[4], fx_guest_kicks[4];
/* What the machine without VMs has taken: for tests that want it all back. */
static size_t fx_pages_of_host, fx_objects_of_host;

struct runner *runner_here(void)
{
	return fx_runner;
}

void runner_set_here(struct runner *r)
{
	fx_runner = r;
}

static uint32_t *fx_attention_word(uint32_t cpu)
{
	return &fx_attention[cpu];
}

static void fx_kick(uint32_t cpu)
{
	fx_attention[cpu] = 1;
	fx_kicks[cpu]++;
}

static void fx_kick_guest(uint32_t cpu)
{
	fx_guest_kicks[cpu]++;
}

static void fx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	for (unsigned i = 0; i < ARRAY_LEN(dump_skylake_x); i++) {
		if (dump_skylake_x[i].leaf == leaf && dump_skylake_x[i].subleaf == subleaf)
			memcpy(out, dump_skylake_x[i].out, 4 * sizeof(out[0]));
	}
}

static uint64_t fx_wall = 1700000000;

static uint64_t fx_wall_seconds(void)
{
	return fx_wall;
}

static uint64_t fx_free_bytes(void)
{
	return (fx_pages.page_count - fx_pages.pages_out) * PAGE_SIZE;
}

/* Any four-level table will do; entries are never read by a processor here. */
static void fx_slpt_format(struct slpt_format *f)
{
	*f = (struct slpt_format){.levels = 4,
				  .gpa_bits = 48,
				  .hpa_bits = 40,
				  .leaf_levels = 7,
				  .addr_mask = 0xfffffff000ull,
				  .present_mask = 7,
				  .table_bits = 7,
				  .leaf_bit = 0x80,
				  .prot_mask = 7,
				  .memtype_mask = 0x38};
	for (unsigned i = 0; i < SLPT_PROT_COUNT; i++)
		f->prot_bits[i] = i;
	for (unsigned i = 0; i < MEMTYPE_COUNT; i++)
		f->memtype_bits[i] = (uint64_t)i << 3;
}

/* A machine without VMs. */
static UNUSED void fx_host_init(void)
{
	fake_pages_init(&fx_pages, FX_PAGES, 0x40000000);
	heap_init(&fx_heap, &fx_pages.source, NULL, true);
	memset(&fx_host, 0, sizeof(fx_host));
	fx_host.pages = fx_pages.source;
	fx_host.heap = &fx_heap;
	fx_host.mtrr.def_type = 0x806;
	fx_host.mtrr.maxphyaddr = 40;
	fx_slpt_format(&fx_host.slpt_format);
	fx_host.tsc_hz = FX_TSC_HZ;
	fx_host.wall_seconds = fx_wall_seconds;
	fx_host.free_bytes = fx_free_bytes;
	fx_host.can_run = true;
	fx_host.attention = fx_attention_word;
	fx_host.kick = fx_kick;
	fx_host.kick_guest = fx_kick_guest;
	memset(fx_kicks, 0, sizeof(fx_kicks));
	memset(fx_guest_kicks, 0, sizeof(fx_guest_kicks));
	assert_int_equal(runners_init(&fx_host, FX_CPUS), 0);
	fx_pages_of_host = fx_pages.pages_out;
	fx_objects_of_host = fx_heap.objects;
	fake_machine.cpuid = fx_cpuid;
	fake_machine.xcr0_allowed = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	fake_machine.out_of_memory = false;
	fake_machine.host_events = 0;
	fx_idles = fx_windows = 0;
}

static UNUSED void fx_host_destroy(void)
{
	while (fx_host.vm_count > 0)
		vm_destroy(&fx_host, fx_host.vms[0]);
	heap_free(&fx_heap, fx_host.runners);
	heap_free(&fx_heap, fx_host.sched);
	fake_pages_destroy(&fx_pages);
}

/* Two instructions at 1 MiB: the flat image that fx_vm() starts. */
static const uint8_t fx_code[] = {0xf4, 0xeb, 0xfd};

static UNUSED void fx_set_text(char *out, size_t size, const char *text)
{
	assert_true(fmt_snprintf(out, size, "%s", text) < size);
}

static UNUSED void fx_config(struct vm_config *c, const char *name)
{
	conf_defaults(c);
	fx_set_text(c->name, sizeof(c->name), name);
	fx_set_text(c->kernel, sizeof(c->kernel), "flat.bin");
	c->load_address = MIB;
	c->memory = 2 * MIB;
}

static UNUSED void fx_set(struct vm_config *c, const char *key, const char *value)
{
	char why[CONF_WHY_BYTES];

	assert_int_equal(conf_set(c, key, value, why, sizeof(why)), 0);
}

static UNUSED void fx_image(void)
{
	assert_int_equal(images_add(&fx_host.images, "flat.bin", fx_code, sizeof(fx_code)), 0);
}

static UNUSED struct vm *fx_create(const struct vm_config *c)
{
	struct vm *vm = NULL;
	int err = vm_create(&fx_host, c, &vm, fx_why);

	if (err != 0)
		print_error("%s\n", fx_why);
	assert_int_equal(err, 0);
	return vm;
}

/* As the boot CPU does when a vCPU has ended the VM. */
static UNUSED void fx_ended(struct vm *vm, enum run_end end)
{
	vm_freeze(vm);
	vm_ended(&fx_host, vm, end);
}

/* A VM that runs. */
static UNUSED struct vm *fx_vm(const char *name, const char *cpus)
{
	struct vm_config c;
	struct vm *vm;

	fx_config(&c, name);
	fx_set(&c, "cpus", cpus);
	vm = fx_create(&c);
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
	return vm;
}
