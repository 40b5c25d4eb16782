#!/usr/bin/python3
"""The flight recorder costs at most 12 instructions an exit: those of exit_ring_put() and exit_ring_put_insn()
(vmm/core/exit_ring.h), counted in the disassembled image wherever they are inlined, without those that begin a new round, once
in 1,024 exits. (Loads of values that were not in registers there are their reader's.)"""
import collections
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = "vmm/core/exit_ring.h"
LIMIT = 12
NO_EXIT = ("refused",)  # an entry that the processor refused: also recorded, never in a hurry


def body():
    """Line numbers of the functions' bodies, and of the store that is one instruction."""
    with open(os.path.join(ROOT, HEADER)) as f:
        lines = f.read().splitlines()
    begin = next(i for i, line in enumerate(lines, 1) if "exit_ring_put_insn(" in line and "inline" in line)
    second = next(i for i, line in enumerate(lines, 1) if "exit_ring_put(" in line and "inline" in line)
    end = next(i for i, line in enumerate(lines, 1) if i > second and line == "}")
    last = max(i for i in range(begin, end) if "entry[EXIT_ENTRY_REASON]" in lines[i - 1])
    round = next(i for i, line in enumerate(lines, 1) if i > begin and "sub_overflow" in line)
    return set(range(begin, end + 1)) - set(range(round + 1, round + 3)), last


def main():
    inside, last = body()
    text = subprocess.run(["objdump", "-d", "-l", "--no-show-raw-insn", "build/avatar.elf"], cwd=ROOT, capture_output=True,
                          text=True, check=True).stdout
    count, sites = collections.Counter(), collections.Counter()
    function, line = "", 0
    for row in text.splitlines():
        symbol = re.match(r"[0-9a-f]+ <(.*)>:$", row)
        place = re.match(r"(\S+):(\d+)(?: \(discriminator \d+\))?$", row)
        if symbol:
            function, line = symbol.group(1), 0
        elif place:
            line = int(place.group(2)) if place.group(1).endswith(HEADER) else 0
        elif re.match(r" *[0-9a-f]+:\t", row) and line in inside and not re.search(r"\tnop", row):
            count[function] += 1
            sites[function] += line == last
    found = ["%s: %d instructions for %d entries" % (f, n, sites[f]) for f, n in count.items() if n > LIMIT * max(1, sites[f]) and f not in NO_EXIT]
    if not sum(sites.values()):
        found.append("nobody writes the recorder, as it seems")
    print("\n".join(found) or ", ".join("%s: %d" % (f, n) for f, n in count.items()) + " instructions")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
