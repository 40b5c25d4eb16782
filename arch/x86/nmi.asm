; Waiting for interrupts so that a kick cannot be slept over: see nmi.c.

	global cpu_wait, cpu_wait_window, cpu_wait_done

	section .text.cpu_wait progbits alloc exec nowrite align=16
	bits 64

; In: RDI = address of a byte. Halts until an interrupt, unless the byte is not 0. IF = 0 before and after.
; STI takes effect after the next instruction (SDM 2 "STI"): an interrupt cannot slip in before HLT. An NMI can, anywhere in
; the window: its handler goes on at the end of it.
cpu_wait:
cpu_wait_window:
	cmp byte [rdi], 0
	jne cpu_wait_done
	sti
	hlt
cpu_wait_done:
	cli
	ret
