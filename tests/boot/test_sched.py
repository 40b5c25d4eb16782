"""The scheduler's promises on real guests: two that never stop on one CPU share it by their weights, a cap holds, a pin holds,
and all of it can be changed while they run. A third guest that never stops has the other CPU, and is the clock: it always runs
or waits."""
import json
import re

from conftest import ELF
from machine import plain

IPS = 20000000  # ticks of the TSC in a second
BUSY = "[vm %s]\nkernel = end.elf\ncmdline = by=%s\nmemory = 4M\npin = %s\nautostart = yes\n%s\n"
SECONDS = 3


def vcpus(m):
    """What each VM's first CPU has got so far."""
    reply = json.loads(m.command("sched", 60))
    return {vm["name"]: dict(vm["vcpus"][0], weight=vm["weight"], cap=vm["cap"], pin=vm["pin"]) for vm in reply["vms"]}


def clock(now):
    return now["clock"]["run_ns"] + now["clock"]["wait_ns"]


def shares(m, seconds=SECONDS):
    """The part of a CPU that each gets from now on, looked at for so many seconds of the machine."""
    begin = now = vcpus(m)
    while clock(now) - clock(begin) < seconds * 1e9:
        m.quiet(1)
        now = vcpus(m)
    passed = clock(now) - clock(begin)
    return {name: (now[name]["run_ns"] - begin[name]["run_ns"]) / passed for name in now}, now


def work(m):
    """What the worker counts in six seconds of its own TSC."""
    m.command("start worker", 60)
    while not re.search(r"worker +stopped", m.command("list", 60)):
        m.quiet(1)
    m.console("worker")
    text = plain(m.expect(r"worker: done[^\n]*\n", 60)) + m.detach()
    return int(re.findall(r"worker: done, work (\d+)", text)[-1])


def near(got, due, by):
    print("got %.4f, due %.4f" % (got, due))
    assert abs(got - due) <= by, "%.4f, not %.4f" % (got, due)


def test_shares(boot):
    m = boot(BUSY % ("one", "busy", "1", "weight = 100") + BUSY % ("three", "spin", "1", "weight = 300") +
             BUSY % ("clock", "busy", "0", ""), cpus=2)
    m.prompt()
    m.command("json on")
    got, now = shares(m)
    near(got["one"], 0.25, 0.0075)
    near(got["three"], 0.75, 0.0225)
    assert (now["one"]["weight"], now["three"]["weight"]) == (100, 300)
    assert [now[name]["cpu"] for name in ("one", "three", "clock")] == [1, 1, 0]

    m.command("sched three weight=100")
    got, _ = shares(m)
    near(got["one"], 0.5, 0.015)

    m.command("sched one cap=25")
    got, now = shares(m)
    near(got["one"], 0.25, 0.02)
    near(got["three"], 0.75, 0.02)
    assert now["one"]["capped_ns"] > 1e9

    # Beside nobody a cap is a cap as well. The clock has CPU 0 for itself before and after.
    m.command("pause three")
    got, _ = shares(m)
    near(got["one"], 0.25, 0.02)
    near(got["three"], 0, 0)
    near(got["clock"], 1, 0.02)

    m.command("sched one cap=0 pin=0")
    m.command("resume three")
    got, now = shares(m)
    assert now["one"]["cpu"] == 0 and now["one"]["pin"] == "0"
    near(got["three"], 1, 0.02)
    near(got["one"], 100 / 356, 0.0084)


def test_work(boot):
    """The same as a guest counts it, without believing the hypervisor's accounts."""
    m = boot(BUSY % ("busy", "busy", "1", "") +
             "[vm worker]\nkernel = worker.elf\ncmdline = tsc=%d seconds=6\nmemory = 4M\npin = 1\n" % IPS, cpus=2)
    m.prompt()
    m.command("pause busy")
    alone = work(m)
    m.command("sched worker cap=25")
    near(work(m) / alone, 0.25, 0.02)
    m.command("sched worker cap=0 weight=100")
    m.command("sched busy weight=300")
    m.command("resume busy")
    # With DEBUG=1 each slice pays for the audit of its entry and exit, and alone there are hardly any.
    near(work(m) / alone, 0.25, 0.02 if ELF.endswith("build-debug/avatar.elf") else 0.0075)
    m.command("sched busy pin=0")
    near(work(m) / alone, 1, 0.02)
