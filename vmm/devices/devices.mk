# The guest's AML: compiled here, included as bytes by guest_acpi.c.
GEN_HDRS := $(BUILD)/gen/dsdt.h

$(BUILD)/gen/dsdt.h: vmm/devices/dsdt.asl vmm/devices/devices.mk
	@mkdir -p $(@D)
	@iasl -we -p $(BUILD)/gen/dsdt $< > $(BUILD)/gen/dsdt.log 2>&1 || { cat $(BUILD)/gen/dsdt.log; exit 1; }
	@{ echo '/* Made from vmm/devices/dsdt.asl. */'; echo '#pragma once'; echo '#include <stdint.h>'; \
	echo 'static const uint8_t dsdt_aml[] = {'; \
	od -An -v -tx1 $(BUILD)/gen/dsdt.aml | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; echo '};'; } > $@
