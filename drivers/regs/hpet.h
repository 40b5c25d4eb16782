/* Registers of the high precision event timer. Constants only; names after the IA-PC HPET specification 1.0a
 * ("Register Overview"). */
#pragma once

#define HPET_DEFAULT_BASE 0xfed00000ull
#define HPET_SIZE 0x400u

#define HPET_GCAP_ID 0x000u /* 64 bits */
#define HPET_GEN_CONF 0x010u
#define HPET_GINTR_STA 0x020u
#define HPET_MAIN_CNT 0x0f0u
#define HPET_TIM_CONF(n) (0x100u + 0x20u * (n))
#define HPET_TIM_COMP(n) (0x108u + 0x20u * (n))
#define HPET_TIM_FSB_ROUTE(n) (0x110u + 0x20u * (n))

#define HPET_GCAP_REV_MASK 0xffull
#define HPET_GCAP_NUM_TIM_MASK 0x1f00ull
#define HPET_GCAP_NUM_TIM_SHIFT 8u
#define HPET_GCAP_COUNT_64 (1ull << 13)
#define HPET_GCAP_LEGACY_ROUTE (1ull << 15)
#define HPET_GCAP_PERIOD_SHIFT 32u     /* femtoseconds per tick */
#define HPET_PERIOD_FS_MAX 0x05f5e100u /* 100 ns: a larger value is not an HPET */

#define HPET_CONF_ENABLE 0x1ull
#define HPET_CONF_LEGACY_ROUTE 0x2ull

#define HPET_TIM_CONF_LEVEL (1ull << 1)
#define HPET_TIM_CONF_INT_ENABLE (1ull << 2)
#define HPET_TIM_CONF_PERIODIC (1ull << 3)
