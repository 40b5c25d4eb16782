# Guests: a real Linux that is fetched, and tiny ones of our own. All of it ends below build/guests/ and is cached there.

GUESTS := $(BUILD)/guests
DEMO_CONF := $(GUESTS)/demo/avatar.conf

# Debian's kernel and busybox; downloaded once.
$(GUESTS)/debian/vmlinuz: guests/debian.sh
	@mkdir -p $(@D)
	sh guests/debian.sh $(@D)
	@touch $@

$(GUESTS)/debian/busybox: $(GUESTS)/debian/vmlinuz ;

INITRAMFS_FILES := $(shell find guests/initramfs -type f)

$(GUESTS)/debian/initrd.img: guests/mkinitramfs.py $(INITRAMFS_FILES) $(GUESTS)/debian/vmlinuz
	$(PYTHON) guests/mkinitramfs.py $(GUESTS)/debian/busybox $(GUESTS)/debian/modules guests/initramfs $@

# The demo's folder: its conf with the files that it names beside it.
$(DEMO_CONF): guests/demo/avatar.conf $(GUESTS)/debian/vmlinuz $(GUESTS)/debian/initrd.img
	@mkdir -p $(@D)
	ln -sf ../debian/vmlinuz ../debian/initrd.img $(@D)/
	cp guests/demo/avatar.conf $@

# Programs that run in it, and a ramdisk with them that only tests use.
LINUX_CFLAGS := -std=gnu11 -O2 -static -pthread -fno-pie -no-pie -Wl,--build-id=none -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Wshadow -Wconversion -Werror

$(GUESTS)/linux/load: $(wildcard guests/load/*.[ch])
$(GUESTS)/linux/work: $(wildcard guests/work/*.[ch])
$(GUESTS)/linux/load $(GUESTS)/linux/work: guests/guests.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(LINUX_CFLAGS) -o $@ $(filter %.c,$^)

$(GUESTS)/linux/initrd-load.img: $(GUESTS)/debian/initrd.img $(GUESTS)/linux/load $(GUESTS)/linux/work
	$(PYTHON) guests/mkinitramfs.py --add $< $@ bin/load=$(GUESTS)/linux/load bin/work=$(GUESTS)/linux/work

guests-debian: $(DEMO_CONF) $(GUESTS)/linux/initrd-load.img

.PHONY: guests-debian

# Tiny guests: Multiboot 1 images of freestanding 32-bit C; one file of guests/tiny/, or a folder, each, on guests/lib/.
TINY_CFLAGS := -m32 -march=i686 -std=c11 -O2 -g -ffreestanding -fno-pic -fno-pie -fno-stack-protector -mgeneral-regs-only \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-tree-loop-distribute-patterns \
	-ffile-prefix-map=$(CURDIR)=. $(WARNINGS) -I.
TINY_LDFLAGS := -m32 -march=i686 -nostdlib -static -no-pie -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,-z,noexecstack -Wl,-N -Wl,--no-warn-rwx-segments -T guests/lib/guest.ld
TINY_LIB := $(patsubst %.c,$(GUESTS)/obj/%.o,$(wildcard guests/lib/*.c)) \
	$(patsubst %.asm,$(GUESTS)/obj/%.asm.o,$(wildcard guests/lib/*.asm))
HOSTILE_OBJS := $(patsubst %.c,$(GUESTS)/obj/%.o,$(wildcard guests/hostile/*.c)) \
	$(patsubst %.asm,$(GUESTS)/obj/%.asm.o,$(wildcard guests/hostile/*.asm))
SMP_OBJS := $(patsubst %.c,$(GUESTS)/obj/%.o,$(wildcard guests/smp/*.c)) \
	$(patsubst %.asm,$(GUESTS)/obj/%.asm.o,$(wildcard guests/smp/*.asm))
TINY_NAMES := $(patsubst guests/tiny/%.c,%,$(wildcard guests/tiny/*.c)) hostile smp
TINY_ELFS := $(TINY_NAMES:%=$(GUESTS)/%.elf)

$(GUESTS)/obj/%.o: %.c Makefile guests/guests.mk
	@mkdir -p $(@D)
	$(call say,CC32,$<)
	$(Q)$(CC) $(TINY_CFLAGS) -MMD -MP -c $< -o $@

$(GUESTS)/obj/%.asm.o: %.asm Makefile guests/guests.mk
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf32 -w+all -Werror -MD $(@:.o=.d) -MP -o $@ $<

$(GUESTS)/hostile.elf: $(HOSTILE_OBJS)

$(GUESTS)/smp.elf: $(SMP_OBJS)

$(filter-out %/hostile.elf %/smp.elf,$(TINY_ELFS)): $(GUESTS)/%.elf: $(GUESTS)/obj/guests/tiny/%.o

$(TINY_ELFS): $(TINY_LIB) guests/lib/guest.ld
	$(call say,LINK32,$@)
	$(Q)$(CC) $(TINY_LDFLAGS) -o $@ $(filter %.o,$^)

guests: $(TINY_ELFS)

-include $(TINY_LIB:.o=.d) $(HOSTILE_OBJS:.o=.d) $(SMP_OBJS:.o=.d) $(TINY_NAMES:%=$(GUESTS)/obj/guests/tiny/%.d)

.PHONY: guests
