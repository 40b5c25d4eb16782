; A tiny guest's first instructions: Multiboot 1 header and entry (Multiboot Specification 0.6.96, "OS image format" and
; "Machine state"). Entered in flat 32-bit protected mode without paging, EAX = loader's magic, EBX = information.

MB_MAGIC	equ 0x1badb002
MB_FLAGS	equ 0x3			; modules on pages, memory information

	extern guest_begin

	section .multiboot align=4 noexec nowrite alloc progbits
	dd MB_MAGIC
	dd MB_FLAGS
	dd -(MB_MAGIC + MB_FLAGS) & 0xffffffff

	section .text
	bits 32
	global _start
_start:
	cli
	cld
	mov esp, stack_top
	lgdt [gdt_pointer]		; the loader's table may be gone
	jmp 0x08:.reload
.reload:
	mov ecx, 0x10
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov fs, ecx
	mov gs, ecx
	push ebx
	push eax
	call guest_begin		; does not return
	ud2

	section .rodata
	align 8
gdt:
	dq 0
	dq 0x00cf9b000000ffff		; code
	dq 0x00cf93000000ffff		; data
gdt_pointer:
	dw $ - gdt - 1
	dd gdt

	section .bss
	align 16
	resb 32768
stack_top:
