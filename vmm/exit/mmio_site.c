/* Known instructions (see mmio_site.h). An entry says: with this code view, RIP leads over these page-table entries to this
 * piece of RAM, and the bytes there are this move. All of it is compared with what is so now, before it is used: the view's
 * registers, the entries and the bytes in the guest's memory. So it holds what a walk and a decoding now would give,
 * whatever the guest has changed meanwhile, on whichever of its CPUs. The one thing that is not looked at is whether the
 * entries are at the same place, which follows: the first one's place from CR3 and RIP, each other one's from the value
 * of the one before. Pointers into the RAM are good until the second-level tables lose something, which raises their
 * generation, or the VM begins anew, which forgets all entries (vcpu_forget_sites()). */
#include "vmm/exit/mmio_site.h"

#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/exit/guest_access.h"

static_assert(sizeof(((struct mmio_site *)0)->bytes) > INSN_MAX_LENGTH, "a whole instruction");

#define ENTRY_FLAGS 0x60ull
#define CR3_ADDRESS 0x000ffffffffff000ull

static unsigned slot_of(uint64_t rip)
{
	return (rip ^ rip >> 4) % MMIO_SITES;
}

/* Who is not in his slot has made room for another there; the way to him is longer, but a tenth of what it costs not to know
 * him. */
__attribute__((noinline)) static struct mmio_site *look_everywhere(struct vcpu *v, uint64_t rip)
{
	for (unsigned i = 0; i < MMIO_SITES; i++) {
		if (v->sites[i].rip == rip && v->sites[i].code != NULL)
			return &v->sites[i];
	}
	return &v->sites[slot_of(rip)];
}

/* His own, or that where he would be. */
static inline struct mmio_site *site_of(struct vcpu *v, uint64_t rip)
{
	struct mmio_site *s = &v->sites[slot_of(rip)];

	return likely(s->rip == rip) ? s : look_everywhere(v, rip);
}

/* A place for a new one. Whose it was moves to another, each time the next, so that those who are used find one where they are
 * let alone: with places of their own to move to, two could drive each other out for ever. */
static struct mmio_site *site_for(struct vcpu *v, uint64_t rip)
{
	struct mmio_site *s = site_of(v, rip);

	if (s->rip != rip && s->code != NULL)
		v->sites[v->next_site++ % MMIO_SITES] = *s;
	s->code = NULL;
	return s;
}

static inline bool differs(const uint64_t *memory, uint64_t value, uint64_t mask)
{
	return ((__atomic_load_n(memory, __ATOMIC_RELAXED) ^ value) & mask) != 0;
}

/* The instruction may stand at any address; the page goes on for at least two words. */
static inline bool code_differs(const struct mmio_site *s)
{
	const uint8_t *code = (const uint8_t *)s->code;

	return ((load_le64(code) ^ s->bytes[0]) & s->mask[0]) != 0 ||
	       ((load_le64(code + 8) ^ s->bytes[1]) & s->mask[1]) != 0;
}

/* Another process, the same kernel: with an equal entry at the top the rest of the way is the same. */
__attribute__((noinline)) static bool take_root(struct mmio_site *s, struct vcpu *v)
{
	const uint64_t *at;
	struct code_view now;

	vcpu_hw_code_view(v, &now);
	if (!(now.how & CODE_VIEW_LONG) || now.how != s->view.how || now.cs_base != s->view.cs_base)
		return false;
	at = guest_mem_ptr(&v->vm->mem, (now.cr3 & CR3_ADDRESS) + s->top_offset, sizeof(*at));
	if (at == NULL || differs(at, s->step_value[0], s->step_mask[0]))
		return false;
	s->step[0] = at;
	s->view.cr3 = now.cr3;
	return true;
}

/* Is the site still what it was learned as? */
static inline bool holds(struct mmio_site *s, struct vcpu *v, uint64_t rip)
{
	if (unlikely(s->rip != rip || s->code == NULL || s->generation != slpt_generation(&v->vm->slpt)))
		return false;
	if (unlikely(!vcpu_hw_is_code_view(v, &s->view)) && !take_root(s, v))
		return false;
	for (unsigned i = 0; i < s->steps; i++) {
		if (unlikely(differs(s->step[i], s->step_value[i], s->step_mask[i])))
			return false;
	}
	return !code_differs(s);
}

static uint64_t cut(uint64_t value, unsigned bytes)
{
	return value & (UINT64_MAX >> (64 - 8 * bytes));
}

/* The linear address of the move's memory operand, as the registers are now. */
static inline uint64_t operand_linear(struct vcpu *v, const struct mmio_move *m)
{
	uint64_t address = (uint64_t)m->disp;

	if (m->base != MMIO_SITE_NO_REG)
		address += v->gpr[m->base];
	if (m->index != MMIO_SITE_NO_REG)
		address += v->gpr[m->index] << m->shift;
	address &= m->address_mask;
	if (m->seg != MMIO_SITE_NO_REG)
		address += vcpu_hw_segment_base(v, (enum vcpu_seg)m->seg);
	return address & m->linear_mask;
}

/* The processor has walked the guest's tables for the operand, with all rights, and says where it is; that address must be
 * the one that the move gives, or this is not the access that it made. */
const struct mmio_move *mmio_site_find(struct vcpu *v, const struct vm_exit *e)
{
	const unsigned want = EXIT_MEM_GVA | EXIT_MEM_OPERAND, look = want | EXIT_MEM_FETCH | EXIT_MEM_WRITE;
	struct mmio_site *s = site_of(v, e->rip);
	const struct mmio_move *m = &s->move;

	/* Of an entry that is free only that it is so may be looked at. */
	if (unlikely(!holds(s, v, e->rip)))
		return NULL;
	if (unlikely((e->mem.access & look) != (m->store ? want | EXIT_MEM_WRITE : want) || e->vectoring.valid))
		return NULL;
	if (unlikely(operand_linear(v, m) != e->mem.gva || e->mem.gva % PAGE_SIZE > PAGE_SIZE - m->bytes))
		return NULL;
	return m;
}

/* RSP is not among the registers that are at hand. */
static bool take_register(const struct insn_operand *o, struct mmio_move *m)
{
	if (o->kind != INSN_OPD_REG || o->reg == GPR_RSP)
		return false;
	m->reg = o->reg;
	m->reg_bytes = o->size;
	return true;
}

static bool take_operands(const struct insn *insn, struct mmio_move *m)
{
	const struct insn_operand *to = &insn->operands[0], *from = &insn->operands[1];

	if (insn->op == INSN_OP_MOV && to->kind == INSN_OPD_MEM) {
		m->store = true;
		m->bytes = to->size;
		m->imm = (uint64_t)insn->imm;
		m->reg = MMIO_SITE_NO_REG;
		return from->kind == INSN_OPD_IMM || take_register(from, m);
	}
	m->bytes = from->size;
	return (insn->op == INSN_OP_MOV || insn->op == INSN_OP_MOVZX) && from->kind == INSN_OPD_MEM &&
	       take_register(to, m);
}

static bool take_address(const struct insn *insn, uint64_t rip, struct mmio_move *m)
{
	const struct insn_mem *mem = &insn->mem;

	m->disp = mem->disp;
	m->base = mem->base;
	if (mem->base == INSN_REG_RIP) {
		m->disp += (int64_t)(rip + insn->length);
		m->base = MMIO_SITE_NO_REG;
	}
	m->index = mem->index;
	m->shift = mem->shift;
	m->address_mask = UINT64_MAX >> (64 - 8 * insn->address_size);
	m->linear_mask = insn->mode == INSN_MODE_64 ? UINT64_MAX : UINT32_MAX;
	m->seg = insn->mode != INSN_MODE_64 || mem->seg == INSN_FS || mem->seg == INSN_GS ? mem->seg : MMIO_SITE_NO_REG;
	return m->base != GPR_RSP;
}

static bool take_move(const struct insn *insn, uint64_t rip, struct mmio_move *m)
{
	*m = (struct mmio_move){.length = insn->length};
	if ((insn->prefixes & INSN_PREFIX_LOCK) || !take_operands(insn, m) || !take_address(insn, rip, m))
		return false;
	m->value_mask = cut(UINT64_MAX, m->bytes);
	return true;
}

/* The entries that lead to the code, without the accessed and dirty flags, which translate nothing. Those of 4 bytes are
 * compared within the 8 bytes around them. */
static bool take_steps(struct mmio_site *s, const struct guest_mem *mem, const struct guest_walk *walk)
{
	unsigned entry_bytes = walk->paging == GUEST_PAGING_32BIT ? 4 : 8;

	if (walk->step_count > MMIO_SITE_STEPS)
		return false;
	for (s->steps = 0; s->steps < walk->step_count; s->steps++) {
		const struct guest_walk_step *step = &walk->steps[s->steps];
		unsigned shift = 8 * (step->entry_gpa & 4 & entry_bytes);
		const uint64_t *at = guest_mem_ptr(mem, step->entry_gpa & ~7ull, 8);

		if (at == NULL || (step->entry_gpa & (entry_bytes - 1)) != 0)
			return false;
		s->step[s->steps] = at;
		s->step_mask[s->steps] = cut(~ENTRY_FLAGS, entry_bytes) << shift;
		s->step_value[s->steps] = step->value << shift;
	}
	return true;
}

static void take_bytes(struct mmio_site *s, const uint8_t *bytes, unsigned length)
{
	uint8_t mask[sizeof(s->bytes)] = {0};

	memset(mask, 0xff, length);
	memset(s->bytes, 0, sizeof(s->bytes));
	memcpy(s->bytes, bytes, length);
	memcpy(s->mask, mask, sizeof(mask));
}

void mmio_site_learn(struct vcpu *v, const struct vm_exit *e, const struct insn *insn, const uint8_t *bytes,
		     size_t count)
{
	struct guest_walk_cpu cpu = guest_walk_cpu_of(v);
	struct guest_walk walk;
	struct mmio_move move;
	struct mmio_site *s;

	if (count < insn->length || !take_move(insn, e->rip, &move))
		return;
	s = site_for(v, e->rip);
	s->move = move;
	s->generation = slpt_generation(&v->vm->slpt);
	vcpu_hw_code_view(v, &s->view);
	if (guest_walk(&v->vm->mem, &cpu, guest_linear_rip(v, e->rip), GUEST_ACCESS_ANY, &walk) != 0 ||
	    walk.gpa % PAGE_SIZE > PAGE_SIZE - sizeof(s->bytes) || !take_steps(s, &v->vm->mem, &walk))
		return;
	take_bytes(s, bytes, insn->length);
	s->rip = e->rip;
	s->top_offset = walk.step_count > 0 ? walk.steps[0].entry_gpa % PAGE_SIZE : 0;
	s->code = guest_mem_ptr(&v->vm->mem, walk.gpa, sizeof(s->bytes));
}
