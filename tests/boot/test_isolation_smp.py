"""What a VM gets done beside another one, whatever that one is up to; and how soon the monitor answers then.

The measure is a guest that counts its work per second of its TSC. It runs beside a fair neighbour, which only spins, and then
beside each bad one of the same weight: its work must be the same within 3 %, and nobody's answer late by more than 100 ms of
the host's time."""
import re

import pytest

from machine import plain

IPS = 20000000  # ticks of the TSC in a second

# What the neighbour does, by command lines of rogue.elf.
BAD = ["spin", "flood", "deaf", "unthankful", "ticks every=400", "naps every=400", "ports", "mmio", "cpuid", "msr", "self", "memory",
       "again delay=0", "again delay=1050"]


def vm(name, kernel, cmdline, memory="4M", more=""):
    return "[vm %s]\nkernel = %s.elf\ncmdline = %s\nmemory = %s\n%s\n" % (name, kernel, cmdline, memory, more)


def worker(seconds, more=""):
    return vm("worker", "worker", "tsc=%d seconds=%d" % (IPS, seconds), more=more)


def answers(m, count=6):
    """Seconds of the host between what the monitor did for lines that were typed one behind the other: at most what the longest
    of them waited. The log's times say it."""
    m.pump(0)
    m.unread[0] = b""
    m.send("create t kernel=hello.elf memory=1M\rdestroy t\r" * count)
    stamps = []
    for _ in range(count):
        text = plain(m.expect(r"t: destroyed[^\n]*\n", 120))
        stamps += [float(t) for t in re.findall(r"\[ *([\d.]+)\] t: (?:created|destroyed)", text)]
    m.prompt()
    assert len(stamps) == 2 * count
    return [b - a for a, b in zip(stamps, stamps[1:])]


def work(m, timeout=600):
    """Run the worker to its end: what it did, and the longest time in milliseconds that it waited for the CPU."""
    m.command("start worker", 60)
    late = answers(m)
    assert m.command('wait worker "worker: done" 120', timeout).endswith("found\n")
    m.console("worker")
    text = plain(m.expect(r"worker: done[^\n]*\n.*avatar> |worker: done[^\n]*\n.*stopped", 60))
    if "avatar> " not in text:
        m.prompt()
    done = re.findall(r"worker: done, work (\d+), longest gap (\d+)", text)[-1]
    return int(done[0]), int(done[1]) * 1000 / IPS, 1000 * max(late)


def beside(m, create, fair):
    """Make the neighbour, measure, take it away. fair: the work beside a fair one, or None."""
    m.command(create)
    m.command("start other")
    done, gap, late = work(m)
    m.command("destroy other")
    print("%-70s work %d, %s%% of fair, gap %.1f ms, answer %.1f ms"
          % (create, done, "%.1f" % (100 * done / fair) if fair else "-", gap, late))
    return done, gap, late


def create_rogue(words):
    restart = " restart=always" if words.startswith("again") else ""
    return 'create other kernel=rogue.elf cmdline="do=%s tsc=%d" memory=4M%s' % (words, IPS, restart)


def test_neighbours(boot):
    m = boot(worker(2) + vm("rogue", "rogue", "") + vm("hello", "hello", ""), mem=128)
    m.prompt()
    fair, _, _ = beside(m, create_rogue("fair"), None)
    bad = []
    for words in BAD:
        done, gap, late = beside(m, create_rogue(words), fair)
        if done < 0.97 * fair or late > 100 or gap > 100:
            bad.append("beside %r: work %.3f of fair, longest gap %.1f ms, answer after %.1f ms" % (words, done / fair, gap, late))
    assert not bad, "\n".join(bad)
