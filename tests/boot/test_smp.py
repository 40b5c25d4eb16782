"""The CPUs of the machine: how many come up, in which ways, and what is said of those that do not."""
import json
import re

import pytest


def cpus(m):
    """What `info` says of the CPUs, as records."""
    m.command("json on")
    return json.loads(m.command("info"))["cpus"]


@pytest.mark.parametrize("emulator, count", [("bochs", 1), ("bochs", 2), ("bochs", 4), ("bochs", 8),
                                             ("qemu", 1), ("qemu", 2), ("qemu", 4), ("qemu", 8)])
def test_all_come_up(boot, emulator, count):
    options = {"ips": 10000000} if emulator == "bochs" else {}
    m = boot(conf=None, emulator=emulator, cpus=count, mem=256, bootline="selftest=kick", **options)
    text = m.prompt(90)
    assert "CPUs: %d of %d run\n" % (count, count) in text
    assert "selftest: %d kicks, each woke its CPU" % (100 * (count - 1)) in text


def test_info(boot):
    m = boot(conf=None, emulator="qemu", cpus=4)
    m.prompt()
    text = m.command("info")
    assert "CPUs:      4 of 4 run\n" in text
    assert [c["index"] for c in cpus(m)] == [0, 1, 2, 3]


@pytest.mark.parametrize("words", ["", "nox2apic"])
def test_both_faces_bochs(boot, words):
    """Bochs's processors have x2APIC."""
    m = boot(conf=None, cpus=4, mem=256, ips=10000000, bootline="selftest=kick " + words)
    text = m.prompt(90)
    assert "CPUs: 4 of 4 run\n" in text and "selftest: 300 kicks, each woke its CPU" in text


def test_uefi(boot):
    m = boot(conf=None, emulator="qemu", cpus=4, uefi=True, bootline="selftest=kick")
    text = m.prompt(120)
    assert "CPUs: 4 of 4 run\n" in text and "selftest: 300 kicks, each woke its CPU" in text


def test_without_acpi(boot):
    """Bochs has no ACPI tables under UEFI: the CPUs come by a broadcast."""
    m = boot(conf=None, cpus=2, uefi=True, ips=10000000, bootline="selftest=kick")
    text = m.prompt(180)
    assert "ACPI: no tables" in text
    assert "CPUs: 2 of 2 run\n" in text and "selftest: 100 kicks, each woke its CPU" in text


def test_limit(boot):
    m = boot(conf=None, emulator="qemu", cpus=4, bootline="cpus=2 selftest=kick")
    assert "CPUs: 2 of 4 run\n" in m.prompt()
    records = cpus(m)
    assert [c["state"] for c in records] == ["runs", "runs", "left out", "left out"]
    assert records[3]["why"] == "the boot line says cpus=2"


def test_limit_nonsense(boot):
    m = boot(conf=None, emulator="qemu", cpus=2, bootline="cpus=0")
    text = m.prompt()
    assert "error: boot line: cpus=0 is not a number of CPUs" in text and "CPUs: 2 of 2 run\n" in text


@pytest.mark.parametrize("emulator", ["bochs", "qemu"])
def test_no_answer(boot, emulator):
    """The others go on, with numbers that leave no hole."""
    m = boot(conf=None, emulator=emulator, cpus=4, mem=256, bootline="test-cpu-dead=2 selftest=kick")
    text = m.prompt(90)
    assert "warning: CPU with APIC ID 2 is left out: no answer to INIT and start-up IPI within 1000 ms\n" in text
    assert "CPUs: 3 of 4 run\n" in text and "selftest: 200 kicks, each woke its CPU" in text
    assert [(c["apic_id"], c.get("index")) for c in cpus(m)] == [(0, 0), (1, 1), (2, None), (3, 2)]


@pytest.mark.parametrize("emulator", ["bochs", "qemu"])
def test_differs(boot, emulator):
    m = boot(conf=None, emulator=emulator, cpus=4, mem=256, bootline="test-cpu-differs=1 selftest=kick")
    text = m.prompt(90)
    assert re.search(r"warning: CPU with APIC ID 1 is left out: MSR 0x480 is 0x[0-9a-f]+, on the first CPU 0x[0-9a-f]+\n", text)
    assert "CPUs: 3 of 4 run\n" in text and "selftest: 200 kicks, each woke its CPU" in text
    assert [(c["apic_id"], c.get("index")) for c in cpus(m)] == [(0, 0), (1, None), (2, 1), (3, 2)]


def test_wx_afterwards(boot):
    """The page in which CPUs start is executable, and at a low address, only as long as they do."""
    m = boot(conf=None, emulator="qemu", cpus=4, bootline="selftest=wx")
    text = m.prompt()
    assert text.index("CPUs: 4 of 4 run\n") < text.index("selftest: W^X holds: ")
