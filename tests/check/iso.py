#!/usr/bin/python3
"""make iso CONFIG=... ISO=...: the ISO starts by BIOS and by UEFI and holds what the conf names; a file that is missing is an
error that names it, and leaves no ISO behind."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONF = """\
[vm one]
kernel = one.elf             # a comment
module = data/a.bin words behind it
module = data/b.bin
[vm two]
kernel = "two.elf"   # quoted, with a comment behind it
initrd = two.img
"""
FILES = {"one.elf": b"1", "two.elf": b"22", "two.img": b"333", "data/a.bin": b"4444", "data/b.bin": b"55555"}
ON_ISO = ["/boot/avatar.elf", "/boot/avatar.conf", "/boot/bench.elf", "/boot/grub/grub.cfg"] + ["/boot/" + n for n in FILES]


def make_iso(conf, iso, *words):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "iso", "CONFIG=" + conf, "ISO=" + iso, *words], cwd=ROOT, env=env, capture_output=True, text=True)


def xorriso(iso, *words):
    return subprocess.run(["xorriso", "-indev", iso, *words], capture_output=True, text=True).stdout


def checks(folder):
    conf, iso = folder + "/avatar.conf", folder + "/out.iso"
    with open(conf, "w") as f:
        f.write(CONF)
    for name, data in FILES.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)

    done = make_iso(conf, iso, 'BOOTLINE=run="list; console one"')
    if done.returncode:
        yield "make iso failed: " + done.stdout + done.stderr
        return
    boot = xorriso(iso, "-report_el_torito", "plain")
    for words in ("BIOS", "UEFI"):
        if not any(line.startswith("El Torito boot img") and " %s " % words in line for line in boot.splitlines()):
            yield "the ISO does not start by %s: %s" % (words, boot)
    with open(iso, "rb") as f:
        if f.read(512)[510:] != b"\x55\xaa":
            yield "the ISO does not start from a stick: no boot record"
    listed = xorriso(iso, "-find", "/boot", "-type", "f").replace("'", "").split("\n")
    for name in ON_ISO:
        if name not in listed:
            yield "%s is not on the ISO" % name
    xorriso(iso, "-osirrox", "on", "-extract", "/boot/grub/grub.cfg", folder + "/grub.cfg", "-extract", "/boot/data/b.bin", folder + "/b")
    with open(folder + "/grub.cfg") as f:
        cfg = f.read()
    for words in ("multiboot2 /boot/avatar.elf 'run=list; console one'", "module2 --nounzip /boot/data/a.bin data/a.bin\n"):
        if words not in cfg:
            yield "not in grub.cfg: %s\n%s" % (words, cfg)
    with open(folder + "/b", "rb") as f:
        if f.read() != FILES["data/b.bin"]:
            yield "data/b.bin is not on the ISO as it was"

    for missing in ("data/b.bin", "two.img"):
        os.unlink(iso) if os.path.exists(iso) else None
        os.rename(os.path.join(folder, missing), folder + "/elsewhere")
        done = make_iso(conf, iso)
        if done.returncode == 0 or "there is no file %s/%s" % (folder, missing) not in done.stderr or os.path.exists(iso):
            yield "%s is missing, and that is not said: %s" % (missing, done.stdout + done.stderr)
        os.rename(folder + "/elsewhere", os.path.join(folder, missing))
    with open(folder + "/bad.conf", "w") as f:
        f.write(CONF.replace("initrd", "initrb"))
    done = make_iso(folder + "/bad.conf", iso)
    if done.returncode == 0 or "line 7, [vm two]: unknown key 'initrb'" not in done.stderr or os.path.exists(iso):
        yield "a conf with a slip is not refused: " + done.stdout + done.stderr
    done = make_iso(folder + "/nothere.conf", iso)
    if done.returncode == 0 or "nothere.conf" not in done.stderr:
        yield "a conf that is missing is not named: " + done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory(prefix="avatar-iso-") as folder:
        found = list(checks(folder))
    print("\n".join(found) or "an ISO for BIOS, UEFI and a stick; what is missing is named")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
