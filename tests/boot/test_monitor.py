"""The monitor over its serial line: scripts from the boot line, replies as text and as JSON, help, the panic screen."""
import json
import re

from machine import plain

ECHO = """\
[vm echo]
kernel    = echo.elf
memory    = 16M
autostart = yes
"""
HELLO = """\
[vm hello]
kernel    = hello.elf
cmdline   = one two
memory    = 16M
"""


def without_log(text):
    """What the monitor said, without the log's lines in between."""
    return re.sub(r"^\[ *[-\d]+\.[-\d]+\] .*\n", "", text, flags=re.M)


def test_script(boot):
    """A transcript: what run= on the boot line does reads as if it had been typed. An error does not end it."""
    m = boot(conf=HELLO, mem=128, bootline=r'run="list; start hello; wait hello \"hello: done\" 60; nonsense; '
             r'create a like hello memory=8M; list; destroy a; echo \"one;  two\" three"')
    text = plain(m.expect(r"\none;  two three\r\navatar> ", 60))
    said = without_log(text[text.index("avatar> list"):])
    assert re.sub(r" +\d+\n", " N\n", said) == """\
avatar> list
 ID  NAME             STATE    CPUS     MEMORY         EXITS
  1  hello            created     1     16 MiB N
avatar> start hello
hello: running
avatar> wait hello "hello: done" N
found
avatar> nonsense
error: no command 'nonsense'; `help` lists them
avatar> create a like hello memory=8M
a: created
avatar> list
 ID  NAME             STATE    CPUS     MEMORY         EXITS
  1  hello            stopped     1     16 MiB N
  2  a                created     1      8 MiB N
avatar> destroy a
a: destroyed
avatar> echo "one;  two" three
one;  two three
avatar> \
"""
    assert m.command("echo typed") == "typed\n"


def test_json(boot):
    """Each reply is one JSON object on one line, whatever it is about."""
    m = boot(conf=HELLO + ECHO, mem=128)
    m.prompt()

    def ask(line):
        reply = m.command(line)
        lines = [r for r in without_log(reply).splitlines() if r]
        assert len(lines) == 1, reply
        answer = json.loads(lines[0])
        assert answer["command"] == line and answer["ok"] is ("error" not in answer), answer
        return answer

    m.send("json on\r")
    m.expect(r"json on\r\n")
    m.prompt()
    for line in ("list", "info", "info hello", "info echo", "info memory", "info preflight", "info images", "info cpuid", "info msr",
                 "stats echo", "regs echo", "trace echo 5", "x echo 0x100000 16", "xp echo 0x100000 32", "dmesg 5", "help", "help list",
                 'echo "a \\"quoted\\" word" \\\\', "start hello", 'wait hello "hello: done" 60', "pause echo", "resume echo",
                 "create c like=hello", "destroy c"):
        assert ask(line)["ok"], line
    for line in ("nonsense", "start nobody", "resume echo", "create d", "x hello nothing", "wait echo never 1"):
        answer = ask(line)
        assert not answer["ok"] and answer["error"], answer
    vms = {vm["name"]: vm for vm in ask("list")["vms"]}
    assert vms["echo"]["state"] == "running" and vms["hello"]["state"] == "stopped"
    assert vms["echo"]["memory_bytes"] == 16 << 20
    info = ask("info echo")["vm"]
    assert info["kernel"] == "echo.elf" and any(r["device"] == "com1" and r["base"] == 0x3f8 for r in info["ports"])
    m.send("json off\r")
    m.expect(r"json off\r\n")
    m.prompt()
    assert m.command("echo plain") == "plain\n"


def test_help(boot):
    m = boot(conf=None, mem=128)
    m.prompt()
    text = m.command("help")
    names = re.findall(r"^  (\w+)", text, re.M)
    assert set("help list info dmesg create start pause resume reset shutdown destroy console poweroff reboot regs x xp trace echo wait "
               "panic stats json".split()) <= set(names)
    for name in names:
        assert m.command("help " + name).startswith(name)
    assert m.command("") == ""
    assert m.command("   ") == ""


def test_panic(boot):
    """The panic screen has the reason, the control registers, a backtrace with names, and the last log lines."""
    m = boot(conf=ECHO, mem=128)
    m.prompt()
    m.send("panic\r")
    text = plain(m.expect("the machine is stopped", 30))
    assert re.search(r"PANIC on CPU 0: asked for by the operator", text)
    assert re.search(r"cr0 [0-9a-f]{8}  cr2 [0-9a-f]{16}  cr3 [0-9a-f]{16}  cr4 [0-9a-f]{8}", text)
    names = re.findall(r"^.*  ffffffff8[0-9a-f]{7}  (\w+)\+0x[0-9a-f]+", text, re.M)
    assert "monitor_step" in names and "host_loop" in names, text
    assert "echo: started" in text
