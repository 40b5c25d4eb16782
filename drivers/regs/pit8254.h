/* Registers of the 8254 interval timer and of port 0x61, which gates its channel 2. Constants only; names after Intel's
 * 8254 data sheet ("Control Word Format", "Read-Back Command"). */
#pragma once

#define PIT_CH0 0x40u
#define PIT_CH1 0x41u
#define PIT_CH2 0x42u
#define PIT_CONTROL 0x43u
#define PIT_HZ 1193182u /* 14.31818 MHz / 12 */

#define PIT_CW_BCD 0x01u
#define PIT_CW_MODE_MASK 0x0eu
#define PIT_CW_MODE_SHIFT 1u
#define PIT_CW_RW_MASK 0x30u
#define PIT_CW_RW_LATCH 0x00u /* counter latch command */
#define PIT_CW_RW_LSB 0x10u
#define PIT_CW_RW_MSB 0x20u
#define PIT_CW_RW_BOTH 0x30u /* least significant byte first */
#define PIT_CW_SC_MASK 0xc0u
#define PIT_CW_SC_SHIFT 6u
#define PIT_CW_SC_READBACK 0xc0u

#define PIT_MODE_TERMINAL_COUNT 0u
#define PIT_MODE_ONE_SHOT 1u
#define PIT_MODE_RATE 2u
#define PIT_MODE_SQUARE 3u
#define PIT_MODE_SW_STROBE 4u
#define PIT_MODE_HW_STROBE 5u

#define PIT_RB_NO_COUNT 0x20u  /* read-back: 1 = do not latch the count */
#define PIT_RB_NO_STATUS 0x10u /* read-back: 1 = do not latch the status */
#define PIT_RB_CH0 0x02u
#define PIT_RB_CH1 0x04u
#define PIT_RB_CH2 0x08u

#define PIT_STATUS_OUT 0x80u
#define PIT_STATUS_NULL 0x40u /* the count written has not reached the counting element yet */
#define PIT_STATUS_CW_MASK 0x3fu

/* Port 0x61, "NMI Status and Control" of the PIIX3 data sheet. */
#define PORT61 0x61u
#define PORT61_GATE2 0x01u
#define PORT61_SPEAKER 0x02u
#define PORT61_PARITY_OFF 0x04u
#define PORT61_IOCHK_OFF 0x08u
#define PORT61_WRITE_MASK 0x0fu
#define PORT61_REFRESH 0x10u /* toggles with each refresh, 15 us */
#define PORT61_OUT2 0x20u
