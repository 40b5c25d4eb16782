# Host tests. Every .c file of the project also compiles as an ordinary host program under ASan and UBSan into one archive;
# a unit test tests/unit/test_NAME.c is linked against it and pulls in just what it uses (so a test may define its own
# version of a function it does not want). Privileged files stay out.

HOST_CFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer $(WARNINGS) -I. -I$(BUILD)/gen
HOST_SKIP := boot/% arch/% kernel/lib/string.c kernel/main.c kernel/main_%.c kernel/panic.c kernel/idle.c vmm/life/runner_here.c
# The seam's real backend; tests/fake/fake_vcpu_hw.c stands in for it. What is pure in vmm/vmx/ stays in.
HOST_SKIP += vmm/vmx/vcpu_%.c vmm/vmx/vmcs_%.c vmm/vmx/cpu_%.c vmm/vmx/exit_read.c
# Of arch/, what is pure.
ARCH_PURE := arch/x86/lock_order.c arch/x86/tsc_skew.c arch/x86/cpuid.c arch/x86/pagetable.c
HOST_SRCS := $(ARCH_PURE) $(filter-out $(HOST_SKIP),$(C_SRCS)) tests/selftest/doctor_cases.c $(sort $(wildcard tests/fake/*.c))
HOST_OBJS := $(HOST_SRCS:%.c=$(BUILD)/host/%.o)
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/host/unit/%)

$(BUILD)/host/%.o: %.c Makefile tests/tests.mk $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/host/libavatar.a: $(HOST_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/host/unit/%: tests/unit/%.c $(BUILD)/host/libavatar.a
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/host/libavatar.a -lcmocka -lm

# This one under the thread sanitizer, which excludes the other two, with just what it needs. GCC warns that it does not know
# fences; it reports too much then, not too little.
THREADS_SRCS := tests/unit/test_sched_threads.c $(wildcard kernel/sched*.c) kernel/time.c tests/fake/assert_failed.c
$(BUILD)/host/unit/test_sched_threads: $(THREADS_SRCS) $(wildcard kernel/sched*.h) Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(HOSTCC) -std=gnu11 -O1 -g -fsanitize=thread $(WARNINGS) -Wno-tsan -I. -I$(BUILD)/gen -o $@ $(THREADS_SRCS) -lcmocka -lpthread

unit-build: $(UNIT_BINS)

# make unit [T=name]: the host tests alone.
# (T may also be that of check, FILE::TEST, which a prerequisite cannot hold.)
unit: $(if $(T),$(BUILD)/host/unit/test_$(subst :,,$(T)),$(UNIT_BINS))
	@set -e; for t in $^; do echo "== $$t"; $$t; done

-include $(HOST_OBJS:.o=.d) $(UNIT_BINS:=.d)

FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/%)
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all $(WARNINGS) -Wno-unknown-warning-option -I. -I$(BUILD)/gen
FUZZ_OBJS := $(HOST_SRCS:%.c=$(BUILD)/fuzz/obj/%.o)

$(BUILD)/fuzz/obj/%.o: %.c Makefile tests/tests.mk $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libavatar.a: $(FUZZ_OBJS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libavatar.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(BUILD)/fuzz/libavatar.a

fuzz-build: $(FUZZ_BINS)

-include $(FUZZ_OBJS:.o=.d)

.PHONY: unit unit-build fuzz-build

include tests/targets.mk tests/bench.mk
