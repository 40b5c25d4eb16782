#!/usr/bin/python3
"""What the image is made of. Text, read-only data and data are to be at most 256 KiB; neither symbols nor what is only zeroes
count. As long as that is not reached, what has been reached is kept: above LIMIT this fails. Prints the sections, and each
folder's bytes of code and data and lines of source: make size."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
AIM = 256 * 1024
LIMIT = 290 * 1024
COUNTED = (".rodata", ".text", ".data")
FOLDERS = ("boot", "arch/x86", "kernel/lib", "kernel", "drivers", "drivers/regs", "vmm/bus", "vmm/mem", "vmm/decode", "vmm/devices",
           "vmm/load", "vmm/core", "vmm/exit", "vmm/vmx", "vmm/life", "vmm/monitor")


def sections(path):
    text = subprocess.run(["size", "-A", "-d", path], check=True, capture_output=True, text=True).stdout
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\.\S+)\s+(\d+)", text, re.M)}


def folder_bytes(folder):
    """Of the objects, before the linker drops what nobody uses and shares equal strings."""
    where = os.path.join(BUILD, "obj", folder)
    objects = sorted(n for n in os.listdir(where) if n.endswith(".o")) if os.path.isdir(where) else []
    if not objects:
        return 0
    text = subprocess.run(["size"] + objects, cwd=where, check=True, capture_output=True, text=True).stdout
    return sum(int(line.split()[0]) + int(line.split()[1]) for line in text.splitlines()[1:])


def folder_lines(folder):
    count = 0
    for name in os.listdir(os.path.join(ROOT, folder)):
        if name.endswith((".c", ".h", ".asm")):
            with open(os.path.join(ROOT, folder, name), "rb") as f:
                count += f.read().count(b"\n")
    return count


def main():
    found = sections(os.path.join(BUILD, "avatar.elf"))
    image = sum(found[name] for name in COUNTED)
    print("%-14s %8s" % ("section", "bytes"))
    for name in COUNTED:
        print("%-14s %8d" % (name, found[name]))
    print("%-14s %8d  at most %d, to become %d" % ("image", image, LIMIT, AIM))
    for name in (".bss", ".symbols"):
        print("%-14s %8d  (not counted)" % (name, found[name]))
    print("\n%-14s %8s %8s" % ("folder", "bytes", "lines"))
    for folder in FOLDERS:
        print("%-14s %8d %8d" % (folder, folder_bytes(folder), folder_lines(folder)))
    if image > LIMIT:
        print("\nerror: the image has %d bytes too many" % (image - LIMIT))
    return image > LIMIT


if __name__ == "__main__":
    sys.exit(main())
