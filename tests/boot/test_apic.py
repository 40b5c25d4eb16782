"""The local APIC seen by a guest that checks it, with as much of it in the processor as each model can do and as boot options
leave: virtual-interrupt delivery, the TPR shadow alone. What the guest does is held against the bare machine too."""
import re

import pytest

from machine import plain

CONF = """\
[vm apic]
kernel    = apic.elf
memory    = 16M
"""


def checks(text):
    return re.findall(r"^apic: (.*): (ok|FAILED)$", plain(text), re.M)


@pytest.mark.parametrize("model, bootline, count", [
    ("corei7_skylake_x", "apicv", 35),
    ("corei7_skylake_x", "noapicv", 35),
    ("corei7_haswell_4770", "apicv", 35),
    ("corei5_arrandale_m520", "", 35),
])
def test_from_inside(boot, model, bootline, count):
    m = boot(CONF, bootline=bootline, model=model, mem=128)
    m.prompt()
    m.command("start apic")
    assert m.command('wait apic " failed" 120', 120).endswith("found\n")
    m.console("apic")
    text = m.expect(r"apic: \d+ failed")
    m.detach()
    assert [name for name, result in checks(text) if result != "ok"] == [], plain(text)
    assert len(checks(text)) == count
