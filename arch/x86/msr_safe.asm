; The three instructions of msr_safe.h that may fault, each with its place to go on: see the table in msr_safe.c.
; System V calling convention; nothing is kept on the stack, so that the return after a fault is simply a return.

ERR_FAULT	equ -13			; kernel/lib/errors.h; asserted in msr_safe.c

	global rdmsr_safe, rdmsr_safe_insn, wrmsr_safe, wrmsr_safe_insn, xsetbv_safe, xsetbv_safe_insn, msr_safe_fault

	section .text.msr_safe progbits alloc exec nowrite align=16
	bits 64

; In: EDI = register, RSI = where the value goes. Out: EAX = 0 or ERR_FAULT. Uses RCX, RDX.
rdmsr_safe:
	mov ecx, edi
	mov qword [rsi], 0
rdmsr_safe_insn:
	rdmsr
	mov [rsi], eax
	mov [rsi + 4], edx
	xor eax, eax
	ret

; In: EDI = register, RSI = value. Out: EAX. Uses RCX, RDX.
wrmsr_safe:
	mov ecx, edi
	mov eax, esi
	mov rdx, rsi
	shr rdx, 32
wrmsr_safe_insn:
	wrmsr
	xor eax, eax
	ret

; In: EDI = index, RSI = value. Out: EAX. Uses RCX, RDX.
xsetbv_safe:
	mov ecx, edi
	mov eax, esi
	mov rdx, rsi
	shr rdx, 32
xsetbv_safe_insn:
	xsetbv
	xor eax, eax
	ret

; All three come here after a fault.
msr_safe_fault:
	mov eax, ERR_FAULT
	ret
