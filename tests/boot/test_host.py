"""The host kernel by itself: where it can be loaded, and what it does without its processor's best features."""
import re
import struct

import pytest

import conftest

TAG_RELOCATABLE = 10
LOWEST, HIGHEST = 1, 2


def elf_with_preference(path, preference):
    """A copy of our image whose relocatable tag asks for another place."""
    with open(conftest.ELF, "rb") as f:
        image = bytearray(f.read())
    header = image.find(struct.pack("<II", 0xe85250d6, 0))
    at = header + 16
    while True:
        kind, _, size = struct.unpack_from("<HHI", image, at)
        assert kind != 0, "there is no relocatable tag"
        if kind == TAG_RELOCATABLE:
            break
        at += (size + 7) & ~7
    struct.pack_into("<I", image, at + 20, preference)
    with open(path, "wb") as f:
        f.write(image)


@pytest.mark.parametrize("emulator", ["bochs", "qemu"])
@pytest.mark.parametrize("preference", [LOWEST, HIGHEST])
def test_relocated(boot, tmp_path, monkeypatch, emulator, preference):
    elf = str(tmp_path / "avatar.elf")
    elf_with_preference(elf, preference)
    monkeypatch.setattr(conftest, "ELF", elf)
    m = boot(conf=None, emulator=emulator, mem=256)
    base = int(re.search(r"image at (0x[0-9a-f]+)", m.prompt(60)).group(1), 16)
    assert base % (2 << 20) == 0
    if preference == LOWEST:
        assert base < 16 << 20
    else:
        assert base > 128 << 20


@pytest.mark.parametrize("words", ["nox2apic", "notscdeadline", "nox2apic notscdeadline"])
def test_other_timers(boot, words):
    """The local APIC in its other face, and its timer without TSC deadline, keep an idle machine's time."""
    m = boot(conf=None, mem=128, bootline=words)
    m.prompt(30)
    assert "AvatarVt-x" in m.command("info")


def test_no_serial_port(boot):
    """Nobody can type there, but run= is carried out to its end, and the log is on the screen and on port 0xe9."""
    log = "debugcon.txt"
    m = boot(conf=None, emulator="qemu", mem=128, coms=0, bootline='run="echo begin; info; echo end; poweroff"',
             args=["-serial", "none", "-debugcon", "file:" + log])
    assert m.wait(60) == 0, "the machine is not switched off"
    assert "no serial port at 0x3f8" in m.tail(log, 20000)
