"""make debug: GDB stops QEMU at the image's first instruction, knows our symbols there although the image is not where it was
linked, and in the upper half afterwards."""
import os
import re
import subprocess
import sys

import conftest


def debug(folder, commands, timeout=120):
    """What GDB says to the commands, and what came out of the serial line."""
    iso = conftest.avatar_iso(folder, None, {}, "", False)
    words = ["-batch"] + [w for c in commands for w in ("-ex", c)]
    done = subprocess.run([sys.executable, "-B", "tests/debug.py", iso, conftest.ELF] + words, cwd=conftest.ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    with open(os.path.join(conftest.ROOT, "build/debug/serial.log"), errors="replace") as f:
        serial = f.read()
    return done.stdout + done.stderr, serial


def check_symbols(folder):
    said, serial = debug(folder, [
        "info symbol $pc", "backtrace 1",               # at the address where GRUB put it
        "hbreak vmx_probe", "continue", "backtrace",    # in the upper half; boot_vmx() may be inlined
        "info line",
    ])
    base = int(re.search(r"debug: the image is at (0x[0-9a-f]+)", said).group(1), 16)
    assert re.search(r"^(entry32|text_start) in section", said, re.M), said
    assert re.search(r"^#0 +0x0*%x[0-9a-f]{5} in (entry32|text_start) \(\)" % (base >> 20), said, re.M), said
    assert re.search(r"^Breakpoint [\d.]+, vmx_probe \(", said, re.M), said
    assert re.search(r"^#\d +(0xffffffff8[0-9a-f]{7} in )?boot_vmx \(.*\) at (\./)*kernel/main_vmm\.c:\d+", said, re.M), said
    assert re.search(r"^#\d +(0xffffffff8[0-9a-f]{7} in )?kernel_entry \(.*\) at (\./)*kernel/main\.c:\d+", said, re.M), said
    assert "AvatarVt-x" in serial


def check_wrong_loader(folder):
    """The entry code with another loader's magic: it says so on the serial line and on the screen, and stops."""
    said, serial = debug(folder, ["set $eax = 0x2badb002", "hbreak *&'refuse.stop'", "continue",
                                  "dump binary memory %s/screen 0xb8000 0xb8fa0" % folder])
    words = "AvatarVt-x was not started by a Multiboot2 loader: EAX is 0x2BADB002, it should be 0x36D76289"
    assert words in serial, said
    with open(folder + "/screen", "rb") as f:
        cells = f.read()
    assert cells[0:2 * len(words):2].decode("ascii") == words
    assert set(cells[1:2 * len(words):2]) == {0x4f}, "white on red"


def test_debug(boot):
    """One after the other: make debug has one folder for what it writes."""
    check_symbols(boot.folder())
    check_wrong_loader(boot.folder())
