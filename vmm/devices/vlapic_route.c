/* Which local APICs an interrupt message is for. SDM 3 "Determining IPI Destination" and "Extended XAPIC (x2APIC)". */
#include "vmm/devices/vlapic_internal.h"

#include "kernel/lib/assert.h"

#define BROADCAST_8 0xffu
#define BROADCAST_32 0xffffffffu

static bool is_broadcast(const struct vlapic_ipi *ipi)
{
	return ipi->dest == (ipi->wide ? BROADCAST_32 : BROADCAST_8);
}

/* A logical destination as an xAPIC compares it with its LDR: one bit an APIC (flat), or cluster and bit. */
static bool matches_logical_xapic(const struct vlapic *v, uint32_t mda)
{
	uint32_t id = vlapic_reg(v, LAPIC_LDR) >> LAPIC_LDR_SHIFT;

	if (mda > 0xff)
		return false;
	if ((vlapic_reg(v, LAPIC_DFR) & LAPIC_DFR_MODEL_MASK) == LAPIC_DFR_MODEL_MASK)
		return (id & mda) != 0;
	return (mda >> 4 == 0xf || mda >> 4 == id >> 4) && (id & mda & 0xf) != 0;
}

/* An x2APIC's logical ID is cluster in the upper half, one bit in the lower. An 8-bit destination reaches cluster 0. */
static bool matches_logical_x2apic(const struct vlapic *v, uint32_t mda)
{
	uint32_t id = vlapic_reg(v, LAPIC_LDR);

	return mda >> 16 == id >> 16 && (id & mda & 0xffff) != 0;
}

bool vlapic_matches(const struct vlapic *v, const struct vlapic_ipi *ipi)
{
	if (vlapic_mode(v) == VLAPIC_DISABLED)
		return false;
	if (is_broadcast(ipi))
		return true;
	if (!ipi->logical)
		return ipi->dest == (vlapic_mode(v) == VLAPIC_X2APIC ? v->id : v->id & 0xff);
	return vlapic_mode(v) == VLAPIC_X2APIC ? matches_logical_x2apic(v, ipi->dest)
					       : matches_logical_xapic(v, ipi->dest);
}

/* The PPR of an APIC that another CPU works on may be a moment old: the choice is a matter of taste, not of correctness. */
struct vlapic *vlapic_lowest(struct vlapic *a, struct vlapic *b)
{
	return vlapic_reg(b, LAPIC_PPR) < vlapic_reg(a, LAPIC_PPR) ? b : a;
}

static bool is_target(const struct vlapic *v, const struct vlapic *source, const struct vlapic_ipi *ipi)
{
	switch ((enum vlapic_shorthand)ipi->shorthand) {
	case VLAPIC_TO_SELF:
		return v == source;
	case VLAPIC_TO_ALL:
		return vlapic_mode(v) != VLAPIC_DISABLED;
	case VLAPIC_TO_OTHERS:
		return v != source && vlapic_mode(v) != VLAPIC_DISABLED;
	case VLAPIC_TO_DESTINATION:
		break;
	}
	return vlapic_matches(v, ipi);
}

static unsigned deliver(struct vlapic *v, const struct vlapic_ipi *ipi)
{
	return vlapic_deliver(v, (enum vlapic_delivery)ipi->delivery, ipi->vector, ipi->level) ? 1 : 0;
}

/* One of the APICs addressed; those that are software-disabled do not take part in the arbitration. */
static unsigned route_lowest(struct vlapic *const *set, unsigned count, struct vlapic *source,
			     const struct vlapic_ipi *ipi)
{
	struct vlapic *best = NULL;

	for (unsigned i = 0; i < count; i++)
		if (vlapic_enabled(set[i]) && is_target(set[i], source, ipi))
			best = best == NULL ? set[i] : vlapic_lowest(best, set[i]);
	return best == NULL ? 0 : deliver(best, ipi);
}

/* The common case, one APIC by its ID, needs no search when the set is indexed by it. IDs are unique in 8 bits only below 255
 * APICs, which the set's length says. */
static inline bool is_at_its_place(struct vlapic *const *set, unsigned count, uint32_t dest)
{
	return dest < count && count < BROADCAST_8 && set[dest]->id == dest;
}

unsigned vlapic_route(struct vlapic *const *set, unsigned count, struct vlapic *source, const struct vlapic_ipi *ipi)
{
	unsigned taken = 0;

	if (ipi->delivery == VLAPIC_LOWEST)
		return route_lowest(set, count, source, ipi);
	if (!ipi->logical && ipi->shorthand == VLAPIC_TO_DESTINATION && is_at_its_place(set, count, ipi->dest))
		return deliver(set[ipi->dest], ipi);
	for (unsigned i = 0; i < count; i++)
		if (is_target(set[i], source, ipi))
			taken += deliver(set[i], ipi);
	return taken;
}

struct vlapic_ipi vlapic_message(const struct vlapic *source, uint32_t low, uint32_t dest)
{
	return (struct vlapic_ipi){.dest = dest,
				   .vector = (uint8_t)(low & LAPIC_ICR_VECTOR_MASK),
				   .delivery = (uint8_t)((low & LAPIC_ICR_DM_MASK) >> 8),
				   .shorthand = (uint8_t)((low & LAPIC_ICR_SHORTHAND_MASK) >> 18),
				   .logical = (low & LAPIC_ICR_LOGICAL) != 0,
				   .wide = vlapic_mode(source) == VLAPIC_X2APIC};
}

__attribute__((noinline)) static void send_message(struct vlapic *const *set, unsigned count, struct vlapic *source,
						   uint32_t low, uint32_t dest)
{
	struct vlapic_ipi ipi = vlapic_message(source, low, dest);

	vlapic_route(set, count, source, &ipi);
}

void vlapic_send(struct vlapic *const *set, unsigned count, struct vlapic *source, uint32_t low, uint32_t dest)
{
	const uint32_t uncommon = LAPIC_ICR_DM_MASK | LAPIC_ICR_LOGICAL | LAPIC_ICR_SHORTHAND_MASK;

	static_assert(LAPIC_ICR_DM_FIXED == 0, "a common one has none of these bits");
	if (likely((low & uncommon) == 0 && is_at_its_place(set, count, dest)))
		vlapic_deliver(set[dest], VLAPIC_FIXED, (uint8_t)(low & LAPIC_ICR_VECTOR_MASK), false);
	else
		send_message(set, count, source, low, dest);
}
