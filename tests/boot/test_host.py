"""The host kernel by itself: where it can be loaded, and what it does when it breaks."""
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


PANICS = {
    "panic": r"PANIC on CPU 0: asked for by the boot line",
    "assert": r"PANIC on CPU 0: assertion failed: rdtsc\(\) == 0 \(kernel/main_selftest\.c:\d+\)",
    "read": r"PANIC on CPU 0: page fault \(#PF\)",
    "write-text": r"PANIC on CPU 0: page fault \(#PF\)",
    "execute-data": r"PANIC on CPU 0: page fault \(#PF\)",
    "stack-overflow": r"PANIC on CPU 0: .*stack",
    "stack-smash": r"PANIC on CPU 0: stack smashed",
    "divide": r"PANIC on CPU 0: divide error \(#DE\)",
}

FRAME_OF = {"divide": "test_divide", "read": "test_read", "write-text": "test_write_text", "panic": "test_panic",
            "stack-overflow": "dig"}


@pytest.mark.parametrize("name", sorted(PANICS))
def test_panic_screen(boot, name):
    """Each way to break ends in a panic screen with registers and names."""
    m = boot(conf=None, mem=128, bootline="selftest=" + name, emulator="qemu")
    text = m.expect("the machine is stopped", 30).decode()
    assert re.search(PANICS[name], text), text[-3000:]
    assert re.search(r"backtrace:\s+[0-9a-f]{16}  [a-z_]+\+0x", text)
    if name in FRAME_OF:
        assert FRAME_OF[name] + "+0x" in text


@pytest.mark.parametrize("name", ["msr", "wx", "percpu"])
@pytest.mark.parametrize("model", ["corei7_skylake_x", "corei5_arrandale_m520"])
def test_holds(boot, name, model):
    m = boot(conf=None, mem=128, bootline="selftest=" + name, model=model)
    m.expect(r"selftest: (missing MSR|W\^X holds|the area of a second CPU)", 30, never="PANIC")
    m.prompt(30)


@pytest.mark.parametrize("words", ["nox2apic", "notscdeadline", "nox2apic notscdeadline"])
def test_other_timers(boot, words):
    """The local APIC in its other face, and its timer without TSC deadline, keep an idle machine's time."""
    m = boot(conf=None, mem=128, bootline=words)
    m.prompt(30)
    assert "AvatarVt-x" in m.command("info")
