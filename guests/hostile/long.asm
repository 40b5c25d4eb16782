; What the hostile guest does in 64-bit code: into long mode and back, and two loops that touch memory and MSRs there.
; SDM 3 "Initializing IA-32e Mode". long.c makes the tables, and reads the sums.

MSR_EFER	equ 0xc0000080
EFER_LME	equ 0x100
CR4_PAE		equ 0x20
CR0_PG		equ 0x80000000

SEL_CODE32	equ 0x08
SEL_DATA	equ 0x10
SEL_CODE64	equ 0x18

; struct long_job
JOB_FIRST	equ 0
JOB_STEP	equ 8
JOB_COUNT	equ 16
JOB_TRIED	equ 24
JOB_FAULTS	equ 28
JOB_ANSWERED	equ 32
JOB_WRITTEN	equ 36
JOB_OTHER	equ 40

	extern long_pml4, long_idt
	global long_call, long_memory, long_msrs, long_fault, long_fault_other

	section .text
	bits 32

; void long_call(void (*fn)(void), struct long_job *job): run one of the loops below in long mode.
; In: interrupts off, paging off. Out: the same, in 32-bit code.
long_call:
	push ebp
	push ebx
	push esi
	push edi
	mov esi, [esp + 20]
	mov edi, [esp + 24]
	sidt [saved_idtr]
	lgdt [gdtr]
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, long_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
	jmp SEL_CODE64:.long

	bits 64
.long:
	lidt [idtr]
	mov esi, esi			; the upper halves are undefined so far
	mov edi, edi
	mov esp, esp
	call rsi
	jmp dword far [back]

	bits 32
.back:
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov ecx, MSR_EFER
	rdmsr
	and eax, ~EFER_LME
	wrmsr
	lidt [saved_idtr]
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret

	bits 64

; The loops have the job in RDI. What may fault goes on at R15 then, with the stack as in RBP.

; Touch memory at JOB_FIRST and so on: counts what is not ones.
long_memory:
	mov rbp, rsp
	mov rbx, [rdi + JOB_FIRST]
.next:
	inc dword [rdi + JOB_TRIED]
	lea r15, [rel .fault]
	mov rax, [rbx]
	inc rax
	jz .ones
	inc dword [rdi + JOB_ANSWERED]
.ones:
	mov [rbx], rax
	mov byte [rbx + 7], 0xff
	jmp .done
.fault:
	inc dword [rdi + JOB_FAULTS]
.done:
	add rbx, [rdi + JOB_STEP]
	dec qword [rdi + JOB_COUNT]
	jnz .next
	ret

; Read MSRs, and write an address to them that is not canonical. The upper half of RCX is not the processor's business.
long_msrs:
	mov rbp, rsp
	mov rbx, [rdi + JOB_FIRST]
	mov r14, 0xfeedface00000000
.next:
	inc dword [rdi + JOB_TRIED]
	lea r15, [rel .refused]
	mov ecx, ebx
	or rcx, r14
	rdmsr
	inc dword [rdi + JOB_ANSWERED]
	jmp .write
.refused:
	inc dword [rdi + JOB_FAULTS]
.write:
	lea r15, [rel .done]
	mov ecx, ebx
	or rcx, r14
	mov edx, 0x80000000
	xor eax, eax
	wrmsr
	inc dword [rdi + JOB_WRITTEN]
.done:
	add rbx, [rdi + JOB_STEP]
	dec qword [rdi + JOB_COUNT]
	jnz .next
	ret

; Exceptions: #GP and #PF, and all others.
long_fault_other:
	inc dword [rdi + JOB_OTHER]
long_fault:
	mov rsp, rbp
	jmp r15

	section .rodata
	align 8
gdt:
	dq 0
	dq 0x00cf9b000000ffff		; as in start.asm
	dq 0x00cf93000000ffff
	dq 0x00af9b000000ffff		; 64-bit code
gdtr:
	dw gdtr - gdt - 1
	dd gdt
	align 8
idtr:
	dw 32 * 16 - 1
	dd long_idt, 0
	align 8
back:
	dd long_call.back
	dw SEL_CODE32

	section .bss
	align 8
saved_idtr:	resb 6
