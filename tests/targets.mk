# What one does with the build: check, run, debug, fuzz. `deps` comes first, then the rest in a make of its own, as tools may
# only be there from then on.

# Install by apt what is missing.
deps:
	@sh tests/deps.sh

# All tests; make check T="conf boot/linux": those whose names contain one of the words.
check: deps
	@$(PYTHON) -B tests/check.py $(T)

# Tests that take hours; make soak T="linux" as above. Figures go to build/soak.json.
soak: deps
	@$(PYTHON) -B tests/soak.py $(T)

# The demo, or CONFIG=..., in an emulator; this terminal becomes its serial line.
run: deps
	@$(MAKE) --no-print-directory iso
	@$(PYTHON) -B tests/run.py $(ISO)

# The ISO in QEMU, stopped at the first instruction of ours, with GDB attached.
debug: deps
	@$(MAKE) --no-print-directory iso
	@$(PYTHON) -B tests/debug.py $(ISO) $(BUILD)/avatar.elf

# Every fuzz target, or T=name, for SECONDS each; what they find is kept in build/fuzz/.
SECONDS ?= 60
FUZZ_CHOSEN = $(if $(T),$(T:%=$(BUILD)/fuzz/fuzz_%),$(FUZZ_BINS))
fuzz: $(if $(T),$(patsubst %,$(BUILD)/fuzz/fuzz_%,$(subst :,,$(T))),$(FUZZ_BINS))
	@set -e; for f in $(FUZZ_CHOSEN); do n=$${f##*/fuzz_}; echo "== $$n"; mkdir -p $(BUILD)/fuzz/corpus/$$n; \
		$$f -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/$$n- \
		$(BUILD)/fuzz/corpus/$$n $$(ls -d tests/fuzz/corpus/$$n 2>/dev/null); done

# What the image is made of, in bytes and in lines.
size: $(BUILD)/avatar.elf
	@$(PYTHON) -B tests/size.py

.PHONY: deps check soak run debug fuzz size
