/* The guest's TSC. */
#include "vmm/exit/tsc.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"

void vcpu_tsc_changed(struct vcpu *v)
{
	v->tsc_offset = v->vm->clock_offset + (int64_t)v->tsc_adjust;
	vcpu_hw_set_tsc_offset(v, v->tsc_offset);
	vlapic_set_tsc_offset(v->lapic, (int64_t)v->tsc_adjust);
}

uint64_t vcpu_tsc_read(const struct vcpu *v)
{
	return vclock_now(&v->vm->clock) + v->tsc_adjust;
}

void vcpu_tsc_write(struct vcpu *v, uint64_t tsc)
{
	v->tsc_adjust += tsc - vcpu_tsc_read(v);
	vcpu_tsc_changed(v);
}
