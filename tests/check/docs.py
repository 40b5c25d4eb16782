#!/usr/bin/python3
"""The papers say what the code says: README has every key of avatar.conf, every word of the boot line, every selftest and every
make target, docs/monitor.md every command, and each link leads to a file. The licence is the MIT one."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def table(pattern, name):
    """The first words of the rows of each table of that name in C, or the words of a list."""
    words = []
    for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
        for body in re.findall(r"\b%s\[\] = \{(.*?)\};" % name, read(path), re.S):
            words += re.findall(r'\{\s*"([\w-]+)"', body) or re.findall(r'"([\w-]+)"', body)
    return words


def missing(words, text, where, pattern=r"`%s`"):
    if len(words) < 3:
        yield "only %s were found in the code that %s should have" % (words, where)
    for word in words:
        if not re.search(pattern % re.escape(word), text):
            yield "%s does not have %s" % (where, word)


def links(path):
    for target in re.findall(r"\[[^\]\n]*\]\(([^)#:\s]+)\)", read(path)):
        if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
            yield "%s: the link to %s leads nowhere" % (path, target)


def main():
    readme, found = read("README.md"), []
    found += missing(table("vmm/core/conf.c", "keys"), readme, "README's avatar.conf", r"(?m)^\| `%s` \|")
    boot_words = table("kernel/main.c", "words") + table("vmm/vmx/vmx_options.c", "vmx_option_words")
    found += missing(boot_words, readme, "README's boot line", r"`%s[=`]")
    found += missing(table("tests/selftest/*.c", "tests"), readme, "README's selftest=")
    found += missing(table("vmm/monitor/commands.c", "monitor_commands"), read("docs/monitor.md"), "docs/monitor.md", r"(?m)^(?:###.*\b|`)%s\b")
    targets = [t for line in re.findall(r"^\.PHONY:(.*)$", read("Makefile") + read("tests/targets.mk") + read("boot/iso.mk"), re.M)
               for t in line.split() if t != "all"]
    found += missing(targets, readme, "README", r"`make %s\b")
    for path in ["README.md"] + ["docs/" + n for n in sorted(os.listdir(os.path.join(ROOT, "docs"))) if n.endswith(".md")]:
        found += links(path)
    if not read("LICENSE").startswith("MIT License"):
        found.append("LICENSE is not the MIT licence")
    print("\n".join(found) or "what the code has is in the papers")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
