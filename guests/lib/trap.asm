; Exceptions and interrupts of tiny guests, and a way to try something that may fault.

	extern trap_dispatch
	bits 32

	section .text

; 256 entries of 16 bytes each. Vectors 8, 10..14, 17, 21, 29, 30 push an error code; the others get a 0 in its place.
	align 16
	global trap_entries
trap_entries:
%assign v 0
%rep 256
	align 16
%if v = 8 || (v >= 10 && v <= 14) || v = 17 || v = 21 || v = 29 || v = 30
%else
	push dword 0
%endif
	push dword v
	jmp trap_common
%assign v v + 1
%endrep

; In: vector, error, EIP, CS, EFLAGS on the stack. All registers are kept for an interrupt handler that returns.
trap_common:
	pushad
	cmp dword [esp + 32], 32	; an interrupt is handled also while something is tried
	jae .handle
	cmp dword [try_esp], 0
	jne try_caught
.handle:
	push esp			; struct trap_frame *
	call trap_dispatch
	add esp, 4
	popad
	add esp, 8
	iret

; int trap_try(void (*fn)(void *), void *arg): call fn(arg). Returns -1 when it came back, the vector when it faulted.
; Registers that C wants kept are restored either way; interrupts are off after a fault.
	global trap_try
trap_try:
	push ebp
	push ebx
	push esi
	push edi
	mov eax, [esp + 20]
	mov edx, [esp + 24]
	mov [try_esp], esp
	push edx
	call eax
	mov eax, -1
try_out:
	mov esp, [try_esp]
	mov dword [try_esp], 0
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret

; In: the frame of trap_common on the stack.
try_caught:
	mov eax, [esp + 36]
	mov [trap_error], eax
	mov eax, [esp + 32]
	cld
	jmp try_out

	section .bss
	align 4
try_esp:	resd 1
	global trap_error
trap_error:	resd 1
