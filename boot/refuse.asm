; The last words of a start that cannot go on, in 32-bit mode without paging: on COM1 (which it programs itself: firmware
; may have left any format), on port 0xe9 where emulators listen, and on the VGA text screen. Then the processor halts.

COM1			equ 0x3f8
COM1_IER		equ COM1 + 1
COM1_LCR		equ COM1 + 3
COM1_LSR		equ COM1 + 5
LCR_8N1			equ 0x03
LCR_DLAB		equ 0x80
LSR_THRE		equ 0x20
DIVISOR_115200		equ 1
DEBUG_PORT		equ 0xe9
VGA_TEXT		equ 0xb8000
VGA_CELLS		equ 80 * 25
VGA_WHITE_ON_RED	equ 0x4f

	global refuse

	section .text.boot progbits alloc exec nowrite align=16
	bits 32

; In: EAX = message (physical address, ends with 0; a % in it stands for the number), EBX = the number, ESP = a stack.
; Does not return.
refuse:
	mov esi, eax
	call com1_init
	mov edi, VGA_TEXT
	mov ecx, 160				; two lines of blanks under the message
.blank:	mov word [edi + ecx * 2 - 2], (VGA_WHITE_ON_RED << 8) | ' '
	loop .blank

	call .here
.here:	pop edx
	push esi
	lea esi, [edx + (refuse_prefix - .here)]
	call put_string
	pop esi
	call put_string
	mov al, 13
	call put_serial
	mov al, 10
	call put_serial
.stop:	cli
	hlt
	jmp .stop

; In: ESI = text, EBX = the number, EDI = screen. Moves EDI on. Uses EAX, ESI.
put_string:
	lodsb
	test al, al
	jz .done
	cmp al, '%'
	je .number
	call put_char
	jmp put_string
.number:
	call put_hex
	jmp put_string
.done:	ret

; In: EBX. Eight digits after 0x. Uses EAX.
put_hex:
	push ecx
	mov al, '0'
	call put_char
	mov al, 'x'
	call put_char
	mov ecx, 8
.digit:	rol ebx, 4
	mov al, bl
	and al, 15
	cmp al, 10
	jb .low
	add al, 'A' - '0' - 10
.low:	add al, '0'
	call put_char
	loop .digit
	pop ecx
	ret

; In: AL. Uses nothing else; moves EDI on.
put_char:
	mov ah, VGA_WHITE_ON_RED
	cmp edi, VGA_TEXT + VGA_CELLS * 2
	jae put_serial
	stosw
; In: AL, to COM1 and the debug port. A port that is not there reads as ones, so the wait ends; one that never
; becomes ready is given up after a while.
put_serial:
	push ecx
	push edx
	push eax
	out DEBUG_PORT, al
	mov dx, COM1_LSR
	mov ecx, 1000000
.wait:	in al, dx
	test al, LSR_THRE
	jnz .ready
	loop .wait
.ready:	mov eax, [esp]
	mov dx, COM1
	out dx, al
	pop eax
	pop edx
	pop ecx
	ret

; 115200 baud, 8 data bits, no parity, 1 stop bit, no interrupts. Uses EAX, EDX.
com1_init:
	mov dx, COM1_IER
	xor al, al
	out dx, al
	mov dx, COM1_LCR
	mov al, LCR_DLAB | LCR_8N1
	out dx, al
	mov dx, COM1
	mov al, DIVISOR_115200
	out dx, al
	inc dx
	xor al, al
	out dx, al
	mov dx, COM1_LCR
	mov al, LCR_8N1
	out dx, al
	ret

	section .rodata.boot progbits alloc noexec nowrite
refuse_prefix:	db "AvatarVt-x ", 0
