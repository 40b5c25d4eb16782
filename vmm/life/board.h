/* Inside vmm/life/ only: the parts of a guest's board in one struct. */
#pragma once

#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/vacpi_pm.h"
#include "vmm/devices/vdebug.h"
#include "vmm/devices/vi8042.h"
#include "vmm/devices/vioapic.h"
#include "vmm/devices/vlapic.h"
#include "vmm/devices/vpci.h"
#include "vmm/devices/vpci_pc.h"
#include "vmm/devices/vpic.h"
#include "vmm/devices/vpit.h"
#include "vmm/devices/vreset.h"
#include "vmm/devices/vrtc.h"
#include "vmm/devices/vuart.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/life/platform.h"
#include "vmm/life/runner.h"

/* One per vCPU. */
struct cpu_board {
	struct vlapic lapic;
	struct irq_source irqs;
	enum vcpu_apic_help help;
	void *lapic_page;
	struct vcpu *vcpu;
	struct vcpu_seat seat;
	struct vm_platform *board;
};

struct vm_platform {
	struct vm *vm;
	struct sched_group group; /* its share of the CPUs */
	struct deadline alarm;    /* the next alarm of the VM's clock, while it runs */
	void *scrollback;         /* the console's, 2^CONSOLE_SCROLLBACK_ORDER pages */
	struct console console;
	struct vuart uart;
	struct vpic pic;
	struct vpit pit;
	struct vrtc rtc;
	struct vi8042 i8042;
	struct vacpi_pm pm;
	struct vreset reset;
	struct vpci pci;
	struct vpci_pc pc;
	struct vpost post;
	struct vdebug_exit debug_exit;
	struct vdebug_console debug_console;
	struct fw_cfg fw_cfg;
	struct vioapic ioapic;
	/* The page by which the processor knows accesses to the APIC is in the second-level tables. The lock is the last one to
	 * be taken, also under the VM's. */
	struct spinlock apic_page_lock;
	bool apic_page_mapped;
	struct vlapic *lapics[VM_MAX_VCPUS]; /* as vlapic_route() wants them */
	struct cpu_board cpus[];             /* vm->vcpu_count of them */
};

/* platform_irq.c: who is told of which interrupt. */
struct irq_line board_isa_irq(struct vm_platform *b, unsigned irq);
void board_wire_cpus(struct vm_platform *b, uint64_t lapic_timer_hz);
void board_wire_controllers(struct vm_platform *b);

/* freeze.c: the VM's clock in the queue of a CPU. */
void board_clock_changed(void *vm);
void board_alarm_fire(void *vm);
