/* The guest's TSC. */
#include "vmm/exit/tsc.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/timer_pass.h"

static inline void offset_changed(struct vcpu *v)
{
	uint64_t over_clock = v->vm->tsc_base + v->tsc_adjust;

	v->tsc_offset = v->vm->clock_offset + (int64_t)over_clock;
	vcpu_hw_set_tsc_offset(v, v->tsc_offset);
	vlapic_set_tsc_offset(v->lapic, (int64_t)over_clock);
}

__attribute__((noinline)) static void with_timer_passed(struct vcpu *v)
{
	timer_pass_end(v);
	offset_changed(v);
}

void vcpu_tsc_changed(struct vcpu *v)
{
	if (unlikely(v->pass.on))
		with_timer_passed(v);
	else
		offset_changed(v);
}

uint64_t vcpu_tsc_read(const struct vcpu *v)
{
	return vclock_now(&v->vm->clock) + v->vm->tsc_base + v->tsc_adjust;
}

void vcpu_tsc_write(struct vcpu *v, uint64_t tsc)
{
	v->tsc_adjust += tsc - vcpu_tsc_read(v);
	vcpu_tsc_changed(v);
}
