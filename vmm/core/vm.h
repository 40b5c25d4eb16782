/* A virtual machine: memory, buses, vCPUs, and where it stands in its life. Everything a VM owns hangs from here. */
#pragma once

#include "arch/x86/spinlock.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/vclock.h"
#include "vmm/core/vcpu.h"
#include "vmm/core/vm_config.h"
#include "vmm/mem/guest_mem.h"
#include "vmm/mem/slpt.h"

struct vm_platform; /* the devices: vmm/life/platform.h */
struct cpuid_policy;
struct vmm_host;
struct msr_policy;

enum vm_state {
	VM_CREATED, /* configured, memory and vCPUs there, nothing loaded */
	VM_LOADED,  /* images in place, start state set */
	VM_RUNNING,
	VM_PAUSED,
	VM_STOPPED, /* ended by its own wish or by the operator */
	VM_CRASHED, /* stopped with a post-mortem */
	VM_STATE_COUNT
};

/* What a guest asked of the machine it runs on; set by devices through a callback, acted on by the loop. */
enum vm_request { VM_REQUEST_NONE, VM_REQUEST_POWEROFF, VM_REQUEST_RESET, VM_REQUEST_DEBUG_EXIT };

#define VM_CRASH_TEXT 160u
#define VM_MAX_OPEN_BUS 4u

struct vm {
	/* Guards everything that the VM has only once and any of its vCPUs, the monitor or an alarm may use: the buses and
	 * the devices on them, the interrupt controllers of the board, the VM's clock, the console. A vCPU's own local APIC
	 * and its own clock belong to whoever runs the vCPU and need no lock. Taken before any lock of the kernel (scheduler,
	 * alarm queues, log, terminal), never two VMs' at once, never held across an entry. */
	struct spinlock lock;
	struct vmm_host *host;    /* whose VM this is */
	struct vm *next_in_chain; /* the host's, of names */
	unsigned id;
	enum vm_state state;
	/* What is small stands before what is large: an offset below 128 makes a short instruction. */
	unsigned vcpu_count;
	enum vm_request request;
	struct vm_platform *platform;
	struct cpuid_policy *cpuid;
	uint64_t paused_at;   /* clock reading while not running */
	int64_t clock_offset; /* clock = host TSC + this */
	uint64_t tsc_base;    /* the TSC, before TSC_ADJUST, when the clock was at 0 */
	struct guest_mem mem;
	struct slpt slpt;
	uint64_t own_bytes;                           /* what it takes beside RAM, second-level tables, scrollback */
	struct guest_range open_bus[VM_MAX_OPEN_BUS]; /* where nobody answering is normal: reads give ones */
	unsigned open_bus_count;
	struct vclock clock; /* the devices' time */
	struct vcpu *vcpus[VM_MAX_VCPUS];
	uint32_t debug_exit_code;  /* written to isa-debug-exit */
	char crash[VM_CRASH_TEXT]; /* why, in words; empty unless crashed */
	bool crash_noted;          /* atomic */
	unsigned crashed_vcpu;
	uint64_t restarts; /* by itself: the guest's resets, and what `restart` in the configuration says */
	uint64_t crashes;
	unsigned quick_ends; /* ends in a row, each within a second of its start */
	uint64_t ended_at;   /* host TSC at which the boot CPU has begun to see to its end; 0: it does not */
	uint32_t ended;      /* a vCPU has ended the VM: enum run_end; atomic, 0: none has */
	/* From here on filled, not zeroed, when the VM is made. */
	struct vm_config config;
	struct bus ports;
	struct bus mmio;
};

static inline void vm_lock(struct vm *vm)
{
	spin_lock(&vm->lock);
}

static inline void vm_unlock(struct vm *vm)
{
	spin_unlock(&vm->lock);
}

/* Note why the VM cannot go on, in words; the first reason stays. Returns VERDICT_CRASH's meaning to the caller's return. */
void vm_set_crash(struct vm *vm, struct vcpu *v, const char *fmt, ...) PRINTF_LIKE(3, 4);
