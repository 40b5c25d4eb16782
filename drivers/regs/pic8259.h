/* Registers of the 8259A interrupt controller pair. Constants only; names after Intel's 8259A data sheet
 * ("Initialization Command Words", "Operation Command Words") and the PIIX3 data sheet for the ELCR. */
#pragma once

#define PIC_MASTER_CMD 0x20u  /* ICW1, OCW2, OCW3; read: IRR or ISR */
#define PIC_MASTER_DATA 0x21u /* ICW2..4, OCW1 (the mask) */
#define PIC_SLAVE_CMD 0xa0u
#define PIC_SLAVE_DATA 0xa1u
#define PIC_ELCR_MASTER 0x4d0u /* edge (0) or level (1), a bit per input, IRQ 0..7 */
#define PIC_ELCR_SLAVE 0x4d1u
#define PIC_ELCR_MASTER_MASK 0xf8u /* IRQ 0, 1, 2 are always edge */
#define PIC_ELCR_SLAVE_MASK 0xdeu  /* IRQ 8, 13 are always edge */

#define PIC_ICW1_IC4 0x01u  /* ICW4 follows */
#define PIC_ICW1_SNGL 0x02u /* single, no ICW3 */
#define PIC_ICW1_ADI 0x04u  /* call address interval, MCS-80 only */
#define PIC_ICW1_LTIM 0x08u /* level triggered */
#define PIC_ICW1_INIT 0x10u /* this is ICW1 */

#define PIC_ICW2_VECTOR_MASK 0xf8u

#define PIC_CASCADE_IRQ 2u
#define PIC_ICW3_MASTER 0x04u /* a slave sits on input 2 */
#define PIC_ICW3_SLAVE 0x02u  /* this slave's identity is 2 */

#define PIC_ICW4_8086 0x01u
#define PIC_ICW4_AEOI 0x02u
#define PIC_ICW4_MASTER 0x04u /* buffered mode: master */
#define PIC_ICW4_BUF 0x08u
#define PIC_ICW4_SFNM 0x10u

#define PIC_OCW2_LEVEL_MASK 0x07u
#define PIC_OCW2_EOI 0x20u
#define PIC_OCW2_SL 0x40u
#define PIC_OCW2_R 0x80u
#define PIC_OCW2_CMD_MASK 0xe0u
#define PIC_OCW2_NONSPECIFIC_EOI 0x20u
#define PIC_OCW2_SPECIFIC_EOI 0x60u
#define PIC_OCW2_ROTATE_NONSPECIFIC 0xa0u
#define PIC_OCW2_ROTATE_SPECIFIC 0xe0u
#define PIC_OCW2_ROTATE_AEOI_SET 0x80u
#define PIC_OCW2_ROTATE_AEOI_CLEAR 0x00u
#define PIC_OCW2_SET_PRIORITY 0xc0u

#define PIC_OCW3_SELECT_MASK 0x18u
#define PIC_OCW3_ID 0x08u
#define PIC_OCW3_RIS 0x01u /* with RR: the next read gives ISR, else IRR */
#define PIC_OCW3_RR 0x02u
#define PIC_OCW3_POLL 0x04u
#define PIC_OCW3_SMM 0x20u
#define PIC_OCW3_ESMM 0x40u
#define PIC_OCW3_READ_IRR 0x0au
#define PIC_OCW3_READ_ISR 0x0bu

#define PIC_POLL_INT 0x80u /* poll byte: an interrupt is there; bits 2:0 its level */
#define PIC_SPURIOUS_LEVEL 7u
#define PIC_IRQS 16u
