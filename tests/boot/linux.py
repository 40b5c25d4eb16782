"""The Debian guest at its shell, seen through a serial line."""
import re

from machine import plain

SHELL = r"linux:~# "
# A processor of 100 MHz, as it were: its timer's interrupts take a small part of its time.
IPS = 100_000_000
# More than half of the kernel's way to the shell is tests of its own cryptography; who does not ask for them goes without.
QUIET = "quiet cryptomgr.notests=1"
QUICK = "console=ttyS0 " + QUIET

NEVER = r"Kernel panic|BUG: |Oops: |Call Trace|\bcrashed\b"


def boot_to_shell(m, timeout=400, never=NEVER):
    """Wait for the shell on the line that is attached; returns what was printed on the way."""
    text = m.expect(SHELL, timeout, never=never)
    m.quiet(0.5)  # the shell asks the terminal where its cursor is, and wants no answer
    return plain(text)


def run(m, command, timeout=60):
    """A command in the guest; returns what it printed. It must succeed."""
    m.pump(0)
    m.unread[0] = b""
    # The quotes keep the echo of what is typed from looking like the end.
    m.send(command + '; echo "R""C=$?"\r')
    text = plain(m.expect(r"RC=\d+\r?\n", timeout))
    out, code = re.search(r"^(.*?)RC=(\d+)\n$", text, re.S).groups()
    # The shell breaks the echo of a long line by itself.
    out = out[out.rindex('=$?"') + 4:].lstrip("\n") if '=$?"' in out else out.split("\n", 1)[-1]
    if code != "0":
        m.fail("the guest's command %r ended with code %s: %s" % (command, code, out))
    return out


def warnings(m):
    """Lines of the guest's log at level warning or above, without their times."""
    found = []
    for line in run(m, "dmesg -r", 120).splitlines():
        match = re.match(r"<(\d+)>\[ *[\d.]+\] ?(.*)", line)
        if match and int(match.group(1)) & 7 <= 4:
            found.append(match.group(2))
    return found


def normal(warning):
    """A warning without what differs from boot to boot: numbers and addresses, and how tainted the kernel was by then."""
    warning = re.sub(r"\b(Not tainted|Tainted: [A-Z ]*[A-Z]) +", "", warning)
    return re.sub(r"\b(?:0x[0-9a-f]+|[0-9a-f]*\d[0-9a-f]*)\b", "#", warning)
