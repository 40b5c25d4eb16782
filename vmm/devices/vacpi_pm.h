/* The emulated ACPI fixed hardware where QEMU's `pc` machine (a PIIX4) has it: PM1 event and control registers, PM timer,
 * GPE0 block, and the SMI command port's enable and disable. Power-off, the power and sleep buttons, and the SCI. */
#pragma once

#include "drivers/regs/acpi.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/vclock.h"

#define VACPI_PM_BASE 0x600u
#define VACPI_PM_BYTES 0x40u
#define VACPI_PM1_EVT (VACPI_PM_BASE + PIIX4_PM1_EVT)
#define VACPI_PM1_CNT (VACPI_PM_BASE + PIIX4_PM1_CNT)
#define VACPI_PM_TMR (VACPI_PM_BASE + PIIX4_PM_TMR)
#define VACPI_GPE0 0xafe0u
#define VACPI_GPE0_BYTES 4u /* two bytes of status, two of enable */
#define VACPI_SMI_CMD 0xb2u /* and 0xb3, a byte for whoever wants to leave one */
#define VACPI_SMI_ENABLE 0xf1u
#define VACPI_SMI_DISABLE 0xf0u
#define VACPI_SCI_IRQ 9u
#define VACPI_S5_TYPE 0u /* SLP_TYP for soft-off, as the tables must say in \_S5 */

enum vacpi_timer_width { VACPI_TIMER_24, VACPI_TIMER_32 };

struct vacpi_pm_wiring {
	struct irq_line sci; /* level, active while an enabled event is pending */
	struct vclock *clock;
	enum vacpi_timer_width width;
	bool starts_in_acpi_mode;     /* SCI_EN is set from the start, for tables that name no SMI command port */
	void (*power_off)(void *ctx); /* SLP_EN with SLP_TYP of S5 */
	void *ctx;
};

struct vacpi_pm {
	struct vacpi_pm_wiring wiring;
	struct vclock_rate rate; /* of the timer */
	uint32_t timer_mask;     /* the bits that it has */
	uint16_t pm1_sts, pm1_en, pm1_cnt;
	uint16_t gpe_sts, gpe_en;
	uint8_t smi_cmd, smi_data;
	uint64_t msb_seen;   /* the timer's top bit has been watched up to this count */
	struct valarm timer; /* the next change of it, while that would raise the SCI */
	bool sci_high;
	uint64_t other_sleeps; /* SLP_EN with another SLP_TYP: not offered, nothing happens */
};

void vacpi_pm_init(struct vacpi_pm *p, const struct vacpi_pm_wiring *wiring);
void vacpi_pm_reset(struct vacpi_pm *p);
MUST_CHECK int vacpi_pm_register(struct vacpi_pm *p, struct bus *ports);

void vacpi_pm_power_button(struct vacpi_pm *p);
void vacpi_pm_sleep_button(struct vacpi_pm *p);
void vacpi_pm_gpe(struct vacpi_pm *p, unsigned event);
