; Into the guest and back, as a C call. SDM 3 "VM Entries", "VM Exits".
;
; int vmx_enter_asm(struct vcpu *v, struct vcpu_hw *hw)
;	in:	rdi = v (general registers at offset 0, by hardware number), rsi = hw (vmx_vcpu.h)
;	out:	eax = 0 after an exit, v->gpr[] then the guest's; 1 = VMfailInvalid, 2 = VMfailValid, 3 = not entered since
;		somebody wants this CPU: nothing changed
;	changed: every register but rbp and rsp: vmx_enter() in vmx_insn.h tells the compiler, which then keeps what it needs in
;		memory; saving all six for it would cost more
;	stack:	rbp and v; HOST_RSP points at v
;	flags:	IF = 0 throughout; after an exit the processor has set RFLAGS to 2, so DF = 0
;
; The last look at the CPU's attention word (percpu.h, at GS:16) comes before the guest's registers. An NMI that says that
; somebody has set it may come between that look and the entry: its handler finds RIP between vmx_window_begin and
; vmx_window_end and moves it to vmx_window_out (vmx_nmi_window() in vcpu_enter.c). Until VMRESUME the stack is the host's
; and memory has all of the guest's registers, so that nothing is lost. An NMI that comes later leaves the guest.
;
; The host's RSP is written to the VMCS only when it differs from what is there (the loop calls from the same depth).

HW_HOST_RSP	equ 0
HW_LAUNCHED	equ 8
VMCS_HOST_RSP	equ 0x6c14
PERCPU_ATTENTION	equ 16

	section .text
	global vmx_enter_asm, vmx_exit_point, vmx_window_begin, vmx_window_end, vmx_window_out

vmx_enter_asm:
	push rbp
	push rdi
	cmp rsp, [rsi + HW_HOST_RSP]
	jne vmx_write_rsp
vmx_load:
	cmp dword [gs:PERCPU_ATTENTION], 0
vmx_window_begin:
	jne vmx_window_out
	cmp byte [rsi + HW_LAUNCHED], 0		; the moves below leave the flags alone
	mov rax, [rdi + 0 * 8]
	mov rcx, [rdi + 1 * 8]
	mov rdx, [rdi + 2 * 8]
	mov rbx, [rdi + 3 * 8]
	mov rbp, [rdi + 5 * 8]
	mov rsi, [rdi + 6 * 8]
	mov r8, [rdi + 8 * 8]
	mov r9, [rdi + 9 * 8]
	mov r10, [rdi + 10 * 8]
	mov r11, [rdi + 11 * 8]
	mov r12, [rdi + 12 * 8]
	mov r13, [rdi + 13 * 8]
	mov r14, [rdi + 14 * 8]
	mov r15, [rdi + 15 * 8]
	mov rdi, [rdi + 7 * 8]
	je vmx_window_end
	vmresume
	jmp vmx_refused
vmx_window_end:
	vmlaunch
vmx_refused:
	mov eax, 2				; MOV leaves CF, which tells the two failures apart
	sbb eax, 0
	jmp vmx_return
vmx_window_out:
	mov eax, 3
	jmp vmx_return

vmx_write_rsp:
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
	jbe vmx_refused				; the caller sees the VM-instruction error
	mov [rsi + HW_HOST_RSP], rsp
	jmp vmx_load

; HOST_RIP. All registers but RSP are the guest's.
vmx_exit_point:
	push rdi
	mov rdi, [rsp + 8]
	mov [rdi + 0 * 8], rax
	mov [rdi + 1 * 8], rcx
	mov [rdi + 2 * 8], rdx
	mov [rdi + 3 * 8], rbx
	mov [rdi + 5 * 8], rbp
	mov [rdi + 6 * 8], rsi
	mov [rdi + 8 * 8], r8
	mov [rdi + 9 * 8], r9
	mov [rdi + 10 * 8], r10
	mov [rdi + 11 * 8], r11
	mov [rdi + 12 * 8], r12
	mov [rdi + 13 * 8], r13
	mov [rdi + 14 * 8], r14
	mov [rdi + 15 * 8], r15
	pop qword [rdi + 7 * 8]
	xor eax, eax
vmx_return:
	pop rdi
	pop rbp
	ret
