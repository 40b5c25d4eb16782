/* EPT violations. RAM is mapped, so what comes here is a device's page, a hole in the platform, or an address at which
 * nothing is. The instruction is fetched, decoded and carried out; each of its accesses goes to RAM, to the local APIC's
 * page, to the memory bus, or to open bus. */
#include "vmm/exit/mmio.h"

#include "drivers/regs/lapic.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/range.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/decode/emulate.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/guest_access.h"
#include "vmm/exit/handlers.h"
#include "vmm/exit/mmio_site.h"

/* Iterations of a repeated string instruction that one exit does: bounded in time. */
#define ITERATIONS_MAX 256u

/* One instruction under emulation. */
struct mmio {
	struct vcpu *v;
	unsigned privilege;
};

static bool is_apic_page(const struct vcpu *v, uint64_t gpa)
{
	return gpa - LAPIC_DEFAULT_BASE < PAGE_SIZE && vlapic_mmio_enabled(v->lapic);
}

/* Where a PC has nothing, and nobody minds: the video hole, the PCI hole. */
static bool is_open_bus(const struct vm *vm, uint64_t gpa)
{
	for (unsigned i = 0; i < vm->open_bus_count; i++) {
		if (range_has(vm->open_bus[i].gpa, vm->open_bus[i].len, gpa))
			return true;
	}
	return !vm->config.stray_stops;
}

/* Neither memory nor a device, and rightly so. */
static bool is_nothing(const struct vm *vm, uint64_t gpa)
{
	return is_open_bus(vm, gpa) && !guest_mem_covers(&vm->mem, gpa, 1);
}

static int stray(struct vm *vm, struct vcpu *v, uint64_t gpa, const char *what)
{
	if (is_open_bus(vm, gpa))
		return 0;
	vm_set_crash(vm, v, "%s guest-physical address 0x%llx, where the guest has neither memory nor a device", what,
		     (unsigned long long)gpa);
	return ERR_RANGE;
}

/* An access within one page. */
static int access_read(struct mmio *m, uint64_t gpa, unsigned bytes, uint64_t *value)
{
	struct vm *vm = m->v->vm;
	bool claimed;

	*value = 0;
	if (guest_mem_read(&vm->mem, gpa, value, bytes) == 0)
		return 0;
	if (is_apic_page(m->v, gpa)) {
		*value = vlapic_mmio_read(m->v->lapic, (uint32_t)(gpa - LAPIC_DEFAULT_BASE), bytes);
		return 0;
	}
	vm_lock(vm);
	claimed = bus_read(&vm->mmio, gpa, bytes, value);
	vm_unlock(vm);
	return claimed ? 0 : stray(vm, m->v, gpa, "read of");
}

static int access_write(struct mmio *m, uint64_t gpa, unsigned bytes, uint64_t value)
{
	struct vm *vm = m->v->vm;
	bool claimed;

	if (guest_mem_write(&vm->mem, gpa, &value, bytes) == 0)
		return 0;
	if (is_apic_page(m->v, gpa)) {
		vlapic_mmio_write(m->v->lapic, (uint32_t)(gpa - LAPIC_DEFAULT_BASE), bytes, value);
		return 0;
	}
	vm_lock(vm);
	claimed = bus_write(&vm->mmio, gpa, bytes, value);
	vm_unlock(vm);
	return claimed ? 0 : stray(vm, m->v, gpa, "write to");
}

static bool crosses_page(uint64_t linear, unsigned bytes)
{
	return (linear & (PAGE_SIZE - 1)) + bytes > PAGE_SIZE;
}

/* Bytes one by one: both pages are translated before the first byte is written, so that a fault leaves nothing half done. */
static int split_read(struct mmio *m, uint64_t linear, unsigned bytes, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < bytes; i++) {
		uint64_t gpa, byte;
		int err = guest_translate(m->v, linear + i, m->privilege, &gpa);

		if (err == 0)
			err = access_read(m, gpa, 1, &byte);
		if (err != 0)
			return err;
		*value |= byte << (8 * i);
	}
	return 0;
}

static int split_write(struct mmio *m, uint64_t linear, unsigned bytes, uint64_t value)
{
	uint64_t gpa[8];
	int err = 0;

	for (unsigned i = 0; i < bytes && err == 0; i++)
		err = guest_translate(m->v, linear + i, m->privilege | GUEST_ACCESS_WRITE, &gpa[i]);
	for (unsigned i = 0; i < bytes && err == 0; i++)
		err = access_write(m, gpa[i], 1, value >> (8 * i) & 0xff);
	return err;
}

static int op_read(void *ctx, uint64_t linear, unsigned bytes, uint64_t *value)
{
	struct mmio *m = ctx;
	uint64_t gpa;
	int err;

	if (crosses_page(linear, bytes))
		return split_read(m, linear, bytes, value);
	err = guest_translate(m->v, linear, m->privilege, &gpa);
	return err != 0 ? err : access_read(m, gpa, bytes, value);
}

static int op_write(void *ctx, uint64_t linear, unsigned bytes, uint64_t value)
{
	struct mmio *m = ctx;
	uint64_t gpa;
	int err;

	if (crosses_page(linear, bytes))
		return split_write(m, linear, bytes, value);
	err = guest_translate(m->v, linear, m->privilege | GUEST_ACCESS_WRITE, &gpa);
	return err != 0 ? err : access_write(m, gpa, bytes, value);
}

static uint64_t op_segment_base(void *ctx, enum insn_seg seg)
{
	struct segment s;

	vcpu_hw_get_segment(((struct mmio *)ctx)->v, (enum vcpu_seg)seg, &s);
	return s.base;
}

static uint64_t op_get_rflags(void *ctx)
{
	return vcpu_hw_get(((struct mmio *)ctx)->v, VCPU_RFLAGS);
}

static void op_set_rflags(void *ctx, uint64_t rflags)
{
	vcpu_hw_set(((struct mmio *)ctx)->v, VCPU_RFLAGS, rflags);
}

static const struct emulate_ops ops = {
	.read = op_read,
	.write = op_write,
	.segment_base = op_segment_base,
	.get_rflags = op_get_rflags,
	.set_rflags = op_set_rflags,
};

/* Up to 15 bytes; fewer when the next page is not there, which matters only if the instruction goes on into it. The
 * processor has fetched it: rights are proved. */
static size_t fetch(struct vcpu *v, uint64_t linear, uint8_t *bytes)
{
	struct guest_walk_cpu cpu = guest_walk_cpu_of(v);

	return guest_walk_read(&v->vm->mem, &cpu, linear, GUEST_ACCESS_ANY, bytes, INSN_MAX_LENGTH);
}

static enum verdict not_emulated(struct vcpu *v, const struct vm_exit *e, const uint8_t *bytes, size_t count)
{
	char hex[INSN_MAX_LENGTH * 3 + 1] = "";
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		fmt_append(hex, sizeof(hex), &len, " %02x", bytes[i]);
	vm_set_crash(v->vm, v, "instruction at 0x%llx that touched gpa 0x%llx is not emulated:%s",
		     (unsigned long long)e->rip, (unsigned long long)e->mem.gpa,
		     count == 0 ? " it cannot be read" : hex);
	return VERDICT_CRASH;
}

static unsigned stack_bytes(struct vcpu *v, enum insn_mode mode)
{
	struct segment ss;

	if (mode == INSN_MODE_64)
		return 8;
	vcpu_hw_get_segment(v, SEG_SS, &ss);
	return (ss.access & SEGMENT_BIG) ? 4 : 2;
}

/* Done iterations stay done: RIP stays at a repeated instruction whose count is not used up. */
static int emulate_bounded(const struct emulate *em)
{
	int result = EMULATE_AGAIN;

	for (unsigned i = 0; i < ITERATIONS_MAX && result == EMULATE_AGAIN; i++)
		result = insn_emulate(em);
	return result;
}

static enum verdict carry_out(struct vcpu *v, const struct vm_exit *e, const struct insn *insn, const uint8_t *bytes)
{
	struct mmio m = {.v = v, .privilege = guest_privilege(v)};
	struct emulate em = {.insn = insn,
			     .gpr = v->gpr,
			     .rip = e->rip,
			     .stack_bytes = stack_bytes(v, (enum insn_mode)insn->mode),
			     .ops = &ops,
			     .ctx = &m};
	bool rsp = insn_uses_rsp(insn);
	int err;

	if (rsp)
		v->gpr[GPR_RSP] = vcpu_hw_get(v, VCPU_RSP);
	if (insn->prefixes & (INSN_PREFIX_REP | INSN_PREFIX_REPNE))
		vcpu_request(v, VCPU_REQ_TIMER); /* it may take a while */
	err = emulate_bounded(&em);
	vcpu_gpr_written(v, GPR_R15); /* whichever it was */
	if (rsp && err >= 0)
		vcpu_hw_set(v, VCPU_RSP, v->gpr[GPR_RSP]);
	if (err == EMULATE_AGAIN || err == ERR_FAULT)
		return VERDICT_RESUME;
	if (err == ERR_NOSUP)
		return not_emulated(v, e, bytes, insn->length);
	if (err != 0) {
		vm_set_crash(v->vm, v, "the instruction at 0x%llx uses memory that cannot be reached",
			     (unsigned long long)e->rip);
		return VERDICT_CRASH;
	}
	/* The exit's own instruction length is undefined for an EPT violation; this one is the decoder's. */
	vcpu_hw_step_over(v, e->rip, insn->length);
	return VERDICT_RESUME;
}

enum verdict mmio_emulate(struct vcpu *v, const struct vm_exit *e)
{
	uint8_t bytes[INSN_MAX_LENGTH];
	size_t count = fetch(v, guest_linear_rip(v, e->rip), bytes);
	struct insn insn;

	if (insn_decode(bytes, count, guest_code_mode(v), &insn) != 0)
		return not_emulated(v, e, bytes, count);
	if (is_apic_page(v, e->mem.gpa) || bus_find(&v->vm->mmio, e->mem.gpa) != NULL || is_open_bus(v->vm, e->mem.gpa))
		mmio_site_learn(v, e, &insn, bytes, count);
	return carry_out(v, e, &insn, bytes);
}

static uint64_t stored_value(const struct vcpu *v, const struct mmio_move *m)
{
	uint64_t value = m->reg == MMIO_SITE_NO_REG ? m->imm : v->gpr[m->reg];

	return value & m->value_mask;
}

/* A load's value is cut to the access already; 32 bits clear the upper half of the register. */
static void load_register(struct vcpu *v, const struct mmio_move *m, uint64_t value)
{
	uint64_t *reg = &v->gpr[m->reg];

	if (likely(m->reg_bytes >= 4))
		*reg = value;
	else if (m->reg_bytes == 2)
		*(uint16_t *)reg = (uint16_t)value;
	else
		*(uint8_t *)reg = (uint8_t)value;
	vcpu_gpr_written(v, m->reg);
}

static bool move_apic(struct vcpu *v, const struct mmio_move *m, uint32_t offset)
{
	if (m->store)
		vlapic_mmio_write(v->lapic, offset, m->bytes, stored_value(v, m));
	else
		load_register(v, m, vlapic_mmio_read(v->lapic, offset, m->bytes));
	return true;
}

/* RAM never lies where a device is registered. False: the guess of the device is wrong, or nobody is there and that is not
 * normal; the long way finds out. */
static inline bool move_device(struct vcpu *v, const struct mmio_move *m, uint64_t gpa)
{
	struct vm *vm = v->vm;
	struct bus_range *r;
	bool taken;

	vm_lock(vm);
	r = *bus_guess_at(&vm->mmio, gpa);
	taken = bus_range_takes(r, gpa, m->bytes) && (r != &vm->mmio.nobodys || is_nothing(vm, gpa));
	if (likely(taken)) {
		if (m->store) {
			r->writes++;
			r->ops->write(r->ctx, gpa - r->base, m->bytes, stored_value(v, m));
		} else {
			r->reads++;
			load_register(v, m, r->ops->read(r->ctx, gpa - r->base, m->bytes) & m->value_mask);
		}
	}
	vm_unlock(vm);
	return taken;
}

/* A move that is known from last time. */
static inline bool move_known(struct vcpu *v, const struct vm_exit *e)
{
	const struct mmio_move *m = mmio_site_find(v, e);
	bool moved;

	if (unlikely(m == NULL))
		return false;
	if (is_apic_page(v, e->mem.gpa))
		moved = move_apic(v, m, (uint32_t)(e->mem.gpa - LAPIC_DEFAULT_BASE));
	else
		moved = move_device(v, m, e->mem.gpa);
	if (unlikely(!moved))
		return false;
	vcpu_hw_step_over(v, e->rip, m->length);
	return true;
}

static const char *access_name(const struct vm_exit *e)
{
	if (e->mem.access & EXIT_MEM_FETCH)
		return "execution at";
	return e->mem.access & EXIT_MEM_WRITE ? "write to" : "read of";
}

/* Not a known move: may the instruction be emulated at all? */
__attribute__((noinline)) static enum verdict unknown_access(struct vcpu *v, const struct vm_exit *e)
{
	const char *why = NULL;

	if (guest_mem_covers(&v->vm->mem, e->mem.gpa, 1))
		why = "its own memory";
	else if (e->mem.access & EXIT_MEM_FETCH)
		why = "an address that holds no memory to execute from";
	else if (vm_exit_by_walk(e))
		why = "an address outside its memory, where its page tables lead";
	else if (e->vectoring.valid)
		why = "an address outside its memory, while an interrupt or exception was delivered";
	if (why == NULL)
		return mmio_emulate(v, e);
	vm_set_crash(v->vm, v, "%s guest-physical address 0x%llx: %s", access_name(e), (unsigned long long)e->mem.gpa,
		     why);
	return VERDICT_CRASH;
}

enum verdict exit_ept_violation(struct vcpu *v, const struct vm_exit *e)
{
	return likely(move_known(v, e)) ? VERDICT_RESUME : unknown_access(v, e);
}

/* Our tables hold a value that the processor does not know: a bug of ours, or of the memory they lie in. */
enum verdict exit_ept_misconfig(struct vcpu *v, const struct vm_exit *e)
{
	struct slpt_leaf leaf = {0};

	if (slpt_lookup(&v->vm->slpt, e->mem.gpa, &leaf) != 0)
		leaf.entry = 0;
	vm_set_crash(v->vm, v, "EPT misconfiguration at guest-physical address 0x%llx, entry 0x%llx",
		     (unsigned long long)e->mem.gpa, (unsigned long long)leaf.entry);
	return VERDICT_CRASH;
}

/* The APIC's page while the processor virtualises accesses to it: those that it leaves to us. */
enum verdict exit_apic_access(struct vcpu *v, const struct vm_exit *e)
{
	struct vm_exit mem = *e;

	mem.mem.gpa = LAPIC_DEFAULT_BASE + e->apic.offset;
	return mmio_emulate(v, &mem);
}
