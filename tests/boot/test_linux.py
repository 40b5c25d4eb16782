"""An unmodified Debian Linux under the hypervisor, in Bochs: to a shell on several processors, with data, console, and
the ways in which it ends."""
import base64
import hashlib
import os
import random
import re
import sys

import pytest

import linux
from conftest import GUESTS, KNOWN_FILES, LINUX_CONF, ROOT
from machine import plain

sys.path.insert(0, os.path.join(ROOT, "guests"))
import mkinitramfs  # noqa: E402

CONSOLE = 'run="console linux"'

ALLOWED = os.path.join(ROOT, "docs", "guest_dmesg.md")


def conf(cmdline="", **keys):
    text = LINUX_CONF.replace("console=ttyS0", ("console=ttyS0 " + cmdline).strip())
    return text + "".join("%s = %s\n" % (k.replace("_", "-"), v) for k, v in keys.items())


def off(m):
    """The guest's own poweroff leads back to the monitor, and the VM is stopped."""
    m.send("poweroff\r")
    m.expect("linux: powered off", 60)
    m.prompt()
    assert re.search(r"linux +stopped", m.command("list"))


def check_warnings(m, model):
    """Nothing at warning level or above that the kernel does not also say without us, but for what docs/ gives reasons for."""
    with open(os.path.join(ROOT, "tests/boot/warnings", model + ".txt")) as f:
        bare = {linux.normal(line.rstrip("\n")) for line in f if not line.startswith("#")}
    with open(ALLOWED) as f:
        allowed = re.findall(r"^\| `([^`]+)` \|", f.read(), re.M)
    new = [w for w in linux.warnings(m) if linux.normal(w) not in bare and not any(a in w for a in allowed)]
    assert not new, "\n".join(["the guest's kernel says what it does not say bare:"] + new)


def kernel_without_64bit_entry():
    """The kernel, denying its 64-bit entry (Linux boot protocol: XLF_KERNEL_64 in xloadflags): it is started by the other one."""
    with open(KNOWN_FILES["vmlinuz"], "rb") as f:
        kernel = bytearray(f.read())
    assert kernel[0x236] & 1
    kernel[0x236] &= ~1
    return bytes(kernel)


@pytest.mark.parametrize("model, keys, files", [
    ("corei5_arrandale_m520", {}, lambda: {"vmlinuz": kernel_without_64bit_entry()}),
    ("corei7_skylake_x", {}, dict),
    ("tigerlake", {"cpuid": "-fsrm"}, dict),
], ids=["corei5_arrandale_m520", "corei7_skylake_x", "tigerlake"])
def test_shell(boot, model, keys, files):
    m = boot(conf(**keys), files(), bootline=CONSOLE, model=model)
    text = linux.boot_to_shell(m)
    assert "Linux version 6." in text and "A guest of AvatarVt-x" in text
    assert "hypervisor" in linux.run(m, "grep -m1 -ow hypervisor /proc/cpuinfo")
    check_warnings(m, model)
    off(m)


def archive_with(path_in_guest, data):
    """The demo's ramdisk with one more file: the kernel unpacks archives that follow each other."""
    with open(os.path.join(GUESTS, "debian", "initrd.img"), "rb") as f:
        initrd = f.read()
    more = mkinitramfs.record(1, path_in_guest, 0o100644, data) + mkinitramfs.record(0, "TRAILER!!!", 0)
    return initrd + bytes(-len(initrd) % 4) + more


def data_arrives(m, data):
    """In the guest the bytes are as they were, and so they are once more when they have gone through its own memory."""
    assert linux.run(m, "sha256sum /root/random", 200).split()[0] == hashlib.sha256(data).hexdigest()
    assert linux.run(m, "cat /root/random /root/random | md5sum", 200).split()[0] == hashlib.md5(data + data).hexdigest()


def pauses(m):
    """Paused, it does nothing and its time stands still; resumed it goes on where it was."""
    before = float(linux.run(m, "cat /proc/uptime").split()[0])
    m.send(b"\x1d")
    m.prompt()
    assert "paused" in m.command("pause linux")
    assert re.search(r"linux +paused", m.command("list"))
    assert m.command("pause linux").startswith("error: ")
    exits = m.command("stats linux")
    m.quiet(5)  # Bochs's clock runs far ahead of ours when nothing runs
    assert m.command("stats linux") == exits
    assert "running" in m.command("resume linux")
    m.console("linux")
    m.send("\r")
    m.expect(linux.SHELL, 30)
    after = float(linux.run(m, "cat /proc/uptime").split()[0])
    assert before <= after < before + 20


def test_data_and_pause(boot):
    """4 MiB of random bytes, a pause, and the power button."""
    data = random.Random(1).randbytes(4 << 20)
    m = boot(conf(linux.QUIET), {"initrd.img": archive_with("root/random", data)}, bootline=CONSOLE)
    linux.boot_to_shell(m)
    data_arrives(m, data)
    pauses(m)
    m.detach()
    assert "power button pressed" in m.command("shutdown linux")
    m.expect("linux: powered off", 120)
    m.prompt()
    assert re.search(r"linux +stopped", m.command("list"))


def test_uefi_and_console(boot):
    """By UEFI (OVMF in Bochs), where firmware left VT-x off and unlocked and tells of no ACPI tables: to a shell, 200 KB out of the
    guest and 200 KB into it, of which none is lost, and off."""
    m = boot(conf(linux.QUIET), bootline=CONSOLE, uefi=True, mem=768)
    linux.boot_to_shell(m, 600)
    expected = "".join("%06d-abcdefghijklmnopqrstuvwxyz\n" % i for i in range(6000))
    m.unread[0] = b""
    m.send("stty -echo; awk 'BEGIN { for (i = 0; i < 6000; i++) printf \"%06d-abcdefghijklmnopqrstuvwxyz\\n\", i }'; "
           "echo E\"\"ND\r")
    out = plain(m.expect(r"END\r", 400))
    assert len(expected) > 200000
    assert out[out.index("000000-"):out.index("END")] == expected

    text = base64.encodebytes(random.Random(2).randbytes(150000))
    assert len(text) > 200000
    m.send("cat > /tmp/in; md5sum < /tmp/in; echo E\"\"ND\r")
    m.quiet(2)
    m.send(text)
    m.send(b"\x04")
    assert hashlib.md5(text).hexdigest() in plain(m.expect("END", 600))
    m.send("stty echo\r")
    m.expect(linux.SHELL, 30)
    off(m)


def test_reboot(boot):
    """The guest's own reboot, a kernel panic that reboots, and the monitor's reset: each leads to a fresh shell."""
    m = boot(conf(linux.QUIET + " panic=-1"), bootline=CONSOLE)
    linux.boot_to_shell(m)
    linux.run(m, "touch /tmp/old")
    m.send("reboot\r")
    m.expect("A guest of AvatarVt-x", 400)  # the old shell shows a prompt once more while the guest goes down
    linux.boot_to_shell(m)
    assert linux.run(m, "ls /tmp").strip() == ""
    m.send("echo c > /proc/sysrq-trigger\r")
    m.expect("Kernel panic - not syncing", 60)
    m.expect("A guest of AvatarVt-x", 400)  # past the call trace
    linux.boot_to_shell(m)
    linux.run(m, "echo be''fore the reset")
    m.detach()
    assert "running" in m.command("reset linux", 60)
    m.console("linux")  # which first repeats what was said before
    m.expect("before the reset.*A guest of AvatarVt-x", 400)
    linux.boot_to_shell(m)
    off(m)
