/* Exit qualifications and interruption information, taken apart into the fields of struct vm_exit. Pure.
 * Follows SDM 3 "Basic VM-Exit Information" (tables of exit qualifications). */
#include "vmm/vmx/exit_decode.h"

#include "kernel/lib/bits.h"
#include "vmm/vmx/vmx_bits.h"

static_assert((int)EVENT_EXTERNAL_INTERRUPT == (int)INTR_TYPE_EXTERNAL && (int)EVENT_NMI == (int)INTR_TYPE_NMI &&
		      (int)EVENT_EXCEPTION == (int)INTR_TYPE_HARDWARE_EXCEPTION &&
		      (int)EVENT_SOFTWARE_INTERRUPT == (int)INTR_TYPE_SOFTWARE_INTERRUPT &&
		      (int)EVENT_SOFTWARE_EXCEPTION == (int)INTR_TYPE_SOFTWARE_EXCEPTION,
	      "enum event_type uses the processor's numbers");

void vmx_decode_event(uint32_t info, uint32_t error, uint32_t insn_len, struct event *out)
{
	out->valid = (info & INTR_VALID) != 0;
	out->vector = (uint8_t)(info & INTR_VECTOR_MASK);
	out->type = (uint8_t)((info & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT);
	out->has_error = (info & INTR_ERROR_CODE) != 0;
	out->error = out->has_error ? error : 0;
	out->insn_len = out->type >= EVENT_SOFTWARE_INTERRUPT ? insn_len : 0;
}

void vmx_decode_io_string(uint32_t insn_info, uint64_t gva, struct vm_exit *e)
{
	e->io.addr_size =
		(uint8_t)(2u << bits_extract(insn_info, INFO_IO_ADDR_SIZE_SHIFT + 1, INFO_IO_ADDR_SIZE_SHIFT));
	e->io.seg = vm_exit_io_in(e) ? (uint8_t)SEG_ES
				     : (uint8_t)bits_extract(insn_info, INFO_IO_SEG_SHIFT + 2, INFO_IO_SEG_SHIFT);
	e->io.gva = gva;
}

void vmx_decode_cr(uint64_t qual, struct vm_exit *e)
{
	e->cr.cr = (uint8_t)(qual & 0xf);
	e->cr.op = (uint8_t)(qual >> QUAL_CR_KIND_SHIFT & 3);
	e->cr.gpr = (uint8_t)(qual >> QUAL_CR_GPR_SHIFT & 0xf);
	e->cr.msw = (uint16_t)(qual >> QUAL_CR_LMSW_SHIFT);
	e->value = e->cr.cr;
}

void vmx_decode_dr(uint64_t qual, struct vm_exit *e)
{
	e->dr.dr = (uint8_t)(qual & 7);
	e->dr.from = (qual & QUAL_DR_FROM) != 0;
	e->dr.gpr = (uint8_t)(qual >> QUAL_CR_GPR_SHIFT & 0xf);
	e->value = e->dr.dr;
}

void vmx_decode_apic_access(uint64_t qual, struct vm_exit *e)
{
	unsigned kind = (unsigned)bits_extract(qual, 15, 12);

	e->apic.offset = (uint16_t)(qual & 0xfff);
	e->apic.write = kind == APIC_ACCESS_LINEAR_WRITE;
	e->apic.fetch = kind == APIC_ACCESS_LINEAR_FETCH;
	e->value = e->apic.offset;
}
