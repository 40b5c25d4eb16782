/* The functions every PC of QEMU's `pc` kind has on PCI bus 0: the i440FX host bridge, the PIIX3 ISA bridge, and when asked
 * for, the PIIX4 power management function. They have no memory or ports of their own. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/devices/vpci.h"

#define VPCI_PC_ISA_SLOT 1u
#define VPCI_PC_PM_FUNCTION 3u
#define VPCI_PC_PIRQS 4u /* PIRQA#..PIRQD# route at offsets 0x60..0x63 of the ISA bridge */
#define VPCI_PC_PIRQ_OFFSET 0x60u

/* The power management function tells where the ACPI registers are to systems that do not read the tables; a driver that
 * looks for its SMBus controller finds none and may say so. */
enum vpci_pc_pm { VPCI_PC_WITHOUT_PM, VPCI_PC_WITH_PM };

struct vpci_pc {
	struct vpci_function host, isa, pm;
};

MUST_CHECK int vpci_pc_plug(struct vpci_pc *pc, struct vpci *p, enum vpci_pc_pm pm, uint16_t pm_base);
