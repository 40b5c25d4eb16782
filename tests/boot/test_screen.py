"""The log on the screen and on port 0xe9: the same text as on the serial line."""
import ctypes
import os
import re
import socket
import subprocess
import time

from conftest import ROOT
from machine import plain

COLUMNS = 80


class Monitor:
    """QEMU's own monitor."""

    def __init__(self, folder):
        self.path = "/tmp/avatar-screen-%d" % os.getpid()  # a socket's name must be short
        self.folder = folder
        self.args = ["-monitor", "unix:%s,server=on,wait=off" % self.path]

    def write_file(self, command, name):
        """Have it write a file; returns what is in it."""
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path)
            s.sendall((command % path + "\n").encode())
            for _ in range(100):
                time.sleep(0.1)
                s.setblocking(False)
                try:
                    s.recv(65536)
                except BlockingIOError:
                    pass
                if os.path.exists(path) and os.path.getsize(path) > 0:
                    time.sleep(0.5)
                    break
        os.unlink(self.path)
        with open(path, "rb") as f:
            return f.read()


def log_lines(text):
    """The log of the serial line as it breaks on a screen of that many columns, without the pre-flight's beginning, which may
    have left the screen."""
    return [line for line in text.split("\n") if line.startswith("[")]


def holds_the_end(screen, text, columns):
    """The last lines of the log, in order, broken at the screen's edge."""
    wanted = [line[i:i + columns].rstrip() for line in log_lines(text)[-8:] for i in range(0, len(line), columns)]
    at = 0
    for line in wanted:
        assert line in screen[at:], (line, screen)
        at = screen.index(line, at) + 1
    return len(wanted)


def test_vga(boot):
    q = Monitor(boot.folder())
    m = boot(conf=None, emulator="qemu", mem=128, args=q.args)
    text = m.prompt()
    cells = q.write_file('pmemsave 0xb8000 4000 "%s"', "screen")
    screen = [cells[i:i + 2 * COLUMNS:2].decode("ascii").rstrip() for i in range(0, len(cells), 2 * COLUMNS)]
    assert holds_the_end(screen, text, COLUMNS) >= 8
    assert any("AvatarVt-x" in line or "No guest can run" in line for line in screen)


def glyphs(folder):
    """Our own font: 16 rows of bits -> character."""
    library = os.path.join(folder, "font.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-I.", "-o", library, "drivers/font8x16.c"], cwd=ROOT, check=True)
    font = ctypes.CDLL(library)
    font.font_row.restype = ctypes.c_uint8
    return {bytes(font.font_row(ctypes.c_char(c), y) for y in range(16)): chr(c) for c in range(0x20, 0x7f)}


def cell_bits(pixels, width, x, y):
    rows = bytearray()
    for line in range(16):
        bits = 0
        for column in range(8):
            at = 3 * ((y + line) * width + x + column)
            bits = bits << 1 | (pixels[at] > 0x40)
        rows.append(bits)
    return bytes(rows)


def read_screen(picture, font):
    """The lines of a P6 picture. The text is in the middle when the screen is no multiple of a cell."""
    width, height = map(int, re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", picture).groups())
    pixels = picture[-3 * width * height:]
    best = []
    for top in {0, height % 16 // 2}:
        for left in {0, width % 8 // 2}:
            lines = ["".join(font.get(cell_bits(pixels, width, x, y), "\0") for x in range(left, width - 7, 8)).rstrip()
                     for y in range(top, height - 15, 16)]
            best = max(best, lines, key=lambda found: sum(len(line) - line.count("\0") * 10 for line in found))
    return best, width // 8


def test_framebuffer(boot):
    q = Monitor(boot.folder())
    m = boot(conf=None, emulator="qemu", uefi=True, mem=256, args=q.args)
    text = m.prompt(120)
    screen, columns = read_screen(q.write_file('screendump "%s"', "screen.ppm"), glyphs(q.folder))
    assert "\0" not in "".join(screen), screen
    assert holds_the_end(screen, text, columns) >= 8


def test_debug_port(boot):
    """Bochs prints what comes to port 0xe9."""
    m = boot(conf=None, mem=128)
    text = m.prompt()
    with open(m.folder + "/stdout.txt", errors="replace") as f:
        said = plain(f.read())
    for line in log_lines(text)[-8:]:
        assert line in said
