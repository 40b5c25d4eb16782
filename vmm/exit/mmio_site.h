/* The short way for moves from and to device memory: decode once, prove each time that it is the same instruction. */
#pragma once

#include "vmm/core/mmio_site.h"
#include "vmm/core/vcpu.h"
#include "vmm/decode/decode.h"

/* The move that made the access of this EPT violation, when it is known, still what it was, and within one page; else NULL.
 * The operand is at e->mem.gpa. */
const struct mmio_move *mmio_site_find(struct vcpu *v, const struct vm_exit *e);

/* Remember the instruction, if it is of the kind that can be. bytes, count: what `insn` was decoded from. */
void mmio_site_learn(struct vcpu *v, const struct vm_exit *e, const struct insn *insn, const uint8_t *bytes,
		     size_t count);
