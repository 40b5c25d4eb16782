/* The segments of 64-bit mode: a flat code and a flat data segment, and the TSS, which holds nothing but stacks. Each CPU has
 * its own table, because its TSS descriptor stands in it. SDM 3 "Segmentation in 64-Bit Mode", "64-Bit TSS". */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"

/* The order is free; VT-x wants the host's selectors with RPL 0 and TR's not 0. */
#define SEL_CODE 0x08u
#define SEL_DATA 0x10u
#define SEL_TSS 0x18u

/* Interrupt stack table entries, as numbered in IDT gates; 0 = stay on the stack in use. */
#define IST_NONE 0u
#define IST_NMI 1u
#define IST_DOUBLE_FAULT 2u
#define IST_MACHINE_CHECK 3u

struct gdt {
	uint64_t null;
	uint64_t code;
	uint64_t data;
	uint64_t tss_low;
	uint64_t tss_high;
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[0] is IST 1 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_bitmap; /* at or beyond the limit: there is none */
} PACKED;

static_assert(sizeof(struct gdt) == 40, "GDT: five entries");
static_assert(sizeof(struct tss) == 104, "64-bit TSS");
static_assert(offsetof(struct tss, ist) == 0x24, "SDM 3 figure \"64-Bit TSS Format\"");

void gdt_init(struct gdt *gdt, struct tss *tss);
void gdt_load(const struct gdt *gdt);
