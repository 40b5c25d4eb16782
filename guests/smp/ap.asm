; Where a CPU begins that got a SIPI: real mode, CS = page of the SIPI, IP = 0 (SDM 3 "MP Initialization Protocol Algorithm for
; MP Systems"). The code up to smp_trampoline_end is copied to a page below 1 MiB and finds what it needs relative to CS.

	extern smp_ap_main
	extern smp_stacks
	extern smp_next

STACK_BYTES	equ 8192		; SMP_STACK_BYTES
MAX_CPUS	equ 32			; SMP_MAX_CPUS

	section .text

	bits 16
	global smp_trampoline
	global smp_trampoline_gdt
	global smp_trampoline_end
smp_trampoline:
	cli
	cld
	xor ebx, ebx
	mov bx, cs			; page * 0x100, until C sees it
	o32 lgdt [cs:smp_trampoline_gdt - smp_trampoline]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword 0x08:ap_protected
smp_trampoline_gdt:
	dw 0				; filled in with what SGDT says
	dd 0
smp_trampoline_end:

	bits 32
; In: EBX = CS of real mode. Interrupts off, no stack.
ap_protected:
	mov ecx, 0x10
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov fs, ecx
	mov gs, ecx
	mov eax, 1
	lock xadd [smp_next], eax	; our number
	cmp eax, MAX_CPUS
	jae .too_many
	mov edx, eax
	inc edx
	imul edx, STACK_BYTES
	lea esp, [smp_stacks + edx]
	push ebx
	push eax
	call smp_ap_main		; (cpu, page); does not return
.too_many:
	cli
	hlt
	jmp .too_many
