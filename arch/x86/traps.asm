; One stub for each of the 256 vectors, and the common way in and out. The stubs bring every vector to the same frame
; (struct trap_frame, traps.h); the processor itself pushes an error code for some exceptions only.

	extern trap_dispatch
	global trap_stubs

; A stub is 4 bytes, a push and a short jump to the end of its group, from where it is far to the common part. idt.c knows
; these two numbers.
STUBS_IN_GROUP	equ 32
GROUP_BYTES	equ STUBS_IN_GROUP * 4 + 12

; SDM 3 table "Protected-Mode Exceptions and Interrupts": these push an error code.
%define HAS_ERROR_CODE(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30)

	section .text.traps progbits alloc exec nowrite align=16
	bits 64

	align 4
trap_stubs:
%assign vector 0
%rep 256 / STUBS_IN_GROUP
	%push group
	%rep STUBS_IN_GROUP
	push strict byte vector - 128		; all 256 fit into a byte with a sign
	%if HAS_ERROR_CODE(vector)
	jmp short %$with_error
	%else
	jmp short %$without_error
	%endif
	%assign vector vector + 1
	%endrep
%$without_error:
	jmp near trap_without_error
%$with_error:
	jmp near trap_common
	align 4
	%pop
%endrep
	%if $ - trap_stubs != GROUP_BYTES * (256 / STUBS_IN_GROUP)
		%error "idt.c expects the stubs elsewhere"
	%endif

; In: stack = vector - 128, and the processor's frame. Out: as trap_common wants it, the error code being 0.
trap_without_error:
	push qword [rsp]
	and qword [rsp + 8], 0

; In: stack = vector - 128, error code, and the processor's frame; IF = 0.
; Out: everything as it was, or as the handler changed it in the frame.
trap_common:
	sub qword [rsp], -128
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
.frame_trap:				; for backtraces: boot/gen_symbols.py
	call trap_dispatch
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	add rsp, 16			; vector and error code
	iretq
