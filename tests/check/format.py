#!/usr/bin/python3
"""C files are as clang-format 14 writes them (.clang-format), and no text file has blanks at a line's end."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEXT = (".c", ".h", ".asm", ".inc", ".py", ".sh", ".mk", ".md", ".ld", ".conf", "Makefile")


def tracked():
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if os.path.exists(os.path.join(ROOT, p))]


def main():
    paths = tracked()
    found = []
    for path in paths:
        if path.endswith(TEXT) and not path.startswith("tests/fuzz/corpus/"):
            with open(os.path.join(ROOT, path), errors="replace") as f:
                for number, line in enumerate(f, 1):
                    if re.search(r"[ \t]+$", line.rstrip("\n")):
                        found.append("%s:%d: blanks at the end of the line" % (path, number))
    sources = [p for p in paths if p.endswith((".c", ".h"))]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror"] + sources, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.M)))
        found += ["%s: not as clang-format writes it (run clang-format -i)" % p for p in bad] or [done.stderr]
    print("\n".join(found) or "%d C files are formatted" % len(sources))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
