/* Intel's EPT entries and the EPT pointer, chosen by what the processor's IA32_VMX_EPT_VPID_CAP says. Pure functions;
 * vmm/mem/slpt.c builds the tables. Follows SDM 3 "EPT Translation Mechanism" (29.3.2). */
#include "vmm/vmx/ept_format.h"

#include "kernel/lib/errors.h"

/* An entry: SDM 3 "Format of an EPT Page-Table Entry that Maps a 4-KByte Page" and its neighbours. */
#define EPT_READ BIT64(0)
#define EPT_WRITE BIT64(1)
#define EPT_EXEC BIT64(2)
#define EPT_RWX (EPT_READ | EPT_WRITE | EPT_EXEC)
#define EPT_MEMTYPE_SHIFT 3u
#define EPT_MEMTYPE_MASK (7ull << EPT_MEMTYPE_SHIFT)
#define EPT_LEAF BIT64(7)
#define EPT_ADDR_MASK 0x000ffffffffff000ull

#define EPT_LEVELS 4u
#define EPT_GPA_BITS 48u /* what four levels translate */

/* The EPT pointer: SDM 3 "Format of Extended-Page-Table Pointer". */
#define EPTP_MEMTYPE_UC 0ull
#define EPTP_MEMTYPE_WB 6ull
#define EPTP_WALK_SHIFT 3u /* page-walk length minus 1 */

static void set_prot_bits(struct slpt_format *f, bool exec_only)
{
	f->prot_mask = EPT_RWX;
	for (unsigned prot = 0; prot < SLPT_PROT_COUNT; prot++)
		f->prot_bits[prot] = SLPT_UNENCODABLE;
	/* Write without read is an EPT misconfiguration, and so is execute-only where it is not supported. */
	f->prot_bits[SLPT_R] = EPT_READ;
	f->prot_bits[SLPT_RW] = EPT_READ | EPT_WRITE;
	f->prot_bits[SLPT_RX] = EPT_READ | EPT_EXEC;
	f->prot_bits[SLPT_RWX] = EPT_RWX;
	if (exec_only)
		f->prot_bits[SLPT_X] = EPT_EXEC;
}

static void set_memtype_bits(struct slpt_format *f)
{
	f->memtype_mask = EPT_MEMTYPE_MASK;
	for (unsigned type = 0; type < MEMTYPE_COUNT; type++)
		f->memtype_bits[type] = memtype_is_valid(type) ? (uint64_t)type << EPT_MEMTYPE_SHIFT : SLPT_UNENCODABLE;
}

/* Describes the EPT of a processor.
 * ept_vpid_cap: IA32_VMX_EPT_VPID_CAP.  maxphyaddr: CPUID 0x80000008 EAX[7:0], 32..52.
 * Returns 0; ERR_NOSUP when it cannot walk four levels; ERR_INVAL for an impossible width. */
int ept_format_init(struct slpt_format *format, uint64_t ept_vpid_cap, unsigned maxphyaddr)
{
	if (maxphyaddr < 32 || maxphyaddr > 52)
		return ERR_INVAL;
	if (!(ept_vpid_cap & EPT_CAP_WALK_4))
		return ERR_NOSUP;
	*format = (struct slpt_format){
		.levels = EPT_LEVELS,
		.gpa_bits = maxphyaddr < EPT_GPA_BITS ? maxphyaddr : EPT_GPA_BITS,
		.hpa_bits = maxphyaddr,
		.leaf_levels = BIT32(0),
		.addr_mask = EPT_ADDR_MASK,
		.present_mask = EPT_RWX,
		.table_bits = EPT_RWX,
		.leaf_bit = EPT_LEAF,
	};
	/* No processor has 1 GiB leaves without 2 MiB ones; splitting relies on it. */
	if (ept_vpid_cap & EPT_CAP_2M) {
		format->leaf_levels |= BIT32(1);
		if (ept_vpid_cap & EPT_CAP_1G)
			format->leaf_levels |= BIT32(2);
	}
	set_prot_bits(format, (ept_vpid_cap & EPT_CAP_EXEC_ONLY) != 0);
	set_memtype_bits(format);
	return 0;
}

/* Makes the EPT pointer: four levels, paging structures write-back where allowed, accessed and dirty flags where there are.
 * root_hpa: slpt.root_hpa, 4 KiB aligned.
 * Returns 0; ERR_ALIGN; ERR_NOSUP when neither write-back nor uncacheable structures or no four levels are allowed. */
int ept_pointer(uint64_t ept_vpid_cap, uint64_t root_hpa, uint64_t *eptp)
{
	uint64_t value = root_hpa | (uint64_t)(EPT_LEVELS - 1) << EPTP_WALK_SHIFT;

	if (!IS_ALIGNED(root_hpa, PAGE_SIZE))
		return ERR_ALIGN;
	if (!(ept_vpid_cap & EPT_CAP_WALK_4))
		return ERR_NOSUP;
	if (ept_vpid_cap & EPT_CAP_STRUCT_WB)
		value |= EPTP_MEMTYPE_WB;
	else if (ept_vpid_cap & EPT_CAP_STRUCT_UC)
		value |= EPTP_MEMTYPE_UC;
	else
		return ERR_NOSUP;
	if (ept_vpid_cap & EPT_CAP_ACCESSED_DIRTY)
		value |= EPTP_ACCESSED_DIRTY;
	*eptp = value;
	return 0;
}
