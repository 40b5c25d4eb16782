"""Fixtures of the boot tests: ISOs made on demand and kept by their contents, machines that are judged when they end."""
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "boot")]
sys.dont_write_bytecode = True

import machine as machines  # noqa: E402
import mkiso  # noqa: E402

BUILD = os.path.join(ROOT, "build")
ELF = os.environ.get("AVATAR_ELF") or os.path.join(BUILD, "avatar.elf")
# The same with the self-tests, beside it.
TEST_ELF = "avatar-test.elf"
GUESTS = os.path.join(BUILD, "guests")
ISO_CACHE = os.path.join(BUILD, "boot", "iso")
ISOS_KEPT = 24

# Files that a conf may name without giving them.
KNOWN_FILES = {
    "vmlinuz": os.path.join(GUESTS, "debian", "vmlinuz"),
    "initrd.img": os.path.join(GUESTS, "debian", "initrd.img"),
}

LINUX_CONF = """\
[vm linux]
kernel    = vmlinuz
initrd    = initrd.img
cmdline   = console=ttyS0
memory    = 256M
cpus      = 1
autostart = yes
"""


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes too long for make check; make soak runs it")
    os.chdir(ROOT)
    os.makedirs(ISO_CACHE, exist_ok=True)
    for old in isos_by_age()[:-ISOS_KEPT]:
        for path in (old, old + ".key"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def isos_by_age():
    """The oldest first. A test that begins at the same time clears the same ones: they may go at any moment."""
    found = []
    for f in os.scandir(ISO_CACHE):
        if f.name.endswith(".iso"):
            with contextlib.suppress(FileNotFoundError):
                found.append((f.stat().st_mtime, f.path))
    return [path for _, path in sorted(found)]


def file_path(name, files, folder):
    """Where a file named by a conf is: bytes given by the test are put into its folder."""
    given = files.get(name)
    if isinstance(given, bytes):
        path = os.path.join(folder, "files", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(given)
        return path
    return given or KNOWN_FILES.get(name) or os.path.join(GUESTS, name)


def make_iso(sources, cfg, bios_only):
    key = hashlib.sha256(mkiso.digest(sources, cfg, bios_only).encode()).hexdigest()[:24]
    path = os.path.join(ISO_CACHE, key + ".iso")
    mkiso.build(path, sources, cfg, bios_only)
    os.utime(path)
    return path


def avatar_iso(folder, conf, files, bootline, uefi, extra_modules=()):
    """An ISO with the hypervisor, or with avatar-test.elf when the boot line wants a self-test. conf: text or None; files: what
    the conf names, by path or as bytes."""
    elf = os.path.join(os.path.dirname(ELF), TEST_ELF) if "selftest=" in bootline else ELF
    sources, modules = [(elf, "boot/avatar.elf")], []
    if conf is not None:
        path = os.path.join(folder, "avatar.conf")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(conf)
        sources.append((path, "boot/avatar.conf"))
        modules.append(("boot/avatar.conf", "avatar.conf"))
    for number, name in enumerate(list(mkiso.files_of(conf or "")) + list(extra_modules)):
        path = file_path(name, files, folder)
        if path == "" or not os.path.exists(path):
            continue  # a test may want it missing: the hypervisor has to say so
        place = mkiso.place_on_iso(name, number)
        sources.append((path, place))
        modules.append((place, name))
    lines = mkiso.boot_commands(bootline, modules)
    if uefi:
        lines = ["insmod all_video", "terminal_output console"] + lines
    return make_iso(sources, "\n".join(["set timeout=0"] + lines + ["boot", ""]), not uefi)


def native_iso(kernel, files, uefi=False):
    """An ISO without the hypervisor. kernel: the GRUB command, such as `linux /boot/vmlinuz console=ttyS0`."""
    sources = [(path, "boot/" + name) for name, path in files.items()]
    commands = ["set timeout=0", "insmod " + kernel.split()[0]] + kernel.split("\n") + ["boot", ""]
    mkiso.BIOS_MODULES = mkiso.BIOS_MODULES.replace("multiboot2", "multiboot2 multiboot linux")
    return make_iso(sources, "\n".join(commands), not uefi)


class Booter:
    """Starts machines for one test, in build/boot/TEST[-N]."""

    def __init__(self, name):
        self.name = name
        self.started = []

    def folder(self):
        number = "-%d" % (len(self.started) + 1) if self.started else ""
        path = os.path.join(BUILD, "boot", self.name + number)
        os.makedirs(path, exist_ok=True)
        return path

    def __call__(self, conf=LINUX_CONF, files=None, bootline="", emulator="bochs", uefi=False, iso=None, modules=(),
                 allow=(), **options):
        """Boot the hypervisor. conf: avatar.conf's text, None for none. allow: patterns of Bochs's log that are no failure.
        iso: one that is there already. Other options go to machine.Bochs or machine.Qemu."""
        folder = self.folder()
        if iso is None:
            iso = avatar_iso(folder, conf, files or {}, bootline, uefi, modules)
        if uefi and emulator == "bochs":
            options.setdefault("ignore_bad_msrs", 1)  # OVMF reads some that are not there
        kind = machines.Bochs if emulator == "bochs" else machines.Qemu
        m = kind(folder, iso=iso, uefi=uefi, **options)
        self.started.append((m, allow))
        return m

    def native(self, kernel, files, allow=(), **options):
        """Boot a kernel without the hypervisor, in Bochs."""
        return self(iso=native_iso(kernel, files), allow=allow, **options)

    def qemu_kernel(self, kernel, append="", **options):
        """Boot a kernel by `qemu -kernel`."""
        m = machines.Qemu(self.folder(), kernel=kernel, append=append, **options)
        self.started.append((m, ()))
        return m

    def run(self, conf, bootline="", words=()):
        """What `make run` does once the ISO is there, on a terminal of its own."""
        folder = self.folder()
        iso = avatar_iso(folder, conf, {}, bootline, False)
        m = machines.Terminal(folder, [sys.executable, "-B", "tests/run.py", iso] + list(words), cwd=ROOT)
        self.started.append((m, ()))
        return m

    def finish(self):
        complaints = []
        for m, allow in self.started:
            m.close()
            complaints += ["%s: %s" % (os.path.relpath(m.folder), c) for c in m.complaints(allow)]
        return complaints


@pytest.fixture
def boot(request):
    name = re.sub(r"[^\w.-]+", "_", "%s-%s" % (request.node.path.stem[5:], request.node.name[5:])).strip("_")
    booter = Booter(name)
    request.node.booter = booter
    yield booter
    complaints = booter.finish()
    if complaints:
        pytest.fail("the emulator complains:\n" + "\n".join(complaints[:20]), pytrace=False)


@pytest.fixture(scope="session")
def debug_elf():
    """The hypervisor with its checks."""
    done = subprocess.run(["make", "-s", "-j2", "DEBUG=1", "all"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return os.path.join(ROOT, "build-debug", "avatar.elf")


@pytest.fixture
def figure(request):
    """figure(name, value): what the test has seen, for build/soak.json. The file's name is that of the log of tests/soak.py."""
    name = re.sub(r"[^\w.-]+", "_", "%s::%s" % (request.node.path.stem[5:], request.node.name[5:]))
    path = os.path.join(BUILD, "figures", name + ".json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)
    seen = {}

    def note(what, value):
        seen[what] = value
        with open(path, "w") as f:
            json.dump(seen, f, indent=1)

    return note


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    booter = getattr(item, "booter", None)
    if report.failed and booter and booter.started:
        folders = [os.path.relpath(m.folder, ROOT) for m, _ in booter.started]
        report.sections.append(("logs", "\n".join(f + "/serial.log, bochs.log, stdout.txt" for f in folders)))
