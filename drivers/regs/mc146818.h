/* Registers of the MC146818 real-time clock and its CMOS RAM, behind an index and a data port. Constants only; names
 * after Motorola's MC146818A data sheet ("Register A" to "Register D"). */
#pragma once

#define RTC_PORT_INDEX 0x70u
#define RTC_PORT_DATA 0x71u
#define RTC_INDEX_NMI_OFF 0x80u /* bit 7 of the index port masks NMI on the PC */
#define RTC_INDEX_MASK 0x7fu
#define RTC_IRQ 8u
#define RTC_RAM_BYTES 128u

#define RTC_SECONDS 0x00u
#define RTC_SECONDS_ALARM 0x01u
#define RTC_MINUTES 0x02u
#define RTC_MINUTES_ALARM 0x03u
#define RTC_HOURS 0x04u
#define RTC_HOURS_ALARM 0x05u
#define RTC_DAY_OF_WEEK 0x06u /* 1 = Sunday */
#define RTC_DAY_OF_MONTH 0x07u
#define RTC_MONTH 0x08u
#define RTC_YEAR 0x09u
#define RTC_REG_A 0x0au
#define RTC_REG_B 0x0bu
#define RTC_REG_C 0x0cu
#define RTC_REG_D 0x0du
#define RTC_SHUTDOWN_STATUS 0x0fu /* PC: what the BIOS does after a reset */
#define RTC_CENTURY 0x32u         /* PC: unless the FADT names another index */

#define RTC_ALARM_DONT_CARE 0xc0u /* both top bits set: matches any value */
#define RTC_HOURS_PM 0x80u        /* 12-hour mode */

#define RTC_A_RS_MASK 0x0fu /* periodic rate: 32768 >> (RS - 1) Hz; 1 and 2 mean 256 and 128 Hz */
#define RTC_A_DV_MASK 0x70u
#define RTC_A_DV_NORMAL 0x20u /* 32.768 kHz crystal */
#define RTC_A_DV_RESET 0x60u  /* 110 or 111: divider chain held in reset */
#define RTC_A_UIP 0x80u

#define RTC_B_DSE 0x01u
#define RTC_B_24H 0x02u
#define RTC_B_DM_BINARY 0x04u
#define RTC_B_SQWE 0x08u
#define RTC_B_UIE 0x10u
#define RTC_B_AIE 0x20u
#define RTC_B_PIE 0x40u
#define RTC_B_SET 0x80u

#define RTC_C_UF 0x10u
#define RTC_C_AF 0x20u
#define RTC_C_PF 0x40u
#define RTC_C_IRQF 0x80u

#define RTC_D_VRT 0x80u

#define RTC_BASE_HZ 32768u
