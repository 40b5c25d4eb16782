"""make run: this terminal is the machine's serial line, keys answer at once, a second is a second, an idle machine leaves the
processor alone, and afterwards the terminal is as it was. Bochs holds its clock back to the wall's for that (sync=slowdown)."""
import re
import time

import linux
from conftest import LINUX_CONF

ECHO = "[vm echo]\nkernel = echo.elf\nmemory = 2M\nautostart = yes\n"
MARK = "[vm mark]\nkernel = hello.elf\nmemory = 2M\n"


def answer_time(m, key, answer):
    """Seconds from a key to its echo."""
    m.pump(0)
    m.unread[0] = b""
    begin = time.monotonic()
    m.send(key)
    m.expect(answer, 20)
    return time.monotonic() - begin


def keys_answer(m, line):
    """Each key is on the screen before a typist would notice; the best of three tries, as the machine may be busy."""
    for key in line:
        assert min(answer_time(m, key, re.escape(key)) for _ in range(3)) < 0.3
    m.send("\x7f" * (3 * len(line)))


def idle_share(m, seconds=5):
    """The part of a processor that is used while nothing happens."""
    before = m.children_seconds()
    m.quiet(seconds)
    return (m.children_seconds() - before) / seconds


def ended(m, words):
    m.expect("run: " + words, 60)
    assert m.process.wait(20) == 0
    assert m.settings() == m.settings_before


def test_leave(boot):
    """Ctrl-A x leaves; Ctrl-A Ctrl-A is a Ctrl-A (which goes to the line's begin)."""
    m = boot.run(ECHO, words=["--emulator", "bochs"])
    m.expect(r"run: \S+ in Bochs \(.*\)\. Ctrl-A x leaves\.", 20)
    m.prompt(60)
    assert m.settings() != m.settings_before
    keys_answer(m, "help")
    m.send("cho moved\x01\x01e\r")
    m.expect(r"\nmoved\r\navatar> ", 20)
    m.console("echo")
    keys_answer(m, "xyz")
    m.detach()
    assert idle_share(m) < 0.5
    m.send("\x01x")
    ended(m, "left by Ctrl-A x")
    assert m.children_seconds() == 0


def test_power_off(boot):
    m = boot.run(ECHO, words=["--emulator", "qemu"])
    m.expect("in QEMU without VT-x", 20)
    m.prompt(60)
    m.send("poweroff\r")
    ended(m, "the machine is off")


# What the monitor does while Linux boots, and at which of its own times. SLEEP is typed into the guest.
SLEEP = r'start mark; send linux \"cat /proc/uptime; sleep %d; cat /proc/uptime; echo WO$((1 + %d))KE\"; ' \
        r'wait linux WO%dKE 60'


def script():
    return 'run="wait linux \\"linux:~# \\" 900; %s; %s; start mark"' % (SLEEP % (0, 0, 1), SLEEP % (10, 1, 2))


def test_linux(boot):
    """A Linux as with the demo. Its clock and the host's agree within 1 % over 10 s, and both with the one on the wall."""
    m = boot.run(LINUX_CONF.replace("ttyS0", "ttyS0 quiet") + MARK, script(), ["--emulator", "bochs"])
    text = linux.plain(m.expect(r"WO2KE.*mark: started.*avatar> ", 900, never=linux.NEVER))
    marks = [float(t) for t in re.findall(r"\[ *([\d.]+)\] mark: started", text)]
    assert len(marks) == 3, text
    none, ten = marks[1] - marks[0], marks[2] - marks[1]
    assert abs(ten - none - 10) < 0.1, marks

    m.console("linux")
    text = linux.plain(m.expect(r"WO2KE\r?\n", 60))
    uptimes = [float(t) for t in re.findall(r"^([\d.]+) [\d.]+$", text, re.M)]
    assert len(uptimes) == 4, text
    none, ten = uptimes[1] - uptimes[0], uptimes[3] - uptimes[2]
    assert abs(ten - none - 10) < 0.1, uptimes
    m.send("\r")
    m.expect(linux.SHELL)
    assert linux.run(m, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip() == "tsc"
    keys_answer(m, "ls")
    m.send("\x15")
    # On a machine that was too slow for the boot, Bochs makes up for it: until then its seconds are shorter.
    for _ in range(100):
        begin = time.monotonic()
        linux.run(m, "sleep 2", 60)
        if time.monotonic() - begin >= 1.98:
            break
    begin = time.monotonic()
    linux.run(m, "sleep 5", 60)
    assert 4.5 < time.monotonic() - begin < 7
    assert idle_share(m) < 0.5
    m.send("poweroff\r")
    m.expect("linux: powered off", 120)
    m.prompt()
    m.send("poweroff\r")
    ended(m, "the machine is off")
