; One stub for each of the 256 vectors, and the common way in and out. The stubs bring every vector to the same frame
; (struct trap_frame, traps.h); the processor itself pushes an error code for some exceptions only.

	extern trap_dispatch
	global trap_stubs

; SDM 3 table "Protected-Mode Exceptions and Interrupts": these push an error code.
%macro HAS_ERROR_CODE 1
	%if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21 || %1 == 29 || %1 == 30
		%assign has_error 1
	%else
		%assign has_error 0
	%endif
%endmacro

	section .text.traps progbits alloc exec nowrite align=16
	bits 64

	align 16
trap_stubs:
%assign vector 0
%rep 256
	align 16
	HAS_ERROR_CODE vector
	%if has_error == 0
	push 0
	%endif
	push strict dword vector
	jmp near trap_common
	%assign vector vector + 1
%endrep

; In: stack = vector, error code, and the processor's frame; IF = 0. RSP is a multiple of 16 before the first register is
; pushed: the processor aligns it to 16, pushes five words, and we have pushed two; and 15 registers follow.
; Out: everything as it was, or as the handler changed it in the frame.
	align 16
trap_common:
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
	push qword [rdi + 17 * 8]	; RIP and RBP as a call would have left them: a backtrace goes on through here
	push rbp
	mov rbp, rsp
	call trap_dispatch
	add rsp, 16
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
