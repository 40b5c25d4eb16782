#!/usr/bin/python3
"""Makes tests/unit/decode_cases.h: instruction bytes with the length and text that binutils give them.

Forms are written below as templates, assembled by GNU as and taken apart again by objdump; the text is brought into the
shape that vmm/decode/disasm.c prints (sizes without PTR, string instructions by suffix, ...). Run by hand when forms are
added; the output is committed, so that the tests need no binutils.

    tests/unit/gen_decode_cases.py > tests/unit/decode_cases.h
"""
import itertools
import re
import subprocess
import sys
import tempfile

# --- bringing objdump's text into our shape ---

STRINGS = ("movs", "stos", "lods", "cmps", "scas", "ins", "outs")
SUFFIX = {"BYTE": "b", "WORD": "w", "DWORD": "d", "QWORD": "q"}
RENAME = {
    "movabs": "mov", "sal": "shl", "repz": "repe", "repnz": "repne", "pushfw": "pushf", "popfw": "popf",
    "pushfd": "pushf", "popfd": "popf", "pushfq": "pushf", "popfq": "popf", "iretd": "iret", "iretq": "iret",
    "iretw": "iret", "pushaw": "pusha", "popaw": "popa", "pushad": "pusha", "popad": "popa", "leavew": "leave",
    "retw": "ret", "ud2": "ud", "ud1": "ud", "ud0": "ud", "sysretd": "sysret", "sysretl": "sysret",
    "sysretq": "sysret", "sysexitd": "sysexit", "sysexitq": "sysexit", "icebp": "int1", "retfw": "retf",
    "retfq": "retf", "retfd": "retf", "xlat": "xlatb", "callw": "call", "enterw": "enter", "int3": "int3",
    "fxsave64": "fxsave", "fxrstor64": "fxrstor", "xsave64": "xsave", "xrstor64": "xrstor", "xsavec64": "xsavec",
    "xsaves64": "xsaves", "xrstors64": "xrstors", "xsaveopt64": "xsaveopt",
    "lgdtd": "lgdt", "lgdtw": "lgdt", "lidtd": "lidt", "lidtw": "lidt", "sgdtd": "sgdt", "sgdtw": "sgdt",
    "sidtd": "sidt", "sidtw": "sidt",
}
# Memory whose size we do not name, whatever objdump says.
SIZELESS = re.compile(r"invlpg|prefetch|clflush|clwb|[ls][gi]dt|fxsave|xsave|mov[auhl]p[sd]|movdq[au]|movnt(dq|ps)|lddqu|"
                      r"(movs[sd]|mov[dq]) .*mm")


def normalise_memory(text):
    text = re.sub(r"\b(BYTE|WORD|DWORD|QWORD|FWORD|TBYTE|OWORD|XMMWORD) PTR ", lambda m: m[1].lower() + " ", text)
    text = text.replace("xmmword ", "oword ")
    text = re.sub(r"\b[er]iz\*[1248]\+?|\+[er]iz\*[1248]", "", text)  # no index
    text = re.sub(r"\*1\b", "", text)
    text = re.sub(r"\b([c-gs]s):\[", r"[\1:", text)
    text = re.sub(r"\bds:(0x[0-9a-f]+)", r"[\1]", text)
    text = re.sub(r"\b([c-gs]s):(0x[0-9a-f]+)", r"[\1:\2]", text)
    text = re.sub(r"\[(\w\w:)?([a-z0-9+*:]+)[+-]0x0\]", r"[\1\2]", text)  # a displacement of zero
    return text


def normalise_string(prefix, mnemonic, operands):
    size = re.search(r"(BYTE|WORD|DWORD|QWORD) PTR", operands)
    segment = re.search(r"\b(cs|ss|fs|gs|es):\[[re]?si\]", operands)
    seg = segment[1] + " " if segment else ""
    return f"{prefix}{seg}{mnemonic}{SUFFIX[size[1]]}"


def normalise(text):
    """objdump's line in our shape; "" where only the length is to be compared."""
    text = re.sub(r"\s*#.*", "", text)
    text = re.sub(r"\s*<.*?>", "", text).strip()
    words = text.split(None, 1)
    prefix = ""
    while words and words[0] in ("lock", "rep", "repz", "repnz"):
        prefix += RENAME.get(words[0], words[0]) + " "
        words = words[1].split(None, 1) if len(words) > 1 else []
    if not words:
        return ""
    mnemonic = RENAME.get(words[0], words[0])
    operands = words[1] if len(words) > 1 else ""
    if mnemonic in STRINGS:
        return normalise_string(prefix, mnemonic, operands)
    if mnemonic in ("call", "jmp") and re.match(r"0x[0-9a-f]+:0x", operands):
        mnemonic += " far"
    if "FWORD" in operands and mnemonic in ("call", "jmp"):
        mnemonic += " far"
    operands = normalise_memory(operands)
    if SIZELESS.match(mnemonic + " " + operands):
        operands = re.sub(r"\b(dword|qword|oword|byte) \[", "[", operands)
    if mnemonic == "xlatb":
        operands = ""
    # An absolute address with the accumulator: the size is only in the register's name.
    size = re.search(r"\b([er]?)a([lx])\b", operands)
    if mnemonic == "mov" and size and re.search(r"(^|,)\[0x", operands):
        word = "byte" if size[2] == "l" else {"": "word", "e": "dword", "r": "qword"}[size[1]]
        operands = operands.replace("[", word + " [")
    operands = re.sub(r",1$", ",0x1", operands)
    operands = re.sub(r"\b([re]ip)\+0x0\]", r"\1]", operands)
    operands = operands.replace(",", ", ")
    return (prefix + mnemonic + (" " + operands if operands else "")).strip()


# --- running binutils ---

MODES = {
    64: ("--64", "i386:x86-64", "intel,intel64", 8),
    32: ("--32", "i386", "intel", 4),
    16: ("--32", "i8086", "intel", 2),
}


def disassemble(path, mode):
    """The instructions of a flat file: (address, bytes, text)."""
    _, arch, options, _ = MODES[mode]
    out = subprocess.run(["objdump", "-D", "-b", "binary", "-m", arch, "-M", options, "-w", "--insn-width=16", path],
                         capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        m = re.match(r"\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$", line)
        if m:
            yield int(m[1], 16), bytes.fromhex(m[2]), m[3].strip()


def assemble(lines, mode):
    with tempfile.TemporaryDirectory() as folder:
        source, obj, flat = folder + "/a.s", folder + "/a.o", folder + "/a.bin"
        with open(source, "w") as f:
            f.write(".intel_syntax noprefix\n")
            if mode == 16:
                f.write(".code16\n")
            f.write("\n".join(lines) + "\n")
        subprocess.run(["as", MODES[mode][0], "-o", obj, source], check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", obj, flat], check=True)
        return list(disassemble(flat, mode))


# --- the forms ---

REGS = {
    64: {1: ["al", "cl", "bh", "sil", "r9b"], 2: ["ax", "bp", "r10w"], 4: ["ecx", "esp", "r8d"], 8: ["rdx", "rsp", "r15"]},
    32: {1: ["al", "dh", "bl"], 2: ["cx", "si"], 4: ["eax", "edi"]},
    16: {1: ["al", "ch"], 2: ["ax", "di"], 4: ["edx", "ebp"]},
}
MEMS = {
    64: ["[rax]", "[rsp]", "[rbp+0x0]", "[r12]", "[r13+0x7f]", "[rbx+rcx*4]", "[rdi+r9*8-0x80]", "[rsi-0x12345678]",
         "[rip+0x1234]", "[r14*2+0x10]", "[0x11223344]", "fs:[rdx+0x28]", "gs:[0x10]", "[eax+ecx*2+0x4]", "[r11+r12*1]"],
    32: ["[eax]", "[esp]", "[ebp+0x0]", "[ebx+ecx*4]", "[edi+esi*8-0x80]", "[esi+0x12345678]", "ds:0xfee000b0",
         "fs:[edx+0x28]", "es:[ebp+0x4]", "[edx*2+0x10]", "[bx+si]", "[bp+0x10]", "cs:[eax]"],
    16: ["[bx+si]", "[bx+di+0x12]", "[bp+si-0x1000]", "[bp+di]", "[si]", "[di+0x7f]", "[bp+0x0]", "[bx]", "ds:0x1234",
         "es:[di]", "ss:[bx+0x4]", "[eax+ebx*4]", "[esp+0x8]"],
}
PTR = {1: "byte ptr ", 2: "word ptr ", 4: "dword ptr ", 8: "qword ptr "}


class Forms:
    """Takes registers and addresses in turn, so that each occurs with many instructions."""

    def __init__(self, mode):
        self.mode = mode
        self.sizes = [1, 2, 4, 8] if mode == 64 else [1, 2, 4]
        self.mems = itertools.cycle(MEMS[mode])
        self.regs = {s: itertools.cycle(r) for s, r in REGS[mode].items()}
        self.lines = []

    def mem(self, size=None, plain=False):
        m = next(self.mems)
        return (PTR[size] if size else "") + m

    def reg(self, size, low=False):
        return next(self.regs[size])

    def pair(self, size):
        """A register and an address that can stand together: no AH with REX."""
        m = self.mem(size)
        r = self.reg(size)
        if r[-1] == "h" and re.search(r"r\d", m):
            r = "dl"
        return r, m

    def add(self, line):
        self.lines.append(line)

    def arithmetic(self):
        imm = {1: "0x5a", 2: "0x1234", 4: "0x12345678", 8: "-0x12345678"}
        for op in ("add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"):
            for s in self.sizes:
                r, m = self.pair(s)
                self.add(f"{op} {m},{r}")
                r, m = self.pair(s)
                self.add(f"{op} {r},{m}")
                self.add(f"{op} {self.mem(s)},{imm[s]}")
                self.add(f"{op} {self.mem(s)},-0x3")
                self.add(f"{op} {self.reg(s)},{imm[s]}")
        for s in self.sizes:
            for op in ("test", "xchg", "xadd", "cmpxchg", "mov"):
                r, m = self.pair(s)
                self.add(f"{op} {m},{r}")
            r, m = self.pair(s)
            self.add(f"mov {r},{m}")
            self.add(f"mov {self.mem(s)},{imm[s]}")
            self.add(f"mov {self.reg(s)},{imm[s]}")
            self.add(f"test {self.mem(s)},{imm[s]}")
            self.add(f"test {REGS[64][1][0] if s == 1 else self.reg(s)},{imm[s]}")
            for op in ("inc", "dec", "not", "neg", "mul", "imul", "div", "idiv"):
                self.add(f"{op} {self.mem(s)}")
                self.add(f"{op} {self.reg(s)}")
            for op in ("rol", "ror", "rcl", "rcr", "shl", "shr", "sar"):
                self.add(f"{op} {self.mem(s)},0x5")
                self.add(f"{op} {self.mem(s)},1")
                self.add(f"{op} {self.reg(s)},cl")

    def wide(self):
        for s in self.sizes[1:]:
            for op in ("bt", "bts", "btr", "btc"):
                self.add(f"{op} {self.mem(s)},{self.reg(s)}")
                self.add(f"{op} {self.mem(s)},0x7")
            for op in ("imul", "bsf", "bsr", "popcnt", "lzcnt", "tzcnt", "cmovne", "cmovg", "movbe"):
                self.add(f"{op} {self.reg(s)},{self.mem(s)}")
            self.add(f"movbe {self.mem(s)},{self.reg(s)}")
            self.add(f"imul {self.reg(s)},{self.mem(s)},0x12")
            self.add(f"imul {self.reg(s)},{self.mem(s)},0x1234")
            self.add(f"shld {self.mem(s)},{self.reg(s)},0x3")
            self.add(f"shrd {self.mem(s)},{self.reg(s)},cl")
            self.add(f"lea {self.reg(s)},{self.mem()}")
            for t in self.sizes:
                if t < s and t < 4:
                    self.add(f"movzx {self.reg(s)},{self.mem(t)}")
                    self.add(f"movsx {self.reg(s)},{self.mem(t)}")
            self.add(f"movsx {self.reg(s)},al" if s > 1 else "nop")
        for cc in ("o", "b", "e", "be", "s", "p", "l", "le", "no", "ae", "ne", "a", "ns", "np", "ge", "g"):
            self.add(f"set{cc} {self.mem(1)}")
            self.add(f"j{cc} .+0x10")
            self.add(f"j{cc} .+0x1234")
        self.add(f"movnti {self.mem(4)},{self.reg(4)}")
        self.add(f"cmpxchg8b {self.mem(8)}")
        self.add(f"crc32 {self.reg(4)},{self.mem(1)}")
        self.add(f"crc32 {self.reg(4)},{self.mem(4)}")
        self.add(f"bswap {self.reg(4)}")
        for op in STRINGS:
            for letter in "bwd" if op in ("ins", "outs") or self.mode != 64 else "bwdq":
                self.add(f"{op}{letter}")
                self.add(f"rep {op}{letter}" if op not in ("cmps", "scas") else f"repne {op}{letter}")
        for op in ("repe cmpsb", "repe scasd", "cld", "std", "cli", "sti", "clc", "stc", "cmc", "hlt", "nop", "pause",
                   "cpuid", "rdtsc", "rdtscp", "rdmsr", "wrmsr", "rdpmc", "wbinvd", "invd", "clts", "vmcall", "vmlaunch",
                   "vmresume", "vmxoff", "xgetbv", "xsetbv", "lfence", "mfence", "sfence", "ud2", "int3", "int 0x80",
                   "ret", "ret 0x10", "retf", "leave", "enter 0x20,0x1", "lahf", "sahf", "cwde", "cdq", "cbw", "cwd",
                   "in al,dx", "in eax,dx", "in ax,0x60", "out dx,al", "out 0x80,al", "out dx,eax", "push 0x12",
                   "push 0x1234567", "mov ax,ds", "pushf", "popf", "sysenter", "xlatb", "loop .+2", "loope .-5",
                   "mov cr0,%s", "mov %s,cr3", "mov dr7,%s", "mov %s,dr6", "clac", "stac", "monitor", "mwait", "rsm",
                   "rdrand eax", "rdseed edx"):
            self.add(op.replace("%s", "rax" if self.mode == 64 else "ebx"))
        for op in ("lgdt", "lidt", "sgdt", "sidt", "invlpg", "fxsave", "xsave", "clflush"):
            self.add(f"{op} {self.mem()}")
        for op in ("ldmxcsr", "stmxcsr", "lmsw", "ltr", "lldt", "verr"):
            self.add(f"{op} {self.mem(4 if 'csr' in op else 2)}")
        for op in ("movups", "movaps", "movdqu", "movdqa", "movupd", "lddqu", "movntdqa"):
            self.add(f"{op} xmm3,{self.mem()}")
        for op in ("movups", "movaps", "movdqu", "movntdq", "movntps", "movlps", "movhps"):
            self.add(f"{op} {self.mem()},xmm1")
        for line in ("movss xmm1,%4", "movsd %8,xmm2", "movd xmm0,%4", "movd %4,xmm5", "movq %8,xmm6", "movq xmm6,%8",
                     "movq mm1,%8", "addps xmm0,xmm1", "pshufd xmm0,%0,0x12", "palignr xmm1,%0,0x3", "fld %4",
                     "fstp %8", "fnstsw ax", "fninit", "vmovups ymm0,%0", "vaddps ymm1,ymm2,%0", "vpermq ymm1,%0,0x4e",
                     "vzeroupper", "vmovdqu32 zmm0,[%b]", "vpternlogd zmm1,zmm2,[%b],0x11", "psrlw xmm1,0x3"):
            line = re.sub(r"%([048])", lambda m: self.mem(int(m[1]) or None), line)
            self.add(line.replace("%b", {64: "rax", 32: "eax", 16: "bx"}[self.mode]))

    def mode_specific(self):
        if self.mode == 64:
            self.lines += ["push rax", "push r12", "pop r9", "pop rbp", "movsxd rax,ecx", "cdqe", "cqo", "swapgs",
                           "syscall", "sysretq", "iretq", "call .+0x100", "jmp .+0x100", "jmp .+4", "jrcxz .+4",
                           "jecxz .+4", "mov rax,0x1122334455667788", "movabs al,[0x1122334455667788]",
                           "movabs [0x1122334455667788],eax", "movabs rax,[0xfee000b0]", "xchg r8,rax", "xchg rcx,rax",
                           "mov cr8,rax", "mov r9,cr8", "rdfsbase rax", "wrgsbase r9", "cmpxchg16b [rdi]",
                           "movnti [rcx],rdx", "lock xadd [rdi],eax", "lock bts dword ptr [rdi],0x3",
                           "xacquire lock xchg [rdi],eax", "movsxd r8,dword ptr [r9]", "vmread [rax],rbx",
                           "vmwrite rcx,[rdx]", "vmptrld [rax]", "vmclear [rax]", "vmxon [rax]", "invept rax,[rdx]",
                           "invvpid rax,[rdx]", "invpcid rax,[rdx]", "retfq", "fxsave64 [rax]", "bswap r13",
                           "crc32 rax,qword ptr [rdi]", "movzx eax,bh", "mov byte ptr [rax],ah", "leave", "movd rax,xmm1",
                           "addr32 rep movsb", "rep stosq", "adcx eax,[rdi]", "adox rax,[rdi]", "movdiri [rdi],rax",
                           "endbr64", "nop word ptr [rax+rax*1+0x0]"]
            for m in MEMS[64]:
                self.lines += [f"push qword ptr {m}", f"pop qword ptr {m}", f"call qword ptr {m}", f"jmp qword ptr {m}",
                               f"movsxd rdx,dword ptr {m}"]
        else:
            self.lines += ["pusha", "popa", "push es", "pop ds", "push cs", "push fs", "pop gs", "daa", "das", "aaa", "aas",
                           "aam", "aad", "into", "iret", "inc eax", "inc cx", "dec edi", "arpl [bx],ax",
                           "mov eax,ds:0x1234", "mov ds:0x1234,al", "mov ax,ds:0x10", "jcxz .+4", "jecxz .+4"]
            for m in MEMS[self.mode]:
                self.lines += [f"push dword ptr {m}", f"pop word ptr {m}", f"jmp dword ptr {m}", f"les eax,{m}",
                               f"lds cx,{m}", f"bound ax,{m}", f"mov ds,word ptr {m}", f"mov word ptr {m},es"]


def cases(mode):
    forms = Forms(mode)
    forms.arithmetic()
    forms.wide()
    forms.mode_specific()
    return assemble(forms.lines, mode)


def main():
    print("""/* Made by tests/unit/gen_decode_cases.py from what GNU as and objdump say. Do not edit. */
#pragma once

#include <stdint.h>

struct decode_case {
\tunsigned mode; /* enum insn_mode */
\tuint32_t address;
\tunsigned length;
\tconst char *bytes;
\tconst char *text; /* empty: only the length counts */
};

/* clang-format off */
static const struct decode_case decode_cases[] = {""")
    seen = set()
    for mode in (64, 32, 16):
        for address, raw, text in cases(mode):
            shown = normalise(text)
            # objdump shows a far jump through 16:16 like a near one through 32 bits.
            if mode == 16 and re.match(rb"[\x26\x2e\x36\x64\x67]*\xff", raw) and shown.startswith(("jmp", "call")):
                if raw[raw.index(0xff) + 1] >> 3 & 7 in (3, 5):
                    shown = shown.replace(" ", " far ", 1)
            key = (mode, raw)
            if key in seen or "(bad)" in text:
                continue
            seen.add(key)
            if not wanted(shown):
                shown = ""
            body = "".join(f"\\x{b:02x}" for b in raw)
            print(f'\t{{{MODES[mode][3]}, 0x{address:x}, {len(raw)}, "{body}", "{shown}"}},')
    print("};")


# What we do not print as objdump does: x87, vectors other than moves, redundant prefixes.
UNLIKE = re.compile(r"^(f(ld|st|nst|nin)|v(add|perm|zero|pternlog|mov)|pshuf|palign|psrl|addps|xacquire|endbr|monitor|mwait|"
                    r"invpcid)|data16|addr16|addr32|mm\d.*mm\d")


def wanted(text):
    return not UNLIKE.search(text)


if __name__ == "__main__":
    sys.exit(main())
