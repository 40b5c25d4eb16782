/* The instructions of VMX, one inline function each, with the three outcomes of SDM 3 "Conventions" (31.2): success,
 * VMfailInvalid (CF), VMfailValid (ZF; the VM-instruction error field says why). VMREAD and VMWRITE fail only by a mistake
 * of ours: they panic with the field's name, so that their callers are plain lists. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/vmx/vmcs_fields.h"

enum vmx_outcome { VMX_OK, VMX_FAIL_INVALID, VMX_FAIL_VALID };

/* Stop the machine: an instruction that cannot fail has failed. field: for VMREAD and VMWRITE, else 0. */
__attribute__((cold)) _Noreturn void vmx_insn_failed(const char *insn, uint32_t field);
__attribute__((cold)) _Noreturn void vmread_failed(enum vmcs_field field);
__attribute__((cold)) _Noreturn void vmwrite_failed(enum vmcs_field field);

static inline enum vmx_outcome vmx_outcome(bool cf, bool zf)
{
	return cf ? VMX_FAIL_INVALID : zf ? VMX_FAIL_VALID : VMX_OK;
}

#define VMX_INSN_ON_REGION(name)                                                                                       \
	MUST_CHECK static inline enum vmx_outcome name(uint64_t hpa)                                                   \
	{                                                                                                              \
		bool cf, zf;                                                                                           \
		__asm__ volatile(#name " %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(hpa) : "memory");                        \
		return vmx_outcome(cf, zf);                                                                            \
	}
VMX_INSN_ON_REGION(vmxon)
VMX_INSN_ON_REGION(vmclear)
#undef VMX_INSN_ON_REGION

/* hpa: the region's. */
static inline void vmptrld(const uint64_t *hpa)
{
	__asm__ goto("vmptrld %0\n\tjbe %l[failed]" : : "m"(*hpa) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("VMPTRLD", 0);
}

static inline void vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

/* One jump, never taken, is all that the check costs. Fields are not memory: the compiler may keep what it has in
 * registers. */
static inline uint64_t vmread(enum vmcs_field field)
{
	uint64_t v;

	__asm__ goto("vmreadq %1, %0\n\tjbe %l[failed]" : "=r"(v) : "r"((uint64_t)field) : "cc" : failed);
	return v;
failed:
	vmread_failed(field);
}

static inline uint32_t vmread32(enum vmcs_field field)
{
	return (uint32_t)vmread(field);
}

static inline void vmwrite(enum vmcs_field field, uint64_t v)
{
	__asm__ goto("vmwriteq %1, %0\n\tjbe %l[failed]" : : "r"((uint64_t)field), "rm"(v) : "cc" : failed);
	return;
failed:
	vmwrite_failed(field);
}

/* The same without the jump. Only for fields that every processor has, and while the VMCS of the last exit is current: the
 * exit has shown that there is one, and nothing else can fail. (With DEBUG=1 they are checked all the same.) */
static inline uint64_t vmread_known(enum vmcs_field field)
{
	uint64_t v;

	if (AVATAR_DEBUG)
		return vmread(field);
	__asm__ volatile("vmreadq %1, %0" : "=r"(v) : "r"((uint64_t)field) : "cc");
	return v;
}

static inline void vmwrite_known(enum vmcs_field field, uint64_t v)
{
	if (AVATAR_DEBUG)
		vmwrite(field, v);
	else
		__asm__ volatile("vmwriteq %1, %0" : : "r"((uint64_t)field), "rm"(v) : "cc");
}

/* For the checker, which reads every field there may be: false when this processor does not have the field. */
static inline bool vmread_try(uint32_t field, uint64_t *out)
{
	uint64_t v;
	bool failed;

	__asm__ volatile("vmreadq %2, %0" : "=r"(v), "=@ccbe"(failed) : "r"((uint64_t)field) : "memory");
	*out = failed ? 0 : v;
	return !failed;
}

/* For the self-test of the checker, which breaks fields on purpose. */
static inline bool vmwrite_try(uint32_t field, uint64_t v)
{
	bool failed;

	__asm__ volatile("vmwriteq %2, %1" : "=@ccbe"(failed) : "r"((uint64_t)field), "r"(v) : "memory");
	return !failed;
}

struct vmx_inv_descriptor {
	uint64_t lo, hi;
};

/* type: INVEPT_SINGLE (eptp), INVEPT_ALL. */
static inline void invept(uint64_t type, uint64_t eptp)
{
	struct vmx_inv_descriptor d = {eptp, 0};

	__asm__ goto("invept %0, %1\n\tjbe %l[failed]" : : "m"(d), "r"(type) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("INVEPT", 0);
}

/* type: INVVPID_ADDRESS (vpid, linear address), INVVPID_SINGLE (vpid), INVVPID_ALL. */
static inline void invvpid(uint64_t type, uint16_t vpid, uint64_t gva)
{
	struct vmx_inv_descriptor d = {vpid, gva};

	__asm__ goto("invvpid %0, %1\n\tjbe %l[failed]" : : "m"(d), "r"(type) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("INVVPID", 0);
}

/* Give an NMI or a machine check that an exit took to the host's own handler. The handler's IRET also ends the blocking
 * of NMIs that such an exit leaves behind (SDM 3 "Loading Host Non-Register State"). */
static inline void vmx_raise_nmi(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

static inline void vmx_raise_machine_check(void)
{
	__asm__ volatile("int $18" : : : "memory");
}
