#!/usr/bin/python3
"""Make the demo guest's initramfs: busybox, a link per applet, kernel modules, and the files below guests/initramfs/.

The archive is in the "newc" cpio format of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst, gzipped.
The same input gives the same bytes: sorted names, one fixed time, owner 0. It is written here because the device nodes
then need no root.

usage: mkinitramfs.py BUSYBOX MODULES_DIR SKELETON_DIR OUT
       mkinitramfs.py --add INITRAMFS OUT NAME=FILE...      the same with more programs: NAME is where, in the guest
"""
import gzip
import io
import os
import stat
import subprocess
import sys

FOLDERS = ["bin", "dev", "etc", "lib", "lib/modules", "proc", "root", "run", "sys", "tmp", "mnt"]
# The kernel opens /dev/console for /init before devtmpfs can be mounted.
NODES = {"dev/console": (0o600, 5, 1), "dev/null": (0o666, 1, 3)}
TIME = int(os.environ.get("SOURCE_DATE_EPOCH", "1"))


def record(number, name, mode, data=b"", device=(0, 0)):
    fields = (number, mode, 0, 0, 1, TIME, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def skeleton(folder):
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(where, name)
            inside = os.path.relpath(path, folder)
            if os.path.isdir(path):
                yield inside, stat.S_IFDIR | 0o755, b""
            else:
                # Git keeps one bit of the mode; the rest is decided here.
                mode = 0o755 if os.stat(path).st_mode & 0o100 else 0o644
                yield inside, stat.S_IFREG | mode, open(path, "rb").read()


def contents(busybox, modules, folder):
    files = {name: (stat.S_IFDIR | 0o755, b"") for name in FOLDERS}
    files["bin/busybox"] = (stat.S_IFREG | 0o755, open(busybox, "rb").read())
    files["init"] = (stat.S_IFLNK | 0o777, b"bin/busybox")
    files["sbin"] = (stat.S_IFLNK | 0o777, b"bin")
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in applets:
        files.setdefault("bin/" + applet, (stat.S_IFLNK | 0o777, b"busybox"))
    for name in os.listdir(modules):
        files["lib/modules/" + name] = (stat.S_IFREG | 0o644, open(os.path.join(modules, name), "rb").read())
    for name, mode, data in skeleton(folder):
        files[name] = (mode, data)
    return files


def zipped(data):
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=9) as z:
        z.write(data)
    return out.getvalue()


def append(archive, more):
    """The kernel unpacks archives that follow each other."""
    records = [record(n + 1, name, stat.S_IFREG | 0o755, data) for n, (name, data) in enumerate(sorted(more.items()))]
    return archive + bytes(-len(archive) % 4) + zipped(b"".join(records) + record(0, "TRAILER!!!", 0))


def write(out, data):
    with open(out + ".new", "wb") as f:
        f.write(data)
    os.rename(out + ".new", out)


def add(archive, out, *more):
    files = {}
    for word in more:
        name, path = word.split("=", 1)
        files[name] = open(path, "rb").read()
    write(out, append(open(archive, "rb").read(), files))


def main():
    if sys.argv[1:2] == ["--add"]:
        add(*sys.argv[2:])
        return
    busybox, modules, folder, out = sys.argv[1:]
    files = contents(busybox, modules, folder)
    archive, number = [], 0
    for name in sorted(set(files) | set(NODES)):
        number += 1
        if name in NODES:
            mode, major, minor = NODES[name]
            archive.append(record(number, name, stat.S_IFCHR | mode, device=(major, minor)))
        else:
            archive.append(record(number, name, *files[name]))
    archive.append(record(0, "TRAILER!!!", 0))
    write(out, zipped(b"".join(archive)))


if __name__ == "__main__":
    main()
