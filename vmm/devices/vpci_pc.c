/* The chips of the board as PCI functions (see vpci_pc.h), after the 82441FX, PIIX3 and PIIX4 data sheets. Registers that
 * would change the machine (memory timing, shadow RAM, decode of X-bus parts) are plain read-only zeros; those that system
 * software sets and reads back without needing an effect can be written. */
#include "vmm/devices/vpci_pc.h"

#define PIRQ_OFF 0x80u /* bit 7: not routed */
#define PIRQ_WRITABLE 0x8fu
#define PIIX3_DETERMINISTIC_LATENCY 0x82u
#define PIIX3_PASSIVE_RELEASE 0x02u /* set, as systems would otherwise do and say so */
#define PIIX4_PM_REVISION 3u /* from 3 on, the PM timer reads without the early chips' bug, and Linux trusts it */
#define PM_SCI_LINE 9u
#define QUMRANET 0x1af4u /* subsystem of QEMU's machine */
#define QEMU_MACHINE 0x1100u

static void init_host(struct vpci_function *f)
{
	static const struct vpci_identity id = {.vendor = PCI_VENDOR_INTEL,
						.device = PCI_DEVICE_82441FX,
						.class_code = PCI_CLASS_BRIDGE,
						.subclass = PCI_BRIDGE_HOST,
						.revision = 2,
						.subsystem_vendor = QUMRANET,
						.subsystem = QEMU_MACHINE};

	vpci_function_init(f, &id, NULL, NULL);
}

static void init_isa(struct vpci_function *f)
{
	static const struct vpci_identity id = {.vendor = PCI_VENDOR_INTEL,
						.device = PCI_DEVICE_PIIX3_ISA,
						.class_code = PCI_CLASS_BRIDGE,
						.subclass = PCI_BRIDGE_ISA,
						.subsystem_vendor = QUMRANET,
						.subsystem = QEMU_MACHINE};

	vpci_function_init(f, &id, NULL, NULL);
	for (unsigned i = 0; i < VPCI_PC_PIRQS; i++) {
		f->config[VPCI_PC_PIRQ_OFFSET + i] = PIRQ_OFF;
		f->writable[VPCI_PC_PIRQ_OFFSET + i] = PIRQ_WRITABLE;
	}
	f->config[PIIX3_DETERMINISTIC_LATENCY] = PIIX3_PASSIVE_RELEASE;
	f->writable[PIIX3_DETERMINISTIC_LATENCY] = 0x0f;
}

/* The ACPI registers do not move: their base reads right and cannot be written. */
static void init_pm(struct vpci_function *f, uint16_t pm_base)
{
	static const struct vpci_identity id = {.vendor = PCI_VENDOR_INTEL,
						.device = PCI_DEVICE_PIIX4_PM,
						.class_code = PCI_CLASS_BRIDGE,
						.subclass = PCI_BRIDGE_OTHER,
						.revision = PIIX4_PM_REVISION,
						.subsystem_vendor = QUMRANET,
						.subsystem = QEMU_MACHINE,
						.interrupt_pin = 1};

	vpci_function_init(f, &id, NULL, NULL);
	vpci_set32(f, PIIX4_PMBASE, (pm_base & PIIX4_PMBASE_MASK) | PCI_BAR_IO);
	f->config[PIIX4_PMREGMISC] = PIIX4_PMIOSE;
	f->config[PCI_INTERRUPT_LINE] = PM_SCI_LINE;
}

/* Plug the board's functions in at 00.0, 01.0 and 01.3. pm_base: port of the PM block, a multiple of 64.
 * Returns 0 or what vpci_plug() says. Context: pc stays in place as long as p. */
int vpci_pc_plug(struct vpci_pc *pc, struct vpci *p, enum vpci_pc_pm pm, uint16_t pm_base)
{
	int err;

	init_host(&pc->host);
	init_isa(&pc->isa);
	init_pm(&pc->pm, pm_base);
	err = vpci_plug(p, 0, 0, &pc->host);
	if (err == 0)
		err = vpci_plug(p, VPCI_PC_ISA_SLOT, 0, &pc->isa);
	if (err == 0 && pm == VPCI_PC_WITH_PM)
		err = vpci_plug(p, VPCI_PC_ISA_SLOT, VPCI_PC_PM_FUNCTION, &pc->pm);
	return err;
}
