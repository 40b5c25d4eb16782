/* Registers of the I/O APIC: an index window, a data window, and the indirect registers behind. Constants only; names
 * after Intel's 82093AA data sheet ("Register Description"). */
#pragma once

#define IOAPIC_DEFAULT_BASE 0xfec00000ull
#define IOAPIC_SIZE 0x1000u

#define IOAPIC_REGSEL 0x00u
#define IOAPIC_WIN 0x10u
#define IOAPIC_EOI 0x40u /* version 0x20 and above */

#define IOAPIC_ID 0x00u
#define IOAPIC_VER 0x01u
#define IOAPIC_ARB 0x02u
#define IOAPIC_REDTBL 0x10u /* two registers each: low, high */

#define IOAPIC_ID_SHIFT 24u
#define IOAPIC_ID_MASK 0x0f000000u
#define IOAPIC_VER_MASK 0x000000ffu
#define IOAPIC_VER_82093AA 0x11u
#define IOAPIC_VER_MAX_SHIFT 16u
#define IOAPIC_VER_MAX_MASK 0x00ff0000u /* the highest redirection entry */
#define IOAPIC_PINS 24u                 /* of the 82093AA; others differ */

/* A redirection entry as one 64-bit word. */
#define IOAPIC_RTE_VECTOR_MASK 0x00000000000000ffull
#define IOAPIC_RTE_DM_MASK 0x0000000000000700ull
#define IOAPIC_RTE_DM_SHIFT 8u
#define IOAPIC_RTE_DM_FIXED 0x0000000000000000ull
#define IOAPIC_RTE_DM_LOWEST 0x0000000000000100ull
#define IOAPIC_RTE_DM_SMI 0x0000000000000200ull
#define IOAPIC_RTE_DM_NMI 0x0000000000000400ull
#define IOAPIC_RTE_DM_INIT 0x0000000000000500ull
#define IOAPIC_RTE_DM_EXTINT 0x0000000000000700ull
#define IOAPIC_RTE_LOGICAL 0x0000000000000800ull
#define IOAPIC_RTE_PENDING 0x0000000000001000ull /* delivery status, read only */
#define IOAPIC_RTE_ACTIVE_LOW 0x0000000000002000ull
#define IOAPIC_RTE_REMOTE_IRR 0x0000000000004000ull /* read only */
#define IOAPIC_RTE_LEVEL 0x0000000000008000ull
#define IOAPIC_RTE_MASKED 0x0000000000010000ull
#define IOAPIC_RTE_DEST_SHIFT 56u
