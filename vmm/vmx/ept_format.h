/* Intel's second-level tables: what IA32_VMX_EPT_VPID_CAP allows, as a struct slpt_format, and the EPT pointer. Pure.
 * Follows SDM 3 "EPT Translation Mechanism" (29.3.2), "Extended-Page-Table Pointer (EPTP)" (25.6.11) and appendix A.10. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/mem/slpt.h"

/* IA32_VMX_EPT_VPID_CAP, as far as tables and invalidation are concerned. */
#define EPT_CAP_EXEC_ONLY BIT64(0)
#define EPT_CAP_WALK_4 BIT64(6)
#define EPT_CAP_STRUCT_UC BIT64(8)
#define EPT_CAP_STRUCT_WB BIT64(14)
#define EPT_CAP_2M BIT64(16)
#define EPT_CAP_1G BIT64(17)
#define EPT_CAP_INVEPT BIT64(20)
#define EPT_CAP_ACCESSED_DIRTY BIT64(21)
#define EPT_CAP_INVEPT_SINGLE BIT64(25)
#define EPT_CAP_INVEPT_ALL BIT64(26)

#define EPTP_ACCESSED_DIRTY BIT64(6)

#define EPT_ACCESSED BIT64(8)
#define EPT_DIRTY BIT64(9)

MUST_CHECK int ept_format_init(struct slpt_format *format, uint64_t ept_vpid_cap, unsigned maxphyaddr);
MUST_CHECK int ept_pointer(uint64_t ept_vpid_cap, uint64_t root_hpa, uint64_t *eptp);
