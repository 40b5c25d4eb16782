# The bench guest, and the figures: what a round trip out of a guest costs. See docs/performance.md.

BENCH_OBJS := $(patsubst %.c,$(GUESTS)/obj/%.o,$(wildcard guests/bench/*.c)) \
	$(patsubst %.asm,$(GUESTS)/obj/%.asm.o,$(wildcard guests/bench/*.asm))
BENCH_ELF := $(GUESTS)/bench.elf

$(BENCH_ELF): $(BENCH_OBJS) $(TINY_LIB) guests/lib/guest.ld
	$(call say,LINK32,$@)
	$(Q)$(CC) $(TINY_LDFLAGS) -o $@ $(filter %.o,$^)

guests: $(BENCH_ELF)

-include $(BENCH_OBJS:.o=.d)

# A ramdisk with nothing but an /init that says when it begins.
BENCH_INIT := $(GUESTS)/bench_init

$(BENCH_INIT): tests/bench/init.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(HOSTCC) -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -Wl,--build-id=none -o $@ $<

# All figures; BENCH="--no-linux" and the like go to tests/bench/bench.py.
bench: deps
	@$(MAKE) --no-print-directory $(BUILD)/avatar.elf guests $(BENCH_INIT) $(GUESTS)/linux/work $(GUESTS)/debian/vmlinuz
	@$(PYTHON) -B tests/bench/bench.py $(BENCH)

.PHONY: bench
