"""The first screen: what the machine lacks is said in words, with the bit that says so, and the monitor works on any of them.
Where a processor has enough, guests run, whatever optional part is missing or taken away by the boot line."""
import re

import pytest

TICK = """\
[vm tick]
kernel    = tick.elf
cmdline   = count=0 every=1 hz=100 %s
memory    = 16M
autostart = yes
"""


def refused(m):
    """The words of the refusal; all that the operator can do without guests is tried on the way."""
    text = m.prompt(180)
    reasons = re.findall(r"No guest can run: (.*)", text)
    assert "cannot run, see `info preflight`" in m.command("info")
    assert [re.search(re.escape(r[:40]), m.command("info preflight")) for r in reasons]
    assert "No guest can run" in m.command("dmesg")
    assert "poweroff" in m.command("help") and "switch the machine off" in m.command("help poweroff")
    assert m.command("start tick").startswith("error: ")
    assert m.command("create x kernel=tick.elf") == "error: this machine cannot run VMs: see `info preflight`\n"
    assert m.command("list") == "no VMs\n"
    return reasons


def poweroff(m):
    m.send("poweroff\r")
    m.expect("switching the machine off", 20)
    assert m.wait(60) is not None, "it is still on"


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "ovmf"])
def test_no_vtx_qemu(boot, uefi):
    m = boot(conf=TICK % "", emulator="qemu", uefi=uefi, mem=256)
    reasons = refused(m)
    assert len(reasons) == 1 and reasons[0].startswith("VT-x is required and missing (CPUID.1:ECX[5])"), reasons
    assert "Intel Virtualization Technology" in m.command("info preflight")
    poweroff(m)


def test_reboot_qemu(boot):
    """-no-reboot: QEMU ends where a machine would start again."""
    m = boot(conf=None, emulator="qemu", mem=256)
    m.prompt()
    m.send("reboot\r")
    m.expect("restarting the machine", 20)
    assert m.wait(30) == 0


# Model, and what the refusal begins with.
POOR = [
    ("p4_prescott_celeron_336", "VT-x is required and missing (CPUID.1:ECX[5])"),
    ("core2_penryn_t9600", "EPT is required and missing (MSR 0x48b bit 33)"),
    ("corei5_lynnfield_750", "unrestricted guest is required and missing (MSR 0x48b bit 39)"),
]


@pytest.mark.parametrize("model,words", POOR, ids=[m for m, _ in POOR])
def test_poor_bochs(boot, model, words):
    m = boot(conf=TICK % "", model=model, mem=128)
    reasons = refused(m)
    assert any(r.startswith(words) for r in reasons), reasons
    poweroff(m)


def test_locked_off(boot):
    m = boot(conf=TICK % "", bootline="test-featurectl-locked", mem=128)
    reasons = refused(m)
    assert len(reasons) == 1, reasons
    assert reasons[0].startswith("VT-x switched on is required and missing (MSR 0x3a = 0x1: firmware has locked VT-x off)")
    assert "usually called: Intel Virtualization Technology, VT-x" in m.command("info preflight")
    poweroff(m)


def ticks_well(m, name="tick", count=5):
    """The guest's timer interrupts come, and its time goes on while it halts."""
    m.send("wait %s \"tick %d,\" 60\r" % (name, count))
    assert "found" in m.prompt(120)
    assert "running" in m.command("list")


# Model, boot line, and what pre-flight says about it.
RICH = [
    ("corei5_arrandale_m520", "", r"missing +APIC-register virtualization.*APIC reads are exits"),
    ("corei7_skylake_x", "", r"this is Bochs, .*APIC virtualization is off(?s:.*)missing +virtual-interrupt delivery"),
    ("corei7_skylake_x", "apicv", r"found +virtual-interrupt delivery"),
    ("corei7_skylake_x", "noapicv", r"missing +virtual-interrupt delivery.*taken away by the boot line; each EOI is an exit"),
    ("corei7_skylake_x", "novpid", r"missing +VPID.*taken away by the boot line; each exit drops cached translations"),
    ("corei7_skylake_x", "nopreempt", r"missing +preemption timer.*taken away by the boot line"),
    ("corei7_skylake_x", "no1g noeptad noxsave nox2apic notscdeadline", r"missing +EPT 1 GiB pages.*taken away"),
    ("tigerlake", "noapicv novpid nopreempt", r"missing +VPID"),
]


@pytest.mark.parametrize("model,words,says", RICH, ids=[" ".join(filter(None, r[:2])).replace(" ", "-") for r in RICH])
def test_guest_runs(boot, model, words, says):
    m = boot(conf=TICK % "" + "\n" + (TICK % "lapic").replace("[vm tick]", "[vm lapic]"), bootline=words, model=model, mem=128)
    text = m.prompt()
    assert re.search(says, text), text
    assert "No guest can run" not in text and "can run" in m.command("info")
    ticks_well(m)
    ticks_well(m, "lapic")
    poweroff(m)


def test_busy_without_timer(boot):
    """No preemption timer: a guest that computes for ever leaves the CPU by the local APIC's timer all the same."""
    m = boot("[vm busy]\nkernel = end.elf\ncmdline = by=busy\nmemory = 8M\n[vm tick]\nkernel = tick.elf\n"
             "cmdline = lapic count=2\nmemory = 8M\n", bootline="nopreempt", mem=256)
    m.prompt()
    m.command("start busy")
    m.command("start tick")
    assert not m.command('wait tick "tick: done" 60', 120).startswith("error")
    assert "external interrupt" in m.command("stats busy")


def test_bochs_uefi(boot):
    """OVMF in Bochs: no ACPI tables, VT-x left off and unlocked by firmware."""
    m = boot(conf=TICK % "", uefi=True, mem=768)
    assert re.search(r"VT-x switched on", m.prompt(300))
    ticks_well(m)
