/* Instructions of a guest that touch device memory, as they were decoded last time: a driver does it from few places, over
 * and over. Only data; what makes an entry valid, and what is done with it, is in vmm/exit/mmio_site.c. */
#pragma once

#include "kernel/lib/compiler.h"

/* See vcpu_hw_code_view(). */
struct code_view {
	uint64_t cr3;
	uint64_t cs_base; /* 0 in 64-bit code */
	uint64_t how;
};

#define CODE_VIEW_LONG BIT64(0)

#define MMIO_SITES 8u /* a power of two */
#define MMIO_SITE_STEPS 4u
#define MMIO_SITE_NO_REG 0xffu

/* A move between a register or an immediate and memory. */
struct mmio_move {
	uint8_t bytes; /* of the access */
	bool store;
	uint8_t reg;       /* the other operand; MMIO_SITE_NO_REG: `imm` is stored */
	uint8_t reg_bytes; /* what a load writes, its upper part zero */
	uint8_t base, index, shift;
	uint8_t seg;    /* MMIO_SITE_NO_REG: its base is 0 */
	uint8_t length; /* of the instruction */
	int64_t disp;   /* with the next RIP in it where the operand is relative to that */
	uint64_t imm;
	uint64_t value_mask; /* of the access */
	uint64_t address_mask,
		linear_mask; /* what the address size and the mode leave of an offset and of an address */
};

struct mmio_site {
	uint64_t rip;
	struct code_view view;
	uint64_t generation;  /* slpt_generation(): the pointers below are good as long as it is the same */
	const uint64_t *code; /* the instruction in the guest's RAM; NULL: the entry is free */
	uint64_t bytes[2], mask[2];
	/* The entries of the guest's page tables that lead to it. */
	const uint64_t *step[MMIO_SITE_STEPS];
	uint64_t step_value[MMIO_SITE_STEPS], step_mask[MMIO_SITE_STEPS];
	unsigned steps;
	uint32_t top_offset; /* of the first one in its table */
	struct mmio_move move;
};
