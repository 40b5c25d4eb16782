/* PCI configuration space: the two ports of mechanism #1, header offsets, bits and class codes. Constants only; names
 * after the PCI Local Bus Specification 3.0 ("Configuration Space Organization", appendix D). */
#pragma once

#define PCI_CONFIG_ADDRESS 0xcf8u
#define PCI_CONFIG_DATA 0xcfcu
#define PCI_CONFIG_ENABLE 0x80000000u
#define PCI_CONFIG_BYTES 256u
#define PCI_BUSES 256u
#define PCI_SLOTS 32u
#define PCI_FUNCTIONS 8u

/* The address register's value for a dword. */
#define PCI_ADDRESS(bus, slot, function, offset)                                                                       \
	(PCI_CONFIG_ENABLE | ((bus) << 16) | ((slot) << 11) | ((function) << 8) | ((offset)&0xfcu))

/* Port 0xcf9, "reset control register" of the PIIX3 and later. */
#define PORT_CF9 0xcf9u
#define CF9_FULL_RESET 0x02u /* hard reset when RCPU goes from 0 to 1 */
#define CF9_RCPU 0x04u

#define PCI_VENDOR_ID 0x00u
#define PCI_DEVICE_ID 0x02u
#define PCI_COMMAND 0x04u
#define PCI_STATUS 0x06u
#define PCI_REVISION_ID 0x08u
#define PCI_PROG_IF 0x09u
#define PCI_SUBCLASS 0x0au
#define PCI_CLASS 0x0bu
#define PCI_CACHE_LINE 0x0cu
#define PCI_LATENCY 0x0du
#define PCI_HEADER_TYPE 0x0eu
#define PCI_BIST 0x0fu
#define PCI_BAR0 0x10u
#define PCI_BARS 6u
#define PCI_SUBSYSTEM_VENDOR 0x2cu
#define PCI_SUBSYSTEM_ID 0x2eu
#define PCI_ROM_ADDRESS 0x30u
#define PCI_CAPABILITIES 0x34u
#define PCI_INTERRUPT_LINE 0x3cu
#define PCI_INTERRUPT_PIN 0x3du
#define PCI_MIN_GNT 0x3eu
#define PCI_MAX_LAT 0x3fu
/* Header type 1, a bridge. */
#define PCI_PRIMARY_BUS 0x18u
#define PCI_SECONDARY_BUS 0x19u
#define PCI_SUBORDINATE_BUS 0x1au

#define PCI_VENDOR_NONE 0xffffu
#define PCI_HEADER_MULTIFUNCTION 0x80u
#define PCI_HEADER_TYPE_MASK 0x7fu
#define PCI_HEADER_DEVICE 0u
#define PCI_HEADER_BRIDGE 1u

#define PCI_COMMAND_IO 0x0001u
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_COMMAND_MASTER 0x0004u
#define PCI_COMMAND_INTX_OFF 0x0400u
#define PCI_STATUS_INTX 0x0008u
#define PCI_STATUS_CAP_LIST 0x0010u

#define PCI_BAR_IO 0x1u
#define PCI_BAR_IO_MASK 0xfffffffcu
#define PCI_BAR_MEM_TYPE_MASK 0x6u
#define PCI_BAR_MEM_64 0x4u
#define PCI_BAR_MEM_PREFETCH 0x8u
#define PCI_BAR_MEM_MASK 0xfffffff0u

#define PCI_CAP_PM 0x01u
#define PCI_CAP_MSI 0x05u
#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_EXPRESS 0x10u
#define PCI_CAP_MSIX 0x11u

/* Base classes. */
#define PCI_CLASS_OLD 0x00u
#define PCI_CLASS_STORAGE 0x01u
#define PCI_CLASS_NETWORK 0x02u
#define PCI_CLASS_DISPLAY 0x03u
#define PCI_CLASS_MULTIMEDIA 0x04u
#define PCI_CLASS_MEMORY 0x05u
#define PCI_CLASS_BRIDGE 0x06u
#define PCI_CLASS_COMMUNICATION 0x07u
#define PCI_CLASS_SYSTEM 0x08u
#define PCI_CLASS_INPUT 0x09u
#define PCI_CLASS_DOCKING 0x0au
#define PCI_CLASS_PROCESSOR 0x0bu
#define PCI_CLASS_SERIAL 0x0cu
#define PCI_CLASS_WIRELESS 0x0du
#define PCI_CLASS_OTHER 0xffu
/* Subclasses that somebody asks for. */
#define PCI_STORAGE_SCSI 0x00u
#define PCI_STORAGE_IDE 0x01u
#define PCI_STORAGE_SATA 0x06u
#define PCI_STORAGE_NVME 0x08u
#define PCI_NETWORK_ETHERNET 0x00u
#define PCI_DISPLAY_VGA 0x00u
#define PCI_BRIDGE_HOST 0x00u
#define PCI_BRIDGE_ISA 0x01u
#define PCI_BRIDGE_PCI 0x04u
#define PCI_BRIDGE_OTHER 0x80u
#define PCI_COMMUNICATION_SERIAL 0x00u
#define PCI_SERIAL_USB 0x03u
#define PCI_SERIAL_SMBUS 0x05u

/* Chips known by name. */
#define PCI_VENDOR_INTEL 0x8086u
#define PCI_DEVICE_82441FX 0x1237u /* i440FX host bridge */
#define PCI_DEVICE_PIIX3_ISA 0x7000u
#define PCI_DEVICE_PIIX4_PM 0x7113u /* PIIX4 power management function */
#define PIIX4_PMBASE 0x40u          /* I/O base of the PM registers, bits 15:6 */
#define PIIX4_PMBASE_MASK 0xffc0u
#define PIIX4_PMREGMISC 0x80u
#define PIIX4_PMIOSE 0x01u
