#!/usr/bin/python3
"""Where the instructions of a round trip go: Bochs traces one turn of the bench guest's loop, from one call of a handler to
the next, and every instruction is counted for the function it lies in. VMREADs, VMWRITEs and MSR accesses are counted too,
since under another hypervisor each may be an exit of its own. The hypervisor is the one that is measured, not a counting build.

usage: where.py [NAME [WORD]]: the operations' totals, or one operation alone, by function; WORD is for the boot line, as
       `noapicv`. NAME switch_hlt, ipi_there_and_back: those with two virtual CPUs.
       bench.py puts all of it into build/bench.json.
       where.py life [create|start|destroy]: the same for the steps of a tiny guest's life, as the monitor's commands.
"""
import bisect
import collections
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import bench  # noqa: E402
import machine  # noqa: E402

# In the order in which the guest gets there: the figure's name, a function called once a turn, instructions to trace.
POINTS = [
    ("cpuid", "exit_cpuid", 800),
    ("vmcall", "exit_vmcall", 800),
    ("rdmsr_tsc_adjust", "exit_rdmsr", 900),
    ("wrmsr_tsc_adjust", "exit_wrmsr", 1100),
    ("pit_read", "counter_bus_read", 1300),
    ("pm_timer_read", "pm_read", 1300),
    ("ioapic_read", "exit_ept_violation", 8000),
    ("x2apic_icr", "vlapic_send_icr", 2500),
    ("x2apic_self_ipi_hlt", "exit_hlt", 3500),
    ("deadline_immediate", "exit_external_interrupt", 2500),
    ("deadline_hlt_late", "exit_hlt", 12000),
]
# Those that leave the guest only with noapicv.
NOAPICV_POINTS = [
    ("xapic_eoi", "exit_ept_violation", 2500),
    ("xapic_self_ipi", "vlapic_send_icr", 5000),
    ("x2apic_eoi", "exit_wrmsr", 1500),
    ("x2apic_self_ipi", "vlapic_send_icr", 4000),
    ("x2apic_icr_hlt", "exit_hlt", 4000),
]
# The same of the guest with two virtual CPUs, on its own boot each: the figure's name, CPUs of the machine, the item's number in
# guests/smp/main.c, how often the function is called before, and whether the turn ends where a guest goes on. Of two CPUs the
# first one is traced.
SMP_POINTS = [
    ("switch_hlt", 1, 16, "exit_hlt", 20, 3000, True),
    ("ipi_there_and_back", 2, 10, "nmi_take_kick", 110, 30000, False),
]
SMP_ROUNDS = 20  # of pings: with 110 calls they are those in x2APIC mode
WARM_UP = 6
GUEST_TOP = 0x40000000
INSN = re.compile(r"^\(0\)\.\[\d+\] \[0x[0-9a-f]+\] [0-9a-f]{4}:([0-9a-f]{8,16}) \([^)]*\): (.*?) *;", re.M)


def symbols():
    out = subprocess.run(["nm", "-n", os.path.join(bench.BUILD, "avatar.elf")], check=True, capture_output=True, text=True).stdout
    return sorted((int(f[0], 16), f[2]) for f in (line.split() for line in out.splitlines()) if len(f) == 3 and f[1] in "tT")


def debugger(table, points):
    by_name = {name: address for address, name in table}
    lines = []
    for number, (_, function, steps) in enumerate(points, 1):
        address = by_name.get(function)
        if address is None:
            sys.exit("error: there is no function %s any more: mend where.py" % function)
        lines += ["lb 0x%x" % address] + ["c"] * WARM_UP
        lines += ["d %d" % number, "trace on", "s %d" % steps, "trace off"]
    return "\n".join(lines + ["q", ""])


def account(text, start, table, end=None, to_guest=False):
    """One turn of the trace `text`, which begins at the function `start` and ends at `end`, in a guest, or where it begins
    again."""
    addresses = [a for a, _ in table]
    turn, begun = [], False
    for where, insn in INSN.findall(text):
        address = int(where, 16)
        if begun and (address == (end or start) or to_guest and address < GUEST_TOP):
            break
        begun = begun or address == start
        if begun:
            turn.append((address, insn))
    else:
        return None
    functions, kinds, guest = collections.Counter(), collections.Counter(), 0
    for address, insn in turn:
        kind = insn.split()[0]
        if kind in ("vmread", "vmwrite", "rdmsr", "wrmsr", "rdtsc") and address >= GUEST_TOP:
            kinds[kind] += 1
        if address < GUEST_TOP:
            guest += 1
            continue
        functions[re.sub(r"\.(cold|part|isra|constprop).*", "", table[bisect.bisect(addresses, address) - 1][1])] += 1
    return {"host_instructions": sum(functions.values()), "guest_instructions": guest, "vmread": kinds["vmread"],
            "vmwrite": kinds["vmwrite"], "msr": kinds["rdmsr"] + kinds["wrmsr"], "rdtsc": kinds["rdtsc"],
            "functions": dict(functions.most_common())}


def measure(alone=None, word=""):
    """name -> one turn, as account() gives it. alone: of this one, and the guest does nothing else."""
    points = [p for p in POINTS + NOAPICV_POINTS if p[0] == alone] if alone else POINTS
    if not points:
        sys.exit("error: %s is not among the POINTS in where.py" % alone)
    table = symbols()
    by_name = {name: address for address, name in table}
    conf = "[vm bench]\nkernel = bench.elf\nmemory = %s\nautostart = yes\n" % bench.GUEST_MEMORY
    if alone:
        # A deadline is the guest's own once one has been armed.
        conf += "cmdline = only=%s%s\n" % ("deadline_arm," if alone.startswith("deadline") else "", alone)
    disc = bench.avatar_iso("where", conf, {"bench.elf": os.path.join(bench.GUESTS, "bench.elf")}, word)
    folder = os.path.join(bench.WORK, "where")
    with machine.Bochs(folder, iso=disc, mem=256, debugger=debugger(table, points)) as m:
        if m.wait(300) is None:
            m.fail("the traces did not come to their end")
    with open(os.path.join(folder, "stdout.txt"), errors="replace") as f:
        parts = re.split(r"Enabled? ?[Tt]racing|Tracing enabled", f.read())[1:]
    found = {}
    for (name, function, _), part in zip(points, parts):
        start = by_name.get(function)
        turn = account(part, start, table)
        if turn is None:
            sys.exit("error: %s: no second call of %s in the trace: mend POINTS in where.py" % (name, function))
        found[name] = turn
    if len(found) != len(points):
        sys.exit("error: only %d of %d traces are there" % (len(found), len(points)))
    return found


def measure_smp(word=""):
    """As measure(), of SMP_POINTS."""
    table = symbols()
    by_name = {name: address for address, name in table}
    found = {}
    for name, cpus, item, function, calls, steps, to_guest in SMP_POINTS:
        if function not in by_name:
            sys.exit("error: there is no function %s any more: mend SMP_POINTS in where.py" % function)
        lines = ["lb 0x%x" % by_name[function]] + ["c"] * calls
        lines += ["d 1", "trace on", "s %s%d" % ("all " if cpus > 1 else "", steps), "trace off", "q", ""]
        conf = ("[vm smp]\nkernel = smp.elf\ncmdline = cpus=2 only=%d rounds=%d\nmemory = 32M\ncpus = 2\nautostart = yes\n"
                % (item, SMP_ROUNDS))
        disc = bench.avatar_iso("where-smp", conf, {"smp.elf": os.path.join(bench.GUESTS, "smp.elf")}, word)
        folder = os.path.join(bench.WORK, "where-" + name)
        with machine.Bochs(folder, iso=disc, mem=256, cpus=cpus, debugger="\n".join(lines)) as m:
            if m.wait(300) is None:
                m.fail("the trace did not come to its end")
        with open(os.path.join(folder, "stdout.txt"), errors="replace") as f:
            text = f.read()
        turns = [account(text[m.start():], by_name[function], table, to_guest=to_guest)
                 for m in INSN.finditer(text) if int(m[1], 16) == by_name[function]]
        # The quickest one: an interrupt for the host may come in between.
        found[name] = min(filter(None, turns), key=lambda t: t["host_instructions"], default=None)
        if found[name] is None:
            sys.exit("error: %s: no whole turn in the trace: mend SMP_POINTS in where.py" % name)
    return found


# The steps of a VM's life in the order in which they are traced, each in a round of its own, and instructions to trace.
STEPS = [("create", 60000), ("start", 60000), ("destroy", 30000)]
ROUND = "create tiny kernel=echo.elf memory=2M; start tiny; destroy tiny; "


def measure_life():
    """step -> one turn, as account() gives it, from the command's function to the end of its reply."""
    table = symbols()
    by_name = {name: address for address, name in table}
    lines = []
    for number, (step, steps) in enumerate(STEPS, 1):
        lines += ["lb 0x%x" % by_name["cmd_" + step]] + ["c"] * (2 if number == 1 else 1)
        lines += ["d %d" % number, "trace on", "s %d" % steps, "trace off"]
    conf = "[vm other]\nkernel = echo.elf\nmemory = 2M\n"
    disc = bench.avatar_iso("where-life", conf, {"echo.elf": os.path.join(bench.GUESTS, "echo.elf")},
                            'run="%s"' % (ROUND * 6))
    folder = os.path.join(bench.WORK, "where-life")
    with machine.Bochs(folder, iso=disc, mem=256, debugger="\n".join(lines + ["q", ""])) as m:
        if m.wait(300) is None:
            m.fail("the traces did not come to their end")
    with open(os.path.join(folder, "stdout.txt"), errors="replace") as f:
        parts = re.split(r"Enabled? ?[Tt]racing|Tracing enabled", f.read())[1:]
    return {step: account(part, by_name["cmd_" + step], table, by_name["reply_end"]) for (step, _), part in zip(STEPS, parts)}


def main():
    os.makedirs(bench.WORK, exist_ok=True)
    life = sys.argv[1:2] == ["life"]
    smp = sys.argv[1:2] and sys.argv[1] in [p[0] for p in SMP_POINTS]
    if life:
        found = measure_life()
    elif smp:
        found = measure_smp(*sys.argv[2:3])
    else:
        found = measure(*sys.argv[1:3])
    for name, turn in found.items():
        print("%-18s host %5d, guest %3d, VMREAD %2d, VMWRITE %2d, MSR %2d, RDTSC %2d"
              % (name, turn["host_instructions"], turn["guest_instructions"], turn["vmread"], turn["vmwrite"], turn["msr"],
                 turn["rdtsc"]))
        if name in sys.argv[1:]:
            for function, count in turn["functions"].items():
                print("\t%6d  %s" % (count, function))


if __name__ == "__main__":
    main()
