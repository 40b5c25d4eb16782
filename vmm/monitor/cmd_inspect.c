/* Commands: a VM from inside. */
#include "vmm/monitor/commands.h"

#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/life/freeze.h"
#include "vmm/life/inspect.h"

#define DUMP_MAX 4096u

static void reply_line(void *ctx, const char *text)
{
	mon_printf(ctx, "%s\n", text);
}

/* An optional number among the arguments. */
static int arg_number(struct monitor *m, int argc, char **argv, int at, uint64_t fallback, uint64_t most, uint64_t *out)
{
	*out = fallback;
	if (argc <= at)
		return 0;
	if (parse_u64(argv[at], out) != 0 || *out > most)
		return mon_error(m, "'%s' is not a number up to %llu", argv[at], (unsigned long long)most);
	return 0;
}

static struct vcpu *arg_vcpu(struct monitor *m, int argc, char **argv, int at)
{
	struct vm *vm = mon_vm(m, argv[1]);
	uint64_t index;

	if (vm == NULL || arg_number(m, argc, argv, at, 0, vm->vcpu_count - 1, &index) != 0)
		return NULL;
	return vm->vcpus[index];
}

/* A look into a vCPU: nobody may run it meanwhile. Its VM's time goes on. */
static void look_end(struct vm *vm)
{
	if (vm->state == VM_RUNNING)
		vm_thaw(vm);
}

int cmd_regs(struct monitor *m, int argc, char **argv)
{
	struct vcpu *v = arg_vcpu(m, argc, argv, 2);
	struct text_lines out = {reply_line, m};

	if (v == NULL)
		return ERR_INVAL;
	vm_freeze(v->vm);
	inspect_regs(v, &out);
	inspect_rip(v, &out);
	look_end(v->vm);
	return 0;
}

/* Both dumps: ADDRESS [BYTES]. */
static int dump_args(struct monitor *m, int argc, char **argv, uint64_t *address, uint64_t *len)
{
	if (parse_u64(argv[2], address) != 0)
		return mon_error(m, "'%s' is not an address", argv[2]);
	return arg_number(m, argc, argv, 3, 64, DUMP_MAX, len);
}

int cmd_x(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	struct text_lines out = {reply_line, m};
	uint8_t bytes[DUMP_MAX];
	uint64_t address, len;
	size_t got;

	if (vm == NULL || dump_args(m, argc, argv, &address, &len) != 0)
		return ERR_INVAL;
	vm_freeze(vm);
	got = inspect_read_gva(vm->vcpus[0], address, bytes, len);
	look_end(vm);
	inspect_bytes(address, bytes, got, &out);
	if (got < len)
		return mon_error(m, "0x%llx is not mapped to RAM", (unsigned long long)(address + got));
	return 0;
}

int cmd_xp(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	struct text_lines out = {reply_line, m};
	uint8_t bytes[DUMP_MAX];
	uint64_t address, len;

	if (vm == NULL || dump_args(m, argc, argv, &address, &len) != 0)
		return ERR_INVAL;
	if (guest_mem_read(&vm->mem, address, bytes, len) != 0)
		return mon_error(m, "0x%llx, %llu bytes: not all of it is RAM of %s", (unsigned long long)address,
				 (unsigned long long)len, vm->config.name);
	inspect_bytes(address, bytes, len, &out);
	return 0;
}

int cmd_trace(struct monitor *m, int argc, char **argv)
{
	struct vcpu *v = arg_vcpu(m, argc, argv, 3);
	struct text_lines out = {reply_line, m};
	uint64_t count;

	if (v == NULL || arg_number(m, argc, argv, 2, 16, EXIT_RING_ENTRIES, &count) != 0)
		return ERR_INVAL;
	vm_freeze(v->vm);
	inspect_trace(v, (unsigned)count, m->host->tsc_hz, &out);
	look_end(v->vm);
	return 0;
}
