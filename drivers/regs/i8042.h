/* Registers and commands of the i8042 keyboard controller. Constants only; names after the IBM PS/2 Hardware Interface
 * Technical Reference ("Keyboard and Auxiliary Device Controller"). */
#pragma once

#define I8042_DATA 0x60u
#define I8042_STATUS 0x64u  /* read */
#define I8042_COMMAND 0x64u /* write */
#define I8042_KBD_IRQ 1u
#define I8042_AUX_IRQ 12u

#define I8042_STATUS_OBF 0x01u /* output buffer full: there is a byte to read */
#define I8042_STATUS_IBF 0x02u /* input buffer full: do not write yet */
#define I8042_STATUS_SYS 0x04u
#define I8042_STATUS_CMD 0x08u     /* the last write went to the command port */
#define I8042_STATUS_KEYLOCK 0x10u /* 1: keyboard not locked */
#define I8042_STATUS_AUX 0x20u
#define I8042_STATUS_TIMEOUT 0x40u
#define I8042_STATUS_PARITY 0x80u

#define I8042_CMD_READ_CTR 0x20u  /* 0x20..0x3f: read controller RAM */
#define I8042_CMD_WRITE_CTR 0x60u /* 0x60..0x7f: write controller RAM */
#define I8042_CMD_AUX_DISABLE 0xa7u
#define I8042_CMD_AUX_ENABLE 0xa8u
#define I8042_CMD_AUX_TEST 0xa9u
#define I8042_CMD_SELF_TEST 0xaau
#define I8042_CMD_KBD_TEST 0xabu
#define I8042_CMD_KBD_DISABLE 0xadu
#define I8042_CMD_KBD_ENABLE 0xaeu
#define I8042_CMD_READ_INPUT 0xc0u
#define I8042_CMD_READ_OUTPUT 0xd0u
#define I8042_CMD_WRITE_OUTPUT 0xd1u
#define I8042_CMD_KBD_LOOP 0xd2u
#define I8042_CMD_AUX_LOOP 0xd3u
#define I8042_CMD_AUX_SEND 0xd4u
#define I8042_CMD_PULSE 0xf0u /* 0xf0..0xff: pulse the output lines whose bits are 0 */
#define I8042_CMD_RESET 0xfeu /* pulse bit 0, the processor's reset */

#define I8042_SELF_TEST_OK 0x55u
#define I8042_PORT_TEST_OK 0x00u

#define I8042_CTR_KBD_INT 0x01u
#define I8042_CTR_AUX_INT 0x02u
#define I8042_CTR_SYS 0x04u
#define I8042_CTR_KBD_OFF 0x10u
#define I8042_CTR_AUX_OFF 0x20u
#define I8042_CTR_TRANSLATE 0x40u

#define I8042_OUTPUT_RESET 0x01u /* output port: 0 holds the processor in reset */
#define I8042_OUTPUT_A20 0x02u

/* Port 0x92, "system control port A". */
#define PORT92 0x92u
#define PORT92_FAST_RESET 0x01u
#define PORT92_A20 0x02u
