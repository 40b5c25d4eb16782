"""What the host does when it breaks itself: each selftest= provokes one thing, and the panic screen has to name it. And what
it says of processors that cannot run it."""
import re

import pytest

from machine import plain

STOPPED = "the machine is stopped"

# selftest= -> what the message says, and where the backtrace leads.
PANICS = [
    ("panic", r"asked for by the boot line", "test_panic"),
    ("assert", r"assertion failed: rdtsc\(\) == 0", "test_assert"),
    ("read", r"page fault \(#PF\): read from 0000000000000010 at [0-9a-f]{16}: nothing is mapped there", "test_read"),
    ("write-text", r"page fault \(#PF\): write to [0-9a-f]{16} at [0-9a-f]{16}: the page does not allow it", "test_write_text"),
    ("execute-data", r"page fault \(#PF\): execution of ([0-9a-f]{16}) at \1: the page does not allow it", "test_execute_data"),
    ("stack-overflow", r"stack overflow: the main stack reached its guard page at [0-9a-f]{16}", "dig"),
    ("stack-smash", r"stack smashed in 0x[0-9a-f]{16}", "test_stack_smash"),
    ("divide", r"divide error \(#DE\) at [0-9a-f]{16}, error code 0x0", "test_divide"),
]


def check_screen(text, message, function):
    screen = text[text.index("last messages:"):]
    assert re.search(r"^PANIC on CPU 0: %s$" % message, screen, re.M), screen
    assert re.search(r"^\[ *[-\d]+\.[-\d]+\] selftest: ", screen, re.M), screen
    assert re.search(r"^cr0 [0-9a-f]{8}  cr2 [0-9a-f]{16}  cr3 [0-9a-f]{16}  cr4 [0-9a-f]{8}$", screen, re.M), screen
    names = re.findall(r"^  [0-9a-f]{16}  (\w+)\+0x[0-9a-f]+$", screen, re.M)
    assert re.fullmatch(function, names[names[0] in ("assert_failed", "__stack_chk_fail")]), screen
    # Followed to its end, or as far as is shown, unless the return addresses are what is broken.
    assert names[-1] == "kernel_entry" or len(names) > 11 or function == "test_stack_smash", screen


@pytest.mark.parametrize("name, message, function", PANICS, ids=[p[0] for p in PANICS])
def test_panic_qemu(boot, name, message, function):
    m = boot(conf=None, bootline="selftest=" + name, emulator="qemu")
    check_screen(plain(m.expect(STOPPED)), message, function)


@pytest.mark.parametrize("model", ["p4_prescott_celeron_336", "corei7_skylake_x"])
def test_stack_overflow_bochs(boot, model):
    m = boot(conf=None, bootline="selftest=stack-overflow", model=model, mem=128)
    text = plain(m.expect(STOPPED))
    check_screen(text, PANICS[5][1], "dig")
    assert text.count("dig+") > 8


def test_msr_bochs(boot):
    """With ignore_bad_msrs=0 a register that is missing is a #GP."""
    m = boot(conf=None, bootline="selftest=msr", mem=128)
    assert "read refused, write refused; address that is not canonical: refused; 3 faults mended" in m.prompt()


@pytest.mark.parametrize("emulator, mem", [("qemu", 128), ("qemu", 6000), ("bochs", 512)])
def test_wx(boot, emulator, mem):
    m = boot(conf=None, bootline="selftest=wx", emulator=emulator, mem=mem)
    assert re.search(r"W\^X holds: \d+ pages executable, \d+ writable, \d+ read-only", m.prompt())


def test_percpu_area(boot):
    m = boot(conf=None, bootline="selftest=percpu", emulator="qemu")
    assert "the area of a second CPU is made, guarded and given back" in m.prompt()


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_panic_shows_all_cpus(boot, emulator):
    m = boot(conf=None, bootline="selftest=panic-ap", emulator=emulator, cpus=4, mem=256)
    text = plain(m.expect(STOPPED, 90))
    screen = text[text.index("last messages:"):]
    assert screen.count("\nPANIC on CPU 1: asked for by the boot line\n") == 2  # before the other CPUs, and behind
    for cpu, function in ((0, "(smp_wait|smp_run|test_panic_ap)"), (2, "cpu_sleep_done"), (3, "cpu_sleep_done")):
        assert re.search(r"^CPU %d: rsp [0-9a-f]{16}  rflags [0-9a-f]{8}\n  [0-9a-f]{16}  %s\+0x" % (cpu, function),
                         screen, re.M), screen
    assert re.search(r"^backtrace:\n  [0-9a-f]{16}  panic_here\+0x[0-9a-f]+\n  [0-9a-f]{16}  ap_entry\+0x", screen, re.M), screen


def test_panic_shows_a_cpu_in_a_guest(boot):
    """The guest has interrupts off and never leaves by itself."""
    m = boot(conf="[vm spin]\nkernel = end.elf\ncmdline = by=spin\nmemory = 4M\npin = 1\nautostart = yes\n", cpus=2, mem=128)
    m.prompt()
    m.send("panic\r")
    text = plain(m.expect(STOPPED, 60))
    assert re.search(r"^CPU 1: rsp [0-9a-f]{16}  rflags [0-9a-f]{8}\n  [0-9a-f]{16}  (vcpu_hw_host_event|exit_exception)\+0x",
                     text, re.M), text


def test_second_panic_waits(boot):
    """A CPU that panics while another one does, and that no NMI reaches, says its word on the other's screen."""
    m = boot(conf=None, bootline="selftest=panic-two", emulator="qemu", cpus=2)
    text = plain(m.expect(STOPPED, 60))
    assert text.count("PANIC on CPU 1: asked for by the boot line\n") == 2 and "PANIC on CPU 0" not in text
    assert re.search(r"\nCPU 0: rsp [^\n]*\n  panics too: asked for too\n  [0-9a-f]{16}  panic_second\+0x", text), text
    m.quiet(1)
    assert "PANIC" not in plain(m.unread[0])


def test_unknown_selftest(boot):
    m = boot(conf=None, bootline="selftest=nonsense", emulator="qemu")
    assert "error: boot line: there is no selftest=nonsense" in m.prompt()


@pytest.mark.parametrize("cpu, words", [
    ("qemu64,-nx", r"needs no-execute pages: NX is missing \(CPUID\.80000001H:EDX is 0x[0-9A-F]{8}, bit 20 is 0\)"),
    ("max,-lm", r"needs a 64-bit processor: long mode is missing \(CPUID\.80000001H:EDX is 0x[0-9A-F]{8}, bit 29 is 0\)"),
    ("pentium3", r"needs a 64-bit processor: the highest extended CPUID leaf is 0x[0-9A-F]{8}"),
])
def test_refused_processor(boot, cpu, words):
    m = boot(conf=None, emulator="qemu", cpu=cpu)
    m.expect("AvatarVt-x " + words, 20)
