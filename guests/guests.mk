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
	$(PYTHON) guests/mkinitramfs.py $(GUESTS)/debian/busybox guests/initramfs $@

# The demo's folder: its conf with the files that it names beside it.
$(DEMO_CONF): guests/demo/avatar.conf $(GUESTS)/debian/vmlinuz $(GUESTS)/debian/initrd.img
	@mkdir -p $(@D)
	ln -sf ../debian/vmlinuz ../debian/initrd.img $(@D)/
	cp guests/demo/avatar.conf $@

guests-debian: $(DEMO_CONF)

.PHONY: guests-debian
