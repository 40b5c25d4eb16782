"""A guest gets at nothing that is not its own, and one that goes wrong stops alone: with a post-mortem that says what it did,
while the others and the monitor go on."""
import re

import pytest

from machine import plain

TICK = """\
[vm tick]
kernel    = tick.elf
cmdline   = count=0 every=10
memory    = 16M
autostart = yes
"""


def vm(name, kernel, cmdline, more=""):
    return "\n[vm %s]\nkernel = %s.elf\ncmdline = %s\nmemory = 16M\n%s\n" % (name, kernel, cmdline, more)


def exits(m):
    """Exits and state of each VM."""
    return {n: (s, int(e)) for n, s, e in re.findall(r"^ *\d+  (\S+) +(\w+) +\d+ +[\d.]+ \w+ +(\d+)", m.command("list"), re.M)}


def goes_on(m, name, before):
    """The VM runs, and has gone on since `before` = exits(m)."""
    for _ in range(20):
        now = exits(m)
        if now[name][1] > before[name][1]:
            break
        m.quiet(0.5)
    assert now[name][0] == "running" and now[name][1] > before[name][1], (before, now)


HOSTILE_SAYS = [
    # No VMX, no SMM, no SVM, nothing of the host: #UD. (rdtscp and the like are the guest's own.)
    r"hostile: vmxon: vector 6\n", r"hostile: vmlaunch: vector 6\n", r"hostile: vmread: vector 6\n",
    r"hostile: vmfunc: vector 6\n", r"hostile: rsm: vector 6\n", r"hostile: encls: vector 6\n",
    r"hostile: rdpmc: vector 13\n", r"hostile: sysenter: vector 13\n", r"hostile: ltr: vector 13\n",
    r"hostile: instructions: 40 tried\n",
    r"hostile: debug traps: 5, 0 too late, .*DR7 0x400\n",
    r"hostile: registers: \d+ values taken, \d+ refused\n",
    r"hostile: msrs: \d{5} tried, \d\d readable, \d\d took a write, 0 faults other than #GP\n",
]


@pytest.mark.parametrize("part,says", [
    ("instructions registers msrs", HOSTILE_SAYS),
    # Each port with each size. The ports of the guest's own board answer, no others.
    ("ports", [r"hostile: ports: 1\d{5} read, \d{1,3} of them answered, 1\d{5} written\n"]),
    # 128: the ROM area's pages, twice; then the I/O APIC's.
    ("memory", [r"hostile: memory: \d{4} addresses touched, \d+ faults, 13\d answered, 40 physical bits\n"]),
    # From 64-bit code: at each GiB from 4 to 1024, and MSRs far from all that there are.
    ("long", [r"hostile: long: 2040 places touched, 0 faults, 0 answered, 0 faults other than #PF\n",
              r"hostile: long: 17471 MSRs tried, 0 readable, 0 took a write, 0 faults other than #GP\n",
              r"hostile: long: 7 MSRs for addresses, 7 readable, 0 took what is not canonical\n"]),
], ids=["cpu", "ports", "memory", "long"])
def test_hostile(boot, part, says):
    m = boot(conf=TICK + vm("hostile", "hostile", part, "unmapped = ones"), mem=128)
    m.prompt()
    before = exits(m)
    m.command("start hostile")
    assert m.command('wait hostile "hostile: done" 600', 400).endswith("found\n")
    goes_on(m, "tick", before)
    m.console("hostile")
    text = plain(m.expect("hostile: done"))
    m.detach()
    for words in says:
        assert re.search(words, text), text
    assert "trap: " not in text
    assert exits(m)["hostile"][0] == "stopped"


# VM, command line of end.elf, why it stopped, the last exit in words.
WRONGDOERS = [
    ("triple", "by=triple", r"triple fault at RIP 0x10[0-9a-f]{4}: an exception whose handler.*could not be called", "triple fault"),
    ("stray", "by=stray gpa=0x20000000", r"read of guest-physical address 0x20000000, where the guest has neither memory nor a device",
     "read at gpa 0x20000000: nothing is mapped there"),
    ("far", "by=stray gpa=0xb0000000", r"read of guest-physical address 0xb0000000, where", "read at gpa 0xb0000000"),
    ("jump", "by=jump gpa=0x20000000", r"execution at guest-physical address 0x20000000: an address that holds no memory", "gpa 0x20000000"),
    ("tables", "by=tables gpa=0x20000000", r"\w+ \w+ guest-physical address 0x20000000: an address outside its memory, where its page tables lead",
     "gpa 0x20000000"),
    ("odd", "by=odd gpa=0xfec00000", r"instruction at 0x10[0-9a-f]{4} that touched gpa 0xfec00000 is not emulated: d9 00", "gpa 0xfec00000"),
    ("ud", "by=ud", r"triple fault at RIP 0x10[0-9a-f]{4}", "triple fault"),
]


def check_postmortem(text, name, reason, last_exit):
    """The log from CRASHED on."""
    assert re.search(r"error: %s: CRASHED: %s" % (name, reason), text), text
    body = text[text.index("post-mortem of %s: " % name):]
    body = body[:body.index("end of post-mortem")]
    for words in (r" rax=[0-9a-f]{16} rcx=", r" rip=[0-9a-f]{16} rflags=[0-9a-f]{8}", r" cr0=[0-9a-f]{16} cr2=", r" cr3=",
                  r" efer=0 ", r" cs   0008 base=0000000000000000 limit=ffffffff access=c09b", r" gdtr +base=", r" tr   0000",
                  r"code at linear 00000000001[0-9a-f]{5}|code at linear 0000000020000000", r"last 32 of \d+ exits:"):
        assert re.search(words, body), words + " is missing in\n" + body
    if name not in ("tables", "jump"):
        assert re.search(r"gpa 000000[0-9a-f]{6} -> hpa [0-9a-f]{12}  \(\d+ [KM]iB page, rwx, WB\)", body), body
        assert re.search(r" 000000000010[0-9a-f]{4}  ([0-9a-f]{2} ){16}", body), body
    recorded = re.findall(r" us  rip [0-9a-f]{16}  (.*)", body)
    assert len(recorded) == 32 and last_exit in recorded[-1], body
    assert any("write to port 0x3f8, 1 byte" in r for r in recorded)


def test_wrongdoers(boot):
    """One after another, beside one that goes on; then each is started again, and destroyed; no page is lost."""
    conf = TICK + vm("echo", "echo", "", "autostart = yes") + "".join(vm(n, "end", c) for n, c, _, _ in WRONGDOERS)
    m = boot(conf=conf, mem=512)
    m.prompt()
    for name, _, reason, last_exit in WRONGDOERS:
        before = exits(m)
        m.command("start " + name)
        text = plain(m.expect("end of post-mortem", 60))
        check_postmortem(text, name, reason, last_exit)
        assert re.search(r" %s +crashed .*%s" % (name, reason), m.command("list"))
        assert re.search(r"crashed: +" + reason, m.command("info " + name))
        goes_on(m, "tick", before)
    # The log has it all for later; registers and recorder of the dead can still be looked at.
    assert "CRASHED" in m.command("dmesg")
    assert "=> int3" in m.command("regs triple") and "triple fault" in m.command("trace triple 1")
    assert "not mapped to RAM" in m.command("x jump 0x20000000")
    m.console("echo")
    m.send("hello\r")
    m.expect("you said: hello", 20)
    m.detach()
    free = int(re.search(r"free +(\d+)", m.command("info memory")).group(1))
    for name, _, _, _ in WRONGDOERS:
        m.command("start " + name)
        m.expect("end of post-mortem", 60)
        m.command("destroy " + name)
    assert int(re.search(r"free +(\d+)", m.command("info memory")).group(1)) >= free + len(WRONGDOERS) * (16 << 20)
    goes_on(m, "tick", exits(m))


def test_hostile_default(boot):
    """Without `unmapped = ones` the first address that is nobody's ends it."""
    m = boot(conf=TICK + vm("hostile", "hostile", "memory"), mem=128)
    m.prompt()
    before = exits(m)
    m.command("start hostile")
    text = plain(m.expect("end of post-mortem", 60))
    assert re.search(r"hostile: CRASHED: read of guest-physical address 0x[0-9a-f]+, where the guest has neither memory nor a device", text)
    assert re.search(r"  PD.* at gpa 000000[0-9a-f]{6}: [0-9a-f]{16}", text), "the walk of RIP through the guest's tables is missing"
    goes_on(m, "tick", before)


def test_busy(boot):
    """One that spins with interrupts off, one that sleeps for ever: the others get their turn, the monitor its own."""
    m = boot(conf=TICK + vm("spin", "end", "by=spin") + vm("halt", "end", "by=halt"), mem=128)
    m.prompt()
    m.command("start spin")
    m.command("start halt")
    before = exits(m)
    goes_on(m, "tick", before)
    assert "=> jmp" in m.command("regs spin")
    assert "preemption timer" in m.command("trace spin 1")
    for name in ("spin", "halt"):
        assert m.command("pause " + name) == name + ": paused\n"
        assert m.command("resume " + name) == name + ": running\n"
        m.command("destroy " + name)
    assert set(exits(m)) == {"tick"}
    goes_on(m, "tick", exits(m))


@pytest.mark.parametrize("model,components", [
    ("corei5_arrandale_m520", "0x0 in 512 bytes"),  # FXSAVE
    ("corei7_skylake_x", "0xe7 in 2688 bytes"),     # Bochs's XSAVEC is broken, and found out
    ("tigerlake", "0xe7 in 2688 bytes"),            # and its PKRU has no place in the area
], ids=["arrandale", "skylake_x", "tigerlake"])
def test_registers(boot, model, components):
    """What stays in the processor while the hypervisor runs is each guest's own: vectors, debug registers, SYSCALL's MSRs."""
    m = boot(conf=vm("a", "live", "seed=1", "autostart = yes") + vm("b", "live", "seed=77", "autostart = yes"), mem=128, model=model)
    said = m.prompt()
    assert ("XSAVEC stores vector registers where" in said) == (components != "0x0 in 512 bytes")
    for name in "ab":
        assert m.command('wait %s "live: done" 60' % name, 120).endswith("found\n")
        m.console(name)
        text = plain(m.expect("live: done"))
        m.detach()
        assert "live: components %s\n" % components in text and "has no place" not in text, text
        assert "live: 50 rounds, 0 wrong\n" in text and "live: XSAVEC is not offered" in text, text
