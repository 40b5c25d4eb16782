#!/usr/bin/python3
"""Make a bootable ISO of avatar.elf, a conf, and the files the conf names.

The files are found relative to the conf; each becomes a Multiboot2 module whose string is the name as the conf has it,
the conf itself being the first, as `avatar.conf`. By default the ISO boots by BIOS and by UEFI and shows a menu;
--bios-only makes the small one that tests boot, which starts at once.

The conf's text is not judged here, that is the hypervisor's business (vmm/core/conf.c, which boot/host/check_conf.c asks):
only file names are taken from it.
"""
import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

FILE_KEYS = ("kernel", "initrd", "module")
BIOS_MODULES = "biosdisk iso9660 multiboot2 normal serial terminal"
BOTH_MODULES = "iso9660 part_gpt part_msdos search search_fs_uuid search_label multiboot2 normal serial terminal test " \
               "echo all_video halt reboot"

# Under UEFI the firmware's console is often the serial line already: text would come out twice.
CONSOLES = """\
if [ "$grub_platform" = efi ]; then
	insmod all_video
	terminal_output console
elif serial --unit=0 --speed=115200; then
	terminal_input console serial
	terminal_output console serial
fi
"""


def files_of(conf_text):
    """The file names in a conf, in order, each once."""
    names = []
    for line in conf_text.splitlines():
        match = re.match(r"\s*(\w+)\s*=\s*(.*)$", line)
        if not match or match.group(1) not in FILE_KEYS:
            continue
        quoted = re.match(r'"([^"]*)"\s*(\s[#;].*)?$', match.group(2))
        words = (quoted.group(1) if quoted else re.split(r"(?:^|\s)[#;]", match.group(2))[0]).split()
        if words and words[0] not in names:
            names.append(words[0])
    return names


def place_on_iso(name, number):
    """Where a file goes on the ISO: its own name below /boot, unless that would lead elsewhere or hide one of ours."""
    plain = re.fullmatch(r"[\w.+-]+(/[\w.+-]+)*", name) and ".." not in name.split("/")
    if plain and name.split("/")[0] not in ("grub", "avatar.elf", "avatar.conf"):
        return "boot/" + name
    return "boot/files/%d-%s" % (number, os.path.basename(name) or "file")


def grub_quote(word):
    return word if re.fullmatch(r"[\w./=,:@%+-]+", word) else "'" + word.replace("'", "'\\''") + "'"


def boot_commands(bootline, modules):
    words = ["multiboot2", "/boot/avatar.elf"] + [grub_quote(w) for w in shlex.split(bootline)]
    lines = [" ".join(words)]
    # A compressed ramdisk is the guest's to unpack.
    lines += ["module2 --nounzip /%s %s" % (grub_quote(place), grub_quote(name)) for place, name in modules]
    return lines


def grub_cfg(options, modules):
    if options.bios_only:
        return "\n".join(["set timeout=0"] + boot_commands(options.bootline, modules) + ["boot", ""])
    entries = [
        ("AvatarVt-x", ""),
        ("AvatarVt-x, telling more", "loglevel=debug"),
        ("AvatarVt-x, without optional processor features", "noapicv novpid nopreempt nox2apic"),
    ]
    text = CONSOLES + "set timeout=1\nset default=0\n"
    for title, words in entries:
        commands = boot_commands((options.bootline + " " + words).strip(), modules)
        text += 'menuentry "%s" {\n\t%s\n}\n' % (title, "\n\t".join(commands))
    return text


def collect(options):
    """Pairs of (source, place on the ISO) and the list of modules."""
    sources = [(options.elf, "boot/avatar.elf")]
    modules = []
    if not options.conf:
        return sources, modules
    sources.append((options.conf, "boot/avatar.conf"))
    modules.append(("boot/avatar.conf", "avatar.conf"))
    folder = os.path.dirname(options.conf)
    with open(options.conf, encoding="utf-8", errors="surrogateescape") as f:
        text = f.read()
    files = [(name, os.path.join(folder, name)) for name in files_of(text)]
    for name, source in files:
        if not os.path.isfile(source):
            sys.exit("error: %s names %s, but there is no file %s" % (options.conf, name, source))
    # The guest of the command `bench`; a conf may bring its own.
    if options.bench and "bench.elf" not in files_of(text):
        files.append(("bench.elf", options.bench))
    for number, (name, source) in enumerate(files):
        place = place_on_iso(name, number)
        sources.append((source, place))
        modules.append((place, name))
    return sources, modules


def digest(sources, cfg, bios_only):
    h = hashlib.sha256(cfg.encode(errors="surrogateescape"))
    for path in [__file__] + [s for s, _ in sources]:
        with open(path, "rb") as f:
            h.update(hashlib.sha256(f.read()).digest())
    h.update(repr((bios_only, [p for _, p in sources])).encode())
    return h.hexdigest()


def lay_out(folder, sources, cfg, time):
    for source, place in sources:
        target = os.path.join(folder, place)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
    os.makedirs(os.path.join(folder, "boot/grub"), exist_ok=True)
    with open(os.path.join(folder, "boot/grub/grub.cfg"), "w", errors="surrogateescape") as f:
        f.write(cfg)
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            os.utime(os.path.join(where, name), (time, time))


def mkrescue(folder, out, time, bios_only):
    command = ["grub-mkrescue", "-o", out, "--fonts=", "--locales=", "--themes=", "--compress=no"]
    if bios_only:
        command += ["-d", "/usr/lib/grub/i386-pc", "--install-modules=" + BIOS_MODULES]
    else:
        command += ["--install-modules=" + BOTH_MODULES]
    env = dict(os.environ, SOURCE_DATE_EPOCH=str(time), LC_ALL="C", TZ="UTC")
    done = subprocess.run(command + [folder], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    if done.returncode or not os.path.exists(out):
        sys.exit("error: grub-mkrescue failed:\n" + done.stdout)


def build(out, sources, cfg, bios_only):
    """Make the ISO `out` of (file, place on the ISO) pairs and a grub.cfg; nothing is done when it is there already.
    Returns whether it was made."""
    key = digest(sources, cfg, bios_only)
    record = out + ".key"
    if os.path.exists(out) and os.path.exists(record) and open(record).read() == key:
        return False
    time = int(os.environ.get("SOURCE_DATE_EPOCH", "946684800"))
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="avatar-iso-") as folder:
        lay_out(folder, sources, cfg, time)
        new = "%s.new%d" % (out, os.getpid())
        mkrescue(folder, new, time, bios_only)
    os.rename(new, out)
    with open(record, "w") as f:
        f.write(key)
    return True


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--elf", required=True)
    p.add_argument("--conf", help="avatar.conf; without it there are no modules")
    p.add_argument("--bench", help="the image that the monitor's `bench` runs, as the module bench.elf")
    p.add_argument("--out", required=True)
    p.add_argument("--bootline", default="", help="words for the hypervisor, quoted as for a shell")
    p.add_argument("--bios-only", action="store_true", help="small and quick; no UEFI, no menu")
    p.add_argument("--quiet", action="store_true")
    options = p.parse_args()
    for path in filter(None, (options.elf, options.conf, options.bench)):
        if not os.path.isfile(path):
            sys.exit("error: there is no file %s" % path)
    sources, modules = collect(options)
    cfg = grub_cfg(options, modules)
    if build(options.out, sources, cfg, options.bios_only) and not options.quiet:
        print("%s: %.1f MB" % (options.out, os.path.getsize(options.out) / 1e6))


if __name__ == "__main__":
    main()
