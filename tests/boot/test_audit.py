"""Builds with DEBUG=1 look at the host's registers after each VM exit: a register that is spoiled on purpose is found."""
import re

import pytest

import conftest

HELLO = """\
[vm hello]
kernel    = hello.elf
memory    = 16M
autostart = yes
"""


@pytest.mark.parametrize("what, words", [
    ("pat", r"IA32_PAT is 0x[0-9a-f]+ after a VM exit, expected 0x[0-9a-f]+"),
    ("dr7", r"DR7 is 0x500 after a VM exit, expected 0x400"),
    ("cr4", r"CR4 is 0x[0-9a-f]+ after a VM exit, expected 0x[0-9a-f]+"),
    ("lstar", r"IA32_LSTAR is 0x1000 before a VM entry, expected 0x0"),
])
def test_spoiled(boot, debug_elf, monkeypatch, what, words):
    monkeypatch.setattr(conftest, "ELF", debug_elf)
    m = boot(conf=HELLO, bootline="selftest=audit-" + what, mem=128)
    text = m.expect("the machine is stopped", 60).decode()
    assert re.search("PANIC on CPU 0: " + words, text), text


def test_nothing_is_wrong(boot, debug_elf, monkeypatch):
    monkeypatch.setattr(conftest, "ELF", debug_elf)
    m = boot(conf=HELLO, mem=128, bootline=r'run="wait hello \"hello: done\" 20"')
    assert "\nfound\n" in m.prompt(60) + m.prompt(60)
