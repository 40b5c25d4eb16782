#!/usr/bin/python3
"""Measure the round trips out of a guest, and Linux's boot, in Bochs, where one tick of the TSC is one instruction; see
docs/performance.md.

The bench guest (guests/bench/) runs on the bare machine, then under the hypervisor with every feature and with some taken
away. The table goes to stdout, the figures to build/bench.json. The run fails when a figure grew by more than 3 % over
tests/bench/figures.json; --commit writes that file anew.
"""
import argparse
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "boot"), os.path.join(ROOT, "boot"), os.path.join(ROOT, "guests")]
sys.dont_write_bytecode = True

import machine  # noqa: E402
import mkinitramfs  # noqa: E402
import mkiso  # noqa: E402
import reference  # noqa: E402

BUILD = os.path.join(ROOT, "build")
GUESTS = os.path.join(BUILD, "guests")
WORK = os.path.join(BUILD, "bench")
FIGURES = os.path.join(HERE, "figures.json")
GROWTH_ALLOWED = 0.03
AT_MOST = {"linux_boot_ratio": 1.01}
GUEST_MEMORY = "64M"
VARIANTS = ("", "noapicv", "novpid", "nopreempt")

LINUX_IPS = 100000000
IDLE_SECONDS = 10
# What an idle Linux leaves for: it halts; its timer wakes it, and it sets the timer anew; once a second it looks at TSC_ADJUST.
IDLE_REASONS = ("HLT", "WRMSR", "RDMSR", "preemption timer")
IDLE_ALLOWED = 0.25  # more than committed: which of its timers fall into these seconds is not exact
LINUX_CMDLINE = "console=ttyS0 quiet nokaslr"
STARTUP_64 = 0x1000000  # where the kernel is linked to run, and does without KASLR
STOPS = 24


# --- ISOs ---

def iso(name, sources, commands):
    path = os.path.join(WORK, name + ".iso")
    mkiso.build(path, sources, "\n".join(["set timeout=0"] + commands + ["boot", ""]), True)
    return path


def native_iso(name, files, command):
    mkiso.BIOS_MODULES = "biosdisk iso9660 multiboot multiboot2 linux normal serial terminal"
    return iso(name, [(path, "boot/" + place) for place, path in files.items()],
               ["insmod " + command.split()[0]] + command.split("\n"))


# Every feature: the hypervisor would leave APIC virtualization alone in Bochs.
def avatar_iso(name, conf, files, bootline):
    bootline = " ".join(w for w in (bootline, "" if "noapicv" in bootline else "apicv") if w)
    path = os.path.join(WORK, name + ".conf")
    with open(path, "w") as f:
        f.write(conf)
    sources = [(os.path.join(BUILD, "avatar.elf"), "boot/avatar.elf"), (path, "boot/avatar.conf")]
    sources += [(source, "boot/" + place) for place, source in files.items()]
    modules = [("boot/avatar.conf", "avatar.conf")] + [("boot/" + place, place) for place in files]
    return iso(name, sources, mkiso.boot_commands(bootline, modules))


# --- the bench guest ---

def parse(text):
    """The lines `bench NAME COUNT MEAN` and `skip NAME WHY`."""
    figures, means, skipped = {}, {}, {}
    for line in machine.plain(text).splitlines():
        match = re.search(r"\bbench (\w+) (\d+) (\d+)$", line)  # may stand behind what a benchmark printed
        if match:
            figures[match[1]], means[match[1]] = int(match[2]), int(match[3])
        match = re.search(r"\bskip (\w+) (.*)$", line)
        if match:
            skipped[match[1]] = match[2]
    return figures, means, skipped


def bench_native():
    files = {"bench.elf": os.path.join(GUESTS, "bench.elf")}
    disc = native_iso("native", files, "multiboot /boot/bench.elf")
    with machine.Bochs(os.path.join(WORK, "native"), iso=disc, mem=256) as m:
        return parse(m.expect("bench: done", 300, never="trap: "))


def bench_under(variant):
    name = variant or "all"
    conf = "[vm bench]\nkernel = bench.elf\nmemory = %s\nautostart = no\n" % GUEST_MEMORY
    disc = avatar_iso(name, conf, {"bench.elf": os.path.join(GUESTS, "bench.elf")}, variant)
    with machine.Bochs(os.path.join(WORK, name), iso=disc, mem=256) as m:
        m.prompt(60)
        m.send("start bench\r")
        m.prompt(30)
        m.console("bench")
        found = parse(m.expect("bench: done", 300, never="trap: |crashed"))
        if m.complaints():
            sys.exit("error: Bochs complains: %s" % m.complaints()[0])
        return found


# --- two virtual CPUs ---

# The item's number in guests/smp/main.c, CPUs of the machine, and how its figures are called here.
SMP_ITEMS = (
    (10, 2, {"ping-spinning-x2apic": "ipi_there_and_back", "ping-halted-x2apic": "ipi_there_and_back_hlt"}),
    (10, 1, {"ping-halted-x2apic": "ipi_there_and_back_one_cpu"}),
    (16, 1, {"switch-xapic": "switch_hlt", "switch-computing-xapic": "switch_hlt_fpu"}),
)


def smp_under(variant):
    found = {}
    for item, cpus, names in SMP_ITEMS:
        name = "smp-%d-%d-%s" % (item, cpus, variant or "all")
        conf = "[vm smp]\nkernel = smp.elf\ncmdline = cpus=2 only=%d\nmemory = 32M\ncpus = 2\n" % item
        disc = avatar_iso(name, conf, {"smp.elf": os.path.join(GUESTS, "smp.elf")}, variant)
        with machine.Bochs(os.path.join(WORK, name), iso=disc, mem=256, cpus=cpus) as m:
            m.prompt(60)
            m.command("start smp", 30)
            m.console("smp")
            text = machine.plain(m.expect(r"smp: done[^\n]*\n", 300, never="smp: FAIL|trap: |crashed"))
        figures = {n: int(v) for n, v in re.findall(r"smp: figure (\S+) (\d+)", text)}
        found.update({ours: figures[theirs] for theirs, ours in names.items()})
    return found


# --- Linux ---

def ramdisk(program):
    """With this program below build/guests as its /init, and next to nothing else."""
    path = os.path.join(WORK, "ramdisk-" + os.path.basename(program))
    with open(os.path.join(GUESTS, program), "rb") as f:
        init = f.read()
    archive = [mkinitramfs.record(1, "dev", 0o040755),
               mkinitramfs.record(2, "dev/console", 0o020600, device=(5, 1)),
               mkinitramfs.record(3, "init", 0o100755, init),
               mkinitramfs.record(4, "tmp", 0o040777),
               mkinitramfs.record(0, "TRAILER!!!", 0)]
    with open(path, "wb") as f:
        f.write(b"".join(archive))
    return path


# The rc file is read on at every stop: at each arrival at startup_64's address, and at /init's mark.
DEBUGGER = "lb 0x%x\n" % STARTUP_64 + "c\nptime\n" * STOPS + "c\n"


def linux_ticks(m):
    """Ticks from the last arrival at startup_64's address to /init. (The first arrival is the decompressor's, when a loader
    puts that at the same address.)"""
    m.stdout.flush()
    with open(os.path.join(m.folder, "stdout.txt"), errors="replace") as f:
        text = f.read()
    start, stop = None, None
    for kind, ticks in re.findall(r"^\(0\) (Breakpoint|Magic breakpoint).*?^ptime: (\d+)", text, re.S | re.M):
        if kind.startswith("Magic"):
            stop = int(ticks)
            break
        start = int(ticks)
    if start is None or stop is None:
        m.fail("no marks of the boot in %s" % text[-500:])
    return stop - start


def linux_files(program="bench_init"):
    return {"vmlinuz": os.path.join(GUESTS, "debian", "vmlinuz"), "ramdisk": ramdisk(program)}


def linux_native():
    disc = native_iso("linux-native", linux_files(), "linux /boot/vmlinuz %s\ninitrd /boot/ramdisk" % LINUX_CMDLINE)
    # The decompressor reads an MSR that Bochs does not have.
    with machine.Bochs(os.path.join(WORK, "linux-native"), iso=disc, mem=512, ips=LINUX_IPS, debugger=DEBUGGER,
                       ignore_bad_msrs=1, extra="magic_break: enabled=1") as m:
        m.expect("bench init", 600, never="Kernel panic")
        return linux_ticks(m)


def linux_under(variant):
    name = "linux-" + (variant or "all")
    conf = "[vm linux]\nkernel = vmlinuz\ninitrd = ramdisk\ncmdline = %s\nmemory = 512M\nautostart = no\n" % LINUX_CMDLINE
    disc = avatar_iso(name, conf, linux_files(), variant)
    with machine.Bochs(os.path.join(WORK, name), iso=disc, mem=1024, ips=LINUX_IPS, debugger=DEBUGGER,
                       extra="magic_break: enabled=1") as m:
        m.prompt(60)
        m.send("start linux\r")
        m.prompt(30)
        m.console("linux")
        m.expect("bench init", 600, never="Kernel panic|crashed")
        m.detach()
        m.command("json on")
        at_init = linux_stats(m)
        return linux_ticks(m), at_init["reasons"], idle_exits(m)


def linux_stats(m):
    """Of Linux's CPU: exits, reasons and so on."""
    reply = json.loads(re.search(r"\{.*\}", m.command("stats linux"), re.S)[0])
    return reply["vms"][0]["vcpus"][0]


def idle_exits(m):
    """What a Linux without anything to do leaves for in IDLE_SECONDS: reason -> how often."""
    m.command("wait linux \"what nobody prints\" 1", 60)  # its drivers settle
    before = linux_stats(m)["reasons"]
    m.command("wait linux \"what nobody prints\" %d" % IDLE_SECONDS, 120)
    after = linux_stats(m)["reasons"]
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


# guests/work/ as /init: a fixed amount of system calls, page faults, pipes, forks and files, which says its own ticks. Linux is to
# do the same natively and under the hypervisor, which it would not by itself: natively, in Bochs, it believes CPUID that the
# TSC has 3.5 GHz, so that its scheduler switches at other times; finds no XSAVE that it likes, and REP MOVSB and STOSB slow (each
# of their rounds counts as an instruction here); and takes other mitigations, as it does not know the processor below a
# hypervisor.
WORK_CMDLINE = LINUX_CMDLINE + " mitigations=off noxsave clearcpuid=erms,rep_good tsc_early_khz=%d" % (LINUX_IPS // 1000)


def work_ticks(m):
    text = machine.plain(m.expect(r"work: (OK|FAIL)[^\n]*\n", 900, never="Kernel panic|crashed"))
    match = re.search(r"work: OK sum=\w+ tsc=(\d+)", text)
    return int(match[1]) if match else m.fail(text)


def work_native():
    disc = native_iso("work-native", linux_files("linux/work"), "linux /boot/vmlinuz %s\ninitrd /boot/ramdisk" % WORK_CMDLINE)
    with machine.Bochs(os.path.join(WORK, "work-native"), iso=disc, mem=512, ips=LINUX_IPS, ignore_bad_msrs=1) as m:
        return work_ticks(m)


def work_under():
    conf = "[vm linux]\nkernel = vmlinuz\ninitrd = ramdisk\ncmdline = %s\nmemory = 512M\n" % WORK_CMDLINE
    disc = avatar_iso("work-all", conf, linux_files("linux/work"), "")
    with machine.Bochs(os.path.join(WORK, "work-all"), iso=disc, mem=1024, ips=LINUX_IPS) as m:
        m.prompt(60)
        m.command("start linux", 60)
        m.console("linux")
        ticks = work_ticks(m)
        m.detach()
        m.command("json on")
        return ticks, linux_stats(m)["reasons"]


def start_figures():
    """From GRUB's jump until Linux could run, and the steps of a tiny guest's life, by the monitor's clock."""
    conf = "[vm linux]\nkernel = vmlinuz\ninitrd = ramdisk\ncmdline = %s\nmemory = 512M\nautostart = yes\n" % LINUX_CMDLINE
    files = {**linux_files(), "echo.elf": os.path.join(GUESTS, "echo.elf")}
    with machine.Bochs(os.path.join(WORK, "start"), iso=avatar_iso("start", conf, files, ""), mem=1024, ips=LINUX_IPS) as m:
        m.prompt(300)
        m.command("pause linux", 300)  # it has started; what it does would only keep the monitor waiting
        m.command("json on", 300)

        def ask(command):
            reply = json.loads(re.search(r"\{.*\}", m.command(command, 300), re.S)[0])
            if not reply["ok"]:
                m.fail("%s: %s" % (command, reply["error"]))
            return reply

        def ticks(command):
            ask(command)
            return ask("info machine")["last_command_ticks"]

        found = {"start_linux": ask("info machine")["boot_ticks"]}
        for _ in range(2):  # the second time its memory has been used before
            found["create_start_tiny"] = ticks("create tiny kernel=echo.elf memory=2M") + ticks("start tiny")
            found["destroy_tiny"] = ticks("destroy tiny")
        return found


# --- the table ---

def number(value):
    return "-" if value is None else "%.4f" % value if isinstance(value, float) else "%d" % value


def change(new, old):
    if old in (None, 0) or new is None:
        return "-"
    return "%+.1f %%" % (100.0 * (new - old) / old)


def best_reference(name):
    kvm, xen = reference.BEST.get(name, (None, None))
    return kvm, xen, min([v for v in (kvm, xen) if v is not None], default=None)


def print_table(result, committed):
    heads = ("", "native", "ours") + tuple(v for v in VARIANTS if v) + ("KVM", "Xen", "best/ours", "committed", "change")
    rows = [heads]
    for name, ours in result["figures"].items():
        kvm, xen, best = best_reference(name)
        row = [name, number(result["native"].get(name)), number(ours)]
        row += [number(result["variants"].get(v, {}).get(name)) for v in VARIANTS if v]
        row += [number(kvm), number(xen), "%.1f" % (best / ours) if best and ours else "-"]
        row += [number(committed["figures"].get(name)), change(ours, committed["figures"].get(name))]
        rows.append(row)
    widths = [max(len(r[i]) for r in rows) for i in range(len(heads))]
    for r in rows:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))).rstrip())


def grown(result, committed):
    """What got slower than allowed, or is gone, with words for it."""
    complaints = ["%s: %s, at most %s is allowed" % (name, number(result["figures"][name]), most)
                  for name, most in AT_MOST.items() if result["figures"].get(name, 0) > most]
    sets = [("", result["figures"], committed.get("figures", {}))]
    sets += [(v + " ", result["variants"].get(v, {}), old) for v, old in committed.get("variants", {}).items()]
    for i, count in enumerate(result["growth"]["vms"]):
        rows = [{name: row[i] for name, row in r.get("growth", {}).items() if name != "vms" and row[i] is not None}
                for r in (result, committed)]
        sets.append(("with %d VMs " % count, rows[0], rows[1]))
    for where, new, old in sets:
        for name, value in old.items():
            if name.startswith("linux") and "linux_boot" not in result["figures"]:
                continue
            if where and name.startswith("linux"):
                continue
            if name not in new:
                complaints.append("%s%s: no figure any more, it was %s" % (where, name, number(value)))
            elif new[name] > value * (1 + GROWTH_ALLOWED):
                complaints.append("%s%s: %s, it was %s (%s)" % (where, name, number(new[name]), number(value),
                                                               change(new[name], value)))
    return complaints


def idle_complaints(idle, committed):
    said = ["an idle Linux leaves for %s, %d times" % (name, count) for name, count in idle.items() if name not in IDLE_REASONS]
    exits, before = sum(idle.values()), sum(committed.get("linux_idle", idle).values())
    if exits > before * (1 + IDLE_ALLOWED):
        said.append("an idle Linux leaves %d times in %d s, it was %d times" % (exits, IDLE_SECONDS, before))
    return said


def measure(options):
    result = {"figures": {}, "native": {}, "variants": {}, "means": {}, "skipped": {}, "per_exit": {}, "growth": {}}
    result["native"], _, _ = bench_native()
    for variant in VARIANTS:
        figures, means, skipped = bench_under(variant)
        key = variant or "all"
        if variant in ("", "noapicv"):
            figures.update(smp_under(variant))
        result["means"][key], result["skipped"][key] = means, skipped
        if variant:
            result["variants"][variant] = figures
        else:
            result["figures"] = figures
    import growth  # here, since these use this file
    import where
    result["per_exit"] = {**where.measure(), **where.measure_smp()}
    result["growth"] = growth.measure()
    result["figures"].update(start_figures())
    if options.linux:
        result["native"]["linux_boot"] = linux_native()
        ticks, reasons, result["linux_idle"] = linux_under("")
        result["figures"]["linux_boot"] = ticks
        result["figures"]["linux_boot_ratio"] = ticks / result["native"]["linux_boot"]
        result["figures"]["linux_exits"] = sum(reasons.values())
        result["native"]["linux_work"] = work_native()
        result["figures"]["linux_work"], in_work = work_under()
        result["figures"]["linux_work_ratio"] = result["figures"]["linux_work"] / result["native"]["linux_work"]
        result["linux_exits"] = dict(sorted(reasons.items(), key=lambda r: -r[1]))
        result["linux_work_exits"] = {name: in_work[name] - reasons.get(name, 0) for name in in_work}  # the boot is the same
    return result


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--no-linux", dest="linux", action="store_false", help="the bench guest alone")
    p.add_argument("--commit", action="store_true", help="write tests/bench/figures.json anew")
    options = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    committed = {"figures": {}, "variants": {}}
    if os.path.exists(FIGURES):
        with open(FIGURES) as f:
            committed = json.load(f)
    result = measure(options)
    with open(os.path.join(BUILD, "bench.json"), "w") as f:
        json.dump(result, f, indent="\t")
        f.write("\n")
    print_table(result, committed)
    for name, turn in result["per_exit"].items():
        print("one %s: %d instructions in the host, %d VMREADs, %d VMWRITEs, %d MSR accesses"
              % (name, turn["host_instructions"], turn["vmread"], turn["vmwrite"], turn["msr"]))
    import growth
    print()
    growth.print_table(result["growth"])
    if "linux_exits" in result:
        print("\nLinux's exits: " + ", ".join("%s %d" % r for r in result["linux_exits"].items()))
        print("in the work: " + ", ".join("%s %d" % r for r in result["linux_work_exits"].items() if r[1] > 0))
        print("idle for %d s: " % IDLE_SECONDS + ", ".join("%s %d" % r for r in result["linux_idle"].items()))
    growth.plots(result["growth"], WORK)
    if options.commit:
        growth.plots(result["growth"], os.path.join(ROOT, "docs"))
        with open(FIGURES, "w") as f:
            kept = {k: result[k] for k in ("figures", "variants", "native", "growth", "linux_idle") if k in result}
            if not options.linux:
                kept.update({k: v for k, v in committed.items() if k == "linux_idle"})
                kept["native"] = {**{k: v for k, v in committed["native"].items() if k.startswith("linux")}, **kept["native"]}
                kept["figures"] = {**{k: v for k, v in committed["figures"].items() if k.startswith("linux")}, **kept["figures"]}
            json.dump(kept, f, indent="\t")
            f.write("\n")
        return
    complaints = grown(result, committed) + growth.complaints(result["growth"])
    if options.linux:
        complaints += idle_complaints(result["linux_idle"], committed)
    if complaints:
        sys.exit("error: more than tests/bench/figures.json, growth.py or an idle guest allow:\n  " + "\n  ".join(complaints))


if __name__ == "__main__":
    sys.modules.setdefault("bench", sys.modules["__main__"])
    main()
