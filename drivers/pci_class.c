/* Short names of PCI classes, for a list that people read. Codes after the PCI Code and ID Assignment Specification. */
#include "drivers/pci.h"

/* What matches any subclass; such a row stands behind the rows of its class. */
#define ANY 0x100u

static const struct class_name {
	uint16_t class_code;
	uint16_t subclass;
	const char *name;
} names[] = {
	{PCI_CLASS_OLD, 0x01, "VGA (old)"},
	{PCI_CLASS_OLD, ANY, "unclassified"},
	{PCI_CLASS_STORAGE, PCI_STORAGE_SCSI, "SCSI"},
	{PCI_CLASS_STORAGE, PCI_STORAGE_IDE, "IDE"},
	{PCI_CLASS_STORAGE, PCI_STORAGE_SATA, "SATA"},
	{PCI_CLASS_STORAGE, PCI_STORAGE_NVME, "NVMe"},
	{PCI_CLASS_STORAGE, ANY, "storage"},
	{PCI_CLASS_NETWORK, PCI_NETWORK_ETHERNET, "Ethernet"},
	{PCI_CLASS_NETWORK, ANY, "network"},
	{PCI_CLASS_DISPLAY, PCI_DISPLAY_VGA, "VGA"},
	{PCI_CLASS_DISPLAY, ANY, "display"},
	{PCI_CLASS_MULTIMEDIA, ANY, "multimedia"},
	{PCI_CLASS_MEMORY, ANY, "memory"},
	{PCI_CLASS_BRIDGE, PCI_BRIDGE_HOST, "host bridge"},
	{PCI_CLASS_BRIDGE, PCI_BRIDGE_ISA, "ISA bridge"},
	{PCI_CLASS_BRIDGE, PCI_BRIDGE_PCI, "PCI bridge"},
	{PCI_CLASS_BRIDGE, ANY, "bridge"},
	{PCI_CLASS_COMMUNICATION, PCI_COMMUNICATION_SERIAL, "serial port"},
	{PCI_CLASS_COMMUNICATION, ANY, "communication"},
	{PCI_CLASS_SYSTEM, ANY, "system"},
	{PCI_CLASS_INPUT, ANY, "input"},
	{PCI_CLASS_DOCKING, ANY, "docking"},
	{PCI_CLASS_PROCESSOR, ANY, "processor"},
	{PCI_CLASS_SERIAL, PCI_SERIAL_USB, "USB"},
	{PCI_CLASS_SERIAL, PCI_SERIAL_SMBUS, "SMBus"},
	{PCI_CLASS_SERIAL, ANY, "serial bus"},
	{PCI_CLASS_WIRELESS, ANY, "wireless"},
};

/* The name of a class and subclass. Never NULL. */
const char *pci_class_name(unsigned class_code, unsigned subclass)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].class_code == class_code && (names[i].subclass == subclass || names[i].subclass == ANY))
			return names[i].name;
	}
	return "other";
}
