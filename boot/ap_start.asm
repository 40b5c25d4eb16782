; The start of a CPU that is not the first: from a start-up IPI to C. SDM 3 "MP Initialization Protocol Algorithm".
;
; ap_page is copied to a page below 1 MiB, where a start-up IPI lets a CPU begin in real mode; kernel/main_smp.c fills in the
; words at its end. A CPU waits there for a ticket, takes it, and goes by protected mode to long mode on the final page
; tables, in which the page is mapped at its physical address as long as CPUs start. So one CPU after the other comes
; through. One that comes when the page is closed stays in real mode for good: the page is never given to anybody else.

%include "boot/long_mode.inc"

SEL_CODE32		equ 0x08
SEL_DATA		equ 0x10
SEL_CODE64		equ 0x18

	extern ap_entry, ap_stack_tops
	global ap_page, ap_page_end, ap_page_ticket, ap_page_closed, ap_page_cr3

%define OFFSET(sym)	(sym - ap_page)

; Data here; code where it is copied to.
	section .rodata.ap_page progbits alloc noexec nowrite align=16
	bits 16

; In: CS = the page's segment, IP = 0, IF = 0, nothing else is known.
; Keeps: EBX = where the page lies, ESI = the ticket. There is no stack.
ap_page:
	cli
	cld
	mov ax, cs
	mov ds, ax
	xor ebx, ebx
	mov bx, ax
	shl ebx, 4
.wait:
	cmp dword [OFFSET(ap_page_closed)], 0
	jne .late
	xor eax, eax
	xchg [OFFSET(ap_page_ticket)], eax	; of several that wait, one gets it
	test eax, eax
	jnz .admitted
	pause
	jmp .wait
.late:
	hlt
	jmp .late

.admitted:
	mov esi, eax
	lea eax, [ebx + OFFSET(ap_gdt)]
	mov [OFFSET(ap_gdt_register) + 2], eax
	lea eax, [ebx + OFFSET(.protected)]
	mov [OFFSET(ap_far_protected)], eax
	lea eax, [ebx + OFFSET(.long)]
	mov [OFFSET(ap_far_long)], eax
	o32 lgdt [OFFSET(ap_gdt_register)]
	mov eax, CR0_ET | CR0_NE | CR0_PE	; CD and NW, which INIT may leave set, go here
	mov cr0, eax
	jmp far dword [OFFSET(ap_far_protected)]

	bits 32
.protected:
	mov ax, SEL_DATA
	mov ds, ax
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, [ebx + OFFSET(ap_page_cr3)]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
	mov cr0, eax
	jmp far [ebx + OFFSET(ap_far_long)]

	bits 64
.long:
	mov rax, ap_high
	jmp rax

	align 8
ap_gdt:
	dq 0
	dq 0x00cf9b000000ffff			; 32-bit code; all marked accessed: the page cannot be written to when paging is on
	dq 0x00cf93000000ffff			; data
	dq 0x00af9b000000ffff			; 64-bit code
ap_gdt_register:
	dw ap_gdt_register - ap_gdt - 1
	dd 0
	align 4
ap_far_protected:
	dd 0
	dw SEL_CODE32
	align 4
ap_far_long:
	dd 0
	dw SEL_CODE64
	align 4
ap_page_ticket:
	dd 0
ap_page_closed:
	dd 0
ap_page_cr3:
	dd 0
ap_page_end:

	section .text.ap_high progbits alloc exec nowrite align=16
	bits 64
; On the final tables, at the link address. In: ESI = the ticket: number of the CPU and of its stack. Segments are the page's.
; Out: ap_entry(number) on that stack, IF = 0.
ap_high:
	mov edi, esi				; clears the upper half, which the way here has left undefined
	mov ax, SEL_DATA
	mov ss, ax
	mov rax, ap_stack_tops
	mov rsp, [rax + rdi * 8]
	push 0					; no return address: the end of every backtrace
	jmp ap_entry
