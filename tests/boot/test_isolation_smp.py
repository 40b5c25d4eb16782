"""What a VM gets done beside another one, whatever that one is up to; and how soon the monitor answers then.

The measure is a guest that counts its work per second of its TSC. It runs beside a fair neighbour, which only spins, and then
beside each bad one of the same weight: its work must be the same within 3 %, and nobody's answer late by more than 100 ms of
the host's time."""
import re

import pytest

from machine import plain

IPS = 20000000  # ticks of the TSC in a second

# What the neighbour does, by command lines of rogue.elf.
BAD = ["spin", "flood", "deaf", "unthankful", "ticks every=400", "naps every=400", "ports", "mmio", "cpuid", "msr", "self", "memory"]


def vm(name, kernel, cmdline, memory="4M", more=""):
    return "[vm %s]\nkernel = %s.elf\ncmdline = %s\nmemory = %s\n%s\n" % (name, kernel, cmdline, memory, more)


def worker(seconds, more=""):
    return vm("worker", "worker", "tsc=%d seconds=%d" % (IPS, seconds), more=more)


def answers(m, count=6):
    """Seconds of the host between what the monitor did for lines that were typed one behind the other: at most what the longest
    of them waited. The log's times say it."""
    m.pump(0)
    m.unread[0] = b""
    m.send("create t kernel=hello.elf memory=1M\rdestroy t\r" * count + 'echo al""l answered\r')
    text = plain(m.expect("all answered", 200))
    stamps = [float(t) for t in re.findall(r"\[ *([\d.]+)\] t: (?:created|destroyed)", text)]
    m.prompt()
    assert len(stamps) == 2 * count
    return [b - a for a, b in zip(stamps, stamps[1:])]


def work(m, keys="", timeout=600):
    """Run a worker to its end: what it did, and the longest time in milliseconds that it waited for the CPU."""
    m.command("create w like=worker " + keys, 60)
    m.command("start w", 60)
    assert m.command('wait w "worker: done" 120', timeout).endswith("found\n")
    while not re.search(r" w +stopped", m.command("list", 60)):
        m.quiet(0.1)
    m.console("w", 120)
    text = plain(m.expect(r"worker: done[^\n]*\n", 60))
    m.detach()
    m.command("destroy w", 60)
    done = re.search(r"worker: done, work (\d+), longest gap (\d+)", text)
    return int(done[1]), int(done[2]) * 1000 / IPS


def create_rogue(words):
    """`smp N` and the like is one with N CPUs, all others have one."""
    if words.startswith("smp"):
        _, cpus, do = words.split()
        return 'create other kernel=smp.elf cmdline="do=%s cpus=%s" memory=4M cpus=%s' % (do, cpus, cpus)
    # Little memory, as all of it is cleared at each restart, word by word in the emulator.
    restart, memory = (" restart=always", 2) if words.startswith("again") else ("", 4)
    return 'create other kernel=rogue.elf cmdline="do=%s tsc=%d" memory=%dM%s' % (words, IPS, memory, restart)


def beside(m, words, fair, keys=""):
    """Make the neighbour, measure, take it away. fair: the work beside a fair one, or None. The answers are timed while the
    neighbour and a worker run; this takes of the worker's time, so its work is measured without."""
    m.command(create_rogue(words) + keys)
    m.command("start other")
    done, gap = work(m, keys)
    m.command("create another like=worker " + keys, 60)
    m.command("start another")
    late = 1000 * max(answers(m))
    m.command("destroy other", 60)
    m.command("destroy another", 60)
    print("%-20s work %d, %s%% of fair, gap %.1f ms, answer %.1f ms"
          % (words, done, "%.1f" % (100 * done / fair) if fair else "-", gap, late))
    return done, gap, late


def judge(boot, neighbours, fair="fair", cpus=1, seconds=2, keys="", figure=None):
    m = boot(worker(seconds) + vm("image1", "rogue", "") + vm("image2", "smp", "") + vm("image3", "hello", ""), mem=128, cpus=cpus)
    m.prompt()
    measure, _, _ = beside(m, fair, None, keys)
    bad = []
    for words in neighbours:
        done, gap, late = beside(m, words, measure, keys)
        if figure:
            figure(words, "%.1f %%, %.1f ms, %.1f ms" % (100 * done / measure, gap, late))
        if done < 0.97 * measure or late > 100:
            bad.append("beside %r: work %.3f of fair, longest gap %.1f ms, answer after %.1f ms" % (words, done / measure, gap, late))
    assert not bad, "\n".join(bad)
    return m


def test_neighbours(boot):
    judge(boot, BAD)


def test_crashing(boot):
    """Neighbours that crash over and over; the first kind is left as it is after five times."""
    m = judge(boot, ["again delay=0", "again delay=1050"])
    assert "end of post-mortem" in m.command("dmesg", 120)


@pytest.mark.parametrize("cpus", [1, 2])
def test_storm(boot, cpus):
    """One with as many CPUs as the machine has twice over, which all interrupt each other."""
    judge(boot, ["smp %d storm" % (2 * cpus)], "smp %d spin" % (2 * cpus), cpus)


@pytest.mark.soak
@pytest.mark.parametrize("cpus, keys", [(1, ""), (2, " pin=0"), (2, " pin=1")])
def test_neighbours_long(boot, figure, cpus, keys):
    """For five seconds each, all on one CPU: the monitor's, or another one."""
    judge(boot, BAD + ["again delay=0", "again delay=1050"], "fair", cpus, 5, keys, figure)


@pytest.mark.soak
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_storm_long(boot, figure, cpus):
    judge(boot, ["smp %d storm" % n for n in (2, 4, 8)], "smp 2 spin", cpus, 5, "", figure)


def test_two_cpus(boot):
    """On two CPUs neither of two is disturbed by the other: the work is that of one alone."""
    m = boot(worker(2) + vm("image1", "rogue", ""), mem=128, cpus=2)
    m.prompt()
    alone, _ = work(m)
    for words in ("fair", "spin", "flood"):
        m.command(create_rogue(words))
        m.command("start other")
        done, _ = work(m)
        m.command("destroy other")
        assert done >= 0.97 * alone, (words, done, alone)


def test_shares(boot):
    """Weights and caps, as the worker sees them; the neighbour would take all."""
    m = boot(worker(4) + vm("image1", "rogue", ""), mem=128)
    m.prompt()
    alone, _ = work(m)
    m.command(create_rogue("spin"))
    m.command("start other")
    for keys, share in (("weight=256", 1 / 2), ("weight=512", 2 / 3), ("weight=64", 1 / 5), ("cap=10", 1 / 10), ("cap=40", 2 / 5)):
        done, _ = work(m, keys)
        assert abs(done / alone - share) < 0.03, (keys, done / alone)
    m.command("destroy other")
    done, _ = work(m, "cap=25")
    assert abs(done / alone - 0.25) < 0.02, done / alone
