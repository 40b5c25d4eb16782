"""The life of VMs, with tiny guests: steps in and out of order, consoles, resets, restarts, timers, what loaders hand over.
(Guests that do wrong: test_isolation.py. What operators do wrong: test_errors.py.)"""
import re

import pytest

VM = "[vm {name}]\nkernel = {kernel}.elf\nmemory = 8M\n"


def vm(name, kernel, cmdline="", **keys):
    text = VM.format(name=name, kernel=kernel) + ("cmdline = %s\n" % cmdline if cmdline else "")
    return text + "".join("%s = %s\n" % (k.replace("_", "-"), v) for k, v in keys.items())


def state(m, name):
    match = re.search(r"^ *\d+ +%s +(\w+)" % re.escape(name), m.command("list"), re.M)
    return match.group(1) if match else None


def wait_state(m, name, wanted, tries=40):
    for _ in range(tries):
        now = state(m, name)
        if now == wanted:
            return
        m.quiet(0.25)
    m.fail("%s is %s, not %s" % (name, now, wanted))


def is_error(reply):
    return reply.startswith("error: ")


def test_steps(boot):
    """Every step, legal and not; an illegal one changes nothing."""
    m = boot(vm("a", "echo"), mem=128)
    m.prompt()
    assert state(m, "a") == "created"
    for step in ("pause a", "resume a", "shutdown a", "reset a"):
        before = state(m, "a")
        assert is_error(m.command(step)), step
        assert state(m, "a") == before
    m.command("start a")
    assert state(m, "a") == "running"
    m.command('wait a "echo: ready" 10')
    assert is_error(m.command("start a")) and is_error(m.command("resume a"))
    m.command("pause a")
    assert state(m, "a") == "paused"
    assert is_error(m.command("pause a"))
    m.command("resume a")
    m.command('send a "hello"')
    assert not is_error(m.command('wait a "you said: hello" 10'))
    m.command("reset a")
    assert state(m, "a") == "running"
    m.command("destroy a")
    assert state(m, "a") is None
    for step in ("start", "pause", "resume", "reset", "shutdown", "destroy", "console", "regs"):
        assert is_error(m.command(step + " a")), step


def test_console(boot):
    """What a guest printed before is replayed; Ctrl-] leaves; typing reaches the guest."""
    m = boot(vm("a", "echo", autostart="yes"), mem=128)
    m.prompt()
    m.command('wait a "echo: ready" 10')
    m.console("a")
    m.expect("echo: ready", 10)
    m.send("flood 20000\r")
    m.expect(r"flooded 20000 bytes, sum ([0-9a-f]{8})", 60)
    m.detach()
    m.console("a")
    replay = m.expect(r"flooded 20000 bytes", 30)
    assert b"echo: ready" in replay
    m.send("sink 5000\r")
    m.expect("sink ready", 10)
    data = bytes(32 + i % 90 for i in range(5000)).replace(b"\x1d", b"-")
    m.send(data)
    a = b = 0
    for c in data:
        a = (a + c) % 65535
        b = (b + a) % 65535
    m.expect("sank 5000 bytes, sum %04x%04x" % (b, a), 60)


def flooded(out):
    """The pattern of echo.elf's flood and its sum, as received; the sum computed anew."""
    data = re.search(rb"flood \d+\r?\n(.*)\nflooded (\d+) bytes, sum ([0-9a-f]{8})", out.replace(b"\r", b""), re.S)
    a = b = 0
    for c in data.group(1):
        a = (a + c) % 65535
        b = (b + a) % 65535
    return len(data.group(1)), int(data.group(2)), "%04x%04x" % (b, a), data.group(3).decode()


def test_scrollback(boot):
    """What a guest prints while nobody looks is kept up to 64 KiB, and then the last of it."""
    m = boot(vm("a", "echo", autostart="yes"), mem=128)
    m.prompt()
    m.command('wait a "echo: ready" 10')
    for count in (65000, 100000):
        m.command('send a "flood %d"' % count)
        assert m.command('wait a "flooded %d bytes, sum" 120' % count, 120).endswith("found\n")
        m.console("a")
        out = m.expect(r"flooded %d bytes, sum \w+\r?\n" % count, 60)
        m.detach()
        if count == 65000:
            assert flooded(out) == (65000, 65000) + flooded(out)[2:3] * 2
        else:
            assert b"flood 100000" not in out and 65000 < len(out.replace(b"\r", b"")) <= 65536
            # 64 characters to a line's sign, moving on: nothing is missing between the oldest and the newest.
            lines = out.replace(b"\r", b"").split(b"\n")[-3 if out.endswith(b"\n") else -2]
            kept = [99999 - i for i in range(len(lines))][::-1]
            assert lines == bytes(ord(".") if i % 64 == 63 else ord("0") + (i + i // 64) % 75 for i in kept)


@pytest.mark.parametrize("by", ["kbd", "cf9", "port92"])
def test_guest_resets(boot, by):
    """The guest's own ways to reset start it again, whatever `restart` says."""
    m = boot(vm("a", "end", "delay=300 by=" + by), mem=128)
    m.prompt()
    m.command("start a")
    m.command('wait a "end: started" 10')
    m.console("a")
    for _ in range(3):
        m.expect("end: started", 30)


def test_restart(boot):
    """restart = no, on-crash and always, for a crash and for a power-off."""
    names = {"no": "no", "crash": "on-crash", "always": "always"}
    text = ""
    for name, restart in names.items():
        text += vm("c-" + name, "end", "delay=1500 by=triple", restart=restart)
        text += vm("o-" + name, "end", "delay=1500 by=off", restart=restart)
    m = boot(text, mem=256)
    m.prompt()
    for name in names:
        m.command("start c-" + name)
        m.command("start o-" + name)
    expected = {"c-no": False, "o-no": False, "c-crash": True, "o-crash": False, "c-always": True, "o-always": True}
    for _ in range(20):  # six guests with 1,000 ticks a second each keep the machine busy
        m.quiet(4)
        again = {vm_name: int(re.search(r"restarts: (\d+)", m.command("info " + vm_name)).group(1)) > 0 for vm_name in expected}
        if again == expected and state(m, "o-no") == "stopped" and state(m, "o-crash") == "stopped":
            break
    assert again == expected
    assert state(m, "c-no") == "crashed" and state(m, "o-no") == "stopped"


def test_the_end_is_seen_from_the_console(boot):
    """Nothing else happens in the machine: the end alone brings the monitor back."""
    m = boot(vm("a", "end", "delay=300 by=off", autostart="yes"), mem=128, bootline='run="console a"')
    m.expect("a: stopped", 60)
    m.expect("a: powered off", 20)
    m.prompt()


def test_timers(boot):
    """Ticks of the 8254 and of the local APIC, which come at the rate that was asked for."""
    m = boot(vm("pit", "tick", "count=3 hz=100") + vm("lapic", "tick", "lapic count=3 hz=200"), mem=128)
    m.prompt()
    for name in ("pit", "lapic"):
        m.command("start " + name)
        assert not is_error(m.command('wait %s "tick: done" 60' % name, 120))
        m.console(name)
        lines = re.findall(rb"tick (\d+), TSC (\d+)", m.expect("tick: done", 10))
        m.detach()
        assert [int(t) for t, _ in lines] == [100, 200, 300]
        rate = (int(lines[2][1]) - int(lines[0][1])) / 200
        # In Bochs the TSC runs at `ips`.
        assert rate == pytest.approx(20000000 / (100 if name == "pit" else 200), rel=0.01)
        # Counted also where the processor delivers them.
        assert int(re.search(r"exits, (\d+) interrupts", m.command("stats " + name))[1]) >= 300


def test_loader(boot):
    """A Multiboot guest finds its command line, map and modules."""
    text = vm("a", "hello", "one two=2", module="data.bin first module") + "module = data.bin\n"
    m = boot(text, {"data.bin": bytes(range(256)) * 5}, mem=128)
    m.prompt()
    m.command("start a")
    m.command('wait a "hello: done" 10')
    m.console("a")
    out = m.expect("hello: done", 10).decode()
    value = 0
    for byte in bytes(range(256)) * 5:
        value = (value * 31 + byte) & 0xffffffff
    assert "cmdline 'one two=2'" in out
    assert re.search(r"module 0 at 0x\w+, 1280 bytes, sum %08x, 'first module'" % value, out)
    assert re.search(r"module 1 at 0x\w+, 1280 bytes, sum %08x, ''" % value, out)
    assert re.search(r"map 00000000 \+ 0009fc00 type 1", out)
    assert "RAM ends at 0x800000" in out


def test_flat(boot):
    """A flat image of 16-bit code: it prints by the UART, polled."""
    text = b"flat speaks\r\n"
    # mov si, text; next: lodsb; test al, al; jz end; mov ah, al; wait: mov dx, 3fd; in al, dx; test al, 20; jz wait;
    # mov al, ah; mov dx, 3f8; out dx, al; jmp next; end: mov dx, 604; mov ax, 2000; out dx, ax; hlt
    at = 0x7c00
    code = bytes.fromhex("fc" "be0000" "ac" "84c0" "7412" "88c4" "bafd03" "ec" "a820" "74f8" "88e0" "baf803" "ee" "ebe9"
                         "ba0406" "b80020" "ef" "f4")
    code = code[:2] + (at + len(code)).to_bytes(2, "little") + code[4:]
    m = boot("[vm a]\nkernel = flat.bin\nmemory = 1M\nload-address = 0x7c00\n", {"flat.bin": code + text + b"\0"}, mem=128)
    m.prompt()
    m.command("start a")
    assert not m.command('wait a "flat speaks" 10').startswith("error")


def test_many_vms(boot):
    """Two dozen tiny ones all do their work."""
    count = 24
    text = "".join("[vm g%d]\nkernel = hello.elf\nmemory = 2M\nautostart = yes\n" % i for i in range(count))
    m = boot(text, mem=256)
    m.prompt()
    for i in (0, count // 2, count - 1):
        assert not m.command('wait g%d "hello: done" 30' % i, 60).startswith("error")
    assert m.command("list").count("stopped") == count
