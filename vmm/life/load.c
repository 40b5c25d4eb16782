/* Load: devices to power-on, images into memory, the first vCPU's registers set as the image wants to find them. */
#include "vmm/life/life.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/core/msr_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/life/platform.h"
#include "vmm/life/transitions.h"
#include "vmm/load/load.h"

/* A boot module by name, or words. An empty name is no module at all. */
static int find_image(const struct vmm_host *host, const struct vm *vm, const char *what, const char *name,
		      const struct image **out, char why[LIFE_WHY])
{
	*out = NULL;
	if (name[0] == '\0')
		return 0;
	*out = images_find(&host->images, name);
	if (*out != NULL)
		return 0;
	fmt_snprintf(why, LIFE_WHY, "%s: %s '%s' is not among the boot modules; `info images` lists them",
		     vm->config.name, what, name);
	return ERR_NOENT;
}

static int request_modules(const struct vmm_host *host, const struct vm *vm, struct load_module *modules,
			   char why[LIFE_WHY])
{
	for (unsigned i = 0; i < vm->config.module_count; i++) {
		const struct vm_module_config *config = &vm->config.modules[i];
		const struct image *image;
		int err = find_image(host, vm, "module", config->file, &image, why);

		if (err != 0)
			return err;
		modules[i].data = image->bytes;
		modules[i].size = image->size;
		modules[i].args = config->args;
	}
	return 0;
}

static void set_flat_segments(struct vcpu *v, const struct start_state *start)
{
	static const enum vcpu_seg data[] = {SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS};
	bool is64 = start->mode == START_LONG64;
	struct segment code = {start->cs, is64 ? SEGMENT_CODE64 : SEGMENT_CODE32, false, 0xffffffff, 0};
	struct segment flat = {start->ds, SEGMENT_DATA32, false, 0xffffffff, 0};
	struct segment gdt = {0, 0, false, start->gdt_limit, start->gdt_base};

	vcpu_hw_set_segment(v, SEG_CS, &code);
	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		vcpu_hw_set_segment(v, data[i], &flat);
	vcpu_hw_set_segment(v, SEG_GDTR, &gdt);
}

static void set_real_segments(struct vcpu *v, const struct start_state *start)
{
	static const enum vcpu_seg data[] = {SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS};
	struct segment code = {start->cs, SEGMENT_CODE16, false, 0xffff, (uint64_t)start->cs << 4};
	struct segment flat = {start->ds, SEGMENT_DATA16, false, 0xffff, (uint64_t)start->ds << 4};

	vcpu_hw_set_segment(v, SEG_CS, &code);
	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		vcpu_hw_set_segment(v, data[i], &flat);
}

static void set_start(struct vcpu *v, const struct start_state *start)
{
	struct vcpu_access access = vcpu_hw_access_begin(v);

	switch (start->mode) {
	case START_REAL16:
		set_real_segments(v, start);
		break;
	case START_PROTECTED32:
		vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_ET);
		set_flat_segments(v, start);
		break;
	case START_LONG64:
		vcpu_hw_set(v, VCPU_CR3, start->cr3);
		vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
		vcpu_hw_set(v, VCPU_EFER, EFER_LME | EFER_LMA);
		vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
		set_flat_segments(v, start);
		break;
	}
	for (unsigned i = 0; i < GPR_COUNT; i++)
		vcpu_set_gpr(v, i, start->gpr[i]);
	vcpu_hw_set(v, VCPU_RIP, start->rip);
	vcpu_hw_set(v, VCPU_RFLAGS, RFLAGS_FIXED1);
	vcpu_hw_access_end(&access);
}

/* Power-on state of everything that is not memory. The clock is at 0, and begins to run with the start. */
static void power_on(struct vm *vm)
{
	struct vcpu_access first = vcpu_hw_access_begin(vm->vcpus[0]);

	vm->request = VM_REQUEST_NONE;
	vm->crash[0] = '\0';
	vm->crash_noted = false;
	vm->paused_at = 0;
	platform_reset(vm);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpus[i];

		vcpu_hw_reset(v, false);
		msr_policy_reset(v);
		msr_policy_set_firmware_mtrrs(v, PLATFORM_PCI_HOLE);
		v->state = i == 0 ? VCPU_RUNNABLE : VCPU_WAIT_SIPI;
		v->requests = VCPU_REQ_EVENT;
		v->inject.valid = false;
		v->nmi_pending = false;
		v->tsc_adjust = 0;
	}
	vcpu_hw_access_end(&first);
}

int vm_load(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	struct guest_map_entry map[PLATFORM_MAX_MAP];
	struct load_module modules[VM_MAX_MODULES];
	const struct image *kernel, *initrd;
	struct load_request req = {.cmdline = vm->config.cmdline, .modules = modules, .map = map};
	struct start_state start;
	enum vm_state next;
	char reason[LIFE_WHY - VM_NAME_MAX - 16];
	int err;

	if (life_next(vm->state, LIFE_LOAD, &next) != 0)
		return life_refuse(vm, "load", why);
	err = find_image(host, vm, "kernel", vm->config.kernel, &kernel, why);
	if (err == 0)
		err = find_image(host, vm, "initrd", vm->config.initrd, &initrd, why);
	if (err == 0)
		err = request_modules(host, vm, modules, why);
	if (err != 0)
		return err;
	if (kernel == NULL) {
		fmt_snprintf(why, LIFE_WHY, "%s: no kernel is configured", vm->config.name);
		return ERR_NOENT;
	}
	power_on(vm);
	req.image = kernel->bytes;
	req.image_size = kernel->size;
	if (initrd != NULL) {
		req.initrd = initrd->bytes;
		req.initrd_size = initrd->size;
	}
	req.module_count = vm->config.module_count;
	req.map_count = platform_memory_map(vm, map);
	req.acpi_rsdp = platform_write_tables(vm);
	req.load_address = vm->config.load_address;
	err = load_image(&vm->mem, &req, &start, reason, sizeof(reason));
	if (err != 0) {
		fmt_snprintf(why, LIFE_WHY, "%s: %s: %s", vm->config.name, vm->config.kernel, reason);
		return err;
	}
	set_start(vm->vcpus[0], &start);
	vm->state = next;
	return 0;
}
