#!/usr/bin/python3
"""make run: boot an ISO in an emulator; this terminal is its serial line.

QEMU with KVM where this machine can nest VT-x, Bochs otherwise: Bochs has all of VT-x in software, and is slow. Ctrl-A x
leaves, Ctrl-A Ctrl-A is a Ctrl-A. What the emulators say themselves goes to build/run/. Without a terminal, bytes are passed
through until standard input ends and the machine stops.

usage: run.py ISO [--emulator bochs|qemu-kvm|qemu] [--model M] [--mem MIB] [--cpus N] [--uefi]
"""
import argparse
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import tty

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))
sys.dont_write_bytecode = True
import machine  # noqa: E402

FOLDER = os.path.join(ROOT, "build/run")
ESCAPE = b"\x01"  # Ctrl-A, as in QEMU

# In Bochs time is counted in instructions, `ips` of them a second. sync=slowdown holds that back to the clock on the wall, so
# that an idle machine waits instead of racing ahead. What a busy one falls behind is made up for later, when time runs up to
# one and a half times too fast: so `ips` is no more than Bochs does in a second of a Linux boot on a slow machine.
BOCHS_IPS = 20000000


def kvm_can_nest():
    try:
        with open("/proc/cpuinfo") as f:
            has_vmx = any(line.startswith("flags") and " vmx" in line for line in f)
        with open("/sys/module/kvm_intel/parameters/nested") as f:
            nested = f.read().strip() in ("Y", "1")
    except OSError:
        return False
    return has_vmx and nested and os.access("/dev/kvm", os.R_OK | os.W_OK)


def bochs_command(o, port):
    text = machine.bochsrc(iso=o.iso, folder=FOLDER, model=o.model, mem=o.mem, cpus=o.cpus, ips=BOCHS_IPS, sync="slowdown",
                           time0="utc", uefi=o.uefi, ignore_bad_msrs=1, coms="com1: enabled=1, mode=socket-client, dev=127.0.0.1:%d" % port)
    with open(FOLDER + "/bochsrc", "w") as f:
        f.write(text)
    # Started again when the guest machine resets: each line runs it once more.
    with open(FOLDER + "/rc", "w") as f:
        f.write("c\n")
    return ["bochs-bin", "-q", "-unlock", "-f", FOLDER + "/bochsrc", "-rc", FOLDER + "/rc"]


def qemu_command(o, port, kvm):
    command = ["qemu-system-x86_64", "-machine", "pc", "-m", str(o.mem), "-smp", str(o.cpus), "-cdrom", os.path.abspath(o.iso),
               "-display", "none", "-monitor", "none", "-serial", "tcp:127.0.0.1:%d,nodelay=on" % port,
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    command += ["-accel", "kvm", "-cpu", "host,+vmx"] if kvm else ["-accel", "tcg", "-cpu", "max"]
    if o.uefi:
        with open("/usr/share/OVMF/OVMF_VARS.fd", "rb") as source, open(FOLDER + "/vars.fd", "wb") as copy:
            copy.write(source.read())
        command += ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd",
                    "-drive", "if=pflash,format=raw,file=%s/vars.fd" % FOLDER]
    return command


class Keys:
    """What is typed, with Ctrl-A taken out."""

    def __init__(self):
        self.escaped = False
        self.leave = False

    def feed(self, data):
        out = b""
        for byte in (data[i:i + 1] for i in range(len(data))):
            if self.escaped:
                self.escaped = False
                if byte in (b"x", b"X"):
                    self.leave = True
                    return out
                out += byte if byte == ESCAPE else b""
            elif byte == ESCAPE:
                self.escaped = True
            else:
                out += byte
        return out


def talk(connection, process, interactive):
    """Carry bytes both ways until the emulator ends or the operator leaves. Returns whether the operator left."""
    keys = Keys()
    stdin_open = True
    while True:
        watched = [connection] + ([sys.stdin.buffer] if stdin_open else [])
        ready = select.select(watched, [], [], 1)[0]
        if connection in ready:
            try:
                data = connection.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                return False
            os.write(1, data)
        if sys.stdin.buffer in ready:
            data = os.read(0, 4096)
            stdin_open = bool(data)
            try:
                connection.sendall(keys.feed(data) if interactive else data)
            except OSError:
                return False
            if keys.leave:
                return True
        if not ready and process.poll() is not None:
            return False


def stop(process):
    """Bochs leaves in order on SIGINT; QEMU on SIGTERM as well."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            pass


def say(text):
    """A line to the operator; the terminal may be raw."""
    sys.stderr.write(text + "\r\n")
    sys.stderr.flush()


def why_ended(process):
    """The emulator's own last words, when they are not just that it was told to power off."""
    try:
        with open(FOLDER + "/stdout.txt", errors="replace") as f:
            lines = [line.strip() for line in f if line.strip() and not line.startswith("=")]
    except OSError:
        return "the emulator ended"
    for i, line in enumerate(lines):
        if "exiting with the following message" in line and i + 1 < len(lines):
            if "soft power off" in lines[i + 1] or "hutdown" in lines[i + 1]:
                return "the machine is off"
            return "the emulator ended: %s (see build/run/)" % lines[i + 1]
    if process.poll() == 0:
        return "the machine is off"
    return "the emulator ended with code %s: %s (see build/run/)" % (process.poll(), " | ".join(lines[-3:]))


def run(o):
    os.makedirs(FOLDER, exist_ok=True)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    port = listener.getsockname()[1]
    command = bochs_command(o, port) if o.emulator == "bochs" else qemu_command(o, port, o.emulator == "qemu-kvm")
    # Its terminal chatter would garble ours, and our Ctrl-C must reach the machine, not the emulator.
    with open(FOLDER + "/stdout.txt", "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=FOLDER,
                                   start_new_session=True)
    left = False
    try:
        while not select.select([listener], [], [], 0.2)[0]:
            if process.poll() is not None:
                say("run: " + why_ended(process))
                return 1
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        left = talk(connection, process, sys.stdin.isatty())
        if not left:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
    finally:
        stop(process)
    end = "left by Ctrl-A x" if left else why_ended(process)
    say("\r\nrun: " + end)
    return 0 if left or end == "the machine is off" else 1


def on_signal(number, _):
    """A closed terminal must not leave an emulator behind."""
    sys.exit(128 + number)


def main():
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, on_signal)
    p = argparse.ArgumentParser(description="Boot an ISO; this terminal is its serial line.")
    p.add_argument("iso")
    p.add_argument("--emulator", choices=["bochs", "qemu-kvm", "qemu"])
    p.add_argument("--model", default="corei7_skylake_x", help="Bochs's processor model")
    p.add_argument("--mem", type=int, default=1024, help="MiB")
    p.add_argument("--cpus", type=int, default=1)
    p.add_argument("--uefi", action="store_true")
    o = p.parse_args()
    if not os.path.isfile(o.iso):
        sys.exit("error: there is no file %s" % o.iso)
    o.emulator = o.emulator or ("qemu-kvm" if kvm_can_nest() else "bochs")
    names = {"bochs": "Bochs (%s; no nested VT-x on this machine, so everything is emulated)" % o.model,
             "qemu-kvm": "QEMU with KVM", "qemu": "QEMU without VT-x"}
    say("run: %s in %s. Ctrl-A x leaves." % (os.path.relpath(o.iso), names[o.emulator]))
    if not sys.stdin.isatty():
        return run(o)
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        return run(o)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main())
