# make iso: one ISO for BIOS and UEFI.  CONFIG=dir/avatar.conf: other guests.  ISO=out.iso: another place.
# BOOTLINE='run="list; console linux" noapicv': words for the hypervisor.  BIOS_ONLY=1: small and quick, no menu.

CONFIG ?= $(BUILD)/guests/demo/avatar.conf
ISO ?= $(BUILD)/avatar.iso
BOOTLINE ?=
BIOS_ONLY ?=

# The script itself sees whether anything changed: make cannot know the files that a conf names.
iso: $(BUILD)/avatar.elf $(BUILD)/guests/bench.elf $(if $(wildcard $(CONFIG)),$(filter $(BUILD)/%,$(CONFIG)),$(CONFIG))
	$(PYTHON) boot/mkiso.py --elf $< --conf $(CONFIG) --bench $(BUILD)/guests/bench.elf --out $(ISO) \
		--bootline '$(subst ','\'',$(BOOTLINE))' $(if $(BIOS_ONLY),--bios-only)

.PHONY: iso
