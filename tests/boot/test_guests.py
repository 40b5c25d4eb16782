"""Our tiny guests without the hypervisor: what they do on the bare machine is the measure for what they do under it."""
import os

import pytest

from conftest import GUESTS


def guest(name):
    return os.path.join(GUESTS, name + ".elf")


def test_hello_qemu(boot):
    m = boot.qemu_kernel(guest("hello"), "one exit=5 debug-exit", mem=64)
    text = m.expect("hello: done", 20)
    assert b"one exit=5" in text and b"hello: map" in text
    assert m.wait(10) == 11


def test_tick_qemu(boot):
    m = boot.qemu_kernel(guest("tick"), "count=2 hz=1000", mem=64)
    m.expect("tick 200", 20)
    assert m.wait(10) == 0


def test_echo_qemu(boot):
    m = boot.qemu_kernel(guest("echo"), mem=64)
    m.expect("echo: ready", 20)
    m.send("hi\r")
    m.expect("you said: hi", 10)
    m.send("quit\r")
    assert m.wait(10) == 0


@pytest.mark.parametrize("part", ["instructions", "registers", "msrs"])
def test_hostile_bochs(boot, part):
    """Nothing here may end the bare machine, else it would be no test of ours. (Bochs's own devices do not bear the parts
    `ports` and `memory`.)"""
    m = boot.native("multiboot /boot/hostile.elf %s\n" % part, {"hostile.elf": guest("hostile")}, mem=64)
    m.expect("hostile: done", 120, never="trap: ")
