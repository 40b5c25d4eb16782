/* The local APIC against SDM 3 "Advanced Programmable Interrupt Controller (APIC)": every register in both faces, the
 * modes, acceptance and priorities, EOI, errors, IPIs and who gets them, and the timer in its three modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "drivers/regs/lapic.h"
#include "kernel/lib/compiler.h"
#include "vmm/devices/vlapic.h"

#define CPUS 4u

struct cpu {
	struct vlapic apic;
	uint8_t requested;
	unsigned raised, nmis, inits, startups, ipis, eois, modes;
	uint64_t levels[4];
	uint8_t startup_vector, eoi_vector;
	struct vlapic_ipi ipi;
	uint8_t page[4096] ALIGNED(4096);
};

static struct machine {
	uint64_t now;
	struct vclock clock;
	struct cpu cpus[CPUS];
	struct vlapic *set[CPUS];
} m;

static uint64_t get_now(void *ctx)
{
	return ((struct machine *)ctx)->now;
}

static void on_raised(void *ctx)
{
	((struct cpu *)ctx)->raised++;
}

static void on_nmi(void *ctx)
{
	((struct cpu *)ctx)->nmis++;
}

static void on_init(void *ctx)
{
	((struct cpu *)ctx)->inits++;
}

static void on_startup(void *ctx, uint8_t vector)
{
	struct cpu *c = ctx;

	c->startups++;
	c->startup_vector = vector;
}

static void on_ipi(void *ctx, uint32_t low, uint32_t dest)
{
	struct cpu *c = ctx;

	c->ipis++;
	c->ipi = vlapic_message(&c->apic, low, dest);
}

static void on_eoi(void *ctx, uint8_t vector)
{
	struct cpu *c = ctx;

	c->eois++;
	c->eoi_vector = vector;
}

static void on_mode(void *ctx)
{
	((struct cpu *)ctx)->modes++;
}

static void on_levels(void *ctx, unsigned quarter, uint64_t levels)
{
	((struct cpu *)ctx)->levels[quarter] = levels;
}

static void on_requested(void *ctx, uint8_t vector)
{
	((struct cpu *)ctx)->requested = vector;
}

static const struct vlapic_ops ops = {.raised = on_raised,
				      .requested = on_requested,
				      .nmi = on_nmi,
				      .init = on_init,
				      .startup = on_startup,
				      .send_ipi = on_ipi,
				      .eoi = on_eoi,
				      .mode = on_mode,
				      .levels = on_levels};

static int vlapic_ack(struct vlapic *v)
{
	int vector = vlapic_pending(v);

	if (vector >= 0)
		vlapic_take(v, (uint8_t)vector);
	return vector;
}

static void start(uint64_t hz, uint64_t timer_hz)
{
	memset(&m, 0, sizeof(m));
	m.now = 1000;
	m.clock = (struct vclock){.now = get_now, .ctx = &m, .hz = hz};
	for (unsigned i = 0; i < CPUS; i++) {
		struct vlapic_config config = {.page = m.cpus[i].page,
					       .id = i,
					       .bsp = i == 0,
					       .clock = &m.clock,
					       .timer_hz = timer_hz,
					       .ops = &ops,
					       .ctx = &m.cpus[i]};

		memset(m.cpus[i].page, 0xa5, sizeof(m.cpus[i].page));
		vlapic_init(&m.cpus[i].apic, &config);
		vlapic_reset(&m.cpus[i].apic, false);
		m.set[i] = &m.cpus[i].apic;
	}
}

static int setup(void **state)
{
	(void)state;
	start(1000000000, 1000000000);
	return 0;
}

#define C0 (&m.cpus[0])
#define A0 (&m.cpus[0].apic)

static uint32_t rd(unsigned offset)
{
	return (uint32_t)vlapic_mmio_read(A0, offset, 4);
}

static void wr(unsigned offset, uint32_t value)
{
	vlapic_mmio_write(A0, offset, 4, value);
}

/* A wire changes, and the owner looks. */
static void lint(unsigned n, bool high)
{
	vlapic_set_lint(A0, n, high);
	vlapic_pending(A0);
}

static void enable(struct vlapic *v)
{
	vlapic_mmio_write(v, LAPIC_SVR, 4, LAPIC_SVR_ENABLE | 0xff);
}

static void go_x2apic(struct vlapic *v)
{
	assert_int_equal(vlapic_msr_write(v, MSR_IA32_APIC_BASE_INDEX, vlapic_base(v) | APIC_BASE_EN | APIC_BASE_EXTD),
			 0);
	assert_int_equal(v->mode, VLAPIC_X2APIC);
}

static uint64_t rdx(unsigned offset)
{
	uint64_t value = 0xdeadbeefdeadbeef;

	assert_int_equal(vlapic_msr_read(A0, X2APIC_MSR(offset), &value), 0);
	return value;
}

static int wrx(unsigned offset, uint64_t value)
{
	return vlapic_msr_write(A0, X2APIC_MSR(offset), value);
}

static bool fixed(struct vlapic *v, unsigned vector)
{
	return vlapic_deliver(v, VLAPIC_FIXED, (uint8_t)vector, false);
}

static void advance(uint64_t ticks)
{
	m.now += ticks;
	vclock_expire(&m.clock, m.now);
}

/* --- states --- */

static const unsigned lvts[] = {LAPIC_LVT_CMCI,  LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERF,
				LAPIC_LVT_LINT0, LAPIC_LVT_LINT1, LAPIC_LVT_ERROR};

static void assert_reset_registers(void)
{
	assert_int_equal(rd(LAPIC_VERSION), 0x01060014);
	assert_int_equal(rd(LAPIC_TPR), 0);
	assert_int_equal(rd(LAPIC_PPR), 0);
	assert_int_equal(rd(LAPIC_LDR), 0);
	assert_int_equal(rd(LAPIC_DFR), 0xffffffff);
	assert_int_equal(rd(LAPIC_SVR), 0xff);
	assert_int_equal(rd(LAPIC_ESR), 0);
	assert_int_equal(rd(LAPIC_ICR_LOW), 0);
	assert_int_equal(rd(LAPIC_ICR_HIGH), 0);
	assert_int_equal(rd(LAPIC_TIMER_INITIAL), 0);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
	assert_int_equal(rd(LAPIC_TIMER_DIVIDE), 0);
	for (unsigned i = 0; i < ARRAY_LEN(lvts); i++)
		assert_int_equal(rd(lvts[i]), LAPIC_LVT_MASKED);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(rd(LAPIC_ISR + i * 16), 0);
		assert_int_equal(rd(LAPIC_TMR + i * 16), 0);
		assert_int_equal(rd(LAPIC_IRR + i * 16), 0);
	}
}

static void test_power_up(void **state)
{
	(void)state;
	assert_reset_registers();
	assert_int_equal(rd(LAPIC_ID), 0);
	assert_int_equal(vlapic_mmio_read(&m.cpus[3].apic, LAPIC_ID, 4), 3u << 24);
	assert_int_equal(vlapic_base(A0), 0xfee00900);
	assert_int_equal(vlapic_base(&m.cpus[1].apic), 0xfee00800);
	assert_ptr_equal(vlapic_page(A0), C0->page);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(vlapic_ack(A0), -1);
	assert_false(vlapic_accepts_pic(A0));
}

static void test_init_reset(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_TPR, 0x20);
	wr(LAPIC_LDR, 0x01000000);
	wr(LAPIC_DFR, 0x0fffffff);
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC);
	wr(LAPIC_TIMER_INITIAL, 100000);
	fixed(A0, 0x50);
	fixed(A0, 0x60);
	vlapic_ack(A0);
	assert_true(A0->timer.alarm.armed);
	vlapic_reset(A0, true);
	assert_reset_registers();
	assert_false(A0->timer.alarm.armed);
	assert_int_equal(vlapic_pending(A0), -1);

	/* INIT keeps x2APIC mode with its ID and LDR; power-up does not. */
	struct vlapic *v = &m.cpus[3].apic;

	go_x2apic(v);
	vlapic_reset(v, true);
	assert_int_equal(v->mode, VLAPIC_X2APIC);
	uint64_t value;
	assert_int_equal(vlapic_msr_read(v, 0x802, &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(vlapic_msr_read(v, 0x80d, &value), 0);
	assert_int_equal(value, 8);
	vlapic_reset(v, false);
	assert_int_equal(v->mode, VLAPIC_XAPIC);
	assert_int_equal(vlapic_mmio_read(v, LAPIC_ID, 4), 3u << 24);
}

static void test_virtual_wire(void **state)
{
	(void)state;
	vlapic_set_virtual_wire(A0);
	vlapic_set_virtual_wire(&m.cpus[1].apic);
	assert_true(vlapic_accepts_pic(A0));
	assert_false(vlapic_accepts_pic(&m.cpus[1].apic));
	assert_int_equal(rd(LAPIC_LVT_LINT1), 0x400);
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT | LAPIC_LVT_MASKED);
	assert_false(vlapic_accepts_pic(A0));
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	assert_true(vlapic_accepts_pic(A0));
	wr(LAPIC_LVT_LINT0, 0x33);
	assert_false(vlapic_accepts_pic(A0));
	lint(1, true);
	assert_int_equal(C0->nmis, 1);
	lint(1, true);
	assert_int_equal(C0->nmis, 1);
	lint(1, false);
	lint(1, true);
	assert_int_equal(C0->nmis, 2);
}

/* --- the page --- */

static void test_mmio_sizes(void **state)
{
	(void)state;
	wr(LAPIC_LDR, 0xab123456);
	assert_int_equal(rd(LAPIC_LDR), 0xab000000);
	assert_int_equal(vlapic_mmio_read(A0, LAPIC_LDR + 3, 1), 0xab);
	assert_int_equal(vlapic_mmio_read(A0, LAPIC_LDR + 2, 2), 0xab00);
	assert_int_equal(vlapic_mmio_read(A0, LAPIC_LDR, 8), 0xab000000);
	for (unsigned i = 4; i < 16; i++)
		assert_int_equal(vlapic_mmio_read(A0, LAPIC_LDR + i, 1), 0);
	vlapic_mmio_write(A0, LAPIC_LDR, 1, 0);
	vlapic_mmio_write(A0, LAPIC_LDR, 2, 0);
	vlapic_mmio_write(A0, LAPIC_LDR, 8, 0);
	vlapic_mmio_write(A0, LAPIC_LDR + 4, 4, 0);
	assert_int_equal(rd(LAPIC_LDR), 0xab000000);
	/* The last byte of the page, and everything behind the last register. */
	assert_int_equal(vlapic_mmio_read(A0, 0xfff, 1), 0);
	wr(0xff0, 0xffffffff);
}

static void test_mmio_reserved(void **state)
{
	static const unsigned reserved[] = {0x000, 0x010, 0x040, 0x090, 0x0c0, 0x290,
					    0x2e0, 0x3a0, 0x3f0, 0x400, 0xff0};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
		assert_int_equal(rd(reserved[i]), 0);
		assert_int_equal(rd(LAPIC_ESR), 0);
		wr(LAPIC_ESR, 0);
		assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_ILLEGAL_REGISTER);
		wr(LAPIC_ESR, 0);
		assert_int_equal(rd(LAPIC_ESR), 0);
		wr(reserved[i], 0xffffffff);
		wr(LAPIC_ESR, 0xffffffff);
		assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_ILLEGAL_REGISTER);
		wr(LAPIC_ESR, 0);
	}
}

static void test_mmio_writable_bits(void **state)
{
	static const struct {
		unsigned offset;
		uint32_t ones, zeros; /* what reads back after writing all ones, all zeros */
	} rows[] = {
		{LAPIC_ID, 0, 0},
		{LAPIC_VERSION, 0x01060014, 0x01060014},
		{LAPIC_TPR, 0xff, 0},
		{LAPIC_PPR, 0, 0},
		{LAPIC_LDR, 0xff000000, 0},
		{LAPIC_DFR, 0xffffffff, 0x0fffffff},
		{LAPIC_LVT_CMCI, 0x107ff, 0},
		{LAPIC_LVT_TIMER, 0x700ff, 0},
		{LAPIC_LVT_THERMAL, 0x107ff, 0},
		{LAPIC_LVT_PERF, 0x107ff, 0},
		{LAPIC_LVT_LINT0, 0x1a7ff, 0},
		{LAPIC_LVT_LINT1, 0x1a7ff, 0},
		{LAPIC_LVT_ERROR, 0x100ff, 0},
		{LAPIC_ICR_HIGH, 0xff000000, 0},
		{LAPIC_TIMER_CURRENT, 0, 0},
		{LAPIC_TIMER_DIVIDE, 0xb, 0},
		{LAPIC_SVR, 0x13ff, 0},
	};

	(void)state;
	enable(A0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		wr(rows[i].offset, 0xffffffff);
		if (rows[i].offset == LAPIC_TPR)
			assert_int_equal(rd(LAPIC_PPR), 0xff);
		assert_int_equal(rd(rows[i].offset), rows[i].ones);
		wr(rows[i].offset, 0);
		assert_int_equal(rd(rows[i].offset), rows[i].zeros);
	}
	for (unsigned i = 0; i < 24; i++) {
		wr(LAPIC_ISR + i * 16, 0xffffffff);
		assert_int_equal(rd(LAPIC_ISR + i * 16), 0);
	}
	assert_int_equal(rd(LAPIC_EOI), 0);
}

static void test_software_disable(void **state)
{
	(void)state;
	/* While disabled the mask bits stay set. */
	for (unsigned i = 0; i < ARRAY_LEN(lvts); i++) {
		wr(lvts[i], 0x41);
		assert_int_equal(rd(lvts[i]), LAPIC_LVT_MASKED | 0x41);
	}
	assert_false(fixed(A0, 0x41));
	assert_int_equal(vlapic_pending(A0), -1);
	/* NMI, INIT and SIPI get through. */
	assert_true(vlapic_deliver(A0, VLAPIC_NMI, 0, false));
	assert_true(vlapic_deliver(A0, VLAPIC_INIT, 0, false));
	assert_true(vlapic_deliver(A0, VLAPIC_STARTUP, 0x9a, false));
	assert_int_equal(C0->nmis, 1);
	assert_int_equal(C0->inits, 1);
	assert_int_equal(C0->startups, 1);
	assert_int_equal(C0->startup_vector, 0x9a);
	enable(A0);
	for (unsigned i = 0; i < ARRAY_LEN(lvts); i++) {
		assert_int_equal(rd(lvts[i]), LAPIC_LVT_MASKED | 0x41);
		wr(lvts[i], 0x41);
		assert_int_equal(rd(lvts[i]), 0x41);
	}
	assert_true(fixed(A0, 0x41));
	/* Disabling masks them again and holds what is pending. */
	wr(LAPIC_SVR, 0xff);
	for (unsigned i = 0; i < ARRAY_LEN(lvts); i++)
		assert_int_equal(rd(lvts[i]), LAPIC_LVT_MASKED | 0x41);
	assert_int_equal(vlapic_pending(A0), 0x41);
	assert_false(vlapic_deliver(A0, VLAPIC_SMI, 0, false));
	assert_false(vlapic_deliver(A0, VLAPIC_EXTINT, 0, false));
}

/* --- acceptance, priorities, EOI --- */

static void test_accept_and_eoi(void **state)
{
	(void)state;
	enable(A0);
	assert_true(fixed(A0, 0x31));
	assert_int_equal(C0->raised, 1);
	assert_int_equal(rd(LAPIC_IRR + 0x10), 1u << 17);
	/* The same again merges: with the one in IRR, and with one that has not got there. */
	assert_true(fixed(A0, 0x31));
	unsigned raised = C0->raised;
	assert_true(fixed(A0, 0x31));
	assert_int_equal(C0->raised, raised);
	assert_int_equal(A0->coalesced, 1);
	assert_int_equal(vlapic_pending(A0), 0x31);
	assert_int_equal(vlapic_ack(A0), 0x31);
	assert_int_equal(rd(LAPIC_IRR + 0x10), 0);
	assert_int_equal(rd(LAPIC_ISR + 0x10), 1u << 17);
	assert_int_equal(rd(LAPIC_PPR), 0x30);
	/* One more of the same vector may wait behind the one in service. */
	assert_true(fixed(A0, 0x31));
	assert_int_equal(vlapic_pending(A0), -1);
	/* The same class does not interrupt, a higher one does. */
	fixed(A0, 0x3f);
	assert_int_equal(vlapic_pending(A0), -1);
	fixed(A0, 0x40);
	assert_int_equal(vlapic_ack(A0), 0x40);
	assert_int_equal(rd(LAPIC_PPR), 0x40);
	wr(LAPIC_EOI, 0);
	assert_int_equal(rd(LAPIC_ISR + 0x20), 0);
	assert_int_equal(rd(LAPIC_PPR), 0x30);
	assert_int_equal(vlapic_pending(A0), -1);
	raised = C0->raised;
	wr(LAPIC_EOI, 0x1234); /* any value */
	assert_true(C0->raised > raised);
	assert_int_equal(vlapic_ack(A0), 0x3f);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_ack(A0), 0x31);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(rd(LAPIC_PPR), 0);
	/* An EOI with nothing in service is nothing. */
	vlapic_eoi(A0);
	assert_int_equal(C0->eois, 0);
}

static void test_all_vectors_in_order(void **state)
{
	(void)state;
	enable(A0);
	for (unsigned i = 16; i < 256; i++)
		assert_true(fixed(A0, i));
	for (unsigned i = 255; i >= 16; i--) {
		assert_int_equal(vlapic_ack(A0), i);
		vlapic_eoi(A0);
	}
	assert_int_equal(vlapic_ack(A0), -1);
	/* Nested, one per class. */
	for (unsigned class = 1; class < 16; class ++) {
		fixed(A0, class * 16 + class);
		assert_int_equal(vlapic_ack(A0), class * 16 + class);
	}
	for (unsigned class = 15; class >= 1; class --) {
		assert_int_equal(rd(LAPIC_PPR), class * 16);
		vlapic_eoi(A0);
	}
	assert_int_equal(rd(LAPIC_PPR), 0);
}

static void test_tpr(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_TPR, 0x53);
	assert_int_equal(vlapic_get_cr8(A0), 5);
	assert_int_equal(rd(LAPIC_PPR), 0x53);
	fixed(A0, 0x5f);
	assert_int_equal(vlapic_pending(A0), -1);
	unsigned raised = C0->raised;
	vlapic_set_cr8(A0, 4);
	assert_int_equal(rd(LAPIC_TPR), 0x40);
	assert_int_equal(C0->raised, raised + 1);
	assert_int_equal(vlapic_ack(A0), 0x5f);
	/* PPR is the higher of the two. */
	assert_int_equal(rd(LAPIC_PPR), 0x50);
	vlapic_set_cr8(A0, 0xf);
	assert_int_equal(rd(LAPIC_PPR), 0xf0);
	fixed(A0, 0xff);
	assert_int_equal(vlapic_pending(A0), -1);
	vlapic_eoi(A0);
	assert_int_equal(rd(LAPIC_PPR), 0xf0);
	vlapic_set_cr8(A0, 0xe);
	assert_int_equal(vlapic_pending(A0), 0xff);
	/* Raising TPR tells nobody. */
	raised = C0->raised;
	wr(LAPIC_TPR, 0xff);
	assert_int_equal(C0->raised, raised);
}

static void test_illegal_vectors(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_LVT_ERROR, 0xfe);
	for (unsigned i = 0; i < 16; i++)
		assert_false(fixed(A0, i));
	wr(LAPIC_ESR, 0);
	assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
	assert_int_equal(vlapic_ack(A0), 0xfe);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_pending(A0), -1);
	/* The write rearmed it. Sent ones do not leave. */
	wr(LAPIC_ICR_LOW, 0x0f);
	assert_int_equal(C0->ipis, 0);
	assert_int_equal(vlapic_ack(A0), 0xfe);
	vlapic_eoi(A0);
	wr(LAPIC_ICR_LOW, 0x05 | LAPIC_ICR_DM_LOWEST);
	assert_int_equal(vlapic_ack(A0), -1);
	/* ESR shows what was latched by the last write, not what came since. */
	assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
	wr(LAPIC_ESR, 0);
	assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_SEND_ILLEGAL_VECTOR);
	/* An error LVT with an illegal vector of its own ends somewhere. */
	wr(LAPIC_LVT_ERROR, 0x03);
	wr(LAPIC_ICR_LOW, 0x02);
	wr(LAPIC_ESR, 0);
	assert_int_equal(rd(LAPIC_ESR), LAPIC_ESR_SEND_ILLEGAL_VECTOR | LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
}

static void test_level_eoi(void **state)
{
	(void)state;
	enable(A0);
	assert_true(vlapic_deliver(A0, VLAPIC_FIXED, 0x44, true));
	assert_int_equal(rd(LAPIC_TMR + 0x20), 1u << 4);
	vlapic_ack(A0);
	vlapic_eoi(A0);
	assert_int_equal(C0->eois, 1);
	assert_int_equal(C0->eoi_vector, 0x44);
	/* TMR follows the last acceptance. */
	fixed(A0, 0x44);
	assert_int_equal(rd(LAPIC_TMR + 0x20), 0);
	vlapic_ack(A0);
	vlapic_eoi(A0);
	assert_int_equal(C0->eois, 1);
	/* Suppressed broadcast: the guest uses the I/O APIC's EOI register. */
	wr(LAPIC_SVR, 0x1ff | LAPIC_SVR_EOI_SUPPRESS);
	vlapic_deliver(A0, VLAPIC_LOWEST, 0x44, true);
	vlapic_ack(A0);
	vlapic_eoi(A0);
	assert_int_equal(C0->eois, 1);
}

static void test_lint0(void **state)
{
	(void)state;
	enable(A0);
	/* Edge: each rise one interrupt. */
	wr(LAPIC_LVT_LINT0, 0x51);
	lint(0, true);
	assert_int_equal(vlapic_ack(A0), 0x51);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_pending(A0), -1);
	lint(0, false);
	/* Level: remote IRR until EOI, and again while the wire is high. */
	wr(LAPIC_LVT_LINT0, 0x52 | LAPIC_LVT_LEVEL);
	lint(0, true);
	assert_int_equal(rd(LAPIC_LVT_LINT0), 0x52 | LAPIC_LVT_LEVEL | LAPIC_LVT_REMOTE_IRR);
	assert_int_equal(vlapic_ack(A0), 0x52);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_ack(A0), 0x52);
	lint(0, false);
	vlapic_eoi(A0);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(rd(LAPIC_LVT_LINT0), 0x52 | LAPIC_LVT_LEVEL);
	/* ExtINT only reports; unmasking with the wire high reports too. */
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT | LAPIC_LVT_MASKED);
	lint(0, true);
	unsigned raised = C0->raised;
	assert_int_equal(vlapic_pending(A0), -1);
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	assert_int_equal(C0->raised, raised + 1);
	assert_int_equal(vlapic_pending(A0), -1);
	/* INIT through LINT1. */
	wr(LAPIC_LVT_LINT1, LAPIC_LVT_DM_INIT);
	lint(1, true);
	assert_int_equal(C0->inits, 1);
}

/* --- what others leave, and a processor that delivers --- */

/* Nobody but the owner touches the page: what another CPU delivers appears when the owner looks. */
static void test_arrivals_wait_for_the_owner(void **state)
{
	const uint32_t *regs = vlapic_page(A0);

	(void)state;
	enable(A0);
	wr(LAPIC_LVT_ERROR, 0xfe);
	assert_true(vlapic_deliver(A0, VLAPIC_FIXED, 0x91, true));
	assert_false(fixed(A0, 3));
	vlapic_set_lint(A0, 1, true);
	assert_int_equal(regs[(LAPIC_IRR + 0x40) / 4] | regs[(LAPIC_TMR + 0x40) / 4] | regs[(LAPIC_IRR + 0x70) / 4], 0);
	assert_true(C0->raised >= 3);
	assert_int_equal(vlapic_pending(A0), 0xfe);
	assert_int_equal(regs[(LAPIC_IRR + 0x40) / 4], 1u << 17);
	assert_int_equal(regs[(LAPIC_TMR + 0x40) / 4], 1u << 17);
	/* INIT throws away what has not got there either. */
	fixed(A0, 0x92);
	vlapic_reset(A0, true);
	enable(A0);
	assert_int_equal(vlapic_pending(A0), -1);
}

/* The threshold is the request's class, as long as TPR alone is in its way. */
static void test_tpr_threshold(void **state)
{
	uint32_t *regs = vlapic_page(A0);

	(void)state;
	enable(A0);
	assert_int_equal(vlapic_tpr_threshold(A0), 0);
	regs[LAPIC_TPR / 4] = 0x70; /* by the processor, unseen */
	fixed(A0, 0x61);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(vlapic_tpr_threshold(A0), 6);
	assert_int_equal(rd(LAPIC_PPR), 0x70);
	regs[LAPIC_TPR / 4] = 0x6f;
	assert_int_equal(vlapic_tpr_threshold(A0), 6);
	regs[LAPIC_TPR / 4] = 0x5f;
	assert_int_equal(vlapic_tpr_threshold(A0), 0);
	assert_int_equal(vlapic_ack(A0), 0x61);
	regs[LAPIC_TPR / 4] = 0x70;
	fixed(A0, 0x62); /* behind the one in service, whatever TPR is */
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(vlapic_tpr_threshold(A0), 0);
	fixed(A0, 0x71);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(vlapic_tpr_threshold(A0), 7);
	/* What waited for an EOI may wait for TPR after it: the owner has to set the threshold. */
	unsigned raised = C0->raised;
	vlapic_eoi(A0);
	assert_int_equal(C0->raised, raised);
	A0->processor_has_tpr = true;
	fixed(A0, 0x21);
	vlapic_pending(A0);
	regs[LAPIC_TPR / 4] = 0x80;
	raised = C0->raised;
	vlapic_eoi(A0);
	assert_int_equal(C0->raised, raised);
	regs[(LAPIC_ISR + 0x40) / 4] = 1;
	A0->isr_words = 0xff;
	vlapic_eoi(A0);
	assert_int_equal(C0->raised, raised + 1);
}

static void start_delivering(void)
{
	struct vlapic_config config = {.page = C0->page,
				       .bsp = true,
				       .processor_delivers = true,
				       .clock = &m.clock,
				       .timer_hz = 1000000000,
				       .ops = &ops,
				       .ctx = C0};

	vlapic_init(A0, &config);
	vlapic_reset(A0, false);
	enable(A0);
}

static void test_processor_delivers(void **state)
{
	uint32_t *regs = vlapic_page(A0);

	(void)state;
	start_delivering();
	fixed(A0, 0x61);
	fixed(A0, 0x92);
	assert_int_equal(vlapic_pending(A0), 0x92);
	assert_int_equal(vlapic_requested(A0), 0x92);
	assert_int_equal(vlapic_in_service(A0), 0);
	/* It moves 0x92 from IRR to ISR by itself, and an IPI to oneself comes in. */
	regs[(LAPIC_IRR + 0x40) / 4] = 0;
	regs[(LAPIC_ISR + 0x40) / 4] = 1u << 18;
	regs[(LAPIC_IRR + 0x70) / 4] = 1u << 1;
	assert_int_equal(vlapic_requested(A0), 0xe1);
	assert_int_equal(vlapic_in_service(A0), 0x92);
	assert_int_equal(vlapic_pending(A0), 0xe1);
	regs[(LAPIC_IRR + 0x70) / 4] = 0;
	assert_int_equal(vlapic_pending(A0), -1);
	/* Now and then an EOI comes to us after all. */
	unsigned raised = C0->raised;
	vlapic_eoi(A0);
	assert_int_equal(vlapic_in_service(A0), 0);
	assert_true(C0->raised > raised);
	/* Also one behind which nothing waits: the processor would go on to take it for in service. */
	regs[(LAPIC_IRR + 0x30) / 4] = 0;
	regs[(LAPIC_ISR + 0x40) / 4] = 1u << 18;
	raised = C0->raised;
	vlapic_eoi(A0);
	assert_int_equal(C0->raised, raised + 1);
	regs[(LAPIC_IRR + 0x30) / 4] = 1u << 1;
	assert_int_equal(vlapic_pending(A0), 0x61);
	vlapic_reset(A0, true);
	assert_int_equal(vlapic_requested(A0), 0);
}

/* An IPI to oneself is in IRR at once, and the processor is told of it alone; one that is there already is no news. */
static void test_processor_is_told_of_ones_own(void **state)
{
	unsigned raised;

	(void)state;
	start_delivering();
	go_x2apic(A0);
	(void)vlapic_settle(A0);
	raised = C0->raised;
	assert_int_equal(vlapic_msr_write(A0, X2APIC_MSR(LAPIC_ICR_LOW), 0x40000 | 0x71), 0);
	assert_int_equal(C0->requested, 0x71);
	assert_int_equal(vlapic_requested(A0), 0x71);
	C0->requested = 0;
	assert_int_equal(vlapic_msr_write(A0, X2APIC_MSR(LAPIC_ICR_LOW), 0x40000 | 0x71), 0);
	assert_int_equal(C0->requested, 0);
	assert_int_equal(C0->raised, raised);
	/* From another CPU it comes by the way of `raised`, and is told when it is taken. */
	(void)vlapic_settle(A0);
	fixed(A0, 0x92);
	fixed(A0, 0x94);
	assert_int_equal(C0->requested, 0);
	assert_int_equal(C0->raised, raised + 2);
	assert_false(vlapic_settle(A0));
	assert_int_equal(C0->requested, 0x94);
	/* An EOI that we carry out, and a reset, change more than that. */
	((uint32_t *)vlapic_page(A0))[(LAPIC_ISR + 0x40) / 4] = 1;
	vlapic_eoi(A0);
	/* Until then the processor may believe that it still serves what has ended: one's own waits for the whole as well. */
	raised = C0->raised;
	C0->requested = 0;
	assert_int_equal(vlapic_msr_write(A0, X2APIC_MSR(LAPIC_ICR_LOW), 0x40000 | 0x51), 0);
	assert_int_equal(C0->requested, 0);
	assert_int_equal(C0->raised, raised + 1);
	assert_int_equal(vlapic_requested(A0), 0x94);
	assert_true(vlapic_settle(A0));
	assert_false(vlapic_settle(A0));
	vlapic_reset(A0, true);
	assert_true(vlapic_settle(A0));
}

/* The short way takes vectors alone; whatever else there is, it leaves all where it is. */
static void test_posted(void **state)
{
	uint32_t *regs = vlapic_page(A0);

	(void)state;
	start_delivering();
	fixed(A0, 0x61);
	assert_int_equal(vlapic_take_posted(A0), -1); /* it is to be told anew after the reset */
	assert_int_equal(regs[(LAPIC_IRR + 0x30) / 4], 0);
	assert_true(vlapic_settle(A0));
	assert_int_equal(regs[(LAPIC_IRR + 0x30) / 4], 1u << 1);
	C0->requested = 0;
	assert_int_equal(vlapic_take_posted(A0), -1); /* nothing has arrived */
	fixed(A0, 0x92);
	fixed(A0, 0x85);
	assert_int_equal(vlapic_take_posted(A0), 0x92);
	assert_int_equal(regs[(LAPIC_IRR + 0x40) / 4], 1u << 18 | 1u << 5);
	vlapic_deliver(A0, VLAPIC_FIXED, 0x31, true);
	assert_int_equal(vlapic_take_posted(A0), 0x31);
	assert_int_equal(regs[(LAPIC_IRR + 0x10) / 4], 1u << 17);
	assert_true(C0->levels[0] == 1ull << 0x31);
	assert_int_equal(C0->requested, 0); /* that is for the caller */
	fixed(A0, 0x71);                    /* two words */
	fixed(A0, 0xe1);
	assert_int_equal(vlapic_take_posted(A0), -1);
	assert_int_equal(regs[(LAPIC_IRR + 0x30) / 4] >> 17 & 1, 0);
	assert_false(vlapic_settle(A0));
	assert_int_equal(regs[(LAPIC_IRR + 0x30) / 4] >> 17 & 1, 1);
	fixed(A0, 0x41);
	vlapic_set_lint(A0, 1, true);
	assert_int_equal(vlapic_take_posted(A0), -1);
	assert_int_equal(regs[(LAPIC_IRR + 0x20) / 4], 0);
	assert_int_equal(A0->arrived, VLAPIC_ARRIVED_LINT1 | 1u << 2);
	assert_false(vlapic_settle(A0));
	assert_int_equal(regs[(LAPIC_IRR + 0x20) / 4], 1u << 1);
	/* The 8259 asks until it is answered, also when the arrival of its pin has been taken before. */
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	vlapic_set_lint(A0, 0, true);
	assert_false(vlapic_settle(A0));
	assert_int_equal(A0->arrived, 0);
	fixed(A0, 0x42);
	assert_int_equal(vlapic_take_posted(A0), -1);
	vlapic_set_lint(A0, 0, false);
	assert_int_equal(vlapic_take_posted(A0), 0x42);
}

/* Which EOIs it has to show follows TMR. */
static void test_processor_shows_eois_of_levels(void **state)
{
	(void)state;
	start_delivering();
	vlapic_deliver(A0, VLAPIC_FIXED, 0x31, true);
	vlapic_deliver(A0, VLAPIC_FIXED, 0xe5, true);
	assert_int_equal(C0->levels[0], 0);
	vlapic_pending(A0);
	assert_true(C0->levels[0] == 1ull << 0x31);
	assert_true(C0->levels[3] == 1ull << (0xe5 - 192));
	vlapic_deliver(A0, VLAPIC_FIXED, 0x31, false);
	vlapic_pending(A0);
	assert_int_equal(C0->levels[0], 0);
	vlapic_eoi_done(A0, 0xe5);
	assert_int_equal(C0->eois, 1);
	assert_int_equal(C0->eoi_vector, 0xe5);
	wr(LAPIC_SVR, LAPIC_SVR_ENABLE | LAPIC_SVR_EOI_SUPPRESS | 0xff);
	vlapic_eoi_done(A0, 0xe5);
	assert_int_equal(C0->eois, 1);
	/* The mode changes, TMR stays: the owner is told of both. */
	unsigned modes = C0->modes;
	memset(C0->levels, 0, sizeof(C0->levels));
	go_x2apic(A0);
	assert_int_equal(C0->modes, modes + 1);
	assert_true(C0->levels[3] == 1ull << (0xe5 - 192));
	vlapic_reset(A0, false);
	assert_int_equal(C0->modes, modes + 2);
	assert_int_equal(C0->levels[3], 0);
}

/* Writes that the processor made itself. */
static void test_written_by_the_processor(void **state)
{
	uint32_t *regs = vlapic_page(&m.cpus[2].apic);
	struct vlapic *a = &m.cpus[2].apic;

	(void)state;
	enable(a);
	regs[LAPIC_TPR / 4] = 0x1a0;
	vlapic_written(a, LAPIC_TPR);
	assert_int_equal(regs[LAPIC_TPR / 4], 0xa0);
	assert_int_equal(regs[LAPIC_PPR / 4], 0xa0);
	regs[LAPIC_ID / 4] = 0x12345678;
	vlapic_written(a, LAPIC_ID);
	assert_int_equal(regs[LAPIC_ID / 4], 2u << 24);
	regs[LAPIC_LVT_TIMER / 4] = LAPIC_LVT_TIMER_TSC_DEADLINE | 0x55;
	vlapic_written(a, LAPIC_LVT_TIMER);
	regs[LAPIC_TIMER_INITIAL / 4] = 1000; /* ignored in this mode */
	vlapic_written(a, LAPIC_TIMER_INITIAL);
	assert_int_equal(regs[LAPIC_TIMER_INITIAL / 4], 0);
	regs[LAPIC_ICR_HIGH / 4] = 1u << 24;
	regs[LAPIC_ICR_LOW / 4] = 0x4041;
	vlapic_written(a, LAPIC_ICR_LOW);
	assert_int_equal(m.cpus[2].ipi.dest, 1);
	regs[LAPIC_SVR / 4] = 0xff;
	vlapic_written(a, LAPIC_SVR);
	assert_false(fixed(a, 0x41));
	/* SELF_IPI with an illegal vector. */
	go_x2apic(a);
	vlapic_written(a, LAPIC_SVR);
	regs[LAPIC_SELF_IPI / 4] = 3;
	vlapic_written(a, LAPIC_SELF_IPI);
	vlapic_written(a, LAPIC_ESR); /* any other register: nothing */
	assert_int_equal(a->esr_pending, LAPIC_ESR_SEND_ILLEGAL_VECTOR);
}

/* What a processor may read from the page: everything readable, but for the count, which is computed. */
static void test_page_registers(void **state)
{
	uint64_t page = vlapic_page_registers(), value;

	(void)state;
	go_x2apic(A0);
	for (unsigned n = 0; n < 64; n++) {
		bool readable = vlapic_msr_read(A0, 0x800 + n, &value) == 0;

		assert_int_equal(page >> n & 1, readable && n != LAPIC_TIMER_CURRENT / 16);
	}
}

/* Others deliver while the owner takes and ends: nothing gets lost, as often as it may merge. */
#define RACERS 3u
#define RACE_ROUNDS 100000u

static uint32_t race_sent[RACERS][256], race_seen[RACERS][256];

static void *racer(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg, seed = n;

	for (uint32_t i = 1; i <= RACE_ROUNDS; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned vector = 16 + (seed >> 16) % 80 * 3 + n;

		__atomic_store_n(&race_sent[n][vector], i, __ATOMIC_RELEASE);
		vlapic_deliver(A0, VLAPIC_FIXED, (uint8_t)vector, false);
	}
	return NULL;
}

static void take_all(void)
{
	for (int vector; (vector = vlapic_ack(A0)) >= 0; vlapic_eoi(A0)) {
		unsigned n = ((unsigned)vector - 16) % RACERS;

		race_seen[n][vector] = __atomic_load_n(&race_sent[n][vector], __ATOMIC_ACQUIRE);
	}
}

/* A processor that delivers takes what is in IRR; nothing but vectors arrives. */
static void take_posted(void)
{
	int highest = vlapic_take_posted(A0);
	uint32_t *irr = (uint32_t *)vlapic_page(A0) + LAPIC_IRR / 4;

	if (highest < 0 && !vlapic_settle(A0))
		highest = 255;

	for (int vector = 16; vector < 256; vector++) {
		unsigned n = ((unsigned)vector - 16) % RACERS;

		if ((irr[vector / 32 * 4] & 1u << vector % 32) == 0)
			continue;
		irr[vector / 32 * 4] &= ~(1u << vector % 32);
		assert_true(vector <= highest);
		race_seen[n][vector] = __atomic_load_n(&race_sent[n][vector], __ATOMIC_ACQUIRE);
	}
}

static void race(void (*take)(void))
{
	pthread_t threads[RACERS];

	memset(race_sent, 0, sizeof(race_sent));
	memset(race_seen, 0, sizeof(race_seen));
	for (uintptr_t n = 0; n < RACERS; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, racer, (void *)n), 0);
	for (unsigned i = 0; i < RACE_ROUNDS; i++)
		take();
	for (unsigned n = 0; n < RACERS; n++)
		pthread_join(threads[n], NULL);
	take();
	assert_memory_equal(race_seen, race_sent, sizeof(race_sent));
	assert_int_equal(A0->accepted + A0->coalesced, RACERS * RACE_ROUNDS);
}

static void test_deliveries_race_with_the_owner(void **state)
{
	(void)state;
	enable(A0);
	race(take_all);
	start_delivering();
	(void)vlapic_settle(A0);
	race(take_posted);
}

/* --- modes --- */

static void test_base_transitions(void **state)
{
	static const struct {
		enum vlapic_mode from;
		uint64_t bits;
		int result;
		enum vlapic_mode to;
	} rows[] = {
		{VLAPIC_DISABLED, 0, 0, VLAPIC_DISABLED},
		{VLAPIC_DISABLED, APIC_BASE_EN, 0, VLAPIC_XAPIC},
		{VLAPIC_DISABLED, APIC_BASE_EXTD, ERR_FAULT, VLAPIC_DISABLED},
		{VLAPIC_DISABLED, APIC_BASE_EN | APIC_BASE_EXTD, ERR_FAULT, VLAPIC_DISABLED},
		{VLAPIC_XAPIC, 0, 0, VLAPIC_DISABLED},
		{VLAPIC_XAPIC, APIC_BASE_EN, 0, VLAPIC_XAPIC},
		{VLAPIC_XAPIC, APIC_BASE_EXTD, ERR_FAULT, VLAPIC_XAPIC},
		{VLAPIC_XAPIC, APIC_BASE_EN | APIC_BASE_EXTD, 0, VLAPIC_X2APIC},
		{VLAPIC_X2APIC, 0, 0, VLAPIC_DISABLED},
		{VLAPIC_X2APIC, APIC_BASE_EN, ERR_FAULT, VLAPIC_X2APIC},
		{VLAPIC_X2APIC, APIC_BASE_EXTD, ERR_FAULT, VLAPIC_X2APIC},
		{VLAPIC_X2APIC, APIC_BASE_EN | APIC_BASE_EXTD, 0, VLAPIC_X2APIC},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = LAPIC_DEFAULT_BASE | APIC_BASE_BSP | rows[i].bits;

		vlapic_reset(A0, false);
		if (rows[i].from == VLAPIC_DISABLED)
			assert_int_equal(vlapic_msr_write(A0, 0x1b, LAPIC_DEFAULT_BASE), 0);
		if (rows[i].from == VLAPIC_X2APIC)
			go_x2apic(A0);
		assert_int_equal(A0->mode, rows[i].from);
		assert_int_equal(vlapic_base_refusal(A0, value) != NULL, rows[i].result != 0);
		assert_int_equal(vlapic_msr_write(A0, 0x1b, value), rows[i].result);
		assert_int_equal(A0->mode, rows[i].to);
		if (rows[i].result == 0) {
			uint64_t back;

			assert_int_equal(vlapic_msr_read(A0, 0x1b, &back), 0);
			assert_int_equal(back, value);
		}
	}
}

static void test_base_other_bits(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t value = vlapic_base(A0) ^ BIT64(bit);
		int result = vlapic_msr_write(A0, 0x1b, value);

		if (bit == 8 || bit == 10 || bit == 11)
			assert_int_equal(result, 0);
		else if (bit >= 12 && bit < 52)
			assert_int_equal(result, ERR_NOSUP);
		else
			assert_int_equal(result, ERR_FAULT);
		vlapic_reset(A0, false);
		/* The BSP flag is not the guest's to change. */
		assert_int_equal(vlapic_base(A0), 0xfee00900);
	}
	assert_non_null(strstr(vlapic_base_refusal(A0, 0xfee01900), "not offered"));
}

static void test_disabled(void **state)
{
	uint64_t value;

	(void)state;
	enable(A0);
	fixed(A0, 0x55);
	assert_int_equal(vlapic_msr_write(A0, 0x1b, 0xfee00100), 0);
	assert_false(vlapic_mmio_enabled(A0));
	assert_true(vlapic_mmio_read(A0, LAPIC_VERSION, 4) == UINT64_MAX);
	wr(LAPIC_SVR, 0x1ff);
	assert_int_equal(vlapic_msr_read(A0, 0x803, &value), ERR_FAULT);
	assert_int_equal(vlapic_msr_write(A0, 0x808, 0), ERR_FAULT);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_false(fixed(A0, 0x56));
	assert_false(vlapic_deliver(A0, VLAPIC_NMI, 0, false));
	assert_int_equal(C0->nmis, 0);
	/* Its pins are the processor's. */
	assert_true(vlapic_accepts_pic(A0));
	unsigned raised = C0->raised;
	lint(0, true);
	assert_int_equal(C0->raised, raised + 1);
	lint(1, true);
	assert_int_equal(C0->nmis, 1);
	/* On again: as after power-up. */
	assert_int_equal(vlapic_msr_write(A0, 0x1b, 0xfee00900), 0);
	assert_reset_registers();
}

static void test_x2apic_entry(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_TPR, 0x30);
	wr(LAPIC_LVT_TIMER, 0x77);
	fixed(A0, 0x88);
	wr(LAPIC_ICR_HIGH, 0x07000000);
	go_x2apic(A0);
	assert_int_equal(rdx(LAPIC_TPR), 0x30);
	assert_int_equal(rdx(LAPIC_LVT_TIMER), 0x77);
	assert_int_equal(rdx(LAPIC_SVR), 0x1ff);
	assert_int_equal(rdx(LAPIC_IRR + 0x40), 1u << 8);
	assert_int_equal(rdx(LAPIC_ICR_LOW), 0);
	assert_int_equal(rdx(LAPIC_LDR), 1);
	assert_false(vlapic_mmio_enabled(A0));
	assert_int_equal(vlapic_ack(A0), 0x88);
}

static void test_x2apic_ldr(void **state)
{
	struct vlapic_config config = {
		.page = C0->page, .id = 0x12345, .clock = &m.clock, .timer_hz = 1, .ops = &ops, .ctx = C0};
	uint64_t value;

	(void)state;
	vlapic_init(A0, &config);
	vlapic_reset(A0, false);
	go_x2apic(A0);
	assert_int_equal(vlapic_msr_read(A0, 0x802, &value), 0);
	assert_int_equal(value, 0x12345);
	assert_int_equal(rdx(LAPIC_LDR), 0x1234u << 16 | 1u << 5);
	assert_int_equal(wrx(LAPIC_LDR, 1), ERR_FAULT);
	assert_int_equal(wrx(LAPIC_ID, 1), ERR_FAULT);
}

/* Every MSR of the block: which may be read, which written, which bits. */
static void test_x2apic_map(void **state)
{
	(void)state;
	for (uint32_t msr = 0x800; msr <= 0x8ff; msr++) {
		uint32_t n = msr - 0x800;
		bool vectors = n >= 0x10 && n <= 0x27;
		bool lvt = n == 0x2f || (n >= 0x32 && n <= 0x37);
		bool readable = n == 2 || n == 3 || n == 8 || n == 0xa || n == 0xd || n == 0xf || vectors ||
				n == 0x28 || lvt || n == 0x30 || n == 0x38 || n == 0x39 || n == 0x3e;
		bool writable = n == 8 || n == 0xb || n == 0xf || n == 0x28 || lvt || n == 0x38 || n == 0x3e;
		uint64_t value;

		vlapic_reset(A0, false);
		go_x2apic(A0);
		assert_int_equal(vlapic_msr_read(A0, msr, &value), readable ? 0 : ERR_FAULT);
		if (n != 0x30 && n != 0x3f)
			assert_int_equal(vlapic_msr_write(A0, msr, 0), writable ? 0 : ERR_FAULT);
		assert_int_equal(vlapic_msr_write(A0, msr, 1ull << 63), n == 0x30 ? 0 : ERR_FAULT);
	}
	uint64_t value;
	assert_int_equal(vlapic_msr_read(A0, 0x7ff, &value), ERR_FAULT);
	assert_int_equal(vlapic_msr_read(A0, 0x900, &value), ERR_FAULT);
	assert_int_equal(vlapic_msr_write(A0, 0x900, 0), ERR_FAULT);
}

static void test_x2apic_reserved_bits(void **state)
{
	static const struct {
		unsigned offset;
		uint32_t allowed; /* bits that do not fault */
	} rows[] = {
		{LAPIC_TPR, 0xff},
		{LAPIC_EOI, 0},
		{LAPIC_SVR, 0x13ff},
		{LAPIC_ESR, 0},
		{LAPIC_LVT_CMCI, 0x117ff},
		{LAPIC_LVT_TIMER, 0x710ff},
		{LAPIC_LVT_THERMAL, 0x117ff},
		{LAPIC_LVT_PERF, 0x117ff},
		{LAPIC_LVT_LINT0, 0x1f7ff},
		{LAPIC_LVT_LINT1, 0x1f7ff},
		{LAPIC_LVT_ERROR, 0x110ff},
		{LAPIC_TIMER_INITIAL, 0xffffffff},
		{LAPIC_TIMER_DIVIDE, 0xb},
		{LAPIC_SELF_IPI, 0xff},
		{LAPIC_ICR_LOW, 0x000cdfff},
	};

	(void)state;
	go_x2apic(A0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned bit = 0; bit < 32; bit++)
			assert_int_equal(wrx(rows[i].offset, BIT32(bit)),
					 (rows[i].allowed & BIT32(bit)) != 0 ? 0 : ERR_FAULT);
	/* Read-only bits are not taken over. */
	assert_int_equal(wrx(LAPIC_SVR, 0x1ff), 0);
	assert_int_equal(wrx(LAPIC_LVT_LINT0, 0x1f7ff), 0);
	assert_int_equal(rdx(LAPIC_LVT_LINT0), 0x1a7ff);
}

/* --- IPIs --- */

static void test_icr_xapic(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_ICR_HIGH, 0x03000000);
	wr(LAPIC_ICR_LOW, 0x99 | LAPIC_ICR_ASSERT);
	assert_int_equal(C0->ipis, 1);
	assert_int_equal(C0->ipi.dest, 3);
	assert_int_equal(C0->ipi.vector, 0x99);
	assert_int_equal(C0->ipi.delivery, VLAPIC_FIXED);
	assert_int_equal(C0->ipi.shorthand, VLAPIC_TO_DESTINATION);
	assert_false(C0->ipi.logical);
	assert_false(C0->ipi.level);
	assert_false(C0->ipi.wide);
	/* Delivery status is idle at once; writing it means nothing. */
	wr(LAPIC_ICR_LOW, 0xfff32000 | LAPIC_ICR_PENDING | 0x9a | LAPIC_ICR_DM_LOWEST | LAPIC_ICR_LOGICAL);
	assert_int_equal(rd(LAPIC_ICR_LOW), 0x9a | LAPIC_ICR_DM_LOWEST | LAPIC_ICR_LOGICAL);
	assert_true(C0->ipi.logical);
	assert_int_equal(C0->ipi.delivery, VLAPIC_LOWEST);
	/* INIT assert leaves, level de-assert does not. */
	wr(LAPIC_ICR_LOW, LAPIC_ICR_DM_INIT | LAPIC_ICR_LEVEL | LAPIC_ICR_ASSERT);
	assert_int_equal(C0->ipis, 3);
	assert_int_equal(C0->ipi.delivery, VLAPIC_INIT);
	wr(LAPIC_ICR_LOW, LAPIC_ICR_DM_INIT | LAPIC_ICR_LEVEL);
	assert_int_equal(C0->ipis, 3);
	wr(LAPIC_ICR_LOW, LAPIC_ICR_DM_STARTUP | LAPIC_ICR_TO_OTHERS | 0x08);
	assert_int_equal(C0->ipi.delivery, VLAPIC_STARTUP);
	assert_int_equal(C0->ipi.vector, 8);
	assert_int_equal(C0->ipi.shorthand, VLAPIC_TO_OTHERS);
	/* To itself: at once, and only fixed. */
	wr(LAPIC_ICR_LOW, LAPIC_ICR_TO_SELF | 0x77);
	assert_int_equal(C0->ipis, 4);
	assert_int_equal(vlapic_ack(A0), 0x77);
	wr(LAPIC_ICR_LOW, LAPIC_ICR_TO_SELF | LAPIC_ICR_DM_INIT);
	wr(LAPIC_ICR_LOW, LAPIC_ICR_TO_SELF | LAPIC_ICR_DM_NMI);
	wr(LAPIC_ICR_LOW, LAPIC_ICR_TO_SELF | LAPIC_ICR_DM_STARTUP);
	assert_int_equal(C0->inits + C0->nmis + C0->startups, 0);
}

static void test_icr_x2apic(void **state)
{
	(void)state;
	go_x2apic(A0);
	assert_int_equal(wrx(LAPIC_SVR, 0x1ff), 0);
	assert_int_equal(wrx(LAPIC_ICR_LOW, 0x1234567800000041 | LAPIC_ICR_PENDING), 0);
	assert_true(rdx(LAPIC_ICR_LOW) == 0x1234567800000041);
	assert_int_equal(C0->ipi.dest, 0x12345678);
	assert_true(C0->ipi.wide);
	assert_int_equal(wrx(LAPIC_SELF_IPI, 0x41), 0);
	assert_int_equal(vlapic_ack(A0), 0x41);
	assert_int_equal(C0->ipis, 1);
	assert_int_equal(wrx(LAPIC_SELF_IPI, 0x0f), 0);
	assert_int_equal(wrx(LAPIC_ESR, 0), 0);
	assert_int_equal(rdx(LAPIC_ESR), LAPIC_ESR_SEND_ILLEGAL_VECTOR);
	/* ICR is what it was. */
	assert_true(rdx(LAPIC_ICR_LOW) == 0x1234567800000041);
}

static unsigned targets(const struct vlapic_ipi *ipi)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < CPUS; i++)
		mask |= vlapic_matches(m.set[i], ipi) ? BIT32(i) : 0;
	return mask;
}

static void test_match_xapic(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		vlapic_mmio_write(m.set[i], LAPIC_LDR, 4, BIT32(24 + i));
	for (unsigned i = 0; i < 256; i++) {
		struct vlapic_ipi ipi = {.dest = i};

		assert_int_equal(targets(&ipi), i == 255 ? 0xf : i < CPUS ? BIT32(i) : 0);
		ipi.logical = true;
		assert_int_equal(targets(&ipi), i & 0xf);
	}
	/* Cluster model: cluster in the upper half, members in the lower. */
	for (unsigned i = 0; i < CPUS; i++) {
		vlapic_mmio_write(m.set[i], LAPIC_DFR, 4, 0);
		vlapic_mmio_write(m.set[i], LAPIC_LDR, 4, (i / 2) << 28 | BIT32(24 + i % 2));
	}
	struct vlapic_ipi ipi = {.logical = true};
	ipi.dest = 0x03;
	assert_int_equal(targets(&ipi), 0x3);
	ipi.dest = 0x12;
	assert_int_equal(targets(&ipi), 0x8);
	ipi.dest = 0x21;
	assert_int_equal(targets(&ipi), 0);
	ipi.dest = 0xf1;
	assert_int_equal(targets(&ipi), 0x5);
	ipi.dest = 0xff;
	assert_int_equal(targets(&ipi), 0xf);
	/* A wide destination means all its bits. */
	ipi = (struct vlapic_ipi){.dest = 0x101, .wide = true};
	assert_int_equal(targets(&ipi), 0);
	ipi.dest = 0xff;
	assert_int_equal(targets(&ipi), 0);
	ipi.dest = 0xffffffff;
	assert_int_equal(targets(&ipi), 0xf);
	/* One that is switched off is nobody's target. */
	assert_int_equal(vlapic_msr_write(m.set[1], 0x1b, LAPIC_DEFAULT_BASE), 0);
	assert_int_equal(targets(&ipi), 0xd);
}

static void test_match_x2apic(void **state)
{
	(void)state;
	m.set[3]->id = 0x112;
	for (unsigned i = 0; i < CPUS; i++)
		go_x2apic(m.set[i]);
	struct vlapic_ipi ipi = {.wide = true, .dest = 0x112};
	assert_int_equal(targets(&ipi), 8);
	ipi.dest = 2;
	assert_int_equal(targets(&ipi), 4);
	ipi.dest = 0xffffffff;
	assert_int_equal(targets(&ipi), 0xf);
	ipi = (struct vlapic_ipi){.wide = true, .logical = true, .dest = 0x00000006};
	assert_int_equal(targets(&ipi), 6);
	ipi.dest = 0x00110004;
	assert_int_equal(targets(&ipi), 8);
	ipi.dest = 0x0011000b;
	assert_int_equal(targets(&ipi), 0);
	/* From an I/O APIC, 8 bits: cluster 0. */
	ipi = (struct vlapic_ipi){.logical = true, .dest = 0x03};
	assert_int_equal(targets(&ipi), 3);
	ipi = (struct vlapic_ipi){.dest = 0xff};
	assert_int_equal(targets(&ipi), 0xf);
}

static unsigned pending_mask(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < CPUS; i++) {
		mask |= vlapic_ack(m.set[i]) >= 0 ? BIT32(i) : 0;
		vlapic_eoi(m.set[i]);
	}
	return mask;
}

static void test_route(void **state)
{
	struct vlapic_ipi ipi = {.vector = 0x66, .dest = 2};

	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		enable(m.set[i]);
	assert_int_equal(vlapic_route(m.set, CPUS, A0, &ipi), 1);
	assert_int_equal(pending_mask(), 4);
	ipi.dest = 9;
	assert_int_equal(vlapic_route(m.set, CPUS, A0, &ipi), 0);
	ipi.dest = 0xff;
	assert_int_equal(vlapic_route(m.set, CPUS, NULL, &ipi), 4);
	assert_int_equal(pending_mask(), 0xf);
	ipi.shorthand = VLAPIC_TO_ALL;
	assert_int_equal(vlapic_route(m.set, CPUS, A0, &ipi), 4);
	assert_int_equal(pending_mask(), 0xf);
	ipi.shorthand = VLAPIC_TO_OTHERS;
	assert_int_equal(vlapic_route(m.set, CPUS, m.set[2], &ipi), 3);
	assert_int_equal(pending_mask(), 0xb);
	ipi.shorthand = VLAPIC_TO_SELF;
	assert_int_equal(vlapic_route(m.set, CPUS, m.set[3], &ipi), 1);
	assert_int_equal(pending_mask(), 8);
	ipi = (struct vlapic_ipi){.delivery = VLAPIC_INIT, .shorthand = VLAPIC_TO_OTHERS};
	assert_int_equal(vlapic_route(m.set, CPUS, A0, &ipi), 3);
	assert_int_equal(C0->inits, 0);
	assert_int_equal(m.cpus[3].inits, 1);
	/* A set in another order than the IDs. */
	struct vlapic *swapped[2] = {m.set[1], m.set[0]};
	ipi = (struct vlapic_ipi){.vector = 0x66, .dest = 1};
	assert_int_equal(vlapic_route(swapped, 2, NULL, &ipi), 1);
	assert_int_equal(pending_mask(), 2);
	/* The quick way must not reach one that is switched off. */
	assert_int_equal(vlapic_msr_write(m.set[1], 0x1b, LAPIC_DEFAULT_BASE), 0);
	assert_int_equal(vlapic_route(m.set, CPUS, NULL, &ipi), 0);
}

/* A command reaches whom its message would. */
static void test_send(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		enable(m.set[i]);
	vlapic_send(m.set, CPUS, A0, LAPIC_ICR_ASSERT | 0x66, 2);
	assert_int_equal(pending_mask(), 4);
	vlapic_send(m.set, CPUS, A0, 0x66, 9);
	assert_int_equal(pending_mask(), 0);
	vlapic_send(m.set, CPUS, A0, 0x66, 0xff);
	assert_int_equal(pending_mask(), 0xf);
	vlapic_send(m.set, CPUS, A0, LAPIC_ICR_TO_OTHERS | 0x66, 1);
	assert_int_equal(pending_mask(), 0xe);
	vlapic_send(m.set, CPUS, A0, LAPIC_ICR_LOGICAL | 0x66, 1); /* nobody has a logical ID */
	assert_int_equal(pending_mask(), 0);
	vlapic_send(m.set, CPUS, A0, LAPIC_ICR_DM_NMI, 1);
	assert_int_equal(m.cpus[1].nmis, 1);
	struct vlapic *swapped[2] = {m.set[1], m.set[0]};
	vlapic_send(swapped, 2, A0, 0x66, 1);
	assert_int_equal(pending_mask(), 2);
	/* One that is disabled by software, or switched off, takes none. */
	vlapic_mmio_write(m.set[1], LAPIC_SVR, 4, 0xff);
	vlapic_send(m.set, CPUS, A0, 0x66, 1);
	assert_int_equal(vlapic_msr_write(m.set[2], 0x1b, LAPIC_DEFAULT_BASE), 0);
	vlapic_send(m.set, CPUS, A0, 0x66, 2);
	assert_int_equal(pending_mask(), 0);
	assert_int_equal(m.set[1]->dropped, 1);
	assert_int_equal(m.set[2]->dropped, 1);
}

static void test_route_lowest(void **state)
{
	struct vlapic_ipi ipi = {.vector = 0xa0, .dest = 0xff, .delivery = VLAPIC_LOWEST};

	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		enable(m.set[i]);
		vlapic_set_cr8(m.set[i], (uint8_t)(5 - i));
	}
	assert_int_equal(vlapic_route(m.set, CPUS, NULL, &ipi), 1);
	assert_int_equal(pending_mask(), 8);
	vlapic_mmio_write(m.set[3], LAPIC_SVR, 4, 0xff);
	assert_int_equal(vlapic_route(m.set, CPUS, NULL, &ipi), 1);
	assert_int_equal(pending_mask(), 4);
	for (unsigned i = 0; i < CPUS; i++)
		vlapic_mmio_write(m.set[i], LAPIC_SVR, 4, 0xff);
	assert_int_equal(vlapic_route(m.set, CPUS, NULL, &ipi), 0);
}

/* --- timer --- */

static void test_timer_one_shot(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_LVT_TIMER, 0x40);
	wr(LAPIC_TIMER_INITIAL, 1000);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 1000);
	assert_int_equal(vclock_next(&m.clock), 2000);
	advance(999);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 1);
	assert_int_equal(vlapic_pending(A0), -1);
	advance(1);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
	assert_int_equal(vlapic_ack(A0), 0x40);
	vlapic_eoi(A0);
	advance(5000);
	assert_int_equal(vlapic_pending(A0), -1);
	assert_int_equal(rd(LAPIC_TIMER_INITIAL), 1000);
	/* Writing 0 stops; writing again starts over. */
	wr(LAPIC_TIMER_INITIAL, 500);
	advance(100);
	wr(LAPIC_TIMER_INITIAL, 500);
	advance(499);
	assert_int_equal(vlapic_pending(A0), -1);
	wr(LAPIC_TIMER_INITIAL, 0);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	/* The current count is not writable. */
	wr(LAPIC_TIMER_CURRENT, 77);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
}

static void test_timer_dividers(void **state)
{
	static const struct {
		uint32_t code;
		unsigned divisor;
	} rows[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

	(void)state;
	enable(A0);
	wr(LAPIC_LVT_TIMER, 0x40);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		wr(LAPIC_TIMER_DIVIDE, rows[i].code);
		wr(LAPIC_TIMER_INITIAL, 0xffffffff);
		assert_int_equal(vclock_next(&m.clock), m.now + 0xffffffffull * rows[i].divisor);
		advance(1000ull * rows[i].divisor);
		assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0xffffffff - 1000);
	}
	/* A change on the way changes the pace, not the count. */
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_TIMER_INITIAL, 10000);
	advance(4000);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_8);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 6000);
	advance(8000);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 5000);
	advance(39999);
	assert_int_equal(vlapic_pending(A0), -1);
	advance(1);
	assert_int_equal(vlapic_pending(A0), 0x40);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_2);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
}

static void test_timer_periodic(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_4);
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC);
	wr(LAPIC_TIMER_INITIAL, 250000);
	for (unsigned i = 0; i < 100; i++) {
		advance(999999);
		assert_int_equal(vlapic_pending(A0), -1);
		assert_int_equal(rd(LAPIC_TIMER_CURRENT), 1);
		advance(1);
		assert_int_equal(vlapic_ack(A0), 0x40);
		vlapic_eoi(A0);
		assert_int_equal(rd(LAPIC_TIMER_CURRENT), 250000);
	}
	/* Late by three periods and a half: one interrupt, and the beat is kept. */
	advance(3500000);
	assert_int_equal(vlapic_ack(A0), 0x40);
	vlapic_eoi(A0);
	advance(499999);
	assert_int_equal(vlapic_pending(A0), -1);
	advance(1);
	assert_int_equal(vlapic_ack(A0), 0x40);
	vlapic_eoi(A0);
	/* Masked, it counts on without interrupts and without alarms. */
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC | LAPIC_LVT_MASKED);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	advance(2250000);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 250000 - 62500);
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC);
	assert_int_equal(vclock_next(&m.clock), m.now + 750000);
}

static void test_timer_storm_is_bounded(void **state)
{
	unsigned fired = 0;

	(void)state;
	enable(A0);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC);
	wr(LAPIC_TIMER_INITIAL, 1);
	for (unsigned i = 0; i < 1000000; i += 100) {
		m.now += 100;
		fired += vclock_expire(&m.clock, m.now);
	}
	assert_in_range(fired, 90, 100);
}

static void test_timer_other_rate(void **state)
{
	(void)state;
	/* A clock of 2.4 GHz and a timer of 19.2 MHz; and one with a ratio that does not divide. */
	start(2400000000, 19200000);
	enable(A0);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_LVT_TIMER, 0x40);
	wr(LAPIC_TIMER_INITIAL, 19200);
	assert_int_equal(vclock_next(&m.clock), 1000 + 2400000);
	advance(1200000);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 9600);
	start(999999937, 24000000);
	enable(A0);
	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_LVT_TIMER, 0x40 | LAPIC_LVT_TIMER_PERIODIC);
	wr(LAPIC_TIMER_INITIAL, 24001);
	for (unsigned i = 0; i < 1000; i++) {
		m.now = vclock_next(&m.clock) - 1;
		assert_int_equal(rd(LAPIC_TIMER_CURRENT), 1);
		m.now++;
		assert_int_equal(rd(LAPIC_TIMER_CURRENT), 24001);
		assert_int_equal(vclock_expire(&m.clock, m.now), 1);
	}
}

static int set_deadline(uint64_t value)
{
	return vlapic_msr_write(A0, MSR_IA32_TSC_DEADLINE_INDEX, value);
}

static uint64_t deadline(void)
{
	uint64_t value;

	assert_int_equal(vlapic_msr_read(A0, MSR_IA32_TSC_DEADLINE_INDEX, &value), 0);
	return value;
}

static void test_timer_deadline(void **state)
{
	(void)state;
	enable(A0);
	/* Outside its mode the MSR takes nothing and reads 0. */
	assert_int_equal(set_deadline(5000), 0);
	assert_int_equal(deadline(), 0);
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_TSC_DEADLINE);
	wr(LAPIC_TIMER_INITIAL, 1000);
	assert_int_equal(rd(LAPIC_TIMER_INITIAL), 0);
	assert_int_equal(rd(LAPIC_TIMER_CURRENT), 0);
	assert_int_equal(set_deadline(5000), 0);
	assert_int_equal(deadline(), 5000);
	assert_int_equal(vclock_next(&m.clock), 5000);
	m.now = 4999;
	vclock_expire(&m.clock, m.now);
	assert_int_equal(vlapic_pending(A0), -1);
	advance(1);
	assert_int_equal(vlapic_ack(A0), 0x41);
	vlapic_eoi(A0);
	assert_int_equal(deadline(), 0);
	/* One in the past comes at once. */
	assert_int_equal(set_deadline(1), 0);
	assert_int_equal(vlapic_ack(A0), 0x41);
	vlapic_eoi(A0);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	/* 0 disarms. */
	assert_int_equal(set_deadline(9000), 0);
	assert_int_equal(set_deadline(0), 0);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	/* The farthest future is never. */
	assert_int_equal(set_deadline(UINT64_MAX), 0);
	assert_true(deadline() == UINT64_MAX);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	assert_int_equal(set_deadline(UINT64_MAX / 4), 0);
	assert_int_equal(vclock_next(&m.clock), UINT64_MAX / 4);
	assert_int_equal(set_deadline(UINT64_MAX), 0);
	advance(1000);
	assert_int_equal(vlapic_pending(A0), -1);
	/* Leaving the mode disarms, and so does entering it. */
	assert_int_equal(set_deadline(m.now + 100), 0);
	wr(LAPIC_LVT_TIMER, 0x41);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	wr(LAPIC_TIMER_INITIAL, 5000);
	assert_true(vclock_next(&m.clock) != VCLOCK_NEVER);
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_TSC_DEADLINE);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	assert_int_equal(deadline(), 0);
}

static void test_timer_deadline_offset(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_TSC_DEADLINE);
	vlapic_set_tsc_offset(A0, 1000000);
	assert_int_equal(set_deadline(1005000), 0);
	assert_int_equal(vclock_next(&m.clock), 5000);
	/* The guest sets its TSC back by 2000: the deadline is later. */
	vlapic_set_tsc_offset(A0, 998000);
	assert_int_equal(vclock_next(&m.clock), 7000);
	/* And far forward: it has passed. */
	vlapic_set_tsc_offset(A0, 2000000);
	assert_int_equal(vlapic_ack(A0), 0x41);
	vlapic_eoi(A0);
	/* A TSC before 0 of the clock. */
	vlapic_set_tsc_offset(A0, -900);
	assert_int_equal(set_deadline(200), 0);
	assert_int_equal(vclock_next(&m.clock), 1100);
	/* Masked: it passes unseen. */
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_TSC_DEADLINE | LAPIC_LVT_MASKED);
	advance(200);
	assert_int_equal(deadline(), 0);
	assert_int_equal(vlapic_pending(A0), -1);
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_TSC_DEADLINE);
	advance(1000);
	assert_int_equal(vlapic_pending(A0), -1);
}

static void test_timer_reserved_mode(void **state)
{
	(void)state;
	enable(A0);
	wr(LAPIC_LVT_TIMER, 0x41 | LAPIC_LVT_TIMER_MODE_MASK);
	wr(LAPIC_TIMER_INITIAL, 10);
	assert_int_equal(vclock_next(&m.clock), VCLOCK_NEVER);
	advance(100000);
	assert_int_equal(vlapic_pending(A0), -1);
}

/* Random accesses of every size and value, at both faces: nothing may go wrong, and the summaries must agree with the page. */
static void test_random(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t offset = (uint32_t)rand() % 0x1000;
		uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand();
		int ignored;

		switch (rand() % 8) {
		case 0:
			vlapic_mmio_read(A0, offset, 1u << rand() % 4);
			break;
		case 1:
			vlapic_mmio_write(A0, offset & ~15u & 0x3ff, 4, value);
			break;
		case 2:
			ignored = vlapic_msr_write(A0, 0x800 + offset % 0x40, value & 0xffff);
			(void)ignored;
			break;
		case 3:
			ignored = vlapic_msr_write(A0, 0x1b, 0xfee00000 | (value & 0xf00));
			(void)ignored;
			break;
		case 4:
			vlapic_deliver(A0, (enum vlapic_delivery)(rand() % 8), (uint8_t)value, (value & 256) != 0);
			break;
		case 5:
			vlapic_ack(A0);
			break;
		case 6:
			vlapic_eoi(A0);
			break;
		default:
			advance(value % 100000);
			break;
		}
		int expected = -1, pending = vlapic_pending(A0);
		uint32_t *regs = vlapic_page(A0);
		for (unsigned n = 0; n < 256; n++)
			if (regs[(LAPIC_IRR + n / 32 * 16) / 4] >> n % 32 & 1)
				expected = (int)n;
		if (A0->mode == VLAPIC_DISABLED || (expected & 0xf0) <= (int)(regs[LAPIC_PPR / 4] & 0xf0))
			expected = -1;
		assert_int_equal(pending, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_power_up, setup),
		cmocka_unit_test_setup(test_init_reset, setup),
		cmocka_unit_test_setup(test_virtual_wire, setup),
		cmocka_unit_test_setup(test_mmio_sizes, setup),
		cmocka_unit_test_setup(test_mmio_reserved, setup),
		cmocka_unit_test_setup(test_mmio_writable_bits, setup),
		cmocka_unit_test_setup(test_software_disable, setup),
		cmocka_unit_test_setup(test_accept_and_eoi, setup),
		cmocka_unit_test_setup(test_all_vectors_in_order, setup),
		cmocka_unit_test_setup(test_tpr, setup),
		cmocka_unit_test_setup(test_illegal_vectors, setup),
		cmocka_unit_test_setup(test_level_eoi, setup),
		cmocka_unit_test_setup(test_lint0, setup),
		cmocka_unit_test_setup(test_arrivals_wait_for_the_owner, setup),
		cmocka_unit_test_setup(test_tpr_threshold, setup),
		cmocka_unit_test_setup(test_processor_delivers, setup),
		cmocka_unit_test_setup(test_processor_is_told_of_ones_own, setup),
		cmocka_unit_test_setup(test_posted, setup),
		cmocka_unit_test_setup(test_processor_shows_eois_of_levels, setup),
		cmocka_unit_test_setup(test_written_by_the_processor, setup),
		cmocka_unit_test_setup(test_page_registers, setup),
		cmocka_unit_test_setup(test_deliveries_race_with_the_owner, setup),
		cmocka_unit_test_setup(test_base_transitions, setup),
		cmocka_unit_test_setup(test_base_other_bits, setup),
		cmocka_unit_test_setup(test_disabled, setup),
		cmocka_unit_test_setup(test_x2apic_entry, setup),
		cmocka_unit_test_setup(test_x2apic_ldr, setup),
		cmocka_unit_test_setup(test_x2apic_map, setup),
		cmocka_unit_test_setup(test_x2apic_reserved_bits, setup),
		cmocka_unit_test_setup(test_icr_xapic, setup),
		cmocka_unit_test_setup(test_icr_x2apic, setup),
		cmocka_unit_test_setup(test_match_xapic, setup),
		cmocka_unit_test_setup(test_match_x2apic, setup),
		cmocka_unit_test_setup(test_route, setup),
		cmocka_unit_test_setup(test_send, setup),
		cmocka_unit_test_setup(test_route_lowest, setup),
		cmocka_unit_test_setup(test_timer_one_shot, setup),
		cmocka_unit_test_setup(test_timer_dividers, setup),
		cmocka_unit_test_setup(test_timer_periodic, setup),
		cmocka_unit_test_setup(test_timer_storm_is_bounded, setup),
		cmocka_unit_test_setup(test_timer_other_rate, setup),
		cmocka_unit_test_setup(test_timer_deadline, setup),
		cmocka_unit_test_setup(test_timer_deadline_offset, setup),
		cmocka_unit_test_setup(test_timer_reserved_mode, setup),
		cmocka_unit_test_setup(test_random, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
