#!/usr/bin/python3
"""make debug: the ISO in QEMU, stopped before its first instruction, and GDB attached with our symbols.

QEMU's TCG has no VT-x, so this is for the boot, the drivers and the monitor; the pre-flight will say what is missing. The
serial line goes to build/debug/serial.log. tests/gdb_avatar.py finds out where GRUB put the image.

usage: debug.py ISO ELF [words for GDB ...]
"""
import os
import signal
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "build/debug")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    iso, elf, more = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
    os.makedirs(FOLDER, exist_ok=True)
    port = free_port()
    command = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "512", "-cdrom", iso,
               "-display", "none", "-monitor", "none", "-serial", "file:" + FOLDER + "/serial.log", "-no-reboot",
               "-S", "-gdb", "tcp:127.0.0.1:%d" % port]
    with open(FOLDER + "/qemu.log", "wb") as log:
        # In a session of its own: Ctrl-C is meant for GDB.
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    print("debug: QEMU is stopped; its serial line goes to build/debug/serial.log (tail -f it in another terminal)", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.call(["gdb", "-q", "-nx", elf, "-ex", "target remote 127.0.0.1:%d" % port,
                                "-x", os.path.join(ROOT, "tests/gdb_avatar.py")] + more,
                               cwd=ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    finally:
        qemu.kill()
        qemu.wait()


if __name__ == "__main__":
    sys.exit(main())
