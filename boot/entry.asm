; From the boot loader to C. GRUB enters at entry32 in 32-bit protected mode without paging (Multiboot2 Specification 2.0,
; "I386 machine state"), at whatever address it has put the image; so this code knows its own address only at run time.
; It checks that the processor can run us, builds the first page tables, and calls kernel_entry in the upper half. What it
; finds wrong it says in words on COM1, on port 0xe9 and on the VGA text screen (boot/refuse.asm), and stops.
;
; The tables here live only until paging_init() (arch/x86/paging.c); everything in them is writable and executable.

%include "boot/layout.inc"
%include "boot/long_mode.inc"

MB2_BOOTLOADER_MAGIC	equ 0x36d76289

CPUID_EXT_LM		equ 1 << 29	; CPUID.80000001H:EDX
CPUID_EXT_NX		equ 1 << 20
CPUID_1_RDRAND		equ 1 << 30	; CPUID.01H:ECX

PTE_P			equ 1 << 0
PTE_W			equ 1 << 1
PTE_PS			equ 1 << 7

SEL_CODE64		equ 0x08
SEL_DATA		equ 0x10

	extern image_start, image_end, kernel_entry, bsp_stacks, refuse
	global entry32, __stack_chk_guard

	section .text.boot progbits alloc exec nowrite align=16
	bits 32

; Address of a symbol while nothing is mapped: ebp holds where `here` is.
%define PHYS(sym)	ebp + (sym - here)

; In: EAX = loader's magic, EBX = information block (physical), paging off, IF = 0. ESP is undefined.
; Keeps: EDI = information block, ESI = magic, EBP = address of `here`.
entry32:
	cli
	cld
	mov esi, eax
	mov edi, ebx
	; A stack of one word is needed to learn our address: the block's second word is reserved. Without a block any
	; memory must do, as nothing is going to be started.
	lea esp, [ebx + 8]
	cmp eax, MB2_BOOTLOADER_MAGIC
	je .know_stack
	mov esp, 0x8000
.know_stack:
	call here
here:
	pop ebp
	lea esp, [PHYS(bsp_stacks) + BSP_STACK_TOP]

	mov ebx, esi
	lea eax, [PHYS(msg_magic)]
	cmp esi, MB2_BOOTLOADER_MAGIC
	jne refuse
	mov dword [edi + 4], 0			; the word we borrowed
	call check_cpu
	call build_tables
	jmp enter_long_mode

; Returns when the processor has long mode and NX; else refuses. Uses EAX, EBX, ECX, EDX.
check_cpu:
	pushfd					; CPUID exists where EFLAGS.ID can be changed
	pop ecx
	mov eax, ecx
	xor eax, 1 << 21
	push eax
	popfd
	pushfd
	pop ebx
	push ecx
	popfd
	lea eax, [PHYS(msg_no_cpuid)]
	cmp ebx, ecx
	je refuse

	mov eax, 0x80000000
	cpuid
	mov ebx, eax
	cmp eax, 0x80000001
	lea eax, [PHYS(msg_no_leaf)]
	jb refuse

	mov eax, 0x80000001
	cpuid
	mov ebx, edx
	lea eax, [PHYS(msg_no_lm)]
	test edx, CPUID_EXT_LM
	jz refuse
	lea eax, [PHYS(msg_no_nx)]
	test edx, CPUID_EXT_NX
	jz refuse
	ret

; Three views of memory, all by 2 MiB pages (1 GiB pages may be missing, and 16 KiB are not worth a second way):
;   0, and 0xffff800000000000    the first 4 GiB as they are, for this code and for the direct map
;   0xffffffff80000000           the image
; Uses EAX, EBX, ECX, EDX. The tables are zero: they lie in .bss.
build_tables:
	lea ebx, [PHYS(boot_pdpt_direct)]
	lea eax, [ebx + (PTE_P | PTE_W)]
	mov [PHYS(boot_pml4)], eax
	mov [PHYS(boot_pml4) + 256 * 8], eax
	lea eax, [PHYS(boot_pdpt_image) + (PTE_P | PTE_W)]
	mov [PHYS(boot_pml4) + 511 * 8], eax
	lea eax, [PHYS(boot_pd_image) + (PTE_P | PTE_W)]
	mov [PHYS(boot_pdpt_image) + 510 * 8], eax

	lea edx, [PHYS(boot_pd_direct) + (PTE_P | PTE_W)]
	xor ecx, ecx
.pdpt:	mov [ebx + ecx * 8], edx
	add edx, 4096
	inc ecx
	cmp ecx, 4
	jb .pdpt

	lea ebx, [PHYS(boot_pd_direct)]
	mov eax, PTE_P | PTE_W | PTE_PS
	xor ecx, ecx
.pd:	mov [ebx + ecx * 8], eax
	add eax, 1 << 21
	inc ecx
	cmp ecx, 4 * 512
	jb .pd

	lea ebx, [PHYS(boot_pd_image)]
	lea eax, [PHYS(image_start) + (PTE_P | PTE_W | PTE_PS)]
	lea edx, [PHYS(image_end)]
.image:	mov [ebx], eax
	add ebx, 8
	add eax, 1 << 21
	cmp eax, edx
	jb .image
	ret

enter_long_mode:
	mov eax, CR4_PAE
	mov cr4, eax
	lea eax, [PHYS(boot_pml4)]
	mov cr3, eax
	mov ecx, MSR_EFER			; there with CPUID's long mode bit
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
	mov cr0, eax

	lea eax, [PHYS(boot_gdt)]
	sub esp, 8
	mov word [esp], boot_gdt_end - boot_gdt - 1
	mov [esp + 2], eax
	lgdt [esp]
	add esp, 8
	lea eax, [PHYS(entry64)]
	push dword SEL_CODE64
	push eax
	retf

	bits 64
; Still in the identity map. EBP, ESI, EDI as before.
entry64:
	lea rax, [rel image_start]		; here RIP is still a physical address
	mov r12, rax
	mov rax, .high
	jmp rax
.high:
	mov ax, SEL_DATA
	mov ss, ax
	mov ds, ax
	mov es, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rsp, bsp_stacks + BSP_STACK_TOP
	mov r13d, esi
	mov r14d, edi
	call make_canary
	mov [rel __stack_chk_guard], rax
	mov edi, r13d
	mov rsi, r14
	mov rdx, r12
	push 0					; no return address: the end of every backtrace
	jmp kernel_entry

; A number for the stack protector, of which the lowest byte is 0, so that no string copy can write it. RAX = the number.
; Uses RBX, RCX, RDX. RDRAND where the processor has it and it answers; the time stamp counter is always mixed in.
make_canary:
	mov eax, 1
	cpuid
	xor ebx, ebx
	test ecx, CPUID_1_RDRAND
	jz .tsc
	mov ecx, 10				; SDM 1 "RDRAND": ten tries, then it is broken
.again:	rdrand rbx
	jc .tsc
	loop .again
	xor ebx, ebx
.tsc:	rdtsc
	shl rdx, 32
	or rax, rdx
	mov rcx, 0x9e3779b97f4a7c15		; spreads the counter's few moving bits over the word
	imul rax, rcx
	xor rax, rbx
	xor al, al
	ret

	section .rodata.boot progbits alloc noexec nowrite align=8
boot_gdt:
	dq 0
	dq 0x00af9b000000ffff			; 64-bit code
	dq 0x00cf93000000ffff			; data
boot_gdt_end:

msg_magic:	db "was not started by a Multiboot2 loader: EAX is %, it should be 0x36D76289", 0
msg_no_cpuid:	db "needs a 64-bit processor: this one has no CPUID (EFLAGS %)", 0
msg_no_leaf:	db "needs a 64-bit processor: the highest extended CPUID leaf is %, long mode is in 0x80000001", 0
msg_no_lm:	db "needs a 64-bit processor: long mode is missing (CPUID.80000001H:EDX is %, bit 29 is 0)", 0
msg_no_nx:	db "needs no-execute pages: NX is missing (CPUID.80000001H:EDX is %, bit 20 is 0). "
		db "The firmware may have switched it off: look for 'Execute Disable' or 'NX'", 0

	section .data.boot progbits alloc noexec write align=8
__stack_chk_guard:
	dq 0

	section .bss.boot nobits alloc noexec write align=4096
boot_pml4:		resb 4096
boot_pdpt_direct:	resb 4096
boot_pdpt_image:	resb 4096
boot_pd_image:		resb 4096
boot_pd_direct:		resb 4 * 4096
