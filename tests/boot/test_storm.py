"""Steps of many VMs' lives in random order while their CPUs run, and the same few steps very often: each command does exactly what
it must in the state that the VM is in, and in the end all memory has come back."""
import json
import random
import re

import pytest

import linux
from conftest import LINUX_CONF
from machine import plain

# Guests that never end by themselves, so that their state is known.
KINDS = [
    ("tick.elf", "count=0 every=1 hz=1000", 1),
    ("rogue.elf", "do=fair", 1),
    ("rogue.elf", "do=spin", 1),
    ("rogue.elf", "do=flood", 1),
    ("rogue.elf", "do=naps every=2000", 1),
    ("smp.elf", "cpus=4 do=storm", 4),
    ("smp.elf", "cpus=2 do=spin", 2),
]
IMAGES = "".join("[vm image%d]\nkernel = %s\nmemory = 2M\n" % (i, k) for i, k in enumerate(("tick.elf", "rogue.elf", "smp.elf", "hello.elf")))
WITNESS = "[vm witness]\nkernel = tick.elf\ncmdline = count=0 every=10\nmemory = 4M\nautostart = yes\n"
# What a step makes of a state; a pair that is missing is an error and changes nothing.
AFTER = {
    ("create", None): "created",
    ("start", "created"): "running",
    ("pause", "running"): "paused",
    ("resume", "paused"): "running",
    ("reset", "running"): "running",
    ("reset", "paused"): "running",
    ("shutdown", "running"): "running",
    ("destroy", "created"): None,
    ("destroy", "running"): None,
    ("destroy", "paused"): None,
}
STEPS = ["create", "create", "start", "start", "pause", "resume", "reset", "shutdown", "destroy"]


def quiet_memory(m, like=None):
    """Free memory and heap in bytes, once they are what they were, or will not be."""
    for _ in range(60):
        m.command("json on")
        text = m.command("info memory")
        m.command("json off")
        now = json.loads(text[text.index("{"):text.rindex("}") + 1])["memory"]
        now = (now["free_bytes"], now["heap_bytes"], now["heap_objects"])
        if like in (None, now):
            break
        m.quiet(0.5)
    return now


def states(m):
    return dict(re.findall(r"^ *\d+  (n\d+) +(\w+)", m.command("list"), re.M))


def storm(m, seed, commands, names=6):
    rng = random.Random(seed)
    known = {"n%d" % i: None for i in range(names)}
    # A place to fall: the heap has had its slabs, the log its lines.
    for _ in range(commands):
        name, step = rng.choice(sorted(known)), rng.choice(STEPS)
        kernel, cmdline, cpus = rng.choice(KINDS)
        line = "%s %s" % (step, name)
        if step == "create":
            line += ' kernel=%s memory=%dM cpus=%d cmdline="%s"' % (kernel, rng.choice([2, 4, 7]), cpus, cmdline)
        reply = m.command(line, 60)
        legal = (step, known[name]) in AFTER
        assert reply.startswith("error: ") != legal, "seed %d: %s, which was %s: %s" % (seed, line, known[name], reply)
        if legal:
            known[name] = AFTER[(step, known[name])]
        if rng.randrange(10) == 0:
            assert states(m) == {n: s for n, s in known.items() if s}, "seed %d" % seed
    for name, now in known.items():
        if now:
            m.command("destroy " + name, 60)


def exits(m, name):
    return int(re.search(r"^ *\d+  %s +running +\d+ +[\d.]+ \w+ +(\d+)" % name, m.command("list"), re.M).group(1))


def run_storms(boot, cpus, seeds, commands):
    m = boot(IMAGES + WITNESS, cpus=cpus, mem=256)
    m.prompt()
    storm(m, 0, 30)
    begin = quiet_memory(m)
    for seed in seeds:
        storm(m, seed, commands)
        assert quiet_memory(m, begin) == begin, "seed %d" % seed
    before = exits(m, "witness")
    m.quiet(2)
    assert exits(m, "witness") > before


@pytest.mark.parametrize("cpus", [2])
def test_storm(boot, cpus):
    run_storms(boot, cpus, [1], 120)


@pytest.mark.soak
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_storms(boot, cpus):
    run_storms(boot, cpus, range(10, 20), 200)


@pytest.mark.soak
@pytest.mark.parametrize("cpus, vcpus", [(2, 2), (4, 4)])
def test_cycles(boot, figure, cpus, vcpus):
    """1,000 lives of a guest with several CPUs; each is destroyed while it runs."""
    m = boot(IMAGES, cpus=cpus, mem=256)
    m.prompt()
    begin = None
    for i in range(1000):
        m.command('create n kernel=smp.elf memory=2M cpus=%d cmdline="cpus=%d do=storm"' % (vcpus, vcpus))
        m.command("start n")
        assert m.command('wait n "smp: storm" 30', 120).endswith("found\n"), i
        m.command("destroy n")
        if i == 0:
            begin = quiet_memory(m)
    assert quiet_memory(m, begin) == begin
    figure("free bytes after 1 and after 1,000", begin[0])


@pytest.mark.soak
@pytest.mark.parametrize("cpus, vcpus", [(1, 1), (2, 2)])
def test_linux_cycles(boot, figure, cpus, vcpus):
    """20 lives of a Linux. Four get to its shell, and end by the power button, by destroy, and by destroy out of a pause; the
    others are destroyed on the way, each a bit later than the one before."""
    conf = LINUX_CONF.replace("console=ttyS0", linux.QUICK).replace("256M", "128M").replace("autostart = yes", "")
    m = boot(conf.replace("= 1", "= %d" % vcpus), cpus=cpus, mem=512)
    m.prompt()
    begin = None
    for i in range(20):
        m.command("create n like=linux")
        m.command("start n", 60)
        if i % 6 != 0:
            m.command('wait n "something that it does not say" %d' % (i % 6 * 2), 300)
        else:
            assert m.command('wait n "linux:~#" 300', 900).endswith("found\n"), i
        if i % 18 == 0:
            m.command("shutdown n")
            m.expect("n: powered off", 300)
        elif i % 4 == 2:
            m.command("pause n")
        m.command("destroy n")
        if i == 0:
            begin = quiet_memory(m)
    assert quiet_memory(m, begin) == begin
    figure("free bytes after 1 and after 20", begin[0])


def test_script(boot):
    """The same from the boot line, without anybody who waits in between."""
    lines = []
    for i in range(20):
        lines += ["create s%d kernel=smp.elf memory=2M cpus=2 cmdline=cpus=2" % i, "start s%d" % i]
    lines += ["pause s%d" % i for i in range(0, 20, 2)] + ["reset s%d" % i for i in range(0, 20, 3)]
    lines += ["destroy s%d" % i for i in range(20)]
    m = boot(IMAGES, cpus=2, mem=256, bootline='run="%s; echo o\'\'ver"' % "; ".join(lines))
    text = plain(m.expect(r"\no''ver\r?\n", 120))
    assert text.count(": destroyed\n") >= 40 and "error" not in text
