"""Machines that cannot run guests say so in words, and the monitor still comes up."""
import re

import pytest


def refused(m, *words):
    text = m.prompt(120)
    for word in words:
        assert re.search(word, text, re.I), word
    assert "help" in m.command("help")
    assert m.command("create x kernel=hello.elf memory=8M").startswith("error: ")
    assert m.command("dmesg 5") != ""
    return text


@pytest.mark.parametrize("model, words", [
    ("p4_prescott_celeron_336", [r"missing +VT-x"]),
    ("core2_penryn_t9600", [r"missing +EPT"]),
    ("corei5_lynnfield_750", [r"missing +unrestricted guest"]),
])
def test_bochs_model(boot, model, words):
    m = boot(None, model=model, mem=256, modules=["hello.elf"])
    refused(m, r"No guest can run", *words)


@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
def test_qemu(boot, uefi):
    m = boot(None, emulator="qemu", uefi=uefi, mem=512, modules=["hello.elf"])
    refused(m, r"missing +VT-x")


def test_qemu_poweroff(boot):
    m = boot(None, emulator="qemu", mem=256)
    m.prompt()
    m.send("poweroff\r")
    assert m.wait(20) == 0


def test_least_cpu(boot):
    """The least processor that must do: it runs a guest."""
    m = boot("[vm a]\nkernel = hello.elf\nmemory = 8M\nautostart = yes\n", model="corei5_arrandale_m520", mem=256)
    m.prompt()
    assert not m.command('wait a "hello: done" 20').startswith("error")


@pytest.mark.parametrize("words", ["noapicv", "novpid", "nopreempt", "nox2apic", "noapicv novpid nopreempt nox2apic"])
def test_without(boot, words):
    """Optional features turned off: the fallbacks work."""
    m = boot("[vm a]\nkernel = tick.elf\ncmdline = lapic count=2\nmemory = 8M\nautostart = yes\n", bootline=words, mem=256)
    m.prompt()
    assert not m.command('wait a "tick: done" 60', 120).startswith("error")


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
    m = boot("[vm a]\nkernel = hello.elf\nmemory = 8M\nautostart = yes\n", uefi=True, mem=768)
    text = m.prompt(200)
    assert re.search(r"VT-x switched on", text)
    assert not m.command('wait a "hello: done" 20').startswith("error")
