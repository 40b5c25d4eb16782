#!/usr/bin/python3
"""Every header compiles alone, says `#pragma once`, and needs nothing that its user happened to include before."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLAGS = ["-std=c11", "-ffreestanding", "-mgeneral-regs-only", "-Wall", "-Wextra", "-Wundef", "-Werror", "-I.", "-Ibuild/gen",
         "-fsyntax-only", "-x", "c"]


def headers():
    for top in ("arch", "kernel", "drivers", "vmm", "guests", "tests/selftest"):
        for where, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(where, name), ROOT)


def check(path):
    with open(os.path.join(ROOT, path)) as f:
        if "#pragma once\n" not in f.read():
            return "%s has no `#pragma once`" % path
    # Through a file of its own: as the main file, `#pragma once` would be warned of.
    command = ["gcc"] + FLAGS + (["-m32"] if path.startswith("guests/") else []) + ["-"]
    done = subprocess.run(command, cwd=ROOT, input='#include "%s"\nextern int header_check;\n' % path, text=True,
                          capture_output=True)
    return done.stderr.strip() if done.returncode else None


def main():
    paths = list(headers())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [p for p in pool.map(check, paths) if p]
    print("\n".join(found) or "%d headers compile alone" % len(paths))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
