#!/usr/bin/python3
"""The image is no bigger than tests/size.py allows, and tests/size.py says so when it is."""
import contextlib
import io
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
sys.dont_write_bytecode = True

import size  # noqa: E402


def main():
    code = size.main()
    found = size.sections(os.path.join(size.BUILD, "avatar.elf"))
    size.LIMIT = sum(found[name] for name in size.COUNTED) - 1
    with contextlib.redirect_stdout(io.StringIO()):
        noticed = size.main()
    if not noticed:
        print("one byte more than allowed is not noticed")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
