#!/usr/bin/python3
"""Record what the demo guest's kernel says at warning level or above in Bochs without the hypervisor: the measure for what
it may say under it. Numbers and addresses are replaced by #.

usage: tests/boot/bare_warnings.py MODEL...      writes tests/boot/warnings/MODEL.txt
"""
import os
import sys

import conftest
import linux

# Bochs's firmware and Linux want MSRs that Bochs has not; Linux in Bochs's tigerlake dies of FSRM.
CMDLINE = {"tigerlake": "clearcpuid=580"}


def record(model):
    boot = conftest.Booter("bare-" + model)
    kernel = "linux /boot/vmlinuz console=ttyS0 quiet %s\ninitrd /boot/initrd.img" % CMDLINE.get(model, "")
    m = boot.native(kernel, conftest.KNOWN_FILES, model=model, mem=256, ips=linux.IPS, ignore_bad_msrs=1)
    linux.boot_to_shell(m, 600)
    found = [linux.normal(w) for w in linux.warnings(m)]
    version = linux.run(m, "uname -rv").strip()
    boot.finish()
    path = os.path.join(conftest.HERE, "warnings", model + ".txt")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write("# Linux %s, bare, in Bochs 2.7's %s. Made by: tests/boot/bare_warnings.py %s\n" % (version, model, model))
        f.writelines(w + "\n" for w in sorted(set(found)))
    print("%s: %d lines" % (path, len(set(found))))


if __name__ == "__main__":
    conftest.pytest_configure(None)
    for model in sys.argv[1:]:
        record(model)
