; The header by which a boot loader recognises the image (Multiboot2 Specification 2.0, "OS image format"). It asks to be
; placed anywhere below 4 GiB, on a 2 MiB boundary, and to be entered at entry32 in 32-bit protected mode.

MB2_MAGIC		equ 0xe85250d6
MB2_ARCH_I386		equ 0

TAG_END			equ 0
TAG_INFO_REQUEST	equ 1
TAG_ENTRY		equ 3
TAG_MODULE_ALIGN	equ 6
TAG_RELOCATABLE		equ 10
OPTIONAL		equ 1		; a loader that does not know the tag may go on

INFO_MEMORY_MAP		equ 6

; The lowest place that fits: what lies high stays free in one piece for guests.
PREFER_LOWEST		equ 1

	extern entry32_link_hpa		; from linker.ld: where entry32 lies when nothing is relocated

	section .multiboot2 align=8 noexec nowrite alloc progbits

header:
	dd MB2_MAGIC
	dd MB2_ARCH_I386
	dd header_end - header
	dd -(MB2_MAGIC + MB2_ARCH_I386 + (header_end - header)) & 0xffffffff

	align 8
	dw TAG_INFO_REQUEST, 0
	dd 12
	dd INFO_MEMORY_MAP

	align 8
	dw TAG_ENTRY, 0
	dd 12
	dd entry32_link_hpa

	align 8
	dw TAG_RELOCATABLE, 0
	dd 24
	dd 0x00100000			; lowest and highest address the image may occupy
	dd 0xffffffff
	dd 0x00200000			; alignment: the first page tables map the image by 2 MiB pages
	dd PREFER_LOWEST

	align 8
	dw TAG_MODULE_ALIGN, OPTIONAL
	dd 8

	; There is deliberately no framebuffer tag. With one, GRUB 2.06 for BIOS asks the monitor through the video BIOS and on
	; Bochs dies in it, whatever size is named, unless the boot menu knows to say gfxpayload=text; an image must not depend
	; on that. Under EFI a screen comes with `insmod all_video` in grub.cfg.
	align 8
	dw TAG_END, 0
	dd 8
header_end:
