#!/bin/sh
# Fetch a real guest: the kernel that Debian's linux-image-cloud-amd64 stands for, and busybox-static, by `apt-get download`.
# Nothing is installed; the packages are unpacked below the target folder, which keeps vmlinuz, busybox, modules and version.
#
# usage: debian.sh TARGET_DIR
set -eu

target=$1
meta=linux-image-cloud-amd64
tries=5
# The power button's driver, and the one that shows its key to programs: so that a guest can be asked to shut down.
modules="drivers/acpi/button drivers/input/evdev"

say()
{
	echo "guests/debian.sh: $*" >&2
}

# apt-get update needs root; without it the lists that are there have to do.
refresh_lists()
{
	if [ "$(id -u)" = 0 ]; then
		apt-get -q update >&2 || true
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo apt-get -q update >&2 || true
	fi
}

# The package with the kernel in it: the metapackage's dependency of that shape.
kernel_package()
{
	apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

# A mirror that is just being updated answers with sizes and sums that do not fit: look again after a while.
fetch()
{
	n=1
	until apt-get -q download "$1" >&2; do
		[ "$n" -lt "$tries" ] || { say "cannot download $1 after $tries tries; see apt's messages above"; return 1; }
		say "download of $1 failed, try $n of $tries"
		sleep $((n * 5))
		refresh_lists
		n=$((n + 1))
	done
}

mkdir -p "$target"
cd "$target"
work=unpack.$$
trap 'rm -rf "$work"' EXIT
mkdir "$work"

package=$(kernel_package)
if [ -z "$package" ]; then
	refresh_lists
	package=$(kernel_package)
fi
[ -n "$package" ] || { say "apt knows no package $meta: is there a Debian mirror in /etc/apt, and was apt-get update run?"; exit 1; }

(cd "$work" && fetch "$package")
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
if [ -x /bin/busybox ] && dpkg-query -W -f='${Status}' busybox-static 2>/dev/null | grep -q 'ok installed'; then
	cp /bin/busybox "$work/busybox"
else
	(cd "$work" && fetch busybox-static)
	dpkg-deb -x "$work"/busybox-static*.deb "$work/box"
	cp "$work"/box/bin/busybox "$work/busybox" 2>/dev/null || cp "$work"/box/usr/bin/busybox "$work/busybox"
fi

cp "$work"/kernel/boot/vmlinuz-* vmlinuz.new
chmod 644 vmlinuz.new
cp "$work/busybox" busybox.new
chmod 755 busybox.new
mkdir -p modules
for module in $modules; do
	cp "$work"/kernel/lib/modules/*/kernel/$module.ko modules/
done
chmod 644 modules/*
basename "$work"/linux-image-*.deb .deb > version
mv busybox.new busybox
mv vmlinuz.new vmlinuz
