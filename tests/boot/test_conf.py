"""What an operator gets wrong: conf lines, files that are missing or broken, more memory than there is. The answer is words,
and the monitor."""

import pytest

from conftest import KNOWN_FILES, LINUX_CONF

GOOD = "[vm a]\nkernel = hello.elf\nmemory = 8M\n"


def dmesg(m):
    return m.command("dmesg 100")


@pytest.mark.parametrize("text, words", [
    ("[vm a]\nkernel = hello.elf\nmemry = 8M\n", "avatar.conf, line 3, [vm a]: unknown key 'memry'"),
    ("kernel = hello.elf\n", "avatar.conf, line 1: a key before the first [vm NAME]"),
    ("[vm a]\nkernel = hello.elf\nmemory = lots\n", "avatar.conf, line 3, [vm a]: memory = lots: a size such as 256M"),
    ("[vm a]\nmemory = 8M\n", "avatar.conf, line 1, [vm a]: kernel is missing"),
    (GOOD + GOOD, "avatar.conf, line 4: there is a [vm a] already"),
    ("[vm a\n", "avatar.conf, line 1: a section without ]"),
])
def test_bad_conf(boot, text, words):
    m = boot(text, mem=128)
    assert words in m.prompt() + dmesg(m)
    assert "no VMs" in m.command("list")


def test_bad_keys(boot):
    """The same rules for the monitor's create: each wrong value is refused in words, and nothing is made."""
    m = boot(None, mem=128, modules=["hello.elf"])
    m.prompt()
    for words, answer in [
        ("x", "kernel is missing"),
        ("x kernel=hello.elf nonsense=1", "unknown key 'nonsense'"),
        ("x kernel=hello.elf memory=12", "1M to 512G"),
        ("x kernel=hello.elf memory=1048577", "multiple of 4K"),
        ("x kernel=hello.elf cpus=0", "a number from 1 to 16"),
        ("x kernel=hello.elf cpus=17", "a number from 1 to 16"),
        ("x kernel=hello.elf autostart=perhaps", "yes or no"),
        ("x kernel=hello.elf restart=sometimes", "no, on-crash or always"),
        ("x kernel=hello.elf cpuid=fsrm", "features to hide"),
        ("x kernel=hello.elf load-address=0", "an address from 1"),
        ("x kernel=hello.elf unmapped=perhaps", "stop or ones"),
        ("-x kernel=hello.elf", "a VM's name"),
        ("x kernel=hello.elf memory=400G", "error: "),
    ]:
        reply = m.command("create " + words)
        assert reply.startswith("error: ") and answer in reply, (words, reply)
    assert "no VMs" in m.command("list")
    assert "created" in m.command("create x kernel=hello.elf memory=8M")
    assert m.command("create x kernel=hello.elf memory=8M").startswith("error: ")


def test_missing_files(boot):
    text = GOOD.replace("hello.elf", "nowhere.elf") + "[vm b]\nkernel = hello.elf\ninitrd = nothing.img\nmemory = 8M\n"
    m = boot(text, mem=128)
    m.prompt()
    assert "nowhere.elf" in m.command("start a")
    reply = m.command("start b")
    assert reply.startswith("error: ") and "nothing.img" in reply


def kernel_bytes():
    with open(KNOWN_FILES["vmlinuz"], "rb") as f:
        return f.read()


@pytest.mark.parametrize("change, words", [
    (lambda k: b"", "empty"),
    (lambda k: k[:0x220], "ends inside the set-up header"),
    (lambda k: k[:5000], "setup_sects says"),
    (lambda k: k[:200000], "syssize says"),
    (lambda k: k[:0x206] + b"\x00\x02" + k[0x208:200000], "boot protocol 2.00"),
    (lambda k: b"\x1f\x8b" + k[2:4096].replace(b"HdrS", b"....") + bytes(100), "gzip"),
    (lambda k: b"just text, no kernel at all" * 100, "no bzImage, no ELF"),
], ids=["empty", "header", "setup", "code", "old", "gzip", "text"])
def test_broken_kernel(boot, change, words):
    files = {"vmlinuz": change(kernel_bytes()), "initrd.img": b"x" * 1000}
    m = boot(LINUX_CONF.replace("autostart = yes", "autostart = no"), files, mem=512)
    m.prompt()
    reply = m.command("start linux")
    assert reply.startswith("error: ") and words in reply


def test_too_much_memory(boot):
    m = boot(GOOD.replace("8M", "200M") + "[vm b]\nkernel = hello.elf\nmemory = 8M\nautostart = yes\n", mem=128)
    text = m.prompt() + dmesg(m)
    assert "200 MiB" in text or "memory" in text.split("a: ", 1)[-1]
    m.command('wait b "hello: done" 10')
    assert " a " not in m.command("list")


def test_small_for_its_files(boot):
    """A guest with less memory than its kernel and ramdisk take."""
    m = boot(LINUX_CONF.replace("256M", "16M").replace("autostart = yes", "autostart = no"), mem=512)
    m.prompt()
    reply = m.command("start linux")
    assert reply.startswith("error: ") and "too little memory" in reply


def test_flat(boot):
    """A flat image of 16-bit code: it prints by the UART, polled."""
    text = b"flat speaks\r\n"
    # mov si, text; next: lodsb; test al, al; jz end; mov ah, al; wait: mov dx, 3fd; in al, dx; test al, 20; jz wait;
    # mov al, ah; mov dx, 3f8; out dx, al; jmp next; end: mov dx, 604; mov ax, 2000; out dx, ax; hlt
    at = 0x7c00
    code = bytes.fromhex("fc" "be0000" "ac" "84c0" "7411" "88c4" "bafd03" "ec" "a820" "74f8" "88e0" "baf803" "ee" "ebe8"
                         "ba0406" "b80020" "ef" "f4")
    code = code[:2] + (at + len(code)).to_bytes(2, "little") + code[4:]
    m = boot("[vm a]\nkernel = flat.bin\nmemory = 1M\nload-address = 0x7c00\n", {"flat.bin": code + text + b"\0"}, mem=128)
    m.prompt()
    m.command("start a")
    assert not m.command('wait a "flat speaks" 10').startswith("error")


def test_many_vms(boot):
    """More VMs than a conf may have is an error; two dozen tiny ones all do their work."""
    count = 24
    text = "".join("[vm g%d]\nkernel = hello.elf\nmemory = 2M\nautostart = yes\n" % i for i in range(count))
    m = boot(text, mem=256)
    m.prompt()
    for i in (0, count // 2, count - 1):
        assert not m.command('wait g%d "hello: done" 30' % i, 60).startswith("error")
    assert m.command("list").count("stopped") == count


