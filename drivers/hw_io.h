/* How a driver reaches its chip: ports, memory-mapped registers, MSRs and the TSC, through one table of functions that it
 * is given. hw_real is the machine (hw_io.c, the only file of drivers/ with privileged instructions); a host test hands in
 * a fake chip instead, and so the register logic of every driver runs there unchanged. */
#pragma once

#include "kernel/lib/compiler.h"

struct hw_io {
	uint8_t (*in8)(void *ctx, uint16_t port);
	uint16_t (*in16)(void *ctx, uint16_t port);
	uint32_t (*in32)(void *ctx, uint16_t port);
	void (*out8)(void *ctx, uint16_t port, uint8_t value);
	void (*out8_run)(void *ctx, uint16_t port, const void *bytes, size_t count); /* one after the other */
	void (*out16)(void *ctx, uint16_t port, uint16_t value);
	void (*out32)(void *ctx, uint16_t port, uint32_t value);
	/* reg: where the register is mapped, naturally aligned. */
	uint32_t (*read32)(void *ctx, uintptr_t reg);
	void (*write32)(void *ctx, uintptr_t reg, uint32_t value);
	void (*write8)(void *ctx, uintptr_t reg, uint8_t value);
	/* MSRs that are known to exist. */
	uint64_t (*rdmsr)(void *ctx, uint32_t msr);
	void (*wrmsr)(void *ctx, uint32_t msr, uint64_t value);
	uint64_t (*rdtsc)(void *ctx);
	/* What was written before is seen by other CPUs before anything happens that comes after, be it a WRMSR. */
	void (*fence)(void *ctx);
	/* In a waiting loop. */
	void (*relax)(void *ctx);
	void *ctx;
};

extern const struct hw_io hw_real;

static inline uint8_t hw_in8(const struct hw_io *hw, unsigned port)
{
	return hw->in8(hw->ctx, (uint16_t)port);
}

static inline uint16_t hw_in16(const struct hw_io *hw, unsigned port)
{
	return hw->in16(hw->ctx, (uint16_t)port);
}

static inline uint32_t hw_in32(const struct hw_io *hw, unsigned port)
{
	return hw->in32(hw->ctx, (uint16_t)port);
}

static inline void hw_out8(const struct hw_io *hw, unsigned port, unsigned value)
{
	hw->out8(hw->ctx, (uint16_t)port, (uint8_t)value);
}

static inline void hw_out8_run(const struct hw_io *hw, unsigned port, const void *bytes, size_t count)
{
	hw->out8_run(hw->ctx, (uint16_t)port, bytes, count);
}

static inline void hw_out16(const struct hw_io *hw, unsigned port, unsigned value)
{
	hw->out16(hw->ctx, (uint16_t)port, (uint16_t)value);
}

static inline void hw_out32(const struct hw_io *hw, unsigned port, uint32_t value)
{
	hw->out32(hw->ctx, (uint16_t)port, value);
}

static inline uint32_t hw_read32(const struct hw_io *hw, uintptr_t reg)
{
	return hw->read32(hw->ctx, reg);
}

static inline void hw_write32(const struct hw_io *hw, uintptr_t reg, uint32_t value)
{
	hw->write32(hw->ctx, reg, value);
}

static inline void hw_write8(const struct hw_io *hw, uintptr_t reg, unsigned value)
{
	hw->write8(hw->ctx, reg, (uint8_t)value);
}

static inline uint64_t hw_rdmsr(const struct hw_io *hw, uint32_t msr)
{
	return hw->rdmsr(hw->ctx, msr);
}

static inline void hw_wrmsr(const struct hw_io *hw, uint32_t msr, uint64_t value)
{
	hw->wrmsr(hw->ctx, msr, value);
}

static inline uint64_t hw_rdtsc(const struct hw_io *hw)
{
	return hw->rdtsc(hw->ctx);
}

static inline void hw_fence(const struct hw_io *hw)
{
	hw->fence(hw->ctx);
}

static inline void hw_relax(const struct hw_io *hw)
{
	hw->relax(hw->ctx);
}
