"""Emulated machines for boot tests: Bochs and QEMU behind one interface.

Every serial port is a TCP socket on which this side listens, so that nothing collides and no byte is lost. A machine keeps
its files in one folder: bochsrc, bochs.log, stdout.txt and serial.log (com1 as it came).

    with Bochs(iso="x.iso", folder="build/boot/x") as m:
        m.expect(r"avatar> ", 60)
        print(m.command("list"))
"""
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import time

# Wall-clock limits are for a quiet machine of two cores; a slow one may stretch them all.
STRETCH = float(os.environ.get("AVATAR_TIMEOUT_STRETCH", "1"))

PROMPT = r"avatar> "
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>78]")

# In Bochs's log these mean that the hypervisor broke a rule, or the machine died.
BAD_LOG = re.compile(r"VMFAIL|VMENTER FAIL|VMABORT|>>PANIC<<")
# Bochs ends by a "panic" also when it is told to.
GOOD_PANIC = re.compile(r"soft power off|Shutdown port|shutdown requested")

BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={rom}
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs={ignore_bad_msrs}
memory: guest={mem}, host={host_mem}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
log: {folder}/bochs.log
debugger_log: -
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
{coms}
clock: sync={sync}, time0={time0}
port_e9_hack: enabled=1
sound: driver=dummy
speaker: enabled=0
{extra}
"""


class MachineError(AssertionError):
    """The machine did not do what was waited for; says where its logs are."""


def plain(data):
    """Bytes of a terminal as text: without escape sequences and carriage returns."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return ANSI.sub("", text).replace("\r", "")


class Machine:
    def __init__(self, folder, coms):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        for name in ("bochs.log", "serial.log", "stdout.txt"):
            if os.path.exists(os.path.join(self.folder, name)):
                os.unlink(os.path.join(self.folder, name))
        self.serial_log = open(self.folder + "/serial.log", "wb", buffering=0)
        self.stdout = open(self.folder + "/stdout.txt", "wb")
        self.unread = [b""] * coms
        self.listeners = []
        self.sockets = []
        self.process = None
        self.begin = time.monotonic()
        for _ in range(coms):
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            s.listen(1)
            self.listeners.append(s)

    def port(self, com):
        return self.listeners[com].getsockname()[1]

    def start(self, command):
        with open(self.folder + "/command", "w") as f:
            f.write(" ".join("'%s'" % c if " " in c else c for c in command) + "\n")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.stdout,
                                        stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True)
        for listener in self.listeners:
            while not select.select([listener], [], [], 0.1)[0]:
                if self.process.poll() is not None:
                    self.fail("the emulator ended at its start: " + self.tail("stdout.txt"))
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(connection)
            listener.close()

    def tail(self, name, count=600):
        try:
            with open(os.path.join(self.folder, name), "rb") as f:
                return plain(f.read()[-count:])
        except OSError:
            return ""

    def fail(self, why):
        raise MachineError("%s\n(after %.1f s; logs: %s)" % (why, self.elapsed(), os.path.relpath(self.folder)))

    def elapsed(self):
        return time.monotonic() - self.begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pump(self, timeout):
        """Take what the serial ports have to say."""
        live = [s for s in self.sockets if s.fileno() >= 0]
        for s in select.select(live, [], [], timeout)[0] if live else []:
            com = self.sockets.index(s)
            try:
                data = s.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                s.close()
                continue
            self.unread[com] += data
            if com == 0:
                self.serial_log.write(data)

    def dead(self):
        return all(s.fileno() < 0 for s in self.sockets)

    def expect(self, pattern, timeout=60, com=0, never=None):
        """Wait for a pattern on a serial port; returns everything up to its end, as bytes.
        A str pattern is matched against bytes. never: a pattern whose appearance ends the wait as a failure."""
        pattern = pattern.encode() if isinstance(pattern, str) else pattern
        never = never.encode() if isinstance(never, str) else never
        end = time.monotonic() + timeout * STRETCH
        while True:
            data = self.unread[com]
            match = re.search(pattern, data, re.S)
            bad = re.search(never, data[:match.start() if match else None], re.S) if never else None
            if bad:
                self.fail("%r came, which must not; before it: %s" % (bad.group(), plain(data[max(0, bad.start() - 300):bad.end()])))
            if match:
                self.unread[com] = data[match.end():]
                return data[:match.end()]
            if self.dead():
                self.fail("the machine ended (code %r) before %r came; last words: %s"
                          % (self.wait(5), pattern, plain(data[-1200:])))
            if time.monotonic() > end:
                self.fail("no %r within %g s; last words: %s" % (pattern, timeout * STRETCH, plain(data[-1200:])))
            self.pump(0.2)

    def send(self, data, com=0):
        """Send text or bytes; what comes in meanwhile is kept, so that neither side waits for the other."""
        data = data.encode() if isinstance(data, str) else data
        s = self.sockets[com]
        while data:
            readable, writable, _ = select.select([s], [s], [], 5)
            if readable:
                self.pump(0)
            if writable and s.fileno() >= 0:
                data = data[s.send(data[:4096]):]
            if s.fileno() < 0:
                self.fail("the machine ended while it was written to")

    def quiet(self, seconds):
        """Let it run; nothing in particular is expected."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.dead():
            self.pump(min(0.2, max(0, end - time.monotonic())))

    # The monitor.

    def prompt(self, timeout=60):
        return plain(self.expect(PROMPT, timeout))

    def command(self, line, timeout=30):
        """A monitor command; returns its reply without echo and prompt. A line of the log may come in at any time, and the
        monitor then writes its prompt and what was typed anew: the reply is what stands between the whole command and the
        next prompt."""
        self.pump(0)
        self.unread[0] = b""
        self.send(line + "\r")
        reply = re.compile(re.escape(line) + r"\n(.*?)(?<=\n)avatar> ", re.S)
        end = time.monotonic() + timeout * STRETCH
        while True:
            text = plain(self.unread[0])
            match = reply.search(text)
            if match:
                self.unread[0] = text[match.end():].encode()
                return match.group(1)
            if self.dead():
                self.fail("the machine ended (code %r) during the command %r; last words: %s" % (self.wait(5), line, text[-1200:]))
            if time.monotonic() > end:
                self.fail("no end of the command %r within %g s; last words: %s" % (line, timeout * STRETCH, text[-1200:]))
            self.pump(0.2)

    def console(self, name, timeout=30):
        """Attach to a guest's console; what it has printed so far comes first."""
        self.send("console %s\r" % name)
        self.expect(r"\[%s\b[^\n]*: attached[^\n]*\n" % re.escape(name), timeout)

    def detach(self, timeout=30):
        self.send(b"\x1d")
        return self.prompt(timeout)

    # The end.

    def wait(self, timeout=30):
        """Wait for the emulator to end; returns its exit code, or None when it runs on."""
        end = time.monotonic() + timeout * STRETCH
        while time.monotonic() < end and not self.dead():
            self.pump(0.2)
        try:
            return self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    def close(self):
        if self.process and self.process.poll() is None:
            # Bochs stops at its debugger prompt, finds the end of its input, and leaves in order.
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for s in self.sockets:
            s.close()
        for s in self.listeners:
            s.close()
        self.serial_log.close()
        self.stdout.close()

    def complaints(self, allow=()):
        """What the emulator itself holds against us."""
        return []


def bochsrc(**options):
    """The text of a bochsrc. Options: iso, folder, coms (lines), model, cpus, mem, ips, uefi, sync, time0, ..."""
    o = dict(model="corei7_skylake_x", cpus=1, mem=512, ips=20000000, uefi=False, sync="none", time0="utc",
             ignore_bad_msrs=0, extra="")
    o.update(options)
    o["rom"] = "/usr/share/ovmf/OVMF.fd" if o["uefi"] else "/usr/share/bochs/BIOS-bochs-latest, options=fastboot"
    o["host_mem"] = min(o["mem"], 2048)
    o["iso"] = os.path.abspath(o["iso"])
    return BOCHSRC.format(**o)


class Bochs(Machine):
    """options: see bochsrc()."""

    def __init__(self, folder, coms=1, debugger="c\n", **options):
        super().__init__(folder, coms)
        lines = ["com%d: enabled=1, mode=socket-client, dev=127.0.0.1:%d" % (i + 1, self.port(i)) for i in range(coms)]
        with open(self.folder + "/bochsrc", "w") as f:
            f.write(bochsrc(folder=self.folder, coms="\n".join(lines), **options))
        with open(self.folder + "/rc", "w") as f:
            f.write(debugger)
        self.start(["bochs-bin", "-q", "-unlock", "-f", self.folder + "/bochsrc", "-rc", self.folder + "/rc"])

    def complaints(self, allow=()):
        found = []
        try:
            with open(self.folder + "/bochs.log", errors="replace") as f:
                for line in f:
                    if BAD_LOG.search(line) and not GOOD_PANIC.search(line) and not any(re.search(a, line) for a in allow):
                        found.append(line.strip())
        except OSError:
            pass
        return found


class Pty:
    """Our end of a pseudo terminal, as a socket."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def recv(self, size):
        try:
            return os.read(self.fd, size)
        except OSError:  # EIO: the other end is closed
            return b""

    def send(self, data):
        return os.write(self.fd, data)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Terminal(Machine):
    """A program on a terminal, such as tests/run.py: what it shows is com 0, what is sent to it is typed."""

    def __init__(self, folder, command, cwd=None):
        super().__init__(folder, 0)
        ours, self.terminal = pty.openpty()  # the other end stays open: its settings are asked for when the program is gone
        self.settings_before = termios.tcgetattr(self.terminal)
        self.unread, self.sockets = [b""], [Pty(ours)]
        self.process = subprocess.Popen(command, stdin=self.terminal, stdout=self.terminal, stderr=self.terminal,
                                        cwd=cwd or self.folder, start_new_session=True)

    def settings(self):
        return termios.tcgetattr(self.terminal)

    def children_seconds(self):
        """Processor time that the program's children have used so far."""
        total = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()  # it stops the emulator, and needs time for that
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        super().close()
        os.close(self.terminal)


class Qemu(Machine):
    """TCG, no VT-x. kernel, initrd, append: boot these directly instead of an ISO. isa-debug-exit is at 0xf4."""

    def __init__(self, folder, iso=None, cpu="max", cpus=1, mem=512, coms=1, uefi=False, machine="pc", kernel=None,
                 initrd=None, append=None, args=()):
        super().__init__(folder, coms)
        command = ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-cpu", cpu, "-smp", str(cpus),
                   "-m", str(mem), "-display", "none", "-no-reboot", "-monitor", "none",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        for i in range(coms):
            command += ["-serial", "tcp:127.0.0.1:%d,nodelay=on" % self.port(i)]
        if iso:
            command += ["-cdrom", os.path.abspath(iso)]
        for option, value in (("-kernel", kernel), ("-initrd", initrd), ("-append", append)):
            if value:
                command += [option, value if option == "-append" else os.path.abspath(value)]
        if uefi:
            with open("/usr/share/OVMF/OVMF_VARS.fd", "rb") as source, open(self.folder + "/vars.fd", "wb") as copy:
                copy.write(source.read())
            command += ["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd",
                        "-drive", "if=pflash,format=raw,file=%s/vars.fd" % self.folder]
        self.start(command + list(args))
