/* The local APIC of one virtual CPU, in both of its faces: the xAPIC's page of registers and the x2APIC's MSRs. Follows
 * SDM 3 "Advanced Programmable Interrupt Controller (APIC)". It knows neither the vCPU nor the other APICs: what it has
 * to say goes through struct vlapic_ops.
 *
 * The registers live in one page, laid out as the architecture has it, so that the page can serve a processor that
 * virtualises the APIC itself: it then is the processor's to write as long as the guest runs. So nobody but the CPU that
 * runs the vCPU touches the page, and it only between exit and entry. Others leave what they bring (vlapic_deliver(),
 * vlapic_route(), vlapic_set_lint()) in words that are changed atomically, and report `raised`; the owner takes it from there
 * before it looks or enters (SDM 3 "Posted-Interrupt Processing" works with such a bitmap for the same reason).
 * vlapic_matches() reads the page of a running APIC: words that change seldom, each whole. */
#pragma once

#include "drivers/regs/lapic.h"
#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"
#include "vmm/bus/vclock.h"

enum vlapic_mode { VLAPIC_DISABLED, VLAPIC_XAPIC, VLAPIC_X2APIC };

/* The delivery modes as the ICR, the LVT and the I/O APIC encode them. */
enum vlapic_delivery {
	VLAPIC_FIXED = 0,
	VLAPIC_LOWEST = 1,
	VLAPIC_SMI = 2,
	VLAPIC_NMI = 4,
	VLAPIC_INIT = 5,
	VLAPIC_STARTUP = 6,
	VLAPIC_EXTINT = 7
};

enum vlapic_shorthand { VLAPIC_TO_DESTINATION, VLAPIC_TO_SELF, VLAPIC_TO_ALL, VLAPIC_TO_OTHERS };

/* An interrupt message: from an APIC's ICR, from an I/O APIC, or an MSI. */
struct vlapic_ipi {
	uint32_t dest;
	uint8_t vector;
	uint8_t delivery;  /* enum vlapic_delivery */
	uint8_t shorthand; /* enum vlapic_shorthand; only in a message from an APIC */
	bool logical;      /* dest is a logical destination */
	bool level;        /* level triggered: its EOI is to be broadcast */
	bool wide;         /* dest has 32 bits (sent by an x2APIC), otherwise 8 */
};

/* What an APIC tells its owner. raised, init, startup and nmi may be called on any CPU, by whoever delivers. */
struct vlapic_ops {
	/* An interrupt may have become deliverable: ask vlapic_pending() before the next entry. */
	void (*raised)(void *ctx);
	/* The APIC's own CPU has put the vector into IRR, and nothing else has changed: the processor is to know of it. Only when
	 * it delivers; else it is `raised` too. */
	void (*requested)(void *ctx, uint8_t vector);
	void (*nmi)(void *ctx);
	void (*init)(void *ctx);
	void (*startup)(void *ctx, uint8_t vector);
	/* A command whose IPI is for others, or for all: the owner knows them. See vlapic_send(). */
	void (*send_ipi)(void *ctx, uint32_t low, uint32_t dest);
	/* The guest is done with a level-triggered interrupt: tell the I/O APICs. */
	void (*eoi)(void *ctx, uint8_t vector);
	/* May be NULL. The mode has changed, or the APIC was reset. */
	void (*mode)(void *ctx);
	/* Trigger modes of the vectors 64 * quarter and up: bit n of levels is 1 when the EOI of that one is to
	 * be seen by this APIC. Only when the processor delivers; all are edge-triggered after a reset. */
	void (*levels)(void *ctx, unsigned quarter, uint64_t levels);
	/* May be NULL when nobody takes the timer's deadline: it is to be given back, vlapic_timer_take_back(). */
	void (*timer_wanted)(void *ctx);
};

struct vlapic_config {
	void *page;  /* 4 KiB, aligned; contents undefined */
	uint32_t id; /* the x2APIC ID; its low 8 bits are the xAPIC ID */
	bool bsp;
	bool processor_delivers; /* from IRR to ISR and EOI ("virtual-interrupt delivery") */
	bool processor_has_tpr;  /* the guest changes TPR unseen: the owner keeps a threshold ("TPR shadow") */
	struct vclock *clock;
	uint64_t timer_hz; /* what the timer counts before it is divided: the crystal of CPUID leaf 15H */
	const struct vlapic_ops *ops;
	void *ctx;
};

/* Bits of vlapic.arrived; the lowest eight say which word of requests. */
enum vlapic_arrival {
	VLAPIC_ARRIVED_VECTORS = 0xff,
	VLAPIC_ARRIVED_LINT0 = 1u << 8, /* a rising edge */
	VLAPIC_ARRIVED_LINT1 = 1u << 9,
	VLAPIC_ARRIVED_ERROR = 1u << 10 /* of a new kind: the error LVT is to fire */
};

struct vlapic_timer {
	struct valarm alarm;
	uint64_t start;     /* clock ticks when the count was at its initial value */
	uint64_t deadline;  /* guest TSC; 0: not armed */
	int64_t tsc_offset; /* guest TSC = clock ticks + this */
	uint32_t mode;      /* LAPIC_LVT_TIMER_MODE_MASK bits of the LVT */
	uint8_t divide_shift;
	bool elsewhere; /* somebody else keeps the deadline */
};

struct vlapic {
	/* These four any CPU may change, atomically; the owner takes what is there. */
	uint32_t arrived;                     /* enum vlapic_arrival: what to look at */
	uint32_t requests[LAPIC_VECTOR_REGS]; /* 256 bits: vectors on their way into IRR */
	uint32_t triggers[LAPIC_VECTOR_REGS]; /* and their trigger modes: 1 = level */
	bool lint_high[2];                    /* the pins as they are now */
	uint32_t *regs;                       /* the page */
	uint32_t irr_words; /* bit n: IRR word n may be non-zero; not kept when the processor delivers */
	uint32_t isr_words; /* bit n: ISR word n is non-zero; likewise */
	enum vlapic_mode mode;
	bool enabled; /* SVR's software enable, as last acted upon */
	bool bsp;
	bool processor_delivers;
	bool processor_has_tpr;
	bool lint0_remote_irr;
	bool untold; /* IRR or ISR has changed in another way than by one more vector in IRR, see vlapic_settle() */
	uint32_t id;
	uint32_t esr_pending; /* errors since the last write of ESR; atomic */
	struct vclock *clock;
	uint64_t timer_hz;
	struct vlapic_timer timer;
	const struct vlapic_ops *ops;
	void *ctx;
	uint64_t accepted, coalesced, dropped; /* for `info`; atomic */
	uint64_t timer_fired, ipis_sent;
};

/* Make an APIC. config is copied; page, clock, ops outlive it. vlapic_reset() comes before it is used: until then the page is as
 * it was. */
void vlapic_init(struct vlapic *v, const struct vlapic_config *config);

/* To the power-up state (xAPIC mode, software-disabled), or, for INIT, to what INIT leaves (mode, ID and base stay). Disarms
 * the timer. */
void vlapic_reset(struct vlapic *v, bool init);

/* What firmware leaves behind on every CPU: software-enabled, LINT1 = NMI, and on the BSP LINT0 = ExtINT, so that the
 * 8259's interrupts arrive ("virtual wire mode", MultiProcessor Specification 3.6.2). For guests that start without firmware. */
void vlapic_set_virtual_wire(struct vlapic *v);

static inline void *vlapic_page(const struct vlapic *v)
{
	return v->regs;
}

/* Is none of the 256 bits of IRR or ISR set?  words: the first one; the others follow in every fourth. */
static inline bool vlapic_nothing_in(const uint32_t *words)
{
	return (words[0] | words[4] | words[8] | words[12] | words[16] | words[20] | words[24] | words[28]) == 0;
}

/* Has nobody requested anything of it? The processor, where it delivers, keeps no account of the words that are in use. */
static inline bool vlapic_is_quiet(const struct vlapic *v)
{
	if (__atomic_load_n(&v->arrived, __ATOMIC_ACQUIRE) != 0)
		return false;
	if (!v->processor_delivers)
		return v->irr_words == 0;
	return vlapic_nothing_in(v->regs + LAPIC_IRR / 4);
}

static inline uint32_t vlapic_id(const struct vlapic *v)
{
	return v->id;
}

/* Accept one interrupt message that is for this APIC. Returns false when it does not take it (switched off, illegal
 * vector, a mode that nobody can receive). Any CPU, at any time. */
bool vlapic_deliver(struct vlapic *v, enum vlapic_delivery delivery, uint8_t vector, bool level);

/* The highest vector that the processor priority lets through, or -1. */
int vlapic_pending(struct vlapic *v);

/* The processor takes the vector that vlapic_pending() gave, with nothing of the guest's in between: IRR to ISR. */
void vlapic_take(struct vlapic *v, uint8_t vector);

/* Both at once: the vector, or -1, and nothing has changed. */
int vlapic_accept(struct vlapic *v);

/* Write of the EOI register. */
void vlapic_eoi(struct vlapic *v);

/* The processor has done the EOI of this vector, one of those that `levels` asked for: what is left to be done. */
void vlapic_eoi_done(struct vlapic *v, uint8_t vector);

/* Before an entry, with a processor that delivers: what has arrived goes into IRR, and it is told by `requested`. Returns
 * whether it is to be told of IRR and ISR as a whole as well: after a reset, and after an EOI that it has not carried out. */
bool vlapic_settle(struct vlapic *v);

/* The short way of the same for what mostly arrives, vectors of one word: they go into IRR, and the highest of them is returned,
 * for the processor, which delivers, to know of; 0: there was none. -1: it is something else, or the 8259 may wait as well,
 * nothing has been taken, and vlapic_settle() is to be called. */
int vlapic_take_posted(struct vlapic *v);

/* The highest vector requested and the highest in service, whatever the priorities; 0: none. */
uint8_t vlapic_requested(struct vlapic *v);
uint8_t vlapic_in_service(struct vlapic *v);

/* The task-priority class below which the highest request becomes deliverable; 0: the TPR alone does not hold it back. */
unsigned vlapic_tpr_threshold(struct vlapic *v);

/* Would an interrupt of the 8259 pair reach this CPU now? By LINT0 as ExtINT, or past an APIC that is switched off. */
bool vlapic_accepts_pic(const struct vlapic *v);

/* The wires LINT0 (n = 0; the 8259's INTR) and LINT1 (n = 1; NMI). ExtINT on LINT0 only reports `raised`. Any CPU; calls for
 * one wire must not overlap. */
void vlapic_set_lint(struct vlapic *v, unsigned n, bool high);

/* CR8 is TPR[7:4]. */
uint8_t vlapic_get_cr8(const struct vlapic *v);
void vlapic_set_cr8(struct vlapic *v, uint8_t cr8);

/* --- registers (vlapic_access.c) --- */

/* Is the page at the default base there at all (xAPIC mode)? */
static inline bool vlapic_mmio_enabled(const struct vlapic *v)
{
	return v->mode == VLAPIC_XAPIC;
}

/* An access to the page; offset < 4 KiB. */
uint64_t vlapic_mmio_read(struct vlapic *v, uint32_t offset, unsigned size);
void vlapic_mmio_write(struct vlapic *v, uint32_t offset, unsigned size, uint64_t value);

/* The processor has already written the register at offset in the page: do what the write means. */
void vlapic_written(struct vlapic *v, uint32_t offset);

/* The x2APIC registers that a processor may read from the page by itself: bit n is MSR 800H + n. */
uint64_t vlapic_page_registers(void);

/* --- MSRs (vlapic_msr.c) --- */

/* IA32_APIC_BASE, IA32_TSC_DEADLINE and MSRs 800H-8FFH. Return 0; ERR_FAULT: the guest gets #GP(0); ERR_NOSUP: legal, but
 * not offered here (moving the page), the guest gets #GP(0) and the log vlapic_base_refusal(). */
MUST_CHECK int vlapic_msr_read(struct vlapic *v, uint32_t msr, uint64_t *value);
MUST_CHECK int vlapic_msr_write(struct vlapic *v, uint32_t msr, uint64_t value);

/* The registers alone: MSRs 800H-8FFH. A read gives VLAPIC_NO_REGISTER, which is no register's value, instead of ERR_FAULT. */
#define VLAPIC_NO_REGISTER UINT64_MAX
uint64_t vlapic_x2apic_read(struct vlapic *v, uint32_t msr);
MUST_CHECK int vlapic_x2apic_write(struct vlapic *v, uint32_t msr, uint64_t value);

uint64_t vlapic_base(const struct vlapic *v);

/* Why a write of value to IA32_APIC_BASE is refused, in words; NULL when it is legal. */
const char *vlapic_base_refusal(const struct vlapic *v, uint64_t value);

/* --- timer (vlapic_timer.c) --- */

/* Somebody else keeps the deadline, and calls vlapic_timer_raise() when it has come. May he: TSC-deadline mode, not masked?
 * *vector: what it raises. From vlapic_timer_hand_over() on, which returns it (guest TSC; 0: not armed), it is his; until he
 * gives it back because timer_wanted() asks (mode, mask or vector have changed), or before vlapic_set_tsc_offset(). These then
 * arm the timer. */
bool vlapic_timer_can_pass(const struct vlapic *v, uint8_t *vector);
uint64_t vlapic_timer_hand_over(struct vlapic *v);
void vlapic_timer_raise(struct vlapic *v, uint8_t vector);
void vlapic_timer_take_back(struct vlapic *v, uint64_t deadline);

/* Guest TSC = clock ticks + offset from now on (TSC_ADJUST or the TSC was written): a deadline moves along. */
void vlapic_set_tsc_offset(struct vlapic *v, int64_t offset);

/* --- who gets a message (vlapic_route.c) --- */

/* Is this APIC addressed by the message (destination field alone, without shorthand)? */
bool vlapic_matches(const struct vlapic *v, const struct vlapic_ipi *ipi);

/* Of two APICs, the one that takes a lowest-priority interrupt: the lower processor priority, the first on a tie. */
struct vlapic *vlapic_lowest(struct vlapic *a, struct vlapic *b);

/* Give the message to whoever it is for. set: all APICs of the machine, best indexed by ID; source: the sender, NULL for
 * an I/O APIC or an MSI. Returns the number of APICs that took it. */
unsigned vlapic_route(struct vlapic *const *set, unsigned count, struct vlapic *source, const struct vlapic_ipi *ipi);

/* What the command is in words: the lower half of the source's ICR, and the destination from its upper half. */
struct vlapic_ipi vlapic_message(const struct vlapic *source, uint32_t low, uint32_t dest);

/* Give the message of a command to whoever it is for; as vlapic_route(). */
void vlapic_send(struct vlapic *const *set, unsigned count, struct vlapic *source, uint32_t low, uint32_t dest);
