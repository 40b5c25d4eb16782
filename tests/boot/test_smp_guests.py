"""Guests with several CPUs on machines with several CPUs: our own, which looks at one thing after the other, and Linux."""
import json
import os
import re
import subprocess

import pytest

import linux
from conftest import GUESTS, LINUX_CONF
from machine import plain

SMP = os.path.join(GUESTS, "smp.elf")
LOAD = os.path.join(GUESTS, "linux", "load")
WORK = os.path.join(GUESTS, "linux", "work")
LOAD_INITRD = os.path.join(GUESTS, "linux", "initrd-load.img")
# What Linux says when a CPU does not get on, or its clock does not.
STALLS = r"rcu.*(stall|detected)|soft lockup|hard LOCKUP|hung task|blocked for more|Clocksource .*unstable|TSC warp|NMI received for unknown"


def judge(text):
    """All that the SMP guest said: its items passed, and each face of the APIC was tried."""
    bad = [line for line in text.splitlines() if re.match(r"smp: (FAIL|\w[\w-]* x2?apic, CPU)", line)]
    assert not bad, "\n".join(bad)
    assert re.search(r"smp: done, (1[3-9]|[23]\d) passed, 0 failed", text), text


def figures(text):
    return {name: int(value) for name, value in re.findall(r"smp: figure (\S+) (\d+)", text)}


def test_native_qemu(boot):
    """What the guest asks for is what a machine does, with CPUs that really run side by side. (Their TSCs differ there.)"""
    m = boot.qemu_kernel(SMP, "cpus=4 notsc", cpus=4, mem=64)
    judge(plain(m.expect(r"smp: done[^\n]*\n", 120)))


def test_native_bochs(boot):
    m = boot.native("multiboot /boot/smp.elf cpus=4\n", {"smp.elf": SMP}, cpus=4, mem=64)
    text = plain(m.expect(r"smp: done[^\n]*\n", 300))
    judge(text)
    assert "PASS self-ipi x2apic" in text and "PASS tsc xapic" in text


SPIN = "[vm spin]\nkernel = end.elf\ncmdline = by=spin\nmemory = 4M\npin = 1\nautostart = yes\n"
# From the command until the virtual CPU is out: the NMI, the exit, the way out of the loops. A slice has 200,000 ticks.
KICK_TICKS = 30000


@pytest.mark.parametrize("words", ["", "nopreempt"])
def test_kick(boot, words):
    """A guest that spins with interrupts off leaves by a kick at once; without a preemption timer it leaves by nothing else."""
    m = boot(SPIN, cpus=2, mem=128, bootline=words)
    m.prompt()
    m.command("json on")
    took, last = [], []
    for _ in range(10):
        assert json.loads(m.command("pause spin"))["ok"]
        took.append(json.loads(m.command("info"))["last_command_ticks"])
        last += json.loads(m.command("trace spin 1"))["output"]
        assert json.loads(m.command("resume spin"))["ok"]
    assert max(took) < KICK_TICKS, took
    # The end of a slice may have come just before.
    assert sum("NMI" in line for line in last) > (9 if words else 5), last


def run_items(boot, vcpus, cpus, words=""):
    conf = "[vm smp]\nkernel = smp.elf\ncmdline = cpus=%d %s\nmemory = 32M\ncpus = %d\n" % (vcpus, words, vcpus)
    m = boot(conf, cpus=cpus, mem=128)
    m.prompt()
    m.command("start smp")
    m.console("smp")
    text = plain(m.expect(r"smp: done[^\n]*\n", 1200))
    judge(text)
    return figures(text)


@pytest.mark.parametrize("vcpus, cpus", [(4, 2)])
def test_items(boot, vcpus, cpus):
    run_items(boot, vcpus, cpus)


def test_nmi_turns(boot):
    """NMIs to virtual CPUs that take turns on one CPU, some of them while they are in the handler of another NMI."""
    conf = "[vm smp]\nkernel = smp.elf\ncmdline = cpus=6 only=7\nmemory = 32M\ncpus = 6\n"
    m = boot(conf, mem=128, bootline='run="start smp; console smp"')
    text = plain(m.expect(r"smp: done[^\n]*\n", 120))
    assert "PASS nmi xapic" in text and "PASS nmi x2apic" in text and " 0 failed" in text, text


@pytest.mark.soak
@pytest.mark.parametrize("vcpus, cpus", [(1, 1), (4, 1), (8, 1), (2, 2), (8, 2), (4, 4), (8, 4), (8, 8)])
def test_items_all(boot, figure, vcpus, cpus):
    for name, ticks in run_items(boot, vcpus, cpus).items():
        figure(name, ticks)


@pytest.mark.soak
@pytest.mark.parametrize("vcpus, cpus", [(2, 2), (4, 4)])
def test_items_long(boot, vcpus, cpus):
    """The same with many more rounds of each, every virtual CPU having one of its own."""
    run_items(boot, vcpus, cpus, "rounds=5000")


def native(*command):
    """What a program of ours says on the machine that we run on."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout


def sum_of(text):
    return re.search(r"OK sum=([0-9a-f]{16})", text).group(1)


def linux_conf(vcpus, memory="256M"):
    return LINUX_CONF.replace("console=ttyS0", linux.QUICK).replace("256M", memory).replace("= 1", "= %d" % vcpus)


def run_load(m, vcpus, seconds):
    """All CPUs are there; the load's sums are what they are elsewhere; nobody complains."""
    linux.boot_to_shell(m, 800)
    assert linux.run(m, "nproc").strip() == str(vcpus)
    assert linux.run(m, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip() == "tsc"
    text = linux.run(m, "load %d 4" % seconds, 3600)
    assert sum_of(text) == sum_of(native(LOAD, "0", "4")), text
    text += linux.run(m, "work", 1200)
    assert sum_of(text[text.index("work:"):]) == sum_of(native(WORK)), text
    log = linux.run(m, "dmesg", 120)
    assert not re.search(STALLS, log), log
    return text


def run_linux(boot, vcpus, cpus, seconds):
    m = boot(linux_conf(vcpus), {"initrd.img": LOAD_INITRD}, bootline='run="console linux"', cpus=cpus)
    return run_load(m, vcpus, seconds)


@pytest.mark.parametrize("vcpus, cpus", [(4, 2)])
def test_linux(boot, vcpus, cpus):
    run_linux(boot, vcpus, cpus, 1)


@pytest.mark.soak
@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("vcpus", [1, 2, 4, 8])
def test_linux_all(boot, figure, vcpus, cpus):
    """60 s of the guest's time where twice as many virtual CPUs share several CPUs, 10 elsewhere."""
    seconds = 60 if vcpus == 2 * cpus > 2 else 10
    text = run_linux(boot, vcpus, cpus, seconds)
    figure("seconds", seconds)
    figure("rounds", int(re.search(r"rounds=(\d+)", text).group(1)))
    figure("work, M ticks", int(re.search(r"work: OK sum=\w+ tsc=(\d+)", text).group(1)) // 1000000)
