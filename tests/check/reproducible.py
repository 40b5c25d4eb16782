#!/usr/bin/python3
"""Two builds of the same files, in different folders, give the same bytes."""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRODUCTS = ["build/avatar.elf", "build/guests/hello.elf"]


def main():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                           text=True, check=True).stdout.splitlines()
    with tempfile.TemporaryDirectory(prefix="avatar-again-") as folder:
        for name in names:
            if os.path.isfile(os.path.join(ROOT, name)):
                os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        for top in (ROOT, folder):
            done = subprocess.run(["make", "-j%d" % os.cpu_count()] + PRODUCTS, cwd=top, env=env, capture_output=True, text=True)
            if done.returncode:
                print(done.stdout[-1000:] + done.stderr[-3000:])
                return 1
        for name in PRODUCTS:
            if not filecmp.cmp(os.path.join(ROOT, name), os.path.join(folder, name), shallow=False):
                print("%s differs between two builds" % name)
                return 1
    print("%s: the same bytes twice" % ", ".join(PRODUCTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
