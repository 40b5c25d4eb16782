/* The local APIC checked from inside, through both faces: priorities, TPR, EOI, IPIs to oneself, level-triggered interrupts from
 * the I/O APIC, the timer's modes, deadlines that come once, errors, modes. A line for each check; `apic: N failed` at the end.
 * SDM 3 "Advanced Programmable Interrupt Controller (APIC)". */
#include "guests/lib/guest.h"

#include "drivers/regs/ioapic.h"
#include "drivers/regs/lapic.h"
#include "drivers/regs/pit8254.h"

#define LAPIC_AT 0xfee00000u
#define IOAPIC_AT 0xfec00000u
#define COM1_IER 0x3f9u
#define COM1_MCR 0x3fcu
#define MCR_OUT2 8u /* lets the UART's interrupt out */
#define COM1_PIN 4u
#define ENABLED 0x100u
#define SPURIOUS 0xffu
#define ERROR_VECTOR 0xe1u
#define SELF 0x40000u
#define ASSERT 0x4000u
#define WAIT_TURNS 2000000u
#define ORDER_MAX 16u

static bool x2apic;
static unsigned failed;
static volatile unsigned order_count;
static volatile uint8_t order[ORDER_MAX];
static void (*volatile in_handler)(unsigned vector);

static uint32_t rd(uint32_t reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(X2APIC_MSR(reg));
	return *(volatile uint32_t *)(LAPIC_AT + reg);
}

static void wr(uint32_t reg, uint32_t v)
{
	if (x2apic)
		wrmsr(X2APIC_MSR(reg), v);
	else
		*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

static void icr(uint32_t dest, uint32_t low)
{
	if (x2apic) {
		wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)dest << 32 | low);
		return;
	}
	wr(LAPIC_ICR_HIGH, dest << 24);
	wr(LAPIC_ICR_LOW, low);
}

static uint32_t own_id(void)
{
	return x2apic ? rd(LAPIC_ID) : rd(LAPIC_ID) >> 24;
}

static void self(unsigned vector)
{
	icr(0, SELF | ASSERT | vector);
}

static bool bit(uint32_t reg, unsigned vector)
{
	return rd(reg + vector / 32 * 16) >> vector % 32 & 1;
}

static void on_vector(struct trap_frame *f)
{
	if (order_count < ORDER_MAX)
		order[order_count] = (uint8_t)f->vector;
	order_count++;
	if (in_handler)
		in_handler(f->vector);
	else
		wr(LAPIC_EOI, 0);
}

static void on_nmi(struct trap_frame *f)
{
	order[0] = (uint8_t)f->vector;
	order_count++;
}

static void window(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static bool wait_for(unsigned count)
{
	irq_on();
	for (unsigned i = 0; i < WAIT_TURNS && order_count < count; i++)
		__asm__ volatile("pause");
	irq_off();
	return order_count >= count;
}

static bool came(unsigned count, uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t expected[3] = {a, b, c};

	for (unsigned i = 0; i < count; i++)
		if (order[i] != expected[i])
			return false;
	return order_count == count;
}

/* --- the checks: true is good; they begin with interrupts off, TPR 0 and nothing pending --- */

static bool priorities(void)
{
	self(0x41);
	self(0x61);
	self(0x51);
	if (!bit(LAPIC_IRR, 0x41) || !bit(LAPIC_IRR, 0x51) || !bit(LAPIC_IRR, 0x61))
		return false;
	window();
	return came(3, 0x61, 0x51, 0x41) && rd(LAPIC_PPR) == 0 && !bit(LAPIC_IRR, 0x41);
}

static bool nested_good;

static void nest(unsigned vector)
{
	if (vector == 0x45) {
		self(0x48); /* the same class has to wait */
		self(0x73);
		window();
		nested_good = order_count == 2 && rd(LAPIC_PPR) == 0x40 && bit(LAPIC_ISR, 0x45) && bit(LAPIC_IRR, 0x48);
	} else if (vector == 0x73) {
		nested_good = rd(LAPIC_PPR) == 0x70 && bit(LAPIC_ISR, 0x73) && bit(LAPIC_ISR, 0x45);
	}
	wr(LAPIC_EOI, 0);
}

static bool nesting(void)
{
	nested_good = false;
	in_handler = nest;
	self(0x45);
	window();
	return nested_good && came(3, 0x45, 0x73, 0x48);
}

static void keep(unsigned vector)
{
	(void)vector;
}

static bool eoi_order(void)
{
	bool good;

	in_handler = keep;
	self(0x33);
	window();
	self(0x84);
	window();
	good = bit(LAPIC_ISR, 0x33) && bit(LAPIC_ISR, 0x84) && rd(LAPIC_PPR) == 0x80;
	wr(LAPIC_EOI, 0);
	good = good && bit(LAPIC_ISR, 0x33) && !bit(LAPIC_ISR, 0x84) && rd(LAPIC_PPR) == 0x30;
	wr(LAPIC_EOI, 0);
	return good && !bit(LAPIC_ISR, 0x33) && came(2, 0x33, 0x84, 0);
}

static bool tpr_masks(void)
{
	wr(LAPIC_TPR, 0x5f);
	self(0x55);
	window();
	if (order_count != 0 || !bit(LAPIC_IRR, 0x55) || rd(LAPIC_PPR) != 0x5f)
		return false;
	irq_on();
	wr(LAPIC_TPR, 0x40); /* and here it comes */
	__asm__ volatile("nop");
	irq_off();
	return came(1, 0x55, 0, 0) && rd(LAPIC_TPR) == 0x40;
}

/* Lowered in steps with interrupts off: nothing may come before STI, all that TPR lets through after it. */
static bool tpr_steps(void)
{
	wr(LAPIC_TPR, 0xf0);
	self(0x66);
	self(0x96);
	window();
	if (order_count != 0)
		return false;
	wr(LAPIC_TPR, 0x80);
	window();
	if (!came(1, 0x96, 0, 0))
		return false;
	wr(LAPIC_TPR, 0x60);
	window();
	wr(LAPIC_TPR, 0x50);
	if (order_count != 1)
		return false;
	window();
	return came(2, 0x96, 0x66, 0);
}

static bool self_ipis(void)
{
	uint32_t id = own_id();
	uint32_t logical = x2apic ? rd(LAPIC_LDR) : 1;

	if (!x2apic)
		wr(LAPIC_LDR, 1u << 24);
	icr(id, ASSERT | 0x51);
	window();
	icr(logical, ASSERT | LAPIC_ICR_LOGICAL | 0x52);
	window();
	icr(0, ASSERT | LAPIC_ICR_TO_ALL | 0x53);
	window();
	icr(0, ASSERT | LAPIC_ICR_TO_OTHERS | 0x54);
	window();
	icr(id, ASSERT | LAPIC_ICR_DM_LOWEST | 0x55);
	window();
	if (x2apic) {
		wr(LAPIC_SELF_IPI, 0x56);
		window();
	}
	return order[3] == 0x55 && order_count == (x2apic ? 5 : 4);
}

static bool nmi_to_itself(void)
{
	icr(own_id(), ASSERT | LAPIC_ICR_DM_NMI);
	__asm__ volatile("nop");
	return came(1, 2, 0, 0);
}

static bool halted(void)
{
	self(0x71);
	irq_wait();
	return came(1, 0x71, 0, 0);
}

/* STI's shadow is one instruction long, also when that one leaves the guest; and no longer. */
static bool sti_shadow(void)
{
	uint32_t a = 0, b, c, d;

	self(0x72);
	__asm__ volatile("sti; cli" : : : "memory");
	if (order_count != 0)
		return false;
	__asm__ volatile("sti; cpuid; cli" : "+a"(a), "=b"(b), "=c"(c), "=d"(d) : : "memory");
	return came(1, 0x72, 0, 0);
}

static uint64_t rte(void)
{
	volatile uint32_t *regs = (volatile uint32_t *)IOAPIC_AT;
	uint32_t low;

	regs[0] = IOAPIC_REDTBL + 2 * COM1_PIN;
	low = regs[IOAPIC_WIN / 4];
	regs[0] = IOAPIC_REDTBL + 2 * COM1_PIN + 1;
	return (uint64_t)regs[IOAPIC_WIN / 4] << 32 | low;
}

static void set_rte(uint32_t low)
{
	volatile uint32_t *regs = (volatile uint32_t *)IOAPIC_AT;

	regs[0] = IOAPIC_REDTBL + 2 * COM1_PIN + 1;
	regs[IOAPIC_WIN / 4] = 0;
	regs[0] = IOAPIC_REDTBL + 2 * COM1_PIN;
	regs[IOAPIC_WIN / 4] = low;
}

static bool level_good;

/* The UART asks as long as it is allowed to. The first time it is let ask on: it comes again. */
static void on_level(unsigned vector)
{
	level_good = (rte() & IOAPIC_RTE_REMOTE_IRR) != 0 && bit(LAPIC_TMR, vector) && (order_count == 1 || level_good);
	if (order_count == 2)
		outb(COM1_IER, 0);
	wr(LAPIC_EOI, 0);
}

static bool level_triggered(void)
{
	bool good;

	level_good = false;
	in_handler = on_level;
	set_rte(0x8a | IOAPIC_RTE_LEVEL);
	outb(COM1_MCR, inb(COM1_MCR) | MCR_OUT2);
	outb(COM1_IER, 2);
	good = wait_for(2);
	window();
	good = good && came(2, 0x8a, 0x8a, 0) && level_good && !(rte() & IOAPIC_RTE_REMOTE_IRR);
	set_rte(IOAPIC_RTE_MASKED);
	/* The same vector as an edge: TMR follows. (By its ID: a processor may do an IPI to itself without TMR.) */
	in_handler = keep;
	order_count = 0;
	icr(own_id(), ASSERT | 0x8a);
	window();
	good = good && order_count == 1 && !bit(LAPIC_TMR, 0x8a);
	wr(LAPIC_EOI, 0);
	return good;
}

/* --- deadlines --- */

#define MSR_TSC_ADJUST 0x3bu
#define DEADLINE_VECTOR 0x7au
#define DEADLINES 64u
#define SLOW_ACCESS 20000u /* longer than any access to the APIC takes */

static void deadline_in(uint32_t ticks)
{
	wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, rdtsc() + ticks);
}

/* Without an exit. */
static void spin(uint32_t ticks)
{
	uint64_t end = rdtsc() + ticks;

	while (rdtsc() < end)
		;
}

static bool none_came(uint32_t ticks)
{
	order_count = 0;
	spin(ticks);
	window();
	return order_count == 0;
}

static void leave(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}

/* It passes while the guest spins; is halted; leaves again and again; has interrupts off and leaves. */
static void await_deadline(unsigned how, uint32_t ticks)
{
	switch (how) {
	case 0:
		wait_for(1);
		break;
	case 1:
		irq_wait();
		break;
	case 2:
		irq_on();
		for (unsigned i = 0; i < WAIT_TURNS && order_count == 0; i++)
			leave();
		irq_off();
		break;
	default:
		spin(ticks + 100);
		leave();
		window();
		break;
	}
}

static bool each_deadline_once(void)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < DEADLINES; i++) {
		uint32_t ticks = (seed >> 16) % 3000;

		seed = seed * 1103515245u + 12345u;
		order_count = 0;
		deadline_in(ticks);
		await_deadline(i % 4, ticks);
		if (!came(1, DEADLINE_VECTOR, 0, 0) || rdmsr(MSR_IA32_TSC_DEADLINE_INDEX) != 0 || !none_came(2000))
			return false;
	}
	return true;
}

/* One passes while interrupts are off, and the next is set before they are on. */
static bool two_deadlines(void)
{
	deadline_in(100);
	spin(1000);
	deadline_in(2 * SLOW_ACCESS);
	leave();
	window();
	return came(1, DEADLINE_VECTOR, 0, 0) && rdmsr(MSR_IA32_TSC_DEADLINE_INDEX) != 0 && wait_for(2) &&
	       came(2, DEADLINE_VECTOR, DEADLINE_VECTOR, 0);
}

static bool taken_back(void)
{
	bool good;

	deadline_in(SLOW_ACCESS);
	wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, 0);
	good = none_came(2 * SLOW_ACCESS);
	deadline_in(SLOW_ACCESS);
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | LAPIC_LVT_TIMER_TSC_DEADLINE | DEADLINE_VECTOR);
	good = none_came(2 * SLOW_ACCESS) && good;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | DEADLINE_VECTOR);
	good = none_came(2 * SLOW_ACCESS) && rdmsr(MSR_IA32_TSC_DEADLINE_INDEX) == 0 && good;
	deadline_in(SLOW_ACCESS);
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | (DEADLINE_VECTOR + 1));
	return wait_for(1) && came(1, DEADLINE_VECTOR + 1, 0, 0) && good;
}

/* The TSC jumps past the deadline; and then it is another one than the host's. */
static bool tsc_jumps(void)
{
	bool good;

	order_count = 0;
	deadline_in(1000000000);
	spin(1000);
	wrmsr(MSR_TSC_ADJUST, 1000000000);
	good = wait_for(1) && order_count == 1;
	order_count = 0;
	deadline_in(SLOW_ACCESS);
	good = none_came(100) && wait_for(1) && good;
	wrmsr(MSR_TSC_ADJUST, 0);
	return good && none_came(3000);
}

static bool deadlines(void)
{
	bool good;

	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | DEADLINE_VECTOR);
	good = each_deadline_once();
	order_count = 0;
	good = two_deadlines() && good;
	good = taken_back() && good;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | DEADLINE_VECTOR);
	good = tsc_jumps() && good;
	good = each_deadline_once() && good;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	return good;
}

static bool has_deadline(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return r[2] >> 24 & 1;
}

static bool timer_modes(void)
{
	uint32_t first;
	bool good;

	wr(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	wr(LAPIC_LVT_TIMER, 0x77);
	wr(LAPIC_TIMER_INITIAL, 20000);
	first = rd(LAPIC_TIMER_CURRENT);
	good = first <= 20000 && wait_for(1) && rd(LAPIC_TIMER_CURRENT) == 0;
	window();
	good = good && came(1, 0x77, 0, 0);
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | 0x78);
	wr(LAPIC_TIMER_INITIAL, 20000);
	good = good && wait_for(4) && order[3] == 0x78;
	order_count = 0;
	irq_wait();
	good = good && order_count >= 1;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | 0x78);
	wr(LAPIC_TIMER_INITIAL, 0);
	window();
	if (!has_deadline())
		return good;
	order_count = 0;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | 0x79);
	wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, rdtsc() + 50000);
	good = good && rdmsr(MSR_IA32_TSC_DEADLINE_INDEX) != 0;
	irq_wait();
	good = good && came(1, 0x79, 0, 0) && rdmsr(MSR_IA32_TSC_DEADLINE_INDEX) == 0;
	wr(LAPIC_TIMER_INITIAL, 5);
	good = good && rd(LAPIC_TIMER_INITIAL) == 0;
	wr(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	return good;
}

static bool errors(void)
{
	bool good;

	wr(LAPIC_ESR, 0);
	wr(LAPIC_ESR, 0);
	wr(LAPIC_LVT_ERROR, ERROR_VECTOR);
	self(5);
	good = wait_for(1) && came(1, ERROR_VECTOR, 0, 0);
	wr(LAPIC_ESR, 0);
	good = good && rd(LAPIC_ESR) == LAPIC_ESR_SEND_ILLEGAL_VECTOR;
	if (x2apic) {
		order_count = 0;
		wr(LAPIC_SELF_IPI, 6);
		good = good && wait_for(1);
		wr(LAPIC_ESR, 0);
		good = good && rd(LAPIC_ESR) == LAPIC_ESR_SEND_ILLEGAL_VECTOR;
	}
	wr(LAPIC_ESR, 0);
	wr(LAPIC_LVT_ERROR, LAPIC_LVT_MASKED);
	return good && rd(LAPIC_ESR) == 0;
}

/* Software-disabled: LVT masked, what is pending stays and is delivered, nothing new is taken. (By its ID: a processor may
 * do an IPI to itself without a look at SVR.) */
static bool software_disable(void)
{
	bool good;

	wr(LAPIC_LVT_TIMER, 0x55);
	self(0x42);
	wr(LAPIC_SVR, SPURIOUS);
	icr(own_id(), ASSERT | 0x43);
	window();
	good = came(1, 0x42, 0, 0) && (rd(LAPIC_LVT_TIMER) & LAPIC_LVT_MASKED) != 0;
	wr(LAPIC_LVT_TIMER, 0x55);
	good = good && (rd(LAPIC_LVT_TIMER) & LAPIC_LVT_MASKED) != 0;
	wr(LAPIC_SVR, ENABLED | SPURIOUS);
	return good;
}

static volatile unsigned pic_ticks;

static void on_pit(void)
{
	pic_ticks++;
}

/* An 8259's interrupt and one of the APIC's own wait at the same time: both come. */
static bool with_the_8259(void)
{
	pic_ticks = 0;
	wr(LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	irq_set(0, on_pit);
	outb(PIT_CONTROL, 0x30); /* counter 0, both bytes, mode 0 */
	outb(PIT_CH0, 100);
	outb(PIT_CH0, 0);
	for (unsigned i = 0; i < 20000; i++)
		inb(0x80);
	self(0x62);
	window();
	wait_for(1);
	outb(0x21, 0xff);
	return pic_ticks == 1 && came(1, 0x62, 0, 0);
}

/* Accesses that processors do not virtualise, and registers that cannot be written. */
static bool odd_accesses(void)
{
	volatile uint32_t *tpr = (volatile uint32_t *)(LAPIC_AT + LAPIC_TPR);
	volatile uint8_t *byte = (volatile uint8_t *)(LAPIC_AT + LAPIC_VERSION);
	uint32_t id = rd(LAPIC_ID), value = 0x10;
	bool good;

	__asm__ volatile("orl $0x20, %0" : "+m"(*tpr));
	__asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*tpr));
	good = value == 0x20 && rd(LAPIC_TPR) == 0x10;
	good = good && byte[0] == (rd(LAPIC_VERSION) & 0xff) && *(volatile uint32_t *)(LAPIC_AT + LAPIC_TPR + 4) == 0;
	wr(LAPIC_ID, 0x55000000);
	good = good && rd(LAPIC_ID) == id;
	wr(LAPIC_ESR, 0);
	rd(0x3f0); /* not there */
	wr(LAPIC_ESR, 0);
	return good && rd(LAPIC_ESR) == LAPIC_ESR_ILLEGAL_REGISTER;
}

static void read_dfr(void *arg)
{
	(void)arg;
	rdmsr(X2APIC_MSR(LAPIC_DFR));
}

static void write_tpr_wide(void *arg)
{
	(void)arg;
	wrmsr(X2APIC_MSR(LAPIC_TPR), 0x100);
}

static void write_eoi_one(void *arg)
{
	(void)arg;
	wrmsr(X2APIC_MSR(LAPIC_EOI), 1);
}

static void write_version(void *arg)
{
	(void)arg;
	wrmsr(X2APIC_MSR(LAPIC_VERSION), 0);
}

static bool x2apic_faults(void)
{
	return trap_try(read_dfr, NULL) == 13 && trap_try(write_tpr_wide, NULL) == 13 &&
	       trap_try(write_eoi_one, NULL) == 13 && trap_try(write_version, NULL) == 13 &&
	       *(volatile uint32_t *)(LAPIC_AT + LAPIC_VERSION) == 0xffffffff;
}

static void begin(void)
{
	order_count = 0;
	in_handler = NULL;
	wr(LAPIC_TPR, 0);
}

/* The machine is quiet when a check begins: what has been printed has left its serial port. Bochs 2.7 delivers an interrupt
 * that waits in the virtual APIC, whatever IF says, when one of the host's comes meanwhile. */
static void settle(void)
{
	for (volatile unsigned i = 0; i < 100000; i++)
		;
}

static void check(const char *name, bool (*fn)(void))
{
	bool good;

	settle();
	begin();
	good = fn();
	begin();
	window();
	if (!good)
		failed++;
	print("apic: %s %s: %s\n", x2apic ? "x2APIC" : "xAPIC", name, good ? "ok" : "FAILED");
}

static void check_all(void)
{
	wr(LAPIC_SVR, ENABLED | SPURIOUS);
	check("priorities", priorities);
	check("nesting", nesting);
	check("EOI order", eoi_order);
	check("TPR", tpr_masks);
	check("TPR in steps", tpr_steps);
	check("IPIs to itself", self_ipis);
	check("NMI to itself", nmi_to_itself);
	check("HLT", halted);
	check("STI shadow", sti_shadow);
	check("level-triggered", level_triggered);
	check("timer", timer_modes);
	if (has_deadline())
		check("deadlines", deadlines);
	check("errors", errors);
	check("software disable", software_disable);
	check("with the 8259", with_the_8259);
}

/* Off and on: as after power-up, and the 8259 comes past an APIC that is off. */
static bool off_and_on(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE_INDEX) & ~(APIC_BASE_EN | APIC_BASE_EXTD);
	bool good;

	self(0x44);
	wrmsr(MSR_IA32_APIC_BASE_INDEX, base);
	x2apic = false;
	good = rd(LAPIC_VERSION) == 0xffffffff;
	window();
	wrmsr(MSR_IA32_APIC_BASE_INDEX, base | APIC_BASE_EN);
	good = good && order_count == 0 && rd(LAPIC_SVR) == SPURIOUS && rd(LAPIC_IRR + 0x20) == 0;
	wr(LAPIC_SVR, ENABLED | SPURIOUS);
	self(0x45);
	window();
	return good && came(1, 0x45, 0, 0);
}

void guest_main(void)
{
	uint32_t r[4];

	for (unsigned vector = 0x30; vector < 0xff; vector++)
		trap_set(vector, on_vector);
	trap_set(2, on_nmi);
	check_all();
	check("odd accesses", odd_accesses);
	check("off and on", off_and_on);
	cpuid(1, 0, r);
	if (r[2] >> 21 & 1) {
		wrmsr(MSR_IA32_APIC_BASE_INDEX, rdmsr(MSR_IA32_APIC_BASE_INDEX) | APIC_BASE_EXTD);
		x2apic = true;
		check_all();
		check("faults", x2apic_faults);
		check("off and on", off_and_on);
		check("priorities again", priorities);
	}
	print("apic: %u failed\n", failed);
}
