/* The interrupt wires of the board. An ISA interrupt goes to a pin of the 8259 pair and to one of the I/O APIC (IRQ 0 to
 * pin 2, as on every PC); the 8259's output goes to LINT0 of the first local APIC; the I/O APIC and the local APICs send
 * messages to local APICs. */
#include "vmm/life/board.h"

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

void board_wire_controllers(struct vm_platform *b)
{
	struct irq_line intr = {.set = intr_set, .ctx = b, .pin = 0};

	vpic_init(&b->pic, &intr);
	vioapic_init(&b->ioapic, ioapic_deliver, b);
}

static void apic_raised(void *ctx)
{
	vcpu_request(((struct cpu_board *)ctx)->vcpu, VCPU_REQ_EVENT);
}

static void apic_nmi(void *ctx)
{
	struct vcpu *v = ((struct cpu_board *)ctx)->vcpu;

	v->nmi_pending = true;
	vcpu_request(v, VCPU_REQ_EVENT);
}

static void apic_init(void *ctx)
{
	vcpu_request(((struct cpu_board *)ctx)->vcpu, VCPU_REQ_INIT);
}

static void apic_startup(void *ctx, uint8_t vector)
{
	struct vcpu *v = ((struct cpu_board *)ctx)->vcpu;

	v->sipi_vector = vector;
	vcpu_request(v, VCPU_REQ_SIPI);
}

static void apic_send_ipi(void *ctx, const struct vlapic_ipi *ipi)
{
	struct cpu_board *cpu = ctx;

	vlapic_route(cpu->board->lapics, cpu->board->vm->vcpu_count, &cpu->lapic, ipi);
}

static void apic_eoi(void *ctx, uint8_t vector)
{
	vioapic_eoi(&((struct cpu_board *)ctx)->board->ioapic, vector);
}

static const struct vlapic_ops apic_ops = {
	.raised = apic_raised,
	.nmi = apic_nmi,
	.init = apic_init,
	.startup = apic_startup,
	.send_ipi = apic_send_ipi,
	.eoi = apic_eoi,
};

static bool pic_can_interrupt(const struct cpu_board *cpu)
{
	return cpu->vcpu->index == 0 && vpic_pending(&cpu->board->pic) && vlapic_accepts_pic(&cpu->lapic);
}

/* The 8259 knows its vector only when it is acknowledged; until then any number says that there is one. */
static int irq_peek(void *ctx)
{
	struct cpu_board *cpu = ctx;

	return pic_can_interrupt(cpu) ? 0 : vlapic_pending(&cpu->lapic);
}

static int irq_take(void *ctx)
{
	struct cpu_board *cpu = ctx;

	return pic_can_interrupt(cpu) ? vpic_ack(&cpu->board->pic) : vlapic_ack(&cpu->lapic);
}

void board_wire_cpus(struct vm_platform *b, uint64_t lapic_timer_hz)
{
	for (unsigned i = 0; i < b->vm->vcpu_count; i++) {
		struct cpu_board *cpu = &b->cpus[i];
		struct vlapic_config config = {
			.page = cpu->lapic_page,
			.id = i,
			.bsp = i == 0,
			.clock = &b->vm->vcpus[i]->clock,
			.timer_hz = lapic_timer_hz,
			.ops = &apic_ops,
			.ctx = cpu,
		};

		cpu->vcpu = b->vm->vcpus[i];
		cpu->board = b;
		cpu->irqs = (struct irq_source){.peek = irq_peek, .take = irq_take, .ctx = cpu};
		vlapic_init(&cpu->lapic, &config);
		cpu->vcpu->lapic = &cpu->lapic;
		b->lapics[i] = &cpu->lapic;
	}
}
