#!/usr/bin/python3
"""Includes only point down. The floors are those of docs/architecture.md: a file may include from its own folder and from any
lower floor; folders on one floor do not know each other."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FLOORS = [
    ["kernel/lib", "drivers/regs"],
    ["arch/x86", "vmm/bus", "vmm/mem", "vmm/decode"],
    ["kernel", "vmm/core", "vmm/devices", "vmm/load"],
    ["drivers", "vmm/exit"],
    ["vmm/vmx"],
    ["vmm/life"],
    ["vmm/monitor"],
    ["roof"],
]
# The roof is the one place that knows everything: the boot as a list, in main.c and the files it is cut into.
ROOF = re.compile(r"kernel/main(_\w+)?\.[ch]$")
# Included from nowhere, and including nothing of the product; tests and guests may look at everything.
OUTSIDE = ("boot", "tests", "guests")
# Free-standing headers of the compiler, and what is only there on the host.
SYSTEM = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def place(path):
    """(floor, folder) of a file, the longest name that fits; None when it stands on no floor."""
    if ROOF.match(path):
        return (len(FLOORS) - 1, "roof")
    best = None
    for floor, folders in enumerate(FLOORS):
        for folder in folders:
            if (path == folder or path.startswith(folder + "/")) and (best is None or len(folder) > len(best[1])):
                best = (floor, folder)
    return best


def problems_of(path, text):
    here = place(path)
    for kind, name in INCLUDE.findall(text):
        if kind == "<":
            hosted = "__STDC_HOSTED__" in text
            if name not in SYSTEM and not (hosted and name == "string.h"):
                yield "%s includes <%s>: not a freestanding header" % (path, name)
            continue
        there = place(name)
        if os.path.exists(os.path.join(ROOT, "build/gen", name)) and not os.path.exists(os.path.join(ROOT, name)):
            continue  # generated for its neighbour
        if not os.path.exists(os.path.join(ROOT, name)):
            yield "%s includes %s, which is no file seen from the root" % (path, name)
        elif there is None:
            yield "%s includes %s, which is outside of the product" % (path, name)
        elif there[0] > here[0]:
            yield "%s (floor %d) includes %s (floor %d)" % (path, here[0], name, there[0])
        elif there[0] == here[0] and there[1] != here[1]:
            yield "%s includes %s: %s and %s stand on the same floor" % (path, name, here[1], there[1])


def sources():
    for top in ("arch", "kernel", "drivers", "vmm"):
        for where, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(where, name), ROOT)


def main():
    found, count = [], 0
    for path in sources():
        count += 1
        if place(path) is None:
            found.append("%s stands on no floor" % path)
            continue
        with open(os.path.join(ROOT, path)) as f:
            found += problems_of(path, f.read())
    print("\n".join(found) or "%d files, every include points down" % count)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
