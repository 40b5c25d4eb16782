"""The checker of VM entries against Bochs: selftest=doctor breaks one VMCS field after another, the checker names what it
holds for wrong, and Bochs, which enforces the manual's rules itself, says in its log why it refused."""
import os
import re

import pytest

# What Bochs says -> the fields it may be about. Its words are coarser than a field in places ("host segreg 3").
ORACLE = [
    (r"pin-based controls|misconfigured virtual NMI", "PIN_CTLS"),
    (r"proc-based controls", "PROC_CTLS"),
    (r"secondary controls|unrestricted guest without EPT|apic virtualization is enabled without TPR|"
     r"virtualize X2APIC mode enabled together", "PROC_CTLS2"),
    (r"vmexit controls|x86-64 host control invalid", "EXIT_CTLS"),
    (r"vmentry controls", "ENTRY_CTLS"),
    (r"CR3 targets", "CR3_TARGET_COUNT"),
    (r"I/O bitmap (\w) ", r"IO_BITMAP_\1"),
    (r"MSR bitmap", "MSR_BITMAP"),
    (r"EPTPTR", "EPT_POINTER"),
    (r"VPID", "VPID"),
    (r"virtual apic phy", "VIRTUAL_APIC_ADDR"),
    (r"TPR threshold", "TPR_THRESHOLD"),
    (r"apic access page", "APIC_ACCESS_ADDR"),
    (r"PML base", "PML_ADDR"),
    (r"VM(READ|WRITE) bitmap", r"VM\1_BITMAP"),
    (r"#VE information", "VIRT_EXCEPTION_INFO_ADDR"),
    (r"VM Functions control", "VM_FUNCTION_CTLS"),
    (r"eptp list", "EPTP_LIST_ADDR"),
    (r"TSC multiplier", "TSC_MULTIPLIER"),
    (r"SPP base", "SPP_TABLE_POINTER"),
    (r"VMEXIT CTRL: msr (store|load) addr", lambda m: "EXIT_MSR_%s_ADDR" % m.group(1).upper()),
    (r"VMENTRY CTRL: msr load addr", "ENTRY_MSR_LOAD_ADDR"),
    (r"injected event (type|vector)|interruption info field", "ENTRY_INTR_INFO"),
    (r"bad error code", "ENTRY_EXCEPTION_ERROR"),
    (r"injected event instr length", "ENTRY_INSN_LEN"),
    (r"host (?:state invalid )?(CR[034])", r"HOST_\1"),
    (r"(host|guest) SYSENTER_(E.P)_MSR", lambda m: "%s_SYSENTER_%s" % (m.group(1).upper(), m.group(2))),
    (r"in (host|guest) MSR_PAT", lambda m: m.group(1).upper() + "_PAT"),
    (r"(host|guest) EFER", lambda m: m.group(1).upper() + "_EFER"),
    (r"host segreg (\d)", lambda m: "HOST_%s_SELECTOR" % ["ES", "CS", "SS", "DS", "FS", "GS"][int(m.group(1))]),
    (r"host (CS|TR) selector", r"HOST_\1_SELECTOR"),
    (r"host (\w+) BASE non canonical", r"HOST_\1_BASE"),
    (r"host RIP", "HOST_RIP"),
    (r"guest CR0|guest invalid CR0", "GUEST_CR0"),
    (r"guest invalid (CR\d|DR7)", r"GUEST_\1"),
    (r"CR4.PCIDE", "GUEST_CR4"),
    (r"guest RIP", "GUEST_RIP"),
    (r"RFLAGS|when injecting external interrupt", "GUEST_RFLAGS"),
    (r"guest (LDTR|TR)\.TI", r"GUEST_\1_SELECTOR"),
    (r"guest IDTR/IDTR\.BASE", "GUEST_[GI]DTR_BASE"),
    (r"guest GDTR/IDTR limit", "GUEST_[GI]DTR_LIMIT"),
    (r"guest (\w+)\.BASE", r"GUEST_\1_BASE"),
    (r"interruptibility state broken when entering non active", "GUEST_(ACTIVITY|INTERRUPTIBILITY)"),
    (r"activity state", "GUEST_ACTIVITY"),
    (r"interruptibility|blocked by STI|SMI blocked|when injecting NMI", "GUEST_INTERRUPTIBILITY"),
    (r"guest (?:non-conforming |CODE segment |incorrect )?(LDTR|TR|[CDEFGS]S)\b", r"GUEST_\1_ACCESS"),
    (r"tmpDR6", "GUEST_PENDING_DEBUG"),
    (r"link pointer", "LINK_POINTER"),
    (r"PDPTR?E?|PAE", "GUEST_PDPTE[0-3]"),
]

CASE = re.compile(r"doctor: (\w+) (0x[0-9a-f]+) -> named ([\w, ]+), refused with (error|reason) (\d+): (\w+)")


def field_of(line):
    """A pattern for the field that a line of Bochs's log is about."""
    for words, field in ORACLE:
        match = re.search(words, line)
        if match:
            return field(match) if callable(field) else match.expand(field)
    pytest.fail("nothing is known of Bochs's words: " + line)


def bochs_refusals(m):
    with open(os.path.join(m.folder, "bochs.log")) as f:
        return [line.split("] ", 1)[1].strip() for line in f if re.search(r"VMFAIL|VMENTER FAIL", line)]


@pytest.mark.parametrize("model", ["tigerlake", "corei5_arrandale_m520"])
def test_doctor(boot, model):
    m = boot(conf=None, bootline="selftest=doctor", model=model, mem=128, allow=[r"VMFAIL|VMENTER FAIL"])
    text = m.prompt()
    assert "doctor: the good VMCS -> 0 complaints, HLT: ok" in text
    assert "WRONG" not in text and " 0 disagreements" in text
    cases = CASE.findall(text)
    refusals = bochs_refusals(m)
    # PDPTEs are loaded after the checks that Bochs logs: it refuses them without a line.
    logged = [c for c in cases if "PDPTE" not in c[0]]
    assert len(logged) == len(refusals), "\n".join(refusals)
    for (broken, value, named, kind, number, _), words in zip(logged, refusals):
        field = field_of(words)
        assert re.fullmatch(field, broken), "%s=%s was broken; Bochs: %s" % (broken, value, words)
        assert any(re.fullmatch(field, n) for n in named.split(", ")), "%s named; Bochs: %s" % (named, words)
        # VM-instruction errors 7 and 8: controls, host state; exit reason 33: guest state.
        host = broken.startswith("HOST_")
        expected = "reason 33" if words.startswith("VMENTER") or broken == "LINK_POINTER" else "error 8" if host else "error 7"
        assert "%s %s" % (kind, number) == expected or broken == "EXIT_CTLS", (broken, value, words)
    assert len({c[0] for c in cases}) >= 40
    assert m.command("list").strip() == "no VMs"
