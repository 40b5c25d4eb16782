# make iso: one ISO for BIOS and UEFI.  CONFIG=dir/avatar.conf: other guests.  ISO=out.iso: another place.
# BOOTLINE='run="list; console linux" noapicv': words for the hypervisor.  BIOS_ONLY=1: small and quick, no menu.

CONFIG ?= $(BUILD)/guests/demo/avatar.conf
ISO ?= $(BUILD)/avatar.iso
BOOTLINE ?=
BIOS_ONLY ?=

# The conf is judged by the code that reads it at boot.
CHECK_CONF := $(BUILD)/gen/check_conf
CHECK_CONF_SRCS := boot/host/check_conf.c vmm/core/conf.c vmm/core/conf_text.c kernel/lib/format.c kernel/lib/parse.c

$(CHECK_CONF): $(CHECK_CONF_SRCS) $(wildcard vmm/core/conf*.h vmm/core/vm_config.h kernel/lib/*.h) boot/iso.mk
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@)
	$(Q)$(HOSTCC) -std=gnu11 -O1 $(WARNINGS) -I. -o $@ $(CHECK_CONF_SRCS)

# The script itself sees whether anything changed: make cannot know the files that a conf names.
iso: $(BUILD)/avatar.elf $(BUILD)/guests/bench.elf $(CHECK_CONF) $(if $(wildcard $(CONFIG)),$(filter $(BUILD)/%,$(CONFIG)),$(CONFIG))
	$(call say,ISO,$(ISO))
	$(Q)$(CHECK_CONF) $(CONFIG)
	$(Q)$(PYTHON) boot/mkiso.py --elf $< --conf $(CONFIG) --bench $(BUILD)/guests/bench.elf --out $(ISO) \
		--bootline '$(subst ','\'',$(BOOTLINE))' $(if $(BIOS_ONLY),--bios-only)

.PHONY: iso
