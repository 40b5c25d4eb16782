#!/usr/bin/python3
"""Privileged instructions only where the hardware is: in boot/, arch/, drivers/, vmm/vmx/, in the self-tests, and in those files of kernel/ that
say so by the word `privileged` in their first comment. And inline assembly only in the headers that are made for it.

The first is seen in the compiled code: the objects below build/obj/ are disassembled."""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

ALLOWED = ("boot/", "arch/", "drivers/", "vmm/vmx/", "tests/selftest/")
# SDM 3 "Privileged Instructions", I/O instructions, and VT-x.
MNEMONICS = re.compile(
    r"\t(?:rep[a-z]* +)?(cli|sti|hlt|in|out|ins[bwld]?|outs[bwld]?|rdmsr|wrmsr|l[gi]dt|lldt|ltr|lmsw|clts|invd|wbinvd|"
    r"invlpg|invpcid|invept|invvpid|vm[a-z]+|swapgs|xsetbv|rsm|monitor|mwait|rdpmc|sysexit|sysret[ql]?|"
    r"mov +%[a-z0-9]+,%(?:cr|db)\d+|mov +%(?:cr|db)\d+,%[a-z0-9]+)\b")
ASM = re.compile(r"\b(?:__asm__|__asm|asm)\b\s*(?:volatile\b\s*)?(?:__volatile__\b\s*)?(?:goto\b\s*)?\(")
# muldiv.h divides 128 bits, string.c has the string instructions: nothing privileged in either.
ASM_HEADERS = re.compile(r"(^|/)(insn|vmx_insn|barrier|spinlock|percpu|muldiv)\.h$|^kernel/lib/string\.c$")


def first_comment(path):
    with open(os.path.join(ROOT, path)) as f:
        match = re.match(r"\s*/\*.*?\*/", f.read(), re.S)
    return match.group() if match else ""


def may_be_privileged(source):
    if source.startswith(ALLOWED):
        return True
    return source.startswith("kernel/") and re.search(r"\bprivileged\b", first_comment(source), re.I) is not None


def objects():
    top = os.path.join(ROOT, "build/obj")
    for where, _, files in os.walk(top):
        for name in sorted(files):
            if not name.endswith(".o"):
                continue
            source = os.path.relpath(os.path.join(where, name), top)[:-2]
            source = source if source.endswith(".asm") else source + ".c"
            if os.path.exists(os.path.join(ROOT, source)):
                yield os.path.join(where, name), source


def instructions_in(pair):
    path, source = pair
    if may_be_privileged(source):
        return []
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    found = sorted({m.group(1) for m in MNEMONICS.finditer(text)})
    return ["%s has the privileged instructions %s" % (source, ", ".join(found))] if found else []


def inline_assembly():
    for top in ("arch", "kernel", "drivers", "vmm"):
        for where, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                path = os.path.relpath(os.path.join(where, name), ROOT)
                if not name.endswith((".c", ".h")) or ASM_HEADERS.search(path):
                    continue
                with open(os.path.join(ROOT, path)) as f:
                    if ASM.search(re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)):
                        yield "%s has inline assembly" % path


def main():
    pairs = list(objects())
    if not pairs:
        print("nothing is compiled: run make first")
        return True
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [line for lines in pool.map(instructions_in, pairs) for line in lines]
    found += inline_assembly()
    print("\n".join(found) or "%d objects: privileged instructions only where they belong" % len(pairs))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
