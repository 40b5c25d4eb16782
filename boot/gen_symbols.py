#!/usr/bin/env python3
"""Reads `nm -n` and `readelf --debug-dump=frames-interp` of the linked image, one behind the other, and writes
what the image's section for symbols is to hold (kernel/symbols.h): the text symbols' addresses, as offsets from the start of
the image, and their names, sorted by address; and the frames, that is at which address it changes how far RSP is from the
return address.

The compiler tells the frames of what is written in C. Code in assembly has none where nothing is said; a label
`.frame_N` says that from there to the next symbol N words lie below the return address, `.frame_trap` that RSP points at a
struct trap_frame."""
import re
import struct
import sys

IMAGE_BASE = 0xFFFFFFFF80000000
TEXT_TYPES = 'tTwW'
SYMBOL = re.compile(r'([0-9a-f]{16}) (\w) (\S+)$')
# What a compiler adds to the name of a function that it has made of another, and of one of several with the same name.
MADE_OF = re.compile(r'\.(constprop|isra|lto_priv|part)\.\d+')
FRAME_LABEL = re.compile(r'\.frame_(\d+|trap)$')
FUNCTION = re.compile(r' FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)$')
ROW = re.compile(r'([0-9a-f]{16}) ([a-z0-9]+)\+(\d+) ')
# kernel/symbols.h
FRAME_TRAP = 0xFFFE
FRAME_UNKNOWN = 0xFFFF

HEAD = struct.Struct('<QQIII4xQQ')
BOUNDS = ('text_start', 'text_end', 'symbols_start', 'symbols_end')


def read_bounds(lines):
    found = (SYMBOL.match(line) for line in lines)
    return {f[3]: int(f[1], 16) for f in found if f and f[3] in BOUNDS}


def read_symbols(lines, bounds):
    """[(offset, name)]; of several names for one place a global one wins, then the first by the alphabet."""
    best = {}
    for line in lines:
        found = SYMBOL.match(line)
        if not found:
            continue
        address, kind, name = int(found[1], 16), found[2], MADE_OF.sub('', found[3])
        if name not in BOUNDS and kind in TEXT_TYPES and address >= IMAGE_BASE and not FRAME_LABEL.search(name):
            rank = (kind.islower(), name)
            if address not in best or rank < best[address]:
                best[address] = rank
    return sorted((a - IMAGE_BASE, rank[1]) for a, rank in best.items() if bounds['text_start'] <= a < bounds['text_end'])


def frame_words(register, offset):
    """The canonical frame address is behind the return address. A function that keeps it in another register than RSP, to
    align its locals, cannot be left by RSP alone."""
    return offset // 8 - 1 if register == 'rsp' else FRAME_UNKNOWN


def read_frames(lines, symbols):
    """[(offset, words)], sorted; a row holds up to the next."""
    rows = {}
    ends = set()
    for line in lines:
        function, row, label = FUNCTION.search(line), ROW.match(line), FRAME_LABEL.search(line)
        if function:
            rows[int(function[1], 16)] = 0
            ends.add(int(function[2], 16))
        elif row:
            rows[int(row[1], 16)] = frame_words(row[2], int(row[3]))
        elif label:
            rows[int(line.split()[0], 16)] = FRAME_TRAP if label[1] == 'trap' else int(label[1])
    for address in ends.union(IMAGE_BASE + offset for offset, _ in symbols):
        rows.setdefault(address, 0)
    packed = []
    for address, words in sorted(rows.items()):
        # What the linker has dropped lies at 0.
        if address >= IMAGE_BASE and (not packed or packed[-1][1] != words):
            packed.append((address - IMAGE_BASE, words))
    return packed


def pack(symbols, frames, start, room):
    """struct symbol_table of kernel/symbols.h at the address `start`, and behind it what it points to."""
    parts = [struct.pack('<%dI' % len(symbols), *(offset for offset, _ in symbols)),
             struct.pack('<%dI' % len(frames), *(offset for offset, _ in frames)),
             struct.pack('<%dH' % len(frames), *(words for _, words in frames)),
             b''.join(name.encode() + b'\0' for _, name in symbols)]
    at = [start + HEAD.size + sum(map(len, parts[:i])) for i in range(len(parts))]
    table = HEAD.pack(at[0], at[3], len(parts[3]), len(symbols), len(frames), at[1], at[2]) + b''.join(parts)
    if len(table) > room:
        sys.exit('error: the symbols take %d bytes and have %d: mend SYMBOLS_ROOM in linker.ld' % (len(table), room))
    return table.ljust(room, b'\0')


def main():
    lines = sys.stdin.read().splitlines()
    bounds = read_bounds(lines)
    symbols = read_symbols(lines, bounds)
    start = bounds['symbols_start']
    sys.stdout.buffer.write(pack(symbols, read_frames(lines, symbols), start, bounds['symbols_end'] - start))


if __name__ == '__main__':
    main()
