"""Whose memory it is: what a guest has used is scrubbed before anybody else gets it, and everything comes back."""
import json

from test_life import vm


def memory(m):
    m.command("json on")
    reply = m.command("info memory")
    m.command("json off")
    return json.loads(reply[reply.index("{"):])["memory"]


def settled(m, tries=80):
    """As it is when idle CPUs have scrubbed all there was."""
    for _ in range(tries):
        now = memory(m)
        if now["dirty_bytes"] == 0:
            return now
        m.quiet(0.25)
    m.fail("still %d bytes to be scrubbed" % now["dirty_bytes"])


def run_once(m, name):
    assert "error" not in m.command("create %s like=a memory=64M" % name)
    assert "error" not in m.command("start %s" % name)
    assert "error" not in m.command('wait %s "echo: ready" 10' % name)
    assert "error" not in m.command("destroy %s" % name)


def test_used_memory_is_scrubbed_when_idle(boot):
    """A guest's RAM is dirty when it is gone and clean a little later, without anybody asking for it."""
    m = boot(vm("a", "echo"), mem=256)
    m.prompt()
    before = settled(m)
    run_once(m, "b")
    after = memory(m)
    assert after["free_bytes"] == before["free_bytes"]
    assert after["dirty_bytes"] > 0
    assert settled(m)["free_bytes"] == before["free_bytes"]
    assert m.command("info memory").count("to be scrubbed") == 1


def test_limits(boot):
    """What the hypervisor takes for itself, for each CPU and for each VM, as it has counted it."""
    m = boot(vm("a", "echo") + vm("b", "echo"), mem=256, cpus=2)
    m.prompt()
    now = memory(m)
    cpu = now["cpus"][1]["bytes"]
    assert 64 * 1024 <= cpu <= 96 * 1024
    assert now["image_bytes"] < now["hypervisor_bytes"] - cpu <= 2 * 1024 * 1024 + now["ram_bytes"] // 2000
    for one in now["vms"]:
        assert 32 * 1024 <= one["own_bytes"] <= 64 * 1024, one
        assert one["table_bytes"] <= 7 * 4096, one
    total = sum(one[key] for one in now["vms"] for key in ("ram_bytes", "table_bytes", "console_bytes", "own_bytes"))
    assert total + now["host_page_bytes"] == now["usable_bytes"] - now["free_bytes"]


def test_scrub_boot(boot):
    """With scrub=boot also what the firmware left behind is scrubbed before a guest gets it."""
    m = boot(vm("a", "echo"), mem=128, bootline="scrub=boot")
    m.prompt()
    run_once(m, "b")
    settled(m)


def test_everything_comes_back(boot):
    """Many lives of a tiny guest leave the allocator as it was, to the byte."""
    m = boot(vm("a", "echo"), mem=256)
    m.prompt()
    run_once(m, "b")
    before = settled(m)
    for _ in range(20):
        run_once(m, "b")
    after = settled(m)
    for key in ("free_bytes", "heap_bytes", "heap_objects"):
        assert after[key] == before[key], key
