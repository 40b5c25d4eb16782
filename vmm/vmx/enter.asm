; Into the guest and back, over and over. SDM 3 "VM Entries", "VM Exits".
;
; uint32_t vmx_run_asm(struct vcpu *v, struct vcpu_hw *hw)
;	in:	rdi = v (general registers at VCPU_GPR, by hardware number), rsi = hw (vmx_vcpu.h)
;	out:	eax = why it has come back: VMX_* and VCPU_REQ_* in vmx_vcpu.h; v->gpr[] is the guest's
;	changed: as any C function
;	stack:	the callee-saved registers and v; HOST_RSP points at v
;	flags:	IF = 0 throughout; after an exit the processor has set RFLAGS to 2, so DF = 0
;
; After each exit vmx_exit() (vcpu_enter.c) is called with v and does what the exit asks for. When it returns 0 the guest goes
; on; when it says that an interrupt may be due and nothing else, vmx_event() is asked, and the guest goes on when that returns 0.
; What stays the same from one turn to the next is outside of the turn: the callee-saved registers, HOST_RSP (it is
; written only when it differs from what is there: the loop calls from the same depth), VMLAUNCH instead of VMRESUME, and
; loading R12 to R15: vmx_exit(), a C function, hands back what it finds in them. They are saved at each exit, so that v->gpr[]
; is complete; a handler that changes one of them there makes the stub return (vcpu_gpr_written() in vcpu.h).
;
; The last look at the CPU's attention word (percpu.h, at GS:16) comes before the guest's registers. An NMI that says that
; somebody has set it may come between that look and the entry: its handler finds RIP between vmx_window_begin and
; vmx_window_end and moves it (vmx_nmi_window() in vcpu_enter.c): back to vmx_window_look when EAX is still what vmx_exit()
; said, else to vmx_window_out. Until VMRESUME the stack is the host's and memory has all of the guest's registers, so that
; nothing is lost. An NMI that comes later leaves the guest.

VCPU_GPR	equ 136
HW_HOST_RSP	equ 0
HW_LAUNCHED	equ 8
VMCS_HOST_RSP	equ 0x6c14
PERCPU_ATTENTION	equ 16
VMX_ATTENTION	equ 1
VCPU_REQ_EVENT	equ 2
VMX_FAILED_SHIFT equ 29			; VMX_FAIL_INVALID and VMX_FAIL_VALID, shifted so far

	section .text
	extern vmx_exit, vmx_event
	global vmx_run_asm, vmx_exit_point, vmx_window_look, vmx_window_begin, vmx_window_end, vmx_window_out

; The general registers but RSP and R12 to R15 from v->gpr[]; rdi = v. The flags stay.
%macro LOAD_GUEST 0
	mov rax, [rdi + VCPU_GPR + 0 * 8]
	mov rcx, [rdi + VCPU_GPR + 1 * 8]
	mov rdx, [rdi + VCPU_GPR + 2 * 8]
	mov rbx, [rdi + VCPU_GPR + 3 * 8]
	mov rbp, [rdi + VCPU_GPR + 5 * 8]
	mov rsi, [rdi + VCPU_GPR + 6 * 8]
	mov r8, [rdi + VCPU_GPR + 8 * 8]
	mov r9, [rdi + VCPU_GPR + 9 * 8]
	mov r10, [rdi + VCPU_GPR + 10 * 8]
	mov r11, [rdi + VCPU_GPR + 11 * 8]
	mov rdi, [rdi + VCPU_GPR + 7 * 8]
%endmacro

vmx_run_asm:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rdi
	cmp rsp, [rsi + HW_HOST_RSP]
	jne write_rsp
enter:
	mov r12, [rdi + VCPU_GPR + 12 * 8]
	mov r13, [rdi + VCPU_GPR + 13 * 8]
	mov r14, [rdi + VCPU_GPR + 14 * 8]
	mov r15, [rdi + VCPU_GPR + 15 * 8]
	xor eax, eax
	cmp byte [rsi + HW_LAUNCHED], 0
	je launch
	jmp vmx_window_look

; HOST_RIP. All registers but RSP are the guest's.
vmx_exit_point:
	push rdi
	mov rdi, [rsp + 8]
	mov [rdi + VCPU_GPR + 0 * 8], rax
	mov [rdi + VCPU_GPR + 1 * 8], rcx
	mov [rdi + VCPU_GPR + 2 * 8], rdx
	mov [rdi + VCPU_GPR + 3 * 8], rbx
	mov [rdi + VCPU_GPR + 5 * 8], rbp
	mov [rdi + VCPU_GPR + 6 * 8], rsi
	mov [rdi + VCPU_GPR + 8 * 8], r8
	mov [rdi + VCPU_GPR + 9 * 8], r9
	mov [rdi + VCPU_GPR + 10 * 8], r10
	mov [rdi + VCPU_GPR + 11 * 8], r11
	mov [rdi + VCPU_GPR + 12 * 8], r12
	mov [rdi + VCPU_GPR + 13 * 8], r13
	mov [rdi + VCPU_GPR + 14 * 8], r14
	mov [rdi + VCPU_GPR + 15 * 8], r15
	pop qword [rdi + VCPU_GPR + 7 * 8]
.frame_7:				; for backtraces: boot/gen_symbols.py
	call vmx_exit
	mov rdi, [rsp]
vmx_window_look:
	or eax, [gs:PERCPU_ATTENTION]
vmx_window_begin:
	jnz asked
	LOAD_GUEST
	vmresume
	jmp refused
launch:
	or eax, [gs:PERCPU_ATTENTION]
	jnz out
	LOAD_GUEST
vmx_window_end:
	vmlaunch
refused:
	mov eax, 2				; MOV leaves CF, which tells the two failures apart
	sbb eax, 0
	shl eax, VMX_FAILED_SHIFT
	jmp out
asked:
.frame_7:
	cmp eax, VCPU_REQ_EVENT
	jne out
	call vmx_event
	mov rdi, [rsp]
	test eax, eax
	jz vmx_window_look
	jmp out
vmx_window_out:
	mov eax, VMX_ATTENTION
out:
	pop rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

write_rsp:
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
	jbe refused				; the caller sees the VM-instruction error
	mov [rsi + HW_HOST_RSP], rsp
	jmp enter
