/* ACPI tables and fixed registers: layouts as offsets into bytes (the tables are never trusted to be whole or aligned),
 * lengths, and bits. Constants only; names after the ACPI specification 6.4 ("ACPI Software Programming Model",
 * "ACPI Hardware Specification"). All fields are little endian. */
#pragma once

#define ACPI_SIGNATURE(a, b, c, d) ((unsigned)(a) | (unsigned)(b) << 8 | (unsigned)(c) << 16 | (unsigned)(d) << 24)

/* Root System Description Pointer. */
#define RSDP_SIGNATURE "RSD PTR "
#define RSDP_CHECKSUM 8u
#define RSDP_OEMID 9u
#define RSDP_REVISION 15u /* 0: ACPI 1.0; 2 and above: the extended part is there */
#define RSDP_RSDT 16u     /* u32 */
#define RSDP_V1_LEN 20u
#define RSDP_LENGTH 20u /* u32 */
#define RSDP_XSDT 24u   /* u64 */
#define RSDP_EXT_CHECKSUM 32u
#define RSDP_V2_LEN 36u
#define RSDP_ALIGN 16u

/* The header of every other table. */
#define SDT_SIGNATURE 0u
#define SDT_LENGTH 4u /* u32 */
#define SDT_REVISION 8u
#define SDT_CHECKSUM 9u
#define SDT_OEMID 10u
#define SDT_OEM_TABLE_ID 16u
#define SDT_OEM_REVISION 24u
#define SDT_CREATOR_ID 28u
#define SDT_CREATOR_REVISION 32u
#define SDT_HEADER_LEN 36u

/* Generic Address Structure. */
#define GAS_SPACE 0u
#define GAS_BIT_WIDTH 1u
#define GAS_BIT_OFFSET 2u
#define GAS_ACCESS 3u
#define GAS_ADDRESS 4u /* u64 */
#define GAS_LEN 12u
#define GAS_SPACE_MEMORY 0u
#define GAS_SPACE_IO 1u
#define GAS_SPACE_PCI_CONFIG 2u

/* FADT, signature "FACP". */
#define FADT_FIRMWARE_CTRL 36u
#define FADT_DSDT 40u
#define FADT_PREFERRED_PM_PROFILE 45u
#define FADT_SCI_INT 46u /* u16 */
#define FADT_SMI_CMD 48u
#define FADT_ACPI_ENABLE 52u
#define FADT_ACPI_DISABLE 53u
#define FADT_PM1A_EVT_BLK 56u
#define FADT_PM1B_EVT_BLK 60u
#define FADT_PM1A_CNT_BLK 64u
#define FADT_PM1B_CNT_BLK 68u
#define FADT_PM2_CNT_BLK 72u
#define FADT_PM_TMR_BLK 76u
#define FADT_GPE0_BLK 80u
#define FADT_GPE1_BLK 84u
#define FADT_PM1_EVT_LEN 88u
#define FADT_PM1_CNT_LEN 89u
#define FADT_PM2_CNT_LEN 90u
#define FADT_PM_TMR_LEN 91u
#define FADT_GPE0_BLK_LEN 92u
#define FADT_GPE1_BLK_LEN 93u
#define FADT_GPE1_BASE 94u
#define FADT_P_LVL2_LAT 96u
#define FADT_P_LVL3_LAT 98u
#define FADT_CENTURY 108u
#define FADT_IAPC_BOOT_ARCH 109u /* u16, ACPI 2.0 */
#define FADT_FLAGS 112u          /* u32 */
#define FADT_V1_LEN 116u
#define FADT_RESET_REG 116u /* GAS */
#define FADT_RESET_VALUE 128u
#define FADT_ARM_BOOT_ARCH 129u
#define FADT_MINOR_VERSION 131u
#define FADT_X_FIRMWARE_CTRL 132u /* u64 */
#define FADT_X_DSDT 140u          /* u64 */
#define FADT_X_PM1A_EVT_BLK 148u  /* GAS, and so on */
#define FADT_X_PM1B_EVT_BLK 160u
#define FADT_X_PM1A_CNT_BLK 172u
#define FADT_X_PM1B_CNT_BLK 184u
#define FADT_X_PM2_CNT_BLK 196u
#define FADT_X_PM_TMR_BLK 208u
#define FADT_X_GPE0_BLK 220u
#define FADT_X_GPE1_BLK 232u
#define FADT_V3_LEN 244u /* ACPI 2.0 to 4.0 */
#define FADT_V5_LEN 268u
#define FADT_V6_LEN 276u

#define FADT_FLAG_WBINVD (1u << 0)
#define FADT_FLAG_PROC_C1 (1u << 2)
#define FADT_FLAG_PWR_BUTTON (1u << 4) /* 1: a control method button, not the fixed one */
#define FADT_FLAG_SLP_BUTTON (1u << 5)
#define FADT_FLAG_RTC_S4 (1u << 7)
#define FADT_FLAG_TMR_VAL_EXT (1u << 8) /* the PM timer has 32 bits, not 24 */
#define FADT_FLAG_RESET_REG_SUP (1u << 10)
#define FADT_FLAG_HW_REDUCED (1u << 20)
#define FADT_BOOT_LEGACY_DEVICES (1u << 0)
#define FADT_BOOT_8042 (1u << 1)

/* PM1 registers: status and enable (halves of PM1_EVT), control. */
#define PM1_STS_TMR (1u << 0)
#define PM1_STS_BM (1u << 4)
#define PM1_STS_GBL (1u << 5)
#define PM1_STS_PWRBTN (1u << 8)
#define PM1_STS_SLPBTN (1u << 9)
#define PM1_STS_RTC (1u << 10)
#define PM1_STS_WAK (1u << 15)
#define PM1_EN_TMR (1u << 0)
#define PM1_EN_GBL (1u << 5)
#define PM1_EN_PWRBTN (1u << 8)
#define PM1_EN_SLPBTN (1u << 9)
#define PM1_EN_RTC (1u << 10)
#define PM1_CNT_SCI_EN (1u << 0)
#define PM1_CNT_BM_RLD (1u << 1)
#define PM1_CNT_GBL_RLS (1u << 2)
#define PM1_CNT_SLP_TYP_SHIFT 10u
#define PM1_CNT_SLP_TYP_MASK (7u << 10)
#define PM1_CNT_SLP_EN (1u << 13)
#define ACPI_PM_TIMER_HZ 3579545u

/* Where the PIIX4 keeps them, from its PMBASE. */
#define PIIX4_PM1_EVT 0x00u
#define PIIX4_PM1_CNT 0x04u
#define PIIX4_PM_TMR 0x08u

/* MADT, signature "APIC". */
#define MADT_LAPIC_ADDR 36u /* u32 */
#define MADT_FLAGS 40u      /* u32 */
#define MADT_ENTRIES 44u
#define MADT_FLAG_PCAT_COMPAT (1u << 0)
#define MADT_TYPE_LAPIC 0u
#define MADT_TYPE_IOAPIC 1u
#define MADT_TYPE_ISO 2u
#define MADT_TYPE_NMI_SOURCE 3u
#define MADT_TYPE_LAPIC_NMI 4u
#define MADT_TYPE_LAPIC_ADDR_OVERRIDE 5u
#define MADT_TYPE_X2APIC 9u
#define MADT_TYPE_X2APIC_NMI 10u
#define MADT_ENTRY_TYPE 0u
#define MADT_ENTRY_LENGTH 1u
#define MADT_ENTRY_HEADER_LEN 2u
#define MADT_LAPIC_UID 2u
#define MADT_LAPIC_ID 3u
#define MADT_LAPIC_FLAGS 4u /* u32 */
#define MADT_LAPIC_LEN 8u
#define MADT_IOAPIC_ID 2u
#define MADT_IOAPIC_ADDR 4u     /* u32 */
#define MADT_IOAPIC_GSI_BASE 8u /* u32 */
#define MADT_IOAPIC_LEN 12u
#define MADT_ISO_BUS 2u
#define MADT_ISO_SOURCE 3u
#define MADT_ISO_GSI 4u   /* u32 */
#define MADT_ISO_FLAGS 8u /* u16 */
#define MADT_ISO_LEN 10u
#define MADT_NMI_SOURCE_FLAGS 2u
#define MADT_NMI_SOURCE_GSI 4u
#define MADT_NMI_SOURCE_LEN 8u
#define MADT_LAPIC_NMI_UID 2u
#define MADT_LAPIC_NMI_FLAGS 3u /* u16, not aligned */
#define MADT_LAPIC_NMI_LINT 5u
#define MADT_LAPIC_NMI_LEN 6u
#define MADT_LAPIC_NMI_ALL 0xffu
#define MADT_LAPIC_ADDR_OVERRIDE_ADDR 4u /* u64 */
#define MADT_LAPIC_ADDR_OVERRIDE_LEN 12u
#define MADT_X2APIC_ID 4u    /* u32 */
#define MADT_X2APIC_FLAGS 8u /* u32 */
#define MADT_X2APIC_UID 12u  /* u32 */
#define MADT_X2APIC_LEN 16u
#define MADT_X2APIC_NMI_FLAGS 2u /* u16 */
#define MADT_X2APIC_NMI_UID 4u   /* u32 */
#define MADT_X2APIC_NMI_LINT 8u
#define MADT_X2APIC_NMI_LEN 12u
#define MADT_X2APIC_NMI_ALL 0xffffffffu
#define MADT_CPU_ENABLED (1u << 0)
#define MADT_CPU_ONLINE_CAPABLE (1u << 1)
/* "MPS INTI flags" of the overrides and NMI entries. */
#define MADT_POLARITY_MASK 0x3u
#define MADT_POLARITY_CONFORMS 0x0u
#define MADT_POLARITY_HIGH 0x1u
#define MADT_POLARITY_LOW 0x3u
#define MADT_TRIGGER_MASK 0xcu
#define MADT_TRIGGER_CONFORMS 0x0u
#define MADT_TRIGGER_EDGE 0x4u
#define MADT_TRIGGER_LEVEL 0xcu

/* MCFG (PCI Firmware Specification, "MCFG Table Description"). */
#define MCFG_ENTRIES 44u
#define MCFG_ENTRY_BASE 0u    /* u64 */
#define MCFG_ENTRY_SEGMENT 8u /* u16 */
#define MCFG_ENTRY_START_BUS 10u
#define MCFG_ENTRY_END_BUS 11u
#define MCFG_ENTRY_LEN 16u

/* HPET (IA-PC HPET Specification, "The ACPI 2.0 HPET Description Table"). */
#define HPET_TABLE_BLOCK_ID 36u /* u32 */
#define HPET_TABLE_ADDRESS 40u  /* GAS */
#define HPET_TABLE_NUMBER 52u
#define HPET_TABLE_MIN_TICK 53u /* u16 */
#define HPET_TABLE_LEN 56u

/* AML encodings met when looking for \_S5_ (ACPI "ACPI Machine Language (AML) Specification"). */
#define AML_ZERO_OP 0x00u
#define AML_ONE_OP 0x01u
#define AML_NAME_OP 0x08u
#define AML_BYTE_PREFIX 0x0au
#define AML_WORD_PREFIX 0x0bu
#define AML_DWORD_PREFIX 0x0cu
#define AML_PACKAGE_OP 0x12u
#define AML_ROOT_CHAR 0x5cu
