"""GDB's side of make debug. Once the kernel runs on its own page tables its symbols are right as they are; before that, it
runs at the physical address where GRUB put it. This script stops at the first instruction of ours, finds that address, and
loads the symbols for it a second time."""
import gdb

IMAGE_BASE = 0xffffffff80000000  # linker.ld
HEADER_MAGIC = b"\xd6\x50\x52\xe8\x00\x00\x00\x00"  # Multiboot2 header, architecture i386: the image begins with it
STEP = 0x200000  # the alignment that the header asks for
LIMIT = 0x40000000


def symbol(name):
    return int(gdb.parse_and_eval("(unsigned long)&%s" % name)) & 0xffffffffffffffff


def image_at(address):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, len(HEADER_MAGIC))) == HEADER_MAGIC
    except gdb.error:
        return False


def find_image():
    """Where GRUB put the image, by its header on one of the aligned places."""
    header = symbol("image_start") - IMAGE_BASE
    for base in range(STEP, LIMIT, STEP):
        if image_at(base + header):
            return base
    return None


def main():
    gdb.execute("set pagination off")
    gdb.execute("set confirm off")
    entry = symbol("entry32") - IMAGE_BASE
    # GRUB places it at the lowest fitting address, which is nearly always the one it is linked for.
    stop = gdb.Breakpoint("*0x%x" % (entry + STEP), type=gdb.BP_HARDWARE_BREAKPOINT, internal=True)
    print("debug: running up to the first instruction of ours ...")
    gdb.execute("continue")
    stop.delete()
    base = find_image()
    if base is None:
        print("debug: stopped before the image was loaded; `hbreak NAME` and `continue` work for what runs in the upper half")
        return
    elf = gdb.current_progspace().filename
    gdb.execute("add-symbol-file %s -o 0x%x" % (elf, (base - IMAGE_BASE) & 0xffffffffffffffff), to_string=True)
    print("debug: the image is at 0x%x; early symbols are loaded there. Try `hbreak kernel_entry` and `continue`." % base)


main()
