/* The ACPI fixed hardware's registers (see vacpi_pm.h). Follows the ACPI specification, "ACPI Hardware Specification",
 * and the PIIX4 data sheet for what ACPI leaves open. There is no sleep state but soft-off, no bus master status, no
 * global lock and no SMI behind the command port but the two commands that switch ACPI mode. */
#include "vmm/devices/vacpi_pm.h"

#define PM1_EN_ALL (PM1_EN_TMR | PM1_EN_GBL | PM1_EN_PWRBTN | PM1_EN_SLPBTN | PM1_EN_RTC)
/* GBL_RLS and SLP_EN act when written and read as 0. */
#define PM1_CNT_KEPT (PM1_CNT_SCI_EN | PM1_CNT_BM_RLD | PM1_CNT_SLP_TYP_MASK)

static uint64_t timer_count(const struct vacpi_pm *p)
{
	return vclock_rate_counts(p->rate, vclock_now(p->wiring.clock));
}

/* Counts from one change of the timer's top bit to the next. */
static uint64_t msb_period(const struct vacpi_pm *p)
{
	return p->timer_mask / 2 + 1u;
}

/* Set TMR_STS if the top bit has changed since it was last looked at. */
static void watch_timer(struct vacpi_pm *p, uint64_t count)
{
	if (count / msb_period(p) > p->msb_seen / msb_period(p))
		p->pm1_sts |= PM1_STS_TMR;
	if (count > p->msb_seen)
		p->msb_seen = count;
}

/* Bring the SCI and the timer's alarm in step with the registers. The alarm is needed only while the next change of the
 * top bit would be news. */
static void update_sci(struct vacpi_pm *p)
{
	bool event = (p->pm1_sts & p->pm1_en) != 0 || (p->gpe_sts & p->gpe_en) != 0;
	bool high = event && (p->pm1_cnt & PM1_CNT_SCI_EN);
	uint64_t at = VCLOCK_NEVER;

	if ((p->pm1_en & PM1_EN_TMR) && !(p->pm1_sts & PM1_STS_TMR))
		at = vclock_rate_reaching(p->rate, (p->msb_seen / msb_period(p) + 1) * msb_period(p));
	vclock_arm(p->wiring.clock, &p->timer, at);
	if (high == p->sci_high)
		return;
	p->sci_high = high;
	irq_line_set(&p->wiring.sci, high);
}

static void timer_fired(void *ctx)
{
	struct vacpi_pm *p = ctx;
	uint64_t due = vclock_rate_counts(p->rate, p->timer.at), count = timer_count(p);

	watch_timer(p, count < due ? due : count);
	update_sci(p);
}

/* ---- The PM block: four 16-bit registers, and the timer at 8. ---- */

static uint32_t read_timer(const struct vacpi_pm *p)
{
	return (uint32_t)timer_count(p) & p->timer_mask;
}

static uint32_t read_dword(struct vacpi_pm *p, unsigned offset)
{
	switch (offset) {
	case PIIX4_PM1_EVT:
		watch_timer(p, timer_count(p));
		update_sci(p);
		return (uint32_t)p->pm1_en << 16 | p->pm1_sts;
	case PIIX4_PM1_CNT:
		return p->pm1_cnt;
	case PIIX4_PM_TMR:
		return read_timer(p);
	default:
		return 0;
	}
}

__attribute__((noinline)) static uint64_t read_bytes(struct vacpi_pm *p, unsigned offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i;

		value |= (uint64_t)(read_dword(p, at & ~3u) >> (8 * (at & 3)) & 0xff) << (8 * i);
	}
	return value;
}

static uint64_t pm_read(void *ctx, uint64_t offset, unsigned size)
{
	if (likely(offset == PIIX4_PM_TMR && size == 4))
		return read_timer(ctx);
	return read_bytes(ctx, (unsigned)offset, size);
}

/* A byte of a register: `high` is the upper one. */
static void set_byte(uint16_t *reg, bool high, uint8_t value)
{
	unsigned shift = high ? 8 : 0;

	*reg = (uint16_t)((*reg & ~(0xffu << shift)) | (unsigned)value << shift);
}

static void write_pm1_sts(struct vacpi_pm *p, uint16_t clear)
{
	watch_timer(p, timer_count(p));
	p->pm1_sts &= (uint16_t)~clear;
}

/* SLP_EN stands in the upper byte, beside SLP_TYP. */
static void write_pm1_cnt(struct vacpi_pm *p, bool high, uint8_t value)
{
	bool sleep = high && (value & (PM1_CNT_SLP_EN >> 8));

	set_byte(&p->pm1_cnt, high, value);
	p->pm1_cnt &= PM1_CNT_KEPT;
	if (!sleep)
		return;
	if ((p->pm1_cnt & PM1_CNT_SLP_TYP_MASK) >> PM1_CNT_SLP_TYP_SHIFT == VACPI_S5_TYPE)
		p->wiring.power_off(p->wiring.ctx);
	else
		p->other_sleeps++;
}

static void write_pm_byte(struct vacpi_pm *p, unsigned offset, uint8_t value)
{
	bool high = offset % 2 != 0;

	switch (offset & ~1u) {
	case PIIX4_PM1_EVT:
		write_pm1_sts(p, (uint16_t)(value << (high ? 8 : 0)));
		break;
	case PIIX4_PM1_EVT + 2:
		watch_timer(p, timer_count(p));
		set_byte(&p->pm1_en, high, value);
		p->pm1_en &= PM1_EN_ALL;
		break;
	case PIIX4_PM1_CNT:
		write_pm1_cnt(p, high, value);
		break;
	default: /* the timer is read-only, the rest of the block is not there */
		break;
	}
}

static void pm_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *p = ctx;

	for (unsigned i = 0; i < size; i++)
		write_pm_byte(p, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
	update_sci(p);
}

/* ---- GPE0: status (write 1 to clear), then enable ---- */

static uint64_t gpe_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vacpi_pm *p = ctx;

	(void)size;
	return ((uint32_t)p->gpe_en << 16 | p->gpe_sts) >> (8 * offset);
}

static void gpe_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *p = ctx;

	for (unsigned i = 0; i < size; i++) {
		unsigned at = (unsigned)offset + i;
		uint8_t byte = (uint8_t)(value >> (8 * i));

		if (at < 2)
			p->gpe_sts &= (uint16_t) ~(byte << (8 * at));
		else
			set_byte(&p->gpe_en, at == 3, byte);
	}
	update_sci(p);
}

/* ---- SMI command: firmware's answer is at once what the system management code would do ---- */

static uint64_t smi_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vacpi_pm *p = ctx;

	(void)size;
	return ((uint32_t)p->smi_data << 8 | p->smi_cmd) >> (8 * offset);
}

static void smi_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vacpi_pm *p = ctx;

	if (offset == 1 || size > 1)
		p->smi_data = (uint8_t)(offset == 1 ? value : value >> 8);
	if (offset != 0)
		return;
	p->smi_cmd = (uint8_t)value;
	if (p->smi_cmd == VACPI_SMI_ENABLE)
		p->pm1_cnt |= PM1_CNT_SCI_EN;
	else if (p->smi_cmd == VACPI_SMI_DISABLE)
		p->pm1_cnt &= (uint16_t)~PM1_CNT_SCI_EN;
	update_sci(p);
}

static const struct bus_ops pm_ops = {.read = pm_read, .write = pm_write};
static const struct bus_ops gpe_ops = {.read = gpe_read, .write = gpe_write};
static const struct bus_ops smi_ops = {.read = smi_read, .write = smi_write};

/* Make the fixed hardware in its reset state: nothing enabled, nothing pending.
 * wiring: copied; power_off must not be NULL, and only notes the wish. */
void vacpi_pm_init(struct vacpi_pm *p, const struct vacpi_pm_wiring *wiring)
{
	*p = (struct vacpi_pm){.wiring = *wiring,
			       .rate = vclock_rate(wiring->clock, ACPI_PM_TIMER_HZ),
			       .timer_mask = wiring->width == VACPI_TIMER_32 ? UINT32_MAX : 0xffffffu,
			       .timer = {.fire = timer_fired, .ctx = p}};
	vacpi_pm_reset(p);
}

/* Reset state. The timer runs on. */
void vacpi_pm_reset(struct vacpi_pm *p)
{
	p->pm1_sts = 0;
	p->pm1_en = 0;
	p->pm1_cnt = p->wiring.starts_in_acpi_mode ? PM1_CNT_SCI_EN : 0;
	p->gpe_sts = 0;
	p->gpe_en = 0;
	p->smi_cmd = 0;
	p->smi_data = 0;
	p->msb_seen = timer_count(p);
	update_sci(p);
}

/* Put the PM block, GPE0 and the SMI command port on a bus. Returns 0 or what bus_register() says. */
int vacpi_pm_register(struct vacpi_pm *p, struct bus *ports)
{
	int err = bus_register(ports, VACPI_PM_BASE, VACPI_PM_BYTES, &pm_ops, p, "acpi pm");

	if (err == 0)
		err = bus_register(ports, VACPI_GPE0, VACPI_GPE0_BYTES, &gpe_ops, p, "acpi gpe0");
	if (err == 0)
		err = bus_register(ports, VACPI_SMI_CMD, 2, &smi_ops, p, "smi cmd");
	return err;
}

/* Somebody presses the power button: the guest is told by PWRBTN_STS, and by the SCI if it wants to know. */
void vacpi_pm_power_button(struct vacpi_pm *p)
{
	p->pm1_sts |= PM1_STS_PWRBTN;
	update_sci(p);
}

/* The same for the sleep button. */
void vacpi_pm_sleep_button(struct vacpi_pm *p)
{
	p->pm1_sts |= PM1_STS_SLPBTN;
	update_sci(p);
}

/* A general-purpose event. event: 0..15, others are ignored. */
void vacpi_pm_gpe(struct vacpi_pm *p, unsigned event)
{
	if (event >= 16)
		return;
	p->gpe_sts |= (uint16_t)BIT32(event);
	update_sci(p);
}
