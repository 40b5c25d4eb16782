# AvatarVt-x: see README.md. Targets: all iso run check soak bench size fuzz debug deps clean.
# Every file is found by its folder; objects go to build/.

# DEBUG=1: with checks that cost time (AVATAR_DEBUG), in a folder of its own.
DEBUG ?=
BUILD := $(if $(DEBUG),build-debug,build)
PYTHON ?= /usr/bin/python3
NASM ?= nasm
HOSTCC ?= gcc
CLANG ?= clang

# The cross toolchain when it is on the PATH, the system GCC otherwise.
CROSS_COMPILE ?= $(if $(shell command -v x86_64-elf-gcc),x86_64-elf-,)
CC := $(CROSS_COMPILE)gcc
NM := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
READELF := $(CROSS_COMPILE)readelf

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla -Werror
# What a guest waits for at an exit is built for speed, all the rest for size; and so is, among the former, what is marked COLD.
HOT := vmm/exit/% vmm/bus/% vmm/life/run% vmm/vmx/vcpu_enter vmm/vmx/vcpu_apic vmm/vmx/exit_read vmm/vmx/exit_decode vmm/vmx/vcpu_live \
	vmm/vmx/vcpu_state vmm/core/inject vmm/core/cpuid_policy vmm/core/msr_policy vmm/devices/vlapic% vmm/devices/vioapic \
	vmm/devices/vpit% vmm/devices/vuart vmm/devices/vacpi_pm vmm/mem/guest_walk kernel/lib/string kernel/lib/ring \
	kernel/sched_pick kernel/sched_queue kernel/sched_entity kernel/time kernel/idle vmm/life/freeze vmm/life/platform_irq \
	vmm/mem/guest_mem vmm/mem/slpt vmm/life/clock vmm/life/console
FAST := -O2 -falign-functions=1 -falign-loops=1 -falign-jumps=1
# A copy or a fill inline is REP MOVSB, small but slow: a call is as small.
SMALL := -Oz -fno-jump-tables -mstringop-strategy=libcall -fno-inline-small-functions -fno-caller-saves -fno-shrink-wrap -fno-optimize-sibling-calls \
	-fno-move-loop-invariants -fno-tree-loop-im
OPTIMIZE = $(if $(filter $(HOT),$*),$(FAST),$(SMALL))

# No frame pointers: backtraces use the table that boot/gen_symbols.py makes of what the compiler says of its frames. Stacks are
# aligned to 8, as nothing here wants more; GCC believes in 16 for 128-bit integers, and is told that it finds them. They are
# guarded in each function with an array there, or a variable that a pointer leads to: plain -fstack-protector would take
# arrays of char alone, which LTO does not tell from others. There are no vector registers, in which a variadic function might
# be handed something.
CFLAGS := -std=c11 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -mskip-rax-setup \
	-fstack-protector-strong -mstack-protector-guard=global -fomit-frame-pointer -fno-asynchronous-unwind-tables \
	-mpreferred-stack-boundary=3 -mincoming-stack-boundary=4 -fno-strict-aliasing -DAVATAR_DEBUG=$(if $(DEBUG),1,0) -ffunction-sections -fdata-sections -malign-data=abi -ffile-prefix-map=$(CURDIR)=. \
	$(WARNINGS) -I. -I$(BUILD)/gen
# The compiler sees the whole hypervisor at the link: what lies on the way of an exit is put together over the borders of files.
# The objects hold ordinary code as well, for the checks that read it. The seeds make two builds
# alike. `make LTO=` does without, which builds faster.
LTO ?= $(if $(DEBUG),,-flto)
LTO_COMPILE = $(if $(LTO),$(LTO) -ffat-lto-objects -frandom-seed=$@)
LTO_LINK := $(if $(LTO),$(LTO) -flto-partition=one -frandom-seed=0 $(filter-out -I% -W%,$(CFLAGS)),-fno-lto)
# Says how the objects were made: those of another way are made anew.
LTO_STAMP := $(BUILD)/gen/lto
# What GCC calls where nothing is written, and only sees when it is too late.
NO_LTO := $(BUILD)/obj/kernel/lib/string.o $(BUILD)/obj/kernel/panic.o
# No -g: NASM would write the absolute path of each source into the image, and two builds would differ.
ASFLAGS := -f elf64 -I./ -w+all -Werror
LDFLAGS := -nostdlib -static -no-pie -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--gc-sections -Wl,--no-warn-rwx-segments \
	-Wl,-z,noexecstack

SRC_DIRS := boot arch/x86 kernel/lib kernel drivers vmm/bus vmm/mem vmm/decode vmm/devices vmm/load vmm/core vmm/vmx vmm/exit \
	vmm/life vmm/monitor
C_SRCS := $(foreach d,$(SRC_DIRS),$(sort $(wildcard $(d)/*.c)))
ASM_SRCS := $(foreach d,$(SRC_DIRS),$(sort $(wildcard $(d)/*.asm)))
OBJS := $(C_SRCS:%.c=$(BUILD)/obj/%.o) $(ASM_SRCS:%.asm=$(BUILD)/obj/%.asm.o)
# The product, and the product with self-tests: selftest= on the boot line.
TEST_SRCS := $(sort $(wildcard tests/selftest/*.c))
TEST_OBJS := $(TEST_SRCS:%.c=$(BUILD)/obj/%.o)
IMAGES := $(BUILD)/avatar.elf $(BUILD)/avatar-test.elf

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

all: $(IMAGES)

# Without this, make deletes the generated sources and builds everything twice.
.SECONDARY:
.DELETE_ON_ERROR:

-include vmm/devices/devices.mk
GEN_HDRS ?=

$(LTO_STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(LTO)' | cmp -s - $@ || echo '$(LTO)' > $@

$(BUILD)/obj/%.o: %.c Makefile $(LTO_STAMP) $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(OPTIMIZE) $(CFLAGS_$(subst /,_,$*)) $(if $(filter $(NO_LTO),$@),,$(LTO_COMPILE)) -MMD -MP -c $< -o $@

$(BUILD)/obj/%.asm.o: %.asm Makefile
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) $(ASFLAGS) -MD $(@:.o=.d) -MP -o $@ $<

# A compiler must not turn our memset into a call to memset.
CFLAGS_kernel_lib_string := -fno-builtin -fno-tree-loop-distribute-patterns
# Two stores into a flight recorder's entry are less than one of what was put together: tests/check/recorder.py counts.
CFLAGS_vmm_vmx_exit_read := -fno-tree-slp-vectorize

# The symbol table is made from the linked image, and put where the linker has left room for it.
$(BUILD)/avatar-test.elf: $(TEST_OBJS)
$(IMAGES): $(BUILD)/%.elf: $(OBJS) linker.ld $(LTO_STAMP) boot/gen_symbols.py
	@mkdir -p $(BUILD)/gen
	$(call say,LD,$@)
	$(Q)$(CC) $(LTO_LINK) $(LDFLAGS) -T linker.ld -o $(BUILD)/gen/$*.elf $(filter %.o,$^)
	$(Q){ $(NM) -n $(BUILD)/gen/$*.elf && $(READELF) --debug-dump=frames-interp $(BUILD)/gen/$*.elf; } | \
		$(PYTHON) boot/gen_symbols.py > $(BUILD)/gen/$*.symbols
	$(Q)$(OBJCOPY) --update-section .symbols=$(BUILD)/gen/$*.symbols $(BUILD)/gen/$*.elf $@

-include $(OBJS:.o=.d) $(TEST_OBJS:.o=.d)
-include boot/iso.mk guests/guests.mk tests/tests.mk

clean:
	rm -rf $(BUILD)/obj $(BUILD)/gen $(BUILD)/host $(IMAGES) $(BUILD)/*.iso build-debug

FORCE:
.PHONY: all iso run check soak bench fuzz debug deps clean
