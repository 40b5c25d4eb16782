; Waiting for interrupts so that a kick cannot be slept over: see nmi.c.

PERCPU_ATTENTION	equ 16

	global cpu_sleep_unless_wanted, cpu_sleep_window, cpu_sleep_done

	section .text.cpu_sleep progbits alloc exec nowrite align=16
	bits 64

; Halts until an interrupt, unless the CPU's attention word (percpu.h, at GS:16) is not 0. IF = 0 before and after.
; STI takes effect after the next instruction (SDM 2 "STI"): an interrupt cannot slip in before HLT. An NMI can, anywhere in
; the window: its handler goes on at the end of it.
cpu_sleep_unless_wanted:
cpu_sleep_window:
	cmp dword [gs:PERCPU_ATTENTION], 0
	jne cpu_sleep_done
	sti
	hlt
cpu_sleep_done:
	cli
	ret
