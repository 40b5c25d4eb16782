/* Events into the guest. The order, the windows, and what becomes of a fault that meets another one. */
#include "vmm/core/inject.h"

#include "arch/x86/regs.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

enum fault_class { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE, FAULT_DOUBLE };

/* SDM 3 "Interrupt and Exception Classes": interrupts, NMIs and whatever an instruction asked for are benign. */
static enum fault_class fault_class(uint8_t type, uint8_t vector)
{
	if (type != EVENT_EXCEPTION)
		return FAULT_BENIGN;
	switch (vector) {
	case VECTOR_DE:
	case VECTOR_TS:
	case VECTOR_NP:
	case VECTOR_SS:
	case VECTOR_GP:
	case VECTOR_CP:
		return FAULT_CONTRIBUTORY;
	case VECTOR_PF:
	case VECTOR_VE:
		return FAULT_PAGE;
	case VECTOR_DF:
		return FAULT_DOUBLE;
	default:
		return FAULT_BENIGN;
	}
}

/* SDM 3 "Conditions for Generating a Double Fault": the second fault came while the first was being delivered. */
static bool makes_double_fault(enum fault_class first, enum fault_class second)
{
	if (second == FAULT_BENIGN)
		return false;
	return first == FAULT_PAGE || (first == FAULT_CONTRIBUTORY && second == FAULT_CONTRIBUTORY);
}

static void set_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	v->inject = (struct event){.valid = true, .vector = vector, .type = EVENT_EXCEPTION};
	vcpu_request(v, VCPU_REQ_ENTRY);
	/* Real mode pushes no error codes, and an entry that says so is refused. */
	if (has_error && (vcpu_hw_get(v, VCPU_CR0) & CR0_PE) != 0) {
		v->inject.has_error = true;
		v->inject.error = error;
	}
}

/* "Handle exceptions serially": the new fault is delivered. A fault or software interrupt that it replaces comes again when
 * its instruction does. An external interrupt is gone, as on a processor, which tells the handler so by the EXT bit of
 * the error code; an NMI is kept, since nothing would ever repeat it. */
static void replace(struct vcpu *v)
{
	if (v->inject.type == EVENT_NMI)
		v->nmi_pending = true;
}

COLD void vcpu_queue_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	enum fault_class second = fault_class(EVENT_EXCEPTION, vector);

	if (v->inject.valid) {
		enum fault_class first = fault_class(v->inject.type, v->inject.vector);

		if (first == FAULT_DOUBLE && second != FAULT_BENIGN) {
			vm_set_crash(v->vm, v, "triple fault: exception %u while a double fault was delivered", vector);
			return;
		}
		if (makes_double_fault(first, second)) {
			set_exception(v, VECTOR_DF, true, 0);
			return;
		}
		replace(v);
	}
	set_exception(v, vector, has_error, error);
}

void vcpu_requeue(struct vcpu *v, const struct event *event)
{
	v->inject = *event;
	vcpu_request(v, VCPU_REQ_EVENT);
}

static void inject(struct vcpu *v, enum event_type type, uint8_t vector)
{
	v->inject = (struct event){.valid = true, .vector = vector, .type = (uint8_t)type};
}

enum irq_waits vcpu_waking_event(struct vcpu *v)
{
	const struct irq_source *irqs = v->irqs;
	enum irq_waits irq;

	if (__atomic_load_n(&v->nmi_pending, __ATOMIC_ACQUIRE))
		return IRQ_TO_INJECT;
	irq = irqs->peek(irqs->ctx);
	return irq != IRQ_NONE && (vcpu_hw_get(v, VCPU_RFLAGS) & RFLAGS_IF) != 0 ? irq : IRQ_NONE;
}

bool vcpu_inject_pending(struct vcpu *v, const struct irq_source *irqs)
{
	int vector;

	if (unlikely(__atomic_load_n(&v->vm->crash_noted, __ATOMIC_RELAXED)))
		return false;
	vector = irqs->next(irqs->ctx);
	if (unlikely(__atomic_load_n(&v->nmi_pending, __ATOMIC_ACQUIRE)) && !v->inject.valid &&
	    vcpu_hw_nmi_allowed(v)) {
		__atomic_store_n(&v->nmi_pending, false, __ATOMIC_RELAXED);
		inject(v, EVENT_NMI, VECTOR_NMI);
	}
	if (vector >= 0 && !v->inject.valid && vcpu_hw_irq_allowed(v)) {
		vector = irqs->take(irqs->ctx, vector);
		if (vector >= 0) {
			inject(v, EVENT_EXTERNAL_INTERRUPT, (uint8_t)vector);
			vector = irqs->next(irqs->ctx);
		}
	}
	/* What is left waits for the moment the guest can take it. */
	vcpu_hw_irq_window(v, vector >= 0);
	vcpu_hw_nmi_window(v, v->nmi_pending);
	return true;
}
