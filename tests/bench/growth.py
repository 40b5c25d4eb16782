#!/usr/bin/python3
"""What grows with the number of VMs: an exit, a wake-up, a timer, making and ending a VM, and memory, with 1, 16, 64 and 256 VMs
present. Of the others one in three is only created, one is halted for good, one sleeps and has a timer of its own that is far away.
bench.py puts the figures into build/bench.json and complains of those that grow by more than LIMITS allow; plots() draws them.

usage: growth.py [COUNT...]
"""
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import bench  # noqa: E402
import machine  # noqa: E402

COUNTS = (1, 16, 64, 256)
# The operations of guests/bench that stand for an exit, a wake-up and a timer, then the steps of a VM's life.
EXITS = ("cpuid", "x2apic_self_ipi_hlt", "x2apic_icr_hlt", "deadline_arm", "deadline_immediate", "deadline_hlt_late")
STEPS = ("create_tiny", "start_tiny", "destroy_tiny")
MEMORY = "vm_bytes"  # of each VM, beside the RAM that it was given
LIMITS = {**dict.fromkeys(EXITS, 0.05), **dict.fromkeys(STEPS, 0.10), MEMORY: 0.05}
OTHERS_RAM = 2 << 20
OTHERS = ("", "cmdline=dead autostart=yes", "autostart=yes")


class Monitor:
    """The monitor's commands, in JSON."""

    def __init__(self, m):
        self.m = m
        m.prompt(60)
        m.command("json on")

    def ask(self, command, timeout=60):
        reply = json.loads(re.search(r"\{.*\}", self.m.command(command, timeout), re.S)[0])
        if not reply["ok"]:
            self.m.fail("%s: %s" % (command, reply["error"]))
        return reply

    def ticks(self, command):
        self.ask(command)
        return self.ask("info machine")["last_command_ticks"]

    def free_bytes(self):
        return self.ask("info memory")["memory"]["free_bytes"]

    def calm(self):
        """Until the CPUs have scrubbed what was freed: they do so when they would sleep."""
        while self.ask("info memory")["memory"]["dirty_bytes"] != 0:
            self.m.quiet(0.2)

    def operations(self, names):
        """name -> ticks, of the bench guest's operations."""
        reply = self.ask("bench " + " ".join(names), 300)
        return {o["name"]: o["ticks"] for o in reply["operations"] if "ticks" in o}

    def steps(self):
        """Of a tiny guest's life, the quickest of three: the memory has been used before from the second on."""
        best = {}
        for _ in range(3):
            self.calm()
            for step, command in zip(STEPS, ("create tiny kernel=sleep.elf memory=2M", "start tiny", "destroy tiny")):
                ticks = self.ticks(command)
                best[step] = min(ticks, best.get(step, ticks))
        return best


def measure(counts=COUNTS):
    """name -> [figure with counts[0] VMs, with counts[1], ...]; "vms" has the counts. The one that is measured is among them."""
    found = {"vms": list(counts)}
    disc = bench.avatar_iso("growth", "", {name: os.path.join(bench.GUESTS, name) for name in ("bench.elf", "sleep.elf")}, "")
    with machine.Bochs(os.path.join(bench.WORK, "growth"), iso=disc, mem=1024) as m:
        monitor = Monitor(m)
        present, free_at_first = 0, None
        for count in counts:
            while present < count - 1:
                monitor.ask("create v%d kernel=sleep.elf memory=2M %s" % (present, OTHERS[present % len(OTHERS)]))
                present += 1
            figures = monitor.steps()
            monitor.calm()
            free = monitor.free_bytes()
            free_at_first = free if free_at_first is None else free_at_first
            if present:
                figures[MEMORY] = (free_at_first - free) // present - OTHERS_RAM
            figures.update(monitor.operations(EXITS))
            for name in EXITS + STEPS + (MEMORY,):
                found.setdefault(name, []).append(figures.get(name))
        if m.complaints():
            sys.exit("error: Bochs complains: %s" % m.complaints()[0])
    return found


def complaints(found):
    """What is missing, or grows by more than it may, in words. The measure is the first figure there is."""
    said = []
    for name, limit in LIMITS.items():
        figures = found[name] if name != MEMORY else found[name][1:]
        if None in figures:
            said.append("%s: not measured with every number of VMs: %s" % (name, figures))
            continue
        for count, figure in zip(found["vms"][-len(figures):], figures):
            if figure > figures[0] * (1 + limit):
                said.append("%s: %d with %d VMs, %d with %d: more than %d %%"
                            % (name, figure, count, figures[0], found["vms"][-len(figures)], round(limit * 100)))
    return said


def print_table(found):
    print("%-22s" % "VMs" + "".join("%10d" % count for count in found["vms"]))
    for name in EXITS + STEPS + (MEMORY,):
        print("%-22s" % name + "".join("%10s" % ("-" if v is None else v) for v in found[name]))


# --- plots ---

PLOT = """\
set terminal svg size 640,320 font "sans-serif,12" background rgb "white"
set output "%(out)s"
set title "%(title)s"
set key outside right center reverse Left
%(scale)s
set xtics (%(tics)s)
set yrange [0:*]
set grid y
set xlabel "VMs present"
set ylabel "%(unit)s"
%(data)s
plot %(lines)s
"""
LOGARITHMIC = "set logscale x 2\nset xrange [0.8:320]"
PLOTS = (
    ("growth-exits", "An exit, a wake-up, a timer", "instructions", LOGARITHMIC, EXITS),
    ("growth-steps", "Making, starting and ending a VM of 2 MiB", "thousands of instructions", LOGARITHMIC, STEPS),
    ("growth-memory", "Memory of all other VMs beside their RAM", "MiB", "set xrange [0:260]", (MEMORY,)),
)


def points(found, name):
    """(VMs, figure) in a plot's unit."""
    for count, value in zip(found["vms"], found[name]):
        if name == MEMORY:
            yield count, (value or 0) * (count - 1) / 2 ** 20
        elif value is not None:
            yield count, value / 1000 if name in STEPS else value


def plots(found, folder):
    """Draw the figures, an SVG each. Returns their paths."""
    paths = []
    for name, title, unit, scale, lines in PLOTS:
        paths.append(os.path.join(folder, name + ".svg"))
        data = "".join("$%s << EOD\n%sEOD\n" % (line, "".join("%d %g\n" % p for p in points(found, line))) for line in lines)
        script = PLOT % {"out": paths[-1], "title": title, "unit": unit, "data": data, "scale": scale,
                         "tics": ", ".join(map(str, found["vms"])),
                         "lines": ", ".join('$%s using 1:2 with linespoints title "%s" noenhanced' % (line, line) for line in lines)}
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return paths


def main():
    os.makedirs(bench.WORK, exist_ok=True)
    found = measure(tuple(map(int, sys.argv[1:])) or COUNTS)
    print_table(found)
    print("\n".join(complaints(found)))
    print("\n".join(plots(found, bench.WORK)))


if __name__ == "__main__":
    main()
