/* /init of the boot figure: marks its first instruction for the emulator (XCHG BX, BX stops Bochs with magic_break), prints a
 * line, and sleeps for ever. No C library, so that nothing runs before the mark. */

static long syscall3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

#define SYS_WRITE 1
#define SYS_PAUSE 34

void _start(void)
{
	static const char text[] = "bench init\n";

	__asm__ volatile("xchg %bx, %bx");
	syscall3(SYS_WRITE, 1, (long)text, sizeof(text) - 1);
	for (;;)
		syscall3(SYS_PAUSE, 0, 0, 0);
}
