/* A block of code that loads all registers, runs what stands in its slot, and stores all registers; copied to memory that
 * may be written and executed. Its data lies within the block, so that no register is needed to find it. */
#include "tests/fake/native_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOT_BYTES 16u

extern const uint8_t native_block[], native_block_slot[], native_block_state[], native_block_end[];

__asm__(".text\n"
	".balign 64\n"
	"native_block:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, 2f(%rip)\n"
	"	push native_block_state+128(%rip)\n"
	"	popfq\n"
	"	mov native_block_state+0(%rip), %rax\n"
	"	mov native_block_state+8(%rip), %rcx\n"
	"	mov native_block_state+16(%rip), %rdx\n"
	"	mov native_block_state+24(%rip), %rbx\n"
	"	mov native_block_state+32(%rip), %rsp\n"
	"	mov native_block_state+40(%rip), %rbp\n"
	"	mov native_block_state+48(%rip), %rsi\n"
	"	mov native_block_state+56(%rip), %rdi\n"
	"	mov native_block_state+64(%rip), %r8\n"
	"	mov native_block_state+72(%rip), %r9\n"
	"	mov native_block_state+80(%rip), %r10\n"
	"	mov native_block_state+88(%rip), %r11\n"
	"	mov native_block_state+96(%rip), %r12\n"
	"	mov native_block_state+104(%rip), %r13\n"
	"	mov native_block_state+112(%rip), %r14\n"
	"	mov native_block_state+120(%rip), %r15\n"
	"native_block_slot:\n"
	"	.fill 16, 1, 0x90\n"
	"	mov %rax, native_block_state+0(%rip)\n"
	"	mov %rcx, native_block_state+8(%rip)\n"
	"	mov %rdx, native_block_state+16(%rip)\n"
	"	mov %rbx, native_block_state+24(%rip)\n"
	"	mov %rsp, native_block_state+32(%rip)\n"
	"	mov %rbp, native_block_state+40(%rip)\n"
	"	mov %rsi, native_block_state+48(%rip)\n"
	"	mov %rdi, native_block_state+56(%rip)\n"
	"	mov %r8, native_block_state+64(%rip)\n"
	"	mov %r9, native_block_state+72(%rip)\n"
	"	mov %r10, native_block_state+80(%rip)\n"
	"	mov %r11, native_block_state+88(%rip)\n"
	"	mov %r12, native_block_state+96(%rip)\n"
	"	mov %r13, native_block_state+104(%rip)\n"
	"	mov %r14, native_block_state+112(%rip)\n"
	"	mov %r15, native_block_state+120(%rip)\n"
	"	mov 2f(%rip), %rsp\n"
	"	pushfq\n"
	"	pop native_block_state+128(%rip)\n"
	"	cld\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	"	.balign 64\n"
	"native_block_state:\n"
	"	.fill 17, 8, 0\n"
	"2:	.quad 0\n"
	"native_block_end:\n");

static void *map_at(uint64_t address, size_t bytes, int prot)
{
	void *want = (void *)(uintptr_t)address;
	void *got = mmap(want, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got != want) {
		perror("native_cpu: mmap");
		abort();
	}
	return got;
}

void native_start(void)
{
	(void)map_at(NATIVE_ARENA, NATIVE_ARENA_BYTES, PROT_READ | PROT_WRITE);
	memcpy(map_at(NATIVE_CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), native_block,
	       (size_t)(native_block_end - native_block));
}

uint64_t native_insn_address(void)
{
	return NATIVE_CODE + (uint64_t)(native_block_slot - native_block);
}

void native_run(const uint8_t *bytes, size_t length, struct native_state *state)
{
	uint8_t *code = (uint8_t *)(uintptr_t)NATIVE_CODE;
	uint8_t *slot = code + (native_block_slot - native_block);
	uint8_t *data = code + (native_block_state - native_block);
	void (*run)(void) = (void (*)(void))(uintptr_t)NATIVE_CODE;

	memset(slot, 0x90, SLOT_BYTES);
	memcpy(slot, bytes, length);
	memcpy(data, state, sizeof(*state));
	run();
	memcpy(state, data, sizeof(*state));
}
