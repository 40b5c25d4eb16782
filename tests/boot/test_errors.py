"""What is given to the hypervisor is wrong: it says what, in words, runs what is right, and the monitor stays usable.
(Every single conf line and image header is tested on the host, in tests/unit; here are the ways through a whole boot.)"""
import random
import re

import conftest
from conftest import GUESTS, KNOWN_FILES
from machine import plain

HELLO = """\
[vm good]
kernel    = hello.elf
memory    = 16M
"""


def read(path):
    with open(path, "rb") as f:
        return f.read()


def vm(name, lines):
    return "\n[vm %s]\nmemory = 64M\n%s\n" % (name, lines)


def hello_runs(m, name="good"):
    assert m.command("start " + name).endswith("%s: running\n" % name)
    assert m.command('wait %s "hello: done" 60' % name, 90) == "found\n"


# Name of the VM, its conf lines, the files, what `start` says.
BAD_IMAGES = [
    ("missing", "kernel = nothere", {"nothere": ""},
     "kernel 'nothere' is not among the boot modules; `info images` lists them"),
    ("noinitrd", "kernel = hello.elf\ninitrd = nothere2", {"nothere2": ""},
     "initrd 'nothere2' is not among the boot modules; `info images` lists them"),
    ("nomodule", "kernel = hello.elf\nmodule = nothere3 a b", {"nothere3": ""},
     "module 'nothere3' is not among the boot modules; `info images` lists them"),
    ("cut", "kernel = cut.vmlinuz", {"cut.vmlinuz": lambda: read(KNOWN_FILES["vmlinuz"])[:1000000]},
     r"kernel: syssize says \d+ bytes of code, the file has \d+; is it cut off?"),
    ("stub", "kernel = stub.vmlinuz", {"stub.vmlinuz": lambda: read(KNOWN_FILES["vmlinuz"])[:0x210]},
     "kernel: the file ends inside the set-up header; is it cut off?"),
    ("cutelf", "kernel = cut.elf", {"cut.elf": lambda: read(GUESTS + "/hello.elf")[:0x200]}, r"kernel: .*0x"),
    ("random", "kernel = random.bin", {"random.bin": lambda: random.Random(1).randbytes(100000)},
     r"kernel: no bzImage, no ELF, and no Multiboot header in its first 8 KiB \(it begins with .. .. .. ..\)"),
    ("text", "kernel = text.txt", {"text.txt": lambda: b"hello\n"}, "kernel: no bzImage"),
    ("initrd", "kernel = initrd.img", {}, "kernel: the file is compressed by gzip; unpack it first"),
    ("flatbig", "kernel = random.bin\nload-address = 67050000", {}, r"flat image|kernel: .*"),
    ("small", "kernel = hello.elf\nmemory = 1M", {}, r"kernel: .*"),
    ("linuxmod", "kernel = stub2.vmlinuz\nmodule = hello.elf", {"stub2.vmlinuz": lambda: read(KNOWN_FILES["vmlinuz"])[:0x400]},
     "module: a Linux kernel takes an initrd, modules are for Multiboot kernels"),
]


def test_images(boot):
    conf, files = HELLO, {}
    for name, lines, given, _ in BAD_IMAGES:
        conf += vm(name, lines) if "memory" not in lines else vm(name, lines).replace("memory = 64M\n", "", 1)
        files.update({n: make() if callable(make) else make for n, make in given.items()})
    m = boot(conf=conf, files=files, mem=1024)
    m.prompt()
    free = re.search(r"free +(\d+)", m.command("info memory")).group(1)
    for name, _, _, words in BAD_IMAGES:
        reply = m.command("start " + name)
        assert reply.startswith("error: %s: " % name) and re.search(words, reply), reply
        assert re.search(r" %s +created " % name, m.command("list"))
    hello_runs(m)
    assert re.search(r"free +(\d+)", m.command("info memory")).group(1) == free


def test_images_autostart(boot):
    """At boot the same errors are in the log, and the good VM among the bad ones runs."""
    conf = vm("bad", "kernel = nothere\nautostart = yes") + HELLO + "autostart = yes\n" + vm("cut", "kernel = cut.elf\nautostart = yes")
    m = boot(conf=conf, files={"nothere": "", "cut.elf": read(GUESTS + "/hello.elf")[:100]}, mem=256)
    text = m.prompt()
    assert re.search(r"error: bad: kernel 'nothere' is not among the boot modules", text)
    assert re.search(r"error: cut: cut.elf: kernel: ", text)
    assert "found\n" in m.command('wait good "hello: done" 60', 90)
    states = dict(re.findall(r"^ +\d+ +(\w+) +(\w+)", m.command("list"), re.M))
    assert states == {"bad": "created", "good": "stopped", "cut": "created"}


def test_memory(boot):
    """More memory than there is: at boot, by `create`, and all of it by many VMs; nothing is lost."""
    conf = "[vm big]\nkernel = hello.elf\nmemory = 64G\nautostart = yes\n" + HELLO
    m = boot(conf=conf, mem=256)
    text = m.prompt()
    assert re.search(r"error: big: asks for 64 GiB of memory, [\d.]+ MiB are free", text), text
    hello_runs(m)
    m.command("destroy good")
    free = int(re.search(r"free +(\d+)", m.command("info memory")).group(1))
    reply = m.command("create most kernel=hello.elf memory=%d" % (free & ~0xfff))
    assert reply.startswith("error: most: "), reply
    made = 0
    while made < 60:
        reply = m.command("create v%d kernel=hello.elf memory=8M" % made, 60)
        if reply.startswith("error: "):
            break
        made += 1
    assert 10 < made < 60 and re.search(r"asks for 8 MiB|no memory", reply), (made, reply)
    for i in range(made):
        m.command("destroy v%d" % i)
    assert m.command("list") == "no VMs\n"
    assert int(re.search(r"free +(\d+)", m.command("info memory")).group(1)) == free
    assert m.command("create good kernel=hello.elf memory=16M").endswith("good: created\n")
    hello_runs(m)


# Of the text as such, of a whole section, of keys and of values one each; tests/unit/test_conf.c has every kind there is. In
# QEMU: the conf is read with or without VT-x.
BAD_CONFS = [
    ("".join("[vm a%d]\nkernel = x\n" % i for i in range(65)), r"line 129: \[vm a64\] is one too many: 64 VMs are allowed"),
    ("[vm a]\nmemory = 16M\n", r"line 1, .*kernel is missing: it names the file to start"),
    ("[vm a]\nkernel = x\ncolour = red\n", r"line 3, .*unknown key 'colour'; known are kernel, initrd, "),
    ("[vm a]\nkernel = x\ncmdline = %s\n" % ("y" * 3000),
     r"line 3, .*cmdline = y{24}\.\.\.: has 3000 characters, no value may have more than "),
]


def test_conf(boot):
    """Each is named with its line, and then there is no VM at all."""
    for conf, words in BAD_CONFS:
        m = boot(conf=conf, files={"x": b"x"}, emulator="qemu", mem=128)
        text = m.prompt()
        assert re.search(r"error: avatar\.conf, " + words, text), (words, text)
        assert m.command("list") == "no VMs\n"
        assert m.command("echo on") == "on\n"
        m.close()


def test_conf_bochs(boot):
    """One bad line: no VM at all is made; the operator can make one by hand."""
    m = boot(conf=HELLO + "[vm b]\nkernel = x\ncpus = 0\n", files={"x": b"x"}, mem=128)
    text = m.prompt()
    assert re.search(r"error: .*line 6, .*cpus = 0: a number from 1 to \d+ is needed", text), text
    assert m.command("list") == "no VMs\n"
    assert m.command("create good kernel=hello.elf memory=16M").endswith("good: created\n")
    hello_runs(m)


# What is typed at the monitor goes through the same table as the conf.
BAD_CREATES = [
    ("create", "usage: create NAME [like OTHER] [KEY=VALUE...]"),
    ("create a memory=16M", "kernel is missing"),
    ("create a kernel=hello.elf memory=1T", "memory = 1T: 1M to 512G are allowed"),
    ("create a kernel=hello.elf memory=much", "memory = much: a size such as 256M is needed"),
    ("create a kernel=hello.elf memory=4097K", "memory = 4097K: a multiple of 4K is needed|not a size"),
    ("create a kernel=hello.elf cpus=99", "cpus = 99: a number from 1 to"),
    ("create a kernel=hello.elf autostart=perhaps", "autostart = perhaps: yes or no is needed"),
    ("create a kernel=hello.elf restart=often", "restart = often: no, on-crash or always is needed"),
    ("create a kernel=hello.elf unmapped=maybe", "unmapped = maybe: stop or ones is needed"),
    ("create a kernel=hello.elf cpuid=fsrm", "cpuid = fsrm: features to hide are needed, such as"),
    ("create a kernel=hello.elf memory=16M cpuid=-nosuch", "nosuch"),
    ("create a kernel=hello.elf load-address=0", "load-address = 0: an address from 1 to"),
    ("create a kernel=hello.elf colour=red", "unknown key 'colour'"),
    ("create a kernel=hello.elf word", "word"),
    ("create good kernel=hello.elf", "there is a VM 'good' already"),
    ("create -a kernel=hello.elf", "a VM's name has"),
    ("create a like=nobody", "there is no VM 'nobody'"),
    ("start nobody", "there is no VM 'nobody'; `list` shows those that are"),
    ("pause good", "good is created: it cannot pause"),
    ("resume good", "good is created: it cannot resume"),
    ("reset good", "good is created: it cannot reset"),
    ("shutdown good", "good is created: it cannot shutdown"),
    ("nonsense", "no command 'nonsense'; `help` lists them"),
    ('echo "open', "a quote is not closed"),
    ("info nobody", "neither a subject nor a VM"),
    ("regs good 7", "'7' is not a number up to 0"),
    ("x good zero", "'zero' is not an address"),
    ("xp good 0xffffffff0000 16", "not all of it is RAM of good"),
    ("trace good 5000", "'5000' is not a number up to 1024"),
    ("wait good text soon", "'soon' is not a number of seconds"),
    ("json maybe", "'maybe' is neither on nor off"),
    ("dmesg many", "'many' is not a number of lines"),
    ("help nonsense", "no command 'nonsense'"),
]


def test_monitor_errors(boot):
    m = boot(conf=HELLO, mem=128)
    m.prompt()
    before = m.command("info memory")
    for line, words in BAD_CREATES:
        reply = m.command(line)
        assert reply.startswith("error: ") and re.search(words if "|" in words else re.escape(words), reply), (line, reply)
    assert m.command("info memory") == before
    assert len(m.command("list").splitlines()) == 2
    hello_runs(m)


def test_boot_line(boot, monkeypatch):
    monkeypatch.setattr(conftest, "TEST_ELF", "avatar.elf")
    m = boot(conf=HELLO, bootline='loglevel=loud nosuchword console=tty7 selftest=nothing run="echo ran"', mem=128)
    text = plain(m.expect(r"ran\r\navatar> "))
    assert "error: boot line: loglevel=loud is none of error, warn, info, debug" in text
    assert "error: boot line: unknown word 'nosuchword'" in text
    assert "error: boot line: console=tty7 is none of com1, com2" in text
    assert "error: boot line: selftest= is for avatar-test.elf" in text
    hello_runs(m)
