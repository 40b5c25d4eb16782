/* The interrupt wires of the board. An ISA interrupt goes to a pin of the 8259 pair and to one of the I/O APIC (IRQ 0 to
 * pin 2, as on every PC); the 8259's output goes to LINT0 of the first local APIC; the I/O APIC and the local APICs send
 * messages to local APICs. */
#include "vmm/life/board.h"

#include "kernel/lib/assert.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/exit/timer_pass.h"

static void isa_irq_set(void *ctx, unsigned irq, bool high)
{
	struct vm_platform *b = ctx;

	vpic_set_irq(&b->pic, irq, high);
	vioapic_set_line(&b->ioapic, irq == 0 ? 2 : irq, high);
}

struct irq_line board_isa_irq(struct vm_platform *b, unsigned irq)
{
	return (struct irq_line){.set = isa_irq_set, .ctx = b, .pin = irq};
}

static void intr_set(void *ctx, unsigned pin, bool high)
{
	struct vm_platform *b = ctx;

	(void)pin;
	vlapic_set_lint(&b->cpus[0].lapic, 0, high);
}

static bool ioapic_deliver(void *ctx, const struct vioapic_msg *msg)
{
	struct vm_platform *b = ctx;
	struct vlapic_ipi ipi = {
		.dest = msg->dest,
		.vector = msg->vector,
		.delivery = msg->delivery,
		.logical = msg->logical,
		.level = msg->level,
	};

	return vlapic_route(b->lapics, b->vm->vcpu_count, NULL, &ipi) > 0;
}

COLD void board_wire_controllers(struct vm_platform *b)
{
	struct irq_line intr = {.set = intr_set, .ctx = b, .pin = 0};

	spin_init(&b->apic_page_lock, LOCK_RANK_MEMORY, "APIC page");
	vpic_init(&b->pic, &intr);
	vioapic_init(&b->ioapic, ioapic_deliver, b);
}

static void apic_raised(void *ctx)
{
	vcpu_notify(((struct cpu_board *)ctx)->vcpu, VCPU_REQ_EVENT);
}

static void apic_requested(void *ctx, uint8_t vector)
{
	vcpu_hw_apic_request(((struct cpu_board *)ctx)->vcpu, vector);
}

static void apic_nmi(void *ctx)
{
	struct vcpu *v = ((struct cpu_board *)ctx)->vcpu;

	__atomic_store_n(&v->nmi_pending, true, __ATOMIC_RELAXED); /* the request publishes it */
	vcpu_notify(v, VCPU_REQ_EVENT);
}

static void apic_init(void *ctx)
{
	vcpu_notify(((struct cpu_board *)ctx)->vcpu, VCPU_REQ_INIT);
}

static void apic_startup(void *ctx, uint8_t vector)
{
	struct vcpu *v = ((struct cpu_board *)ctx)->vcpu;

	__atomic_store_n(&v->sipi_vector, vector, __ATOMIC_RELAXED); /* the request publishes it */
	vcpu_notify(v, VCPU_REQ_SIPI);
}

static void apic_send_ipi(void *ctx, uint32_t low, uint32_t dest)
{
	struct cpu_board *cpu = ctx;

	vlapic_send(cpu->board->lapics, cpu->board->vm->vcpu_count, &cpu->lapic, low, dest);
}

static void apic_eoi(void *ctx, uint8_t vector)
{
	struct vm_platform *b = ((struct cpu_board *)ctx)->board;

	vm_lock(b->vm);
	vioapic_eoi(&b->ioapic, vector);
	vm_unlock(b->vm);
}

/* The page is one for all VMs, and so are the tables that map it, up to the entry that stands for the fourth GiB: no VM has
 * anything else there. */
COLD void platform_share_apic_page(struct vmm_host *host)
{
	uint64_t page = vcpu_hw_apic_access_page();

	if (page == 0)
		return;
	if (slpt_init(&host->apic_tables, &host->slpt_format, &host->pages) != 0 ||
	    slpt_map_range(&host->apic_tables, LAPIC_DEFAULT_BASE, page, PAGE_SIZE, SLPT_RW, MEMTYPE_WB) != 0)
		slpt_destroy(&host->apic_tables);
}

/* The APIC's page is there as long as all vCPUs are in xAPIC mode: one that has left it must find nothing at that address,
 * and all share the tables. While it is not there, accesses are EPT violations, and are carried out all the same; so it is
 * when there was no memory for the tables.
 *
 * An entry that is added needs no invalidation; one that goes raises the tables' generation, so that this vCPU invalidates
 * before it enters. Others that use it for a moment longer are in xAPIC mode and do no harm. */
static void map_apic_page(struct vm_platform *b)
{
	const struct slpt *tables = &b->vm->host->apic_tables;
	struct slpt *s = &b->vm->slpt;
	bool wanted = tables->root != NULL;

	spin_lock(&b->apic_page_lock);
	for (unsigned i = 0; i < b->vm->vcpu_count; i++)
		wanted = wanted && vlapic_mmio_enabled(&b->cpus[i].lapic);
	if (!wanted && b->apic_page_mapped) {
		slpt_return(s);
		b->apic_page_mapped = false;
	} else if (wanted && !b->apic_page_mapped) {
		b->apic_page_mapped = slpt_borrow(s, tables, LAPIC_DEFAULT_BASE) == 0;
	}
	spin_unlock(&b->apic_page_lock);
}

/* A reset comes here too: interrupts and threshold are told to the processor anew before the next entry. */
COLD static void apic_mode(void *ctx)
{
	struct cpu_board *cpu = ctx;

	vcpu_hw_apic_mode(cpu->vcpu, cpu->lapic.mode == VLAPIC_X2APIC);
	vcpu_request(cpu->vcpu, VCPU_REQ_EVENT);
	map_apic_page(cpu->board);
}

static void apic_levels(void *ctx, unsigned quarter, uint64_t levels)
{
	vcpu_hw_apic_eoi_exits(((struct cpu_board *)ctx)->vcpu, quarter, levels);
}

static void apic_timer_wanted(void *ctx)
{
	timer_pass_end(((struct cpu_board *)ctx)->vcpu);
}

static const struct vlapic_ops apic_ops = {
	.raised = apic_raised,
	.requested = apic_requested,
	.nmi = apic_nmi,
	.init = apic_init,
	.startup = apic_startup,
	.send_ipi = apic_send_ipi,
	.eoi = apic_eoi,
	.mode = apic_mode,
	.levels = apic_levels,
	.timer_wanted = apic_timer_wanted,
};

/* Cheap while nothing waits: no lock for a look at the wire. */
static inline bool pic_can_interrupt(const struct cpu_board *cpu)
{
	return vpic_pending(&cpu->board->pic) && cpu->vcpu->index == 0 && vlapic_accepts_pic(&cpu->lapic);
}

static enum irq_waits irq_peek(void *ctx)
{
	struct cpu_board *cpu = ctx;

	if (pic_can_interrupt(cpu))
		return IRQ_TO_INJECT;
	if (vlapic_is_quiet(&cpu->lapic) || vlapic_pending(&cpu->lapic) < 0)
		return IRQ_NONE;
	return cpu->help == VCPU_APIC_ALL ? IRQ_TOLD : IRQ_TO_INJECT;
}

/* The 8259 knows its vector only when it is acknowledged. Until then it is this, which no APIC ever gives. */
#define VECTOR_OF_PIC 0

static int irq_next(void *ctx)
{
	struct cpu_board *cpu = ctx;
	struct vlapic *lapic = &cpu->lapic;
	int vector = -1;

	if (cpu->help == VCPU_APIC_ALL) {
		if (vlapic_settle(lapic))
			vcpu_hw_apic_vectors(cpu->vcpu, vlapic_requested(lapic), vlapic_in_service(lapic));
	} else {
		vector = vlapic_pending(lapic);
		if (cpu->help == VCPU_APIC_TPR)
			vcpu_hw_apic_threshold(cpu->vcpu, vector < 0 ? vlapic_tpr_threshold(lapic) : 0);
	}
	return pic_can_interrupt(cpu) ? VECTOR_OF_PIC : vector;
}

/* The request may be withdrawn while we wait for the lock. */
static int pic_take(struct vm_platform *b)
{
	int vector;

	vm_lock(b->vm);
	vector = vpic_pending(&b->pic) ? vpic_ack(&b->pic) : -1;
	vm_unlock(b->vm);
	return vector;
}

static int irq_take(void *ctx, int next)
{
	struct cpu_board *cpu = ctx;

	if (next == VECTOR_OF_PIC) {
		int vector = pic_take(cpu->board);

		if (vector >= 0)
			cpu->vcpu->pic_interrupts++;
		return vector;
	}
	vlapic_take(&cpu->lapic, (uint8_t)next);
	return next;
}

/* What is taken outranks all that waits, be it held back by the TPR or not. */
static int irq_accept(void *ctx)
{
	struct cpu_board *cpu = ctx;

	if (unlikely(cpu->help == VCPU_APIC_ALL || pic_can_interrupt(cpu)))
		return -1;
	return vlapic_accept(&cpu->lapic);
}

COLD void board_wire_cpus(struct vm_platform *b, uint64_t lapic_timer_hz)
{
	for (unsigned i = 0; i < b->vm->vcpu_count; i++) {
		struct vcpu_access access = vcpu_hw_access_begin(b->vm->vcpus[i]);
		struct cpu_board *cpu = &b->cpus[i];
		struct vlapic_config config = {
			.page = cpu->lapic_page,
			.id = i,
			.bsp = i == 0,
			.processor_delivers = vcpu_hw_apic_help() == VCPU_APIC_ALL,
			.processor_has_tpr = vcpu_hw_apic_help() == VCPU_APIC_TPR,
			.clock = &b->vm->vcpus[i]->clock,
			.timer_hz = lapic_timer_hz,
			.ops = &apic_ops,
			.ctx = cpu,
		};

		cpu->vcpu = b->vm->vcpus[i];
		cpu->board = b;
		cpu->help = vcpu_hw_apic_help();
		cpu->irqs = (struct irq_source){
			.peek = irq_peek, .next = irq_next, .take = irq_take, .accept = irq_accept, .ctx = cpu};
		cpu->vcpu->irqs = &cpu->irqs;
		vcpu_hw_apic_attach(cpu->vcpu, cpu->lapic_page);
		cpu->seat.vcpu = cpu->vcpu;
		cpu->seat.on_cpu = SEAT_NOWHERE;
		deadline_init(&cpu->seat.alarm, seat_alarm_fire, cpu->vcpu);
		cpu->vcpu->seat = &cpu->seat;
		vlapic_init(&cpu->lapic, &config);
		cpu->vcpu->lapic = &cpu->lapic;
		cpu->vcpu->pass.possible = vcpu_hw_timer_can_pass();
		b->lapics[i] = &cpu->lapic;
		vcpu_hw_access_end(&access);
	}
}
