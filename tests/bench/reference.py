"""What KVM and Xen need for the same operation on the same emulated processor (Bochs, corei7_skylake_x, one CPU), in
instructions per turn of a loop in the guest.

KVM: Debian's kernel 6.1.0-56 with QEMU 7.2.22, kvm-unit-tests' `vmexit`, mitigations=off; its loop counts 6. Xen: 4.17.7, a PVH
guest, all mitigations off, uncontended. These are the better figures of each. Where it is QEMU that answers, so it says here.
"""

# name: (KVM, Xen); None where it was not measured or there is no exit
BEST = {
    "cpuid": (1112, 820),
    "cpuid_1": (1112, 820),
    "vmcall": (1024, 807),
    "rdmsr_tsc_adjust": (1122, 715),
    "wrmsr_tsc_adjust": (1680, None),
    "wbinvd": (891, 660),
    "cr0_wp_twice": (3990, None),
    "pit_read": (1403, None),
    "pic_read": (1270, None),
    "pm_timer_read": (5220, None),  # QEMU
    "pci_address_read": (None, 1240),
    "nobodys_port_read": (None, 1200),
    "serial_scratch_write": (5034, None),  # QEMU
    "serial_write": (5034, None),  # QEMU
    "ioapic_read": (7328, None),  # QEMU
    "ioapic_write": (7328, None),  # QEMU
    "nobodys_mmio_read": (None, 14339),
    "x2apic_read": (1226, None),
    "x2apic_eoi": (1646, None),
    "xapic_eoi": (1646, None),
    "xapic_self_ipi": (5527, 27),
    "x2apic_self_ipi": (5527, None),
    "x2apic_icr": (5527, 733),
    "x2apic_self_ipi_hlt": (6665, None),
    "x2apic_icr_hlt": (6665, None),
    "xapic_self_ipi_hlt": (6665, None),
    "deadline_immediate": (5151, None),
    "ipi_there_and_back": (4155, None),
    "deadline_hlt_late": (None, 6009),
    "linux_boot_ratio": (1.196, 1.151),
    "linux_exits": (15524, None),
}
