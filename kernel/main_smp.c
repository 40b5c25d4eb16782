/* Boot: the other CPUs. The MADT says which there are; without ACPI all that answer to a broadcast are taken. They come up
 * one after the other through the page of boot/ap_start.asm, each is brought into the state of the first and compared with
 * it; what does not answer or is not alike is left out, with the reason, and the machine goes on. Privileged: it drives
 * INIT and start-up IPIs and the CPU that it runs on. */
#include "kernel/main.h"

#include "arch/x86/idt.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/tsc_sync.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define INIT_MS 10u      /* SDM 3 "MP Initialization Protocol Algorithm": between INIT and the first start-up IPI */
#define SIPI_MS 1u       /* to the second; the manual wants 200 us at least */
#define ANSWER_MS 1000u  /* a CPU that has not come by then does not come; emulators share a core among several */
#define BROADCAST_MS 500 /* the same when nobody knows how many there are: so long the boot waits for one more */
#define READY_MS 5000u   /* our own code runs there */
#define TSC_MS 10u       /* for each look at a TSC; a real machine needs microseconds */

/* Where a CPU stands on its way. Written by that CPU alone, apart from AP_ABSENT. */
enum ap_state { AP_ABSENT, AP_ARRIVED, AP_READY, AP_REFUSED };

extern const uint8_t ap_page[], ap_page_end[], ap_page_ticket[], ap_page_closed[], ap_page_cr3[];

_Noreturn void ap_entry(uint32_t index);

/* Read by ap_start.asm. */
uint64_t ap_stack_tops[CPU_MAX];

void (*ap_main)(void);

static struct call {
	void (*fn)(void *ctx);
	void *ctx;
} calls[CPU_MAX];

static struct machine *the_machine;
static enum ap_state states[CPU_MAX];
static char whys[CPU_MAX][CPU_WHY_BYTES];
static bool all_up; /* the start page is gone: whoever came through it flushes, then goes on */
static uint64_t start_page_hpa;
static uint64_t test_dead, test_differs, test_mtrr; /* boot words: APIC IDs, UINT64_MAX: none */
static uint64_t test_skew;                          /* ticks by which the others' TSC is put ahead first */

static void set_state(uint32_t index, enum ap_state state)
{
	__atomic_store_n(&states[index], state, __ATOMIC_RELEASE);
}

static enum ap_state state_of(uint32_t index)
{
	return __atomic_load_n(&states[index], __ATOMIC_ACQUIRE);
}

static volatile uint32_t *page_word(const uint8_t *symbol)
{
	return hva_of(start_page_hpa + (uint64_t)(symbol - ap_page));
}

/* On the new CPU: give it the first one's MTRRs. Nothing may be in its caches or be cached meanwhile, and translations hold
 * types as well. Of all other CPUs only the first one runs, with the types that are right.
 * Source: SDM 3 "MemTypeSet() Function", "MTRR Considerations in MP Systems". */
static void set_mtrrs(const struct mtrr_state *want)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 | CR0_CD);
	wbinvd();
	paging_flush();
	wrmsr(MSR_MTRR_DEF_TYPE, want->def_type & ~(MTRR_DEF_ENABLE | MTRR_DEF_FIXED_ENABLE));
	for (unsigned i = 0; want->has_fixed && i < MTRR_FIXED_COUNT; i++)
		wrmsr(mtrr_fixed_msrs[i], want->fixed[i]);
	for (unsigned i = 0; i < want->variable_count && i < MTRR_VARIABLE_MAX; i++) {
		wrmsr(MSR_MTRR_PHYSBASE0 + 2 * i, want->variable[i].base);
		wrmsr(MSR_MTRR_PHYSMASK0 + 2 * i, want->variable[i].mask);
	}
	wrmsr(MSR_MTRR_DEF_TYPE, want->def_type);
	wbinvd();
	paging_flush();
	write_cr0(cr0);
}

/* Memory that two CPUs cache in different ways is not coherent. INIT leaves the MTRRs alone, and firmware has made them alike.
 * Where not (in QEMU without KVM, INIT clears them), this CPU gets the first one's; `why` says what was different, and
 * remains. (PAT is ours: paging_load() has set it.) */
static bool same_memory_types(const struct machine *m, const struct percpu *cpu, char *why)
{
	const struct mtrr_state *first = &m->host.mtrr;
	struct mtrr_state here = {0};

	if (cpu->apic_id == test_mtrr)
		wrmsr(MSR_MTRR_DEF_TYPE, first->def_type ^ MTRR_DEF_ENABLE);
	read_mtrrs(&here, first->maxphyaddr);
	if (mtrr_same(first, &here, why, CPU_WHY_BYTES))
		return true;
	if (here.variable_count != first->variable_count || here.has_fixed != first->has_fixed)
		return false;
	set_mtrrs(first);
	read_mtrrs(&here, first->maxphyaddr);
	return mtrr_same(first, &here, why, CPU_WHY_BYTES);
}

/* On the new CPU: may it join? Else `why` says what is wrong. */
static bool fit_to_join(const struct machine *m, struct percpu *cpu, char *why)
{
	struct vmx_probe here;
	int err;

	vmx_probe(&here);
	if (cpu->apic_id == test_differs)
		here.raw.vmx[0] ^= 1;
	if (!vmx_probe_same(&m->vmx, &here, why, CPU_WHY_BYTES) || !same_memory_types(m, cpu, why))
		return false;
	err = m->host.can_run ? vmx_cpu_init() : 0;
	if (err != 0)
		fmt_snprintf(why, CPU_WHY_BYTES, "VT-x cannot be switched on: %s", err_str(err));
	cpu->protection = paging_protection();
	return err == 0;
}

/* Have a parked CPU call a function; see smp_wait(). */
void smp_run(uint32_t index, void (*fn)(void *ctx), void *ctx)
{
	calls[index].ctx = ctx;
	__atomic_store_n(&calls[index].fn, fn, __ATOMIC_RELEASE);
	cpu_kick(index);
}

/* Until it has returned there. */
void smp_wait(uint32_t index)
{
	while (__atomic_load_n(&calls[index].fn, __ATOMIC_ACQUIRE) != NULL)
		pause();
}

static void answer_call(struct call *c)
{
	void (*fn)(void *ctx) = __atomic_load_n(&c->fn, __ATOMIC_ACQUIRE);

	if (fn == NULL)
		return;
	fn(c->ctx);
	__atomic_store_n(&c->fn, NULL, __ATOMIC_RELEASE);
}

/* Nothing to do: sleep, until there is a way to go on. */
_Noreturn static void park(void)
{
	for (;;) {
		void (*go)(void);

		__atomic_exchange_n(&this_cpu()->attention, 0, __ATOMIC_SEQ_CST);
		answer_call(&calls[this_cpu()->index]);
		go = __atomic_load_n(&ap_main, __ATOMIC_ACQUIRE);
		if (go != NULL)
			go();
		this_cpu()->sleeps++;
		cpu_sleep();
	}
}

/* A CPU that is refused waits here for the INIT that takes it away. */
_Noreturn static void halt(void)
{
	for (;;)
		hlt();
}

/* Entered by boot/ap_start.asm on the CPU's own stack, with the final page tables, IF = 0. */
void ap_entry(uint32_t index)
{
	const struct machine *m = the_machine;
	struct percpu *cpu = percpu_get(index);

	percpu_load(cpu);
	idt_load();
	set_state(index, AP_ARRIVED);
	paging_load();
	lapic_cpu_enable(&m->lapic);
	cpu->apic_id = lapic_id(&m->lapic);
	if (!fit_to_join(m, cpu, whys[index])) {
		set_state(index, AP_REFUSED);
		halt();
	}
	set_state(index, AP_READY);
	while (!__atomic_load_n(&all_up, __ATOMIC_ACQUIRE))
		pause();
	/* In this order: what is unmapped from now on is told by NMI, what was before goes with the flush. */
	__atomic_store_n(&cpu->online, true, __ATOMIC_SEQ_CST);
	paging_flush();
	park();
}

/* --- the first CPU's side --- */

static void wait_ms(const struct machine *m, unsigned ms)
{
	uint64_t begin = rdtsc();

	while (rdtsc() - begin < m->tsc.hz / 1000 * ms)
		pause();
}

/* Whether the CPU gets beyond a state within a time. */
static bool passes(const struct machine *m, uint32_t index, enum ap_state state, unsigned ms)
{
	uint64_t begin = rdtsc();

	while (state_of(index) <= state) {
		if (rdtsc() - begin > m->tsc.hz / 1000 * ms)
			return false;
		pause();
	}
	return true;
}

static struct cpu_record *add_record(struct cpu_table *t, uint32_t apic_id)
{
	struct cpu_record *r;

	if (t->count == CPU_RECORDS_MAX) {
		t->missed++;
		return NULL;
	}
	r = &t->records[t->count++];
	*r = (struct cpu_record){.apic_id = apic_id, .index = CPU_NO_INDEX};
	return r;
}

PRINTF_LIKE(2, 3) static void leave_out(struct cpu_record *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(r->why, sizeof(r->why), fmt, args);
	va_end(args);
	log_warn("CPU with APIC ID %u is left out: %s", r->apic_id, r->why);
}

/* The page that a start-up IPI can name, and everything in it. */
static int make_start_page(struct machine *m)
{
	int err;

	start_page_hpa = page_alloc_zone(&m->pages, 0, PAGE_ZONE_LOW);
	if (start_page_hpa == PAGE_NONE)
		return ERR_NOMEM;
	memcpy(hva_of(start_page_hpa), ap_page, (size_t)(ap_page_end - ap_page));
	*page_word(ap_page_cr3) = (uint32_t)paging_root_hpa();
	assert(paging_root_hpa() <= UINT32_MAX);
	err = paging_map_start_page(start_page_hpa);
	if (err != 0)
		page_free(&m->pages, start_page_hpa, 0);
	return err;
}

/* The page stays ours: a CPU that comes late finds it closed, and stays there. */
static void close_start_page(void)
{
	struct pt_leaf offender;

	*page_word(ap_page_closed) = 1;
	paging_unmap_start_page(start_page_hpa);
	if (paging_check_wx(&offender) != 0)
		panic("W^X does not hold after the start of the CPUs: page 0x%llx", (unsigned long long)offender.va);
	__atomic_store_n(&all_up, true, __ATOMIC_RELEASE);
}

static uint64_t free_before; /* the CPU that is being started was given anything */

static int make_percpu(struct machine *m, uint32_t index, uint32_t apic_id)
{
	struct percpu *cpu;
	uint64_t base;
	int err;

	free_before = page_alloc_free_bytes(&m->pages);
	err = percpu_create(index, apic_id, &m->host.pages, &cpu);
	if (err != 0)
		return err;
	cpu_stack_bounds(cpu->stacks, CPU_STACK_MAIN, &base, &ap_stack_tops[index]);
	whys[index][0] = '\0';
	set_state(index, AP_ABSENT);
	return 0;
}

/* Let one CPU through the page, if one is there within that time, and look how it fares. r: its record, NULL: make one. */
static bool admit(struct machine *m, uint32_t index, struct cpu_record *r, unsigned ms)
{
	__atomic_store_n(page_word(ap_page_ticket), index, __ATOMIC_RELEASE);
	if (!passes(m, index, AP_ABSENT, ms) &&
	    __atomic_exchange_n(page_word(ap_page_ticket), 0, __ATOMIC_ACQ_REL) != 0) {
		if (r != NULL)
			leave_out(r, "no answer to INIT and start-up IPI within %u ms", ms);
		return false;
	}
	/* It has the ticket, and with it this stack: from here on it is waited for. */
	(void)passes(m, index, AP_ARRIVED, READY_MS);
	if (r == NULL)
		r = add_record(&m->cpus, percpu_get(index)->apic_id);
	if (r == NULL)
		return false;
	if (state_of(index) == AP_READY) {
		r->index = index;
		r->protection = percpu_get(index)->protection;
		if (whys[index][0] != '\0')
			log_info("CPU %u: %s: it has the first CPU's memory types now", index, whys[index]);
		r->bytes = free_before - page_alloc_free_bytes(&m->pages);
		m->cpus.running++;
		return true;
	}
	leave_out(r, "%s", state_of(index) == AP_REFUSED ? whys[index] : "it has begun to start, and got stuck");
	return false;
}

/* Whatever the CPU is doing: it goes back to waiting for a start-up IPI, and its stack is free. */
static void take_away(struct machine *m, uint32_t index, uint32_t apic_id)
{
	lapic_send(&m->lapic, apic_id, LAPIC_ICR_DM_INIT);
	wait_ms(m, INIT_MS);
	percpu_destroy(percpu_get(index), &m->host.pages);
}

/* With the xAPIC a command has 8 bits for the ID, of which the highest value means everybody: a larger ID would send INIT to
 * another CPU, which may be this one. */
static bool can_be_called(const struct machine *m, const struct cpu_record *r)
{
	return m->lapic.x2apic || r->apic_id < 0xff;
}

static void start_one(struct machine *m, struct cpu_record *r)
{
	const uint32_t startup = LAPIC_ICR_DM_STARTUP | (uint32_t)(start_page_hpa >> PAGE_SHIFT);
	uint32_t index = m->cpus.running;
	int err;

	if (!can_be_called(m, r)) {
		leave_out(r, "its APIC ID needs x2APIC mode");
		return;
	}
	err = index < CPU_MAX ? make_percpu(m, index, r->apic_id) : ERR_FULL;
	if (err != 0) {
		leave_out(r, "no place for it: %s", err_str(err));
		return;
	}
	if (r->apic_id != test_dead) {
		lapic_send(&m->lapic, r->apic_id, startup);
		wait_ms(m, SIPI_MS);
		lapic_send(&m->lapic, r->apic_id, startup); /* one that has started ignores it */
	}
	if (!admit(m, index, r, ANSWER_MS))
		take_away(m, index, r->apic_id);
}

/* One record for each CPU that is enabled; some firmware names a CPU in both kinds of entry. */
static void read_madt(struct machine *m)
{
	struct acpi_madt_entry e;
	size_t offset = 0;

	while (acpi_madt_next(&m->madt, &offset, &e) == 0) {
		bool known = e.kind != ACPI_MADT_CPU || !e.enabled;

		for (unsigned i = 0; !known && i < m->cpus.count; i++)
			known = m->cpus.records[i].apic_id == e.apic_id;
		if (!known)
			(void)add_record(&m->cpus, e.apic_id);
	}
}

static void start_listed(struct machine *m, unsigned limit)
{
	const struct cpu_table *t = &m->cpus;

	for (unsigned i = 1; i < t->count; i++) {
		if (can_be_called(m, &t->records[i]))
			lapic_send(&m->lapic, t->records[i].apic_id, LAPIC_ICR_DM_INIT);
	}
	wait_ms(m, INIT_MS);
	for (unsigned i = 1; i < t->count; i++) {
		struct cpu_record *r = &m->cpus.records[i];

		if (t->running < limit)
			start_one(m, r);
		else if (limit < CPU_MAX)
			fmt_snprintf(r->why, sizeof(r->why), "the boot line says cpus=%u", limit);
		else
			fmt_snprintf(r->why, sizeof(r->why), "no more than %u CPUs can be used", CPU_MAX);
	}
}

/* Nobody says which CPUs there are: all are called, and one after the other is let in until no more come. */
static void start_unlisted(struct machine *m, unsigned limit)
{
	const uint32_t startup = LAPIC_ICR_DM_STARTUP | (uint32_t)(start_page_hpa >> PAGE_SHIFT);

	lapic_send_others(&m->lapic, LAPIC_ICR_DM_INIT);
	wait_ms(m, INIT_MS);
	lapic_send_others(&m->lapic, startup);
	wait_ms(m, SIPI_MS);
	lapic_send_others(&m->lapic, startup);
	while (m->cpus.running < limit && m->cpus.count < CPU_RECORDS_MAX) {
		uint32_t index = m->cpus.running;

		if (make_percpu(m, index, 0) != 0)
			return;
		if (admit(m, index, NULL, BROADCAST_MS))
			continue;
		if (state_of(index) == AP_ABSENT) {
			percpu_destroy(percpu_get(index), &m->host.pages);
			return;
		}
		take_away(m, index, percpu_get(index)->apic_id);
	}
}

static unsigned cpu_limit(const struct machine *m)
{
	uint64_t limit;

	if (bootline_number(&m->bootline, "cpus", CPU_MAX, &limit) != 0 || limit == 0) {
		log_error("boot line: cpus=%s is not a number of CPUs", bootline_value(&m->bootline, "cpus"));
		return CPU_MAX;
	}
	return limit < CPU_MAX ? (unsigned)limit : CPU_MAX;
}

static void send_nmi(uint32_t apic_id)
{
	lapic_send(&the_machine->lapic, apic_id, LAPIC_ICR_DM_NMI);
}

static void start_others(struct machine *m, unsigned limit)
{
	int err = make_start_page(m);

	if (err != 0) {
		log_warn("no page below 1 MiB in which a CPU can start: %s", err_str(err));
		return;
	}
	if (m->has_madt)
		start_listed(m, limit);
	else
		start_unlisted(m, limit);
	close_start_page();
	for (uint32_t i = 1; i < m->cpus.running; i++) {
		while (!__atomic_load_n(&percpu_get(i)->online, __ATOMIC_ACQUIRE))
			pause();
	}
}

/* --- time --- */

static void follow(void *ctx)
{
	if (test_skew != 0)
		tsc_add((int64_t)test_skew);
	tsc_sync_follow(ctx);
}

/* Make the CPU's TSC agree with this one's, as well as it goes; guests move between them. */
static void sync_tsc(struct machine *m, uint32_t index)
{
	struct tsc_sync sync = {0};
	struct cpu_record *r = &m->cpus.records[0];
	struct percpu *cpu = percpu_get(index);
	uint64_t error;
	int64_t before;

	smp_run(index, follow, &sync);
	before = tsc_sync_lead(&sync, m->tsc.hz / 1000 * TSC_MS, &cpu->tsc_delta, &error);
	smp_wait(index);
	while (r->index != index)
		r++;
	r->tsc_delta = cpu->tsc_delta;
	if (before != 0)
		log_info("CPU %u: TSC was %+lld ticks off, now %+lld", index, (long long)before,
			 (long long)cpu->tsc_delta);
	if (error == UINT64_MAX)
		log_warn("CPU %u: its TSC does not run alike with the first CPU's", index);
	else
		log_debug("CPU %u: TSC known to +-%llu ticks", index, (unsigned long long)error);
}

static bool is_first(void)
{
	return this_cpu()->index == 0;
}

static void call_first(void)
{
	__atomic_store_n(&the_machine->host.called, 1, __ATOMIC_SEQ_CST);
	cpu_kick(0);
}

static void read_test_words(const struct bootline *bl)
{
	if (bootline_number(bl, "test-cpu-dead", UINT64_MAX, &test_dead) != 0 ||
	    bootline_number(bl, "test-cpu-differs", UINT64_MAX, &test_differs) != 0 ||
	    bootline_number(bl, "test-mtrr-differs", UINT64_MAX, &test_mtrr) != 0 ||
	    bootline_number(bl, "test-tsc-skew", 0, &test_skew) != 0)
		log_error(
			"boot line: test-cpu-dead=, test-cpu-differs=, test-mtrr-differs= and test-tsc-skew= want numbers");
}

void boot_smp(struct machine *m)
{
	struct percpu *bsp = this_cpu();
	unsigned limit = cpu_limit(m);

	the_machine = m;
	bsp->apic_id = lapic_id(&m->lapic);
	bsp->online = true;
	nmi_init(send_nmi);
	log_set_home(is_first, call_first);
	read_test_words(&m->bootline);
	nmi_kick_hook = vmx_nmi_window;
	(void)add_record(&m->cpus, bsp->apic_id);
	m->cpus.records[0].index = 0;
	m->cpus.records[0].protection = paging_protection();
	m->cpus.running = 1;
	if (m->has_madt)
		read_madt(m);
	if (limit > 1 && (!m->has_madt || m->cpus.count > 1))
		start_others(m, limit);
	for (uint32_t i = 1; i < m->cpus.running; i++)
		sync_tsc(m, i);
	log_info("CPUs: %u of %u run", m->cpus.running, m->cpus.count + m->cpus.missed);
}
