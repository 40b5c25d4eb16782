"""The CPUs of the machine: how many come up, in which ways, and what is said of those that do not. And what they do together:
locks, the log, translations, time."""
import json
import re

import pytest

import conftest


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


def test_more_than_can_be_used(boot):
    m = boot(conf=None, emulator="qemu", cpus=65)
    assert "CPUs: 64 of 65 run\n" in m.prompt(120)
    assert cpus(m)[64]["why"] == "no more than 64 CPUs can be used"


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


@pytest.mark.parametrize("emulator", ["bochs", "qemu"])
def test_memory_types_differ(boot, emulator):
    """A CPU whose MTRRs are off gets the first one's."""
    m = boot(conf=None, emulator=emulator, cpus=3, mem=256, bootline="test-mtrr-differs=1")
    text = m.prompt(90)
    said = re.findall(r"\] CPU (\d): IA32_MTRR_DEF_TYPE is 0x([0-9a-f]+), on the first CPU 0x([0-9a-f]+): it has the first", text)
    assert [(int(here, 16) ^ int(first, 16)) & 0x800 for cpu, here, first in said if cpu == "1"] == [0x800]
    assert "CPUs: 3 of 3 run\n" in text


@pytest.mark.parametrize("cpu, words", [("max", "WP NX SMEP SMAP UMIP"), ("qemu64", "WP NX")])
def test_protection(boot, cpu, words):
    """What the processor has is on, on every CPU."""
    m = boot(conf=None, emulator="qemu", cpu=cpu, cpus=2)
    m.prompt()
    assert "\nprotection: %s\n" % words in m.command("info")
    assert [c["protection"] for c in cpus(m)] == [words, words]


def test_wx_afterwards(boot):
    """The page in which CPUs start is executable, and at a low address, only as long as they do."""
    m = boot(conf=None, emulator="qemu", cpus=4, bootline="selftest=wx")
    text = m.prompt()
    assert text.index("CPUs: 4 of 4 run\n") < text.index("selftest: W^X holds: ")


def selftest(boot, name, words="", **options):
    """Boot with a selftest; returns what it says at its end. Two CPUs of QEMU run in parallel on two cores."""
    options = dict({"emulator": "qemu", "cpus": 2, "mem": 256}, **options)
    m = boot(conf=None, bootline="selftest=%s %s" % (name, words), **options)
    text = m.prompt(120)
    return re.findall(r"\] selftest: ([^\n]*)\n", text)[-1], text, m


@pytest.mark.parametrize("cpus", [2, 4])
def test_locks(boot, cpus):
    said, _, _ = selftest(boot, "locks", cpus=cpus)
    assert re.fullmatch(r"%d CPUs counted to \d+, and allocated \d+ times" % cpus, said)


def test_locks_with_checks(boot, debug_elf, monkeypatch):
    monkeypatch.setattr(conftest, "ELF", debug_elf)
    said, _, _ = selftest(boot, "locks")
    assert re.fullmatch(r"2 CPUs counted to \d+, and allocated \d+ times", said)


@pytest.mark.parametrize("name, words", [
    ("lock-order", r"lock outer \(0x[0-9a-f]+\) is taken while holding lock inner"),
    ("lock-twice", r"lock outer \(0x[0-9a-f]+\) is taken by the CPU that holds it"),
    ("lock-other", r"lock inner \(0x[0-9a-f]+\) is released by a CPU that does not hold it"),
    ("lock-nmi", r"lock inner \(0x[0-9a-f]+\) is taken by an NMI handler"),
])
def test_lock_rules(boot, debug_elf, monkeypatch, name, words):
    monkeypatch.setattr(conftest, "ELF", debug_elf)
    m = boot(conf=None, bootline="selftest=" + name, emulator="qemu", cpus=2)
    assert re.search(r"PANIC on CPU \d: assertion failed: " + words, m.expect("the machine is stopped", 60).decode())


def test_log(boot):
    """Lines of all CPUs reach the serial line, in one order, which is the ring's; none is lost there."""
    said, text, m = selftest(boot, "log", cpus=2)
    assert said == "200 lines logged"
    lines = re.findall(r"\n(\[[^\n]*\] selftest: CPU \d says \d+)", text)
    for cpu in range(2):
        mine = [line for line in lines if "CPU %d says" % cpu in line]
        assert [int(line.rsplit(" ", 1)[1]) for line in mine] == list(range(100))
    assert re.findall(r"(\[[^\n]*\] selftest: CPU \d says \d+)", m.command("dmesg")) == lines


def test_stale_translations(boot):
    said, _, _ = selftest(boot, "tlb", cpus=4)
    assert said == "100 mappings taken away, none seen any more"


@pytest.mark.parametrize("emulator, cpus", [("qemu", 2), ("qemu", 4), ("bochs", 2)])
def test_time_goes_forward(boot, emulator, cpus):
    said, _, _ = selftest(boot, "tsc", emulator=emulator, cpus=cpus)
    assert said == "time did not go back in 5000 turns with each of %d CPUs" % (cpus - 1)


@pytest.mark.parametrize("model", ["corei7_skylake_x", "corei7_sandy_bridge_2600k"])
def test_skewed_tsc(boot, model):
    """With IA32_TSC_ADJUST and without."""
    said, text, m = selftest(boot, "tsc", "test-tsc-skew=100000", emulator="bochs", ips=10000000, model=model)
    was, now = re.search(r"CPU 1: TSC was ([+-]\d+) ticks off, now ([+-]\d+)\n", text).groups()
    assert abs(int(was) - 100000) < 1000 and now == "+0"
    assert said.startswith("time did not go back")
    assert cpus(m)[1]["tsc_delta"] == 0
