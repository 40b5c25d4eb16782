#!/bin/sh
# make deps: install by apt what building and testing need and this machine lacks. Says nothing when all is there.
set -eu

packages="
nasm gcc libc6-dev make binutils
python3 python3-pytest python3-pexpect
xorriso mtools grub-common grub-pc-bin grub-efi-amd64-bin
qemu-system-x86 bochs bochsbios vgabios ovmf
acpica-tools busybox-static
clang llvm libclang-rt-14-dev clang-format cppcheck libcmocka-dev gdb
gnuplot-nox"
tries=5

missing=
for p in $packages; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

echo "make deps: installing$missing"
command -v apt-get >/dev/null || { echo "make deps: this is no Debian; please install these packages' like:$missing" >&2; exit 1; }
as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "make deps: neither root nor sudo; as root: apt-get install$missing" >&2; exit 1; }
	as_root=sudo
fi

# A mirror that is just being updated fails for some minutes: look again.
n=1
until $as_root apt-get -q update &&
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing; do
	[ "$n" -lt "$tries" ] || { echo "make deps: apt failed $tries times; its messages are above" >&2; exit 1; }
	echo "make deps: apt failed, try $n of $tries" >&2
	sleep $((n * 10))
	n=$((n + 1))
done
