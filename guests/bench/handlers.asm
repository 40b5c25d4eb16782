; Interrupt handlers as short as they can be, so that the way to them is what is measured. They count and send EOI.

LAPIC_EOI	equ 0xfee000b0
MSR_X2APIC_EOI	equ 0x80b

	bits 32
	section .text
	global bench_on_xapic, bench_on_x2apic

; Interrupts are off; all registers are kept.
bench_on_xapic:
	inc dword [bench_fired]
	mov dword [LAPIC_EOI], 0
	iret

bench_on_x2apic:
	push eax
	push ecx
	push edx
	inc dword [bench_fired]
	mov ecx, MSR_X2APIC_EOI
	xor eax, eax
	xor edx, edx
	wrmsr
	pop edx
	pop ecx
	pop eax
	iret

	section .bss
	align 4
	global bench_fired
bench_fired:	resd 1
