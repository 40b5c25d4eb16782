/* Registers of the 16550 UART, as seen at eight consecutive ports. Constants only; names after the National Semiconductor
 * PC16550D data sheet ("Registers", table II). The driver and the emulated device share them. */
#pragma once

/* Where the PC has its four serial ports, and their ISA interrupts. */
#define UART_COM1_BASE 0x3f8u
#define UART_COM2_BASE 0x2f8u
#define UART_COM3_BASE 0x3e8u
#define UART_COM4_BASE 0x2e8u
#define UART_COM1_IRQ 4u
#define UART_COM2_IRQ 3u
#define UART_PORTS 8u

/* Offsets from the base. */
#define UART_RBR 0u /* read, DLAB=0: receiver buffer */
#define UART_THR 0u /* write, DLAB=0: transmitter holding */
#define UART_DLL 0u /* DLAB=1: divisor latch, low byte */
#define UART_IER 1u /* DLAB=0: interrupt enable */
#define UART_DLM 1u /* DLAB=1: divisor latch, high byte */
#define UART_IIR 2u /* read: interrupt identification */
#define UART_FCR 2u /* write: FIFO control */
#define UART_LCR 3u /* line control */
#define UART_MCR 4u /* modem control */
#define UART_LSR 5u /* line status */
#define UART_MSR 6u /* modem status */
#define UART_SCR 7u /* scratch */

#define UART_IER_ERBFI 0x01u /* received data available, and character timeout */
#define UART_IER_ETBEI 0x02u /* transmitter holding register empty */
#define UART_IER_ELSI 0x04u  /* receiver line status */
#define UART_IER_EDSSI 0x08u /* modem status */
#define UART_IER_MASK 0x0fu

#define UART_IIR_NO_INT 0x01u  /* 1: no interrupt is pending */
#define UART_IIR_ID_MASK 0x0fu /* the pending one with the highest priority, with NO_INT */
#define UART_IIR_MODEM 0x00u
#define UART_IIR_THRE 0x02u
#define UART_IIR_RDA 0x04u
#define UART_IIR_RLS 0x06u
#define UART_IIR_TIMEOUT 0x0cu   /* data in the FIFO below its level for four character times */
#define UART_IIR_FIFO_MASK 0xc0u /* 11: FIFOs enabled (16550A); 10: enabled and unusable (16550); 00: none */
#define UART_IIR_FIFO_ON 0xc0u

#define UART_FCR_ENABLE 0x01u
#define UART_FCR_CLEAR_RX 0x02u /* self-clearing */
#define UART_FCR_CLEAR_TX 0x04u /* self-clearing */
#define UART_FCR_DMA_MODE 0x08u
#define UART_FCR_TRIGGER_MASK 0xc0u
#define UART_FCR_TRIGGER_1 0x00u
#define UART_FCR_TRIGGER_4 0x40u
#define UART_FCR_TRIGGER_8 0x80u
#define UART_FCR_TRIGGER_14 0xc0u

#define UART_LCR_WLS_MASK 0x03u
#define UART_LCR_WLS_5 0x00u
#define UART_LCR_WLS_6 0x01u
#define UART_LCR_WLS_7 0x02u
#define UART_LCR_WLS_8 0x03u
#define UART_LCR_STB 0x04u /* two stop bits (one and a half with five data bits) */
#define UART_LCR_PEN 0x08u /* parity enable */
#define UART_LCR_EPS 0x10u /* even parity */
#define UART_LCR_STICK 0x20u
#define UART_LCR_BREAK 0x40u
#define UART_LCR_DLAB 0x80u

#define UART_MCR_DTR 0x01u
#define UART_MCR_RTS 0x02u
#define UART_MCR_OUT1 0x04u
#define UART_MCR_OUT2 0x08u /* on the PC: gates the interrupt line */
#define UART_MCR_LOOP 0x10u
#define UART_MCR_MASK 0x1fu

#define UART_LSR_DR 0x01u
#define UART_LSR_OE 0x02u
#define UART_LSR_PE 0x04u
#define UART_LSR_FE 0x08u
#define UART_LSR_BI 0x10u
#define UART_LSR_THRE 0x20u
#define UART_LSR_TEMT 0x40u
#define UART_LSR_FIFO_ERR 0x80u
#define UART_LSR_ERRORS (UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI)

#define UART_MSR_DCTS 0x01u
#define UART_MSR_DDSR 0x02u
#define UART_MSR_TERI 0x04u
#define UART_MSR_DDCD 0x08u
#define UART_MSR_DELTA_MASK 0x0fu
#define UART_MSR_CTS 0x10u
#define UART_MSR_DSR 0x20u
#define UART_MSR_RI 0x40u
#define UART_MSR_DCD 0x80u

#define UART_FIFO_BYTES 16u
#define UART_CLOCK_HZ 1843200u /* the PC's crystal; the baud rate is clock / (16 * divisor) */
#define UART_BAUD_MAX 115200u
