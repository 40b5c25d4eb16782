/* Power-off and reset. Off: ACPI's S5, else the same register of a PIIX4 found by its PCI function (so that Bochs without
 * ACPI tables can be switched off too), else the shutdown port of Bochs. Reset: the FADT's register, port 0xcf9, the keyboard
 * controller. Follows the ACPI specification 6.4 "Transitioning from the Working to the Sleeping State" and "Reset Register",
 * and the PIIX4 data sheet "Power Management I/O Registers". */
#include "drivers/power.h"
#include "drivers/debug_port.h"
#include "drivers/pci.h"
#include "drivers/regs/i8042.h"

/* Port reads to wait for an effect; each takes about 1 us on hardware. */
#define WAIT_READS 100000u

/* Bochs ends when this text is written to this port, byte by byte. */
#define BOCHS_SHUTDOWN_PORT 0x8900u
#define BOCHS_SHUTDOWN_TEXT "Shutdown"

static void wait_a_while(const struct hw_io *hw)
{
	for (unsigned i = 0; i < WAIT_READS; i++)
		(void)hw_in8(hw, I8042_STATUS);
}

/* The PIIX4's PM registers, if firmware has switched them on. */
static uint16_t find_piix4_pm(const struct hw_io *hw)
{
	struct pci_function f;

	if (pci_find(hw, PCI_VENDOR_INTEL, PCI_DEVICE_PIIX4_PM, &f) != 0)
		return 0;
	if (!(pci_read8(hw, f.at, PIIX4_PMREGMISC) & PIIX4_PMIOSE))
		return 0;
	return pci_read16(hw, f.at, PIIX4_PMBASE) & PIIX4_PMBASE_MASK;
}

/* Find out once what there is. */
void power_init(struct power *p, const struct hw_io *hw, const struct acpi_fadt *fadt, const struct acpi_sleep *s5)
{
	*p = (struct power){.hw = hw};
	if (fadt != NULL)
		p->fadt = *fadt;
	if (s5 != NULL) {
		p->s5 = *s5;
		p->has_s5 = true;
	}
	p->piix4_pm = find_piix4_pm(hw);
	p->emulator = debug_port_present(hw);
}

static bool is_port(const struct acpi_register *reg)
{
	return reg->address != 0 && reg->address <= 0xffff && reg->space == GAS_SPACE_IO;
}

static bool can_s5(const struct power *p)
{
	return p->has_s5 && is_port(&p->fadt.pm1a_cnt);
}

/* How power_off() will do it, for a message; NULL when this machine gives no way. */
const char *power_off_way(const struct power *p)
{
	if (can_s5(p))
		return "ACPI S5";
	if (p->piix4_pm != 0)
		return "PIIX4 power management";
	return p->emulator ? "Bochs shutdown port" : NULL;
}

/* The sleep bits do nothing in legacy mode: switch to ACPI mode first. */
static void acpi_mode_enter(const struct power *p)
{
	const struct acpi_fadt *f = &p->fadt;
	unsigned control = (unsigned)f->pm1a_cnt.address;

	if (f->smi_cmd == 0 || f->smi_cmd > 0xffff || f->acpi_enable == 0)
		return;
	if (hw_in16(p->hw, control) & PM1_CNT_SCI_EN)
		return;
	hw_out8(p->hw, f->smi_cmd, f->acpi_enable);
	for (unsigned i = 0; i < WAIT_READS; i++) {
		if (hw_in16(p->hw, control) & PM1_CNT_SCI_EN)
			return;
	}
}

/* A wake event that is still recorded would wake the machine at once. */
static void clear_wake(const struct power *p, const struct acpi_register *event)
{
	if (is_port(event))
		hw_out16(p->hw, (unsigned)event->address, PM1_STS_WAK);
}

static unsigned sleep_word(const struct hw_io *hw, unsigned port, unsigned type)
{
	return (hw_in16(hw, port) & ~(PM1_CNT_SLP_TYP_MASK | PM1_CNT_SLP_EN)) | type << PM1_CNT_SLP_TYP_SHIFT;
}

/* First the type into both registers, then the bit that acts. */
static void enter_s5(const struct power *p)
{
	const struct hw_io *hw = p->hw;
	unsigned a = (unsigned)p->fadt.pm1a_cnt.address, b = 0, word_a, word_b = 0;

	if (is_port(&p->fadt.pm1b_cnt))
		b = (unsigned)p->fadt.pm1b_cnt.address;
	acpi_mode_enter(p);
	clear_wake(p, &p->fadt.pm1a_evt);
	clear_wake(p, &p->fadt.pm1b_evt);
	word_a = sleep_word(hw, a, p->s5.pm1a);
	hw_out16(hw, a, word_a);
	if (b != 0) {
		word_b = sleep_word(hw, b, p->s5.pm1b);
		hw_out16(hw, b, word_b);
	}
	hw_out16(hw, a, word_a | PM1_CNT_SLP_EN);
	if (b != 0)
		hw_out16(hw, b, word_b | PM1_CNT_SLP_EN);
	wait_a_while(hw);
}

/* In the PIIX4 sleep type 0 is soft off. */
static void piix4_off(const struct power *p)
{
	hw_out16(p->hw, p->piix4_pm + PIIX4_PM1_CNT, PM1_CNT_SLP_EN);
	wait_a_while(p->hw);
}

static void bochs_off(const struct power *p)
{
	for (const char *c = BOCHS_SHUTDOWN_TEXT; *c != '\0'; c++)
		hw_out8(p->hw, BOCHS_SHUTDOWN_PORT, (uint8_t)*c);
}

/* Switch the machine off. Returns only if it did not work: ERR_NOSUP (no way known), ERR_FAULT (the machine ignored all).
 * Context: everything that is to be seen is drained, other CPUs are stopped. */
int power_off(const struct power *p)
{
	if (power_off_way(p) == NULL)
		return ERR_NOSUP;
	if (can_s5(p))
		enter_s5(p);
	if (p->piix4_pm != 0)
		piix4_off(p);
	if (p->emulator)
		bochs_off(p);
	return ERR_FAULT;
}

static void reset_by_fadt(const struct power *p)
{
	const struct acpi_register *reg = &p->fadt.reset;
	struct pci_address at = {0, (uint8_t)(reg->address >> 32 & 0x1f), (uint8_t)(reg->address >> 16 & 7)};

	if (reg->address == 0)
		return;
	if (is_port(reg))
		hw_out8(p->hw, (unsigned)reg->address, p->fadt.reset_value);
	else if (reg->space == GAS_SPACE_MEMORY && p->reset_hva != 0)
		hw_write8(p->hw, p->reset_hva, p->fadt.reset_value);
	else if (reg->space == GAS_SPACE_PCI_CONFIG)
		pci_write8(p->hw, at, (unsigned)reg->address & 0xff, p->fadt.reset_value);
	else
		return;
	wait_a_while(p->hw);
}

static void reset_by_cf9(const struct power *p)
{
	hw_out8(p->hw, PORT_CF9, CF9_FULL_RESET);
	hw_out8(p->hw, PORT_CF9, CF9_FULL_RESET | CF9_RCPU);
	wait_a_while(p->hw);
}

static void reset_by_i8042(const struct power *p)
{
	for (unsigned i = 0; i < WAIT_READS; i++) {
		if (!(hw_in8(p->hw, I8042_STATUS) & I8042_STATUS_IBF))
			break;
	}
	hw_out8(p->hw, I8042_COMMAND, I8042_CMD_RESET);
	wait_a_while(p->hw);
}

/* Reset the machine. Returns only if it did not work: ERR_FAULT. The caller's last resort is a triple fault.
 * Context: as power_off(). */
int power_reset(const struct power *p)
{
	reset_by_fadt(p);
	reset_by_cf9(p);
	reset_by_i8042(p);
	return ERR_FAULT;
}
