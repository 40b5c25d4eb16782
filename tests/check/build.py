#!/usr/bin/python3
"""The build, on a copy of the sources: it gives the same bytes as the one here, writes nothing outside of build/, does nothing
the second time, makes anew what a changed header asks for and no more, and takes the cross toolchain when there is one."""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRODUCTS = ["build/avatar.elf", "build/guests/hello.elf"]
HEADER, USER, STRANGER = "drivers/rtc.h", "drivers/rtc", "drivers/font8x16"


def make(folder, *words, path=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    if path:
        env["PATH"] = path + ":" + env["PATH"]
    done = subprocess.run(["make", *words], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-1000:] + done.stderr[-3000:])
        sys.exit(1)
    return done.stdout


def copy_sources(folder):
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                           text=True, check=True).stdout.splitlines()
    for name in names:
        if os.path.isfile(os.path.join(ROOT, name)):
            os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name))


def files(folder, below_build):
    """path -> time of its last change, below build/ or everywhere else."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(where, name), folder)
            if path.startswith("build/") == below_build:
                found[path] = os.stat(os.path.join(folder, path)).st_mtime_ns
    return found


def built_again(before, after):
    return {p for p in after if p.endswith((".o", ".elf")) and after[p] != before.get(p)}


def checks(folder):
    jobs = "-j%d" % os.cpu_count()
    copy_sources(folder)
    sources = files(folder, False)
    make(ROOT, jobs, *PRODUCTS)
    make(folder, jobs, *PRODUCTS)
    for name in PRODUCTS:
        if not filecmp.cmp(os.path.join(ROOT, name), os.path.join(folder, name), shallow=False):
            yield "%s differs between two builds" % name
    if files(folder, False) != sources:
        yield "the build writes outside of build/"

    first = files(folder, True)
    said = make(folder, jobs, *PRODUCTS).replace("make: 'build/", "")
    if files(folder, True) != first or "  CC" in said or "  LD" in said:
        yield "a second make does something: " + said

    os.utime(os.path.join(folder, HEADER))
    make(folder, jobs, *PRODUCTS)
    again = built_again(first, files(folder, True))
    for wanted in ("build/obj/%s.o" % USER, "build/avatar.elf"):
        if wanted not in again:
            yield "%s is not made again when %s changes" % (wanted, HEADER)
    if "build/obj/%s.o" % STRANGER in again:
        yield "%s is made again, which does not include %s" % (STRANGER, HEADER)

    tools = os.path.join(folder, "tools")
    os.makedirs(tools)
    for tool in ("gcc", "nm", "objcopy"):
        with open(os.open(tools + "/x86_64-elf-" + tool, os.O_CREAT | os.O_WRONLY, 0o755), "w") as f:
            f.write("#!/bin/sh\n")
    for words, path, cc in (([], None, "gcc "), ([], tools, "x86_64-elf-gcc "), (["CROSS_COMPILE=other-"], tools, "other-gcc ")):
        if not path and shutil.which("x86_64-elf-gcc"):
            continue
        said = make(folder, "-n", "-B", "V=1", "build/obj/%s.o" % USER, *words, path=path)
        if not any(line.startswith(cc) for line in said.splitlines()):
            yield "%swas expected to compile, but: %s" % (cc, said[-300:])


def main():
    with tempfile.TemporaryDirectory(prefix="avatar-again-") as folder:
        found = list(checks(folder))
    print("\n".join(found) or "the same bytes twice, nothing the second time, what a header asks for")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
