/* What an instruction does: one name for all its encodings. Kept as a list, so that enum and mnemonics cannot drift. */
#pragma once

#define INSN_OP_LIST(X)                                                                                                \
	X(INVALID, "(bad)")                                                                                            \
	/* Arithmetic in the order of its three-bit code, so that code + ADD is the operation. */                      \
	X(ADD, "add")                                                                                                  \
	X(OR, "or")                                                                                                    \
	X(ADC, "adc")                                                                                                  \
	X(SBB, "sbb")                                                                                                  \
	X(AND, "and")                                                                                                  \
	X(SUB, "sub")                                                                                                  \
	X(XOR, "xor")                                                                                                  \
	X(CMP, "cmp")                                                                                                  \
	X(TEST, "test")                                                                                                \
	X(NOT, "not")                                                                                                  \
	X(NEG, "neg")                                                                                                  \
	X(INC, "inc")                                                                                                  \
	X(DEC, "dec")                                                                                                  \
	X(MUL, "mul")                                                                                                  \
	X(IMUL, "imul")                                                                                                \
	X(DIV, "div")                                                                                                  \
	X(IDIV, "idiv")                                                                                                \
	X(ROL, "rol")                                                                                                  \
	X(ROR, "ror")                                                                                                  \
	X(RCL, "rcl")                                                                                                  \
	X(RCR, "rcr")                                                                                                  \
	X(SHL, "shl")                                                                                                  \
	X(SHR, "shr")                                                                                                  \
	X(SAR, "sar")                                                                                                  \
	X(SHLD, "shld")                                                                                                \
	X(SHRD, "shrd")                                                                                                \
	X(BT, "bt")                                                                                                    \
	X(BTS, "bts")                                                                                                  \
	X(BTR, "btr")                                                                                                  \
	X(BTC, "btc")                                                                                                  \
	X(BSF, "bsf")                                                                                                  \
	X(BSR, "bsr")                                                                                                  \
	X(TZCNT, "tzcnt")                                                                                              \
	X(LZCNT, "lzcnt")                                                                                              \
	X(POPCNT, "popcnt")                                                                                            \
	X(CRC32, "crc32")                                                                                              \
	X(ADCX, "adcx")                                                                                                \
	X(ADOX, "adox")                                                                                                \
	/* Moves */                                                                                                    \
	X(MOV, "mov")                                                                                                  \
	X(MOVZX, "movzx")                                                                                              \
	X(MOVSX, "movsx")                                                                                              \
	X(MOVSXD, "movsxd")                                                                                            \
	X(MOVBE, "movbe")                                                                                              \
	X(MOVNTI, "movnti")                                                                                            \
	X(MOVDIRI, "movdiri")                                                                                          \
	X(CMOVCC, "cmov")                                                                                              \
	X(SETCC, "set")                                                                                                \
	X(XCHG, "xchg")                                                                                                \
	X(XADD, "xadd")                                                                                                \
	X(CMPXCHG, "cmpxchg")                                                                                          \
	X(CMPXCHG8B, "cmpxchg8b")                                                                                      \
	X(CMPXCHG16B, "cmpxchg16b")                                                                                    \
	X(BSWAP, "bswap")                                                                                              \
	X(LEA, "lea")                                                                                                  \
	X(PUSH, "push")                                                                                                \
	X(POP, "pop")                                                                                                  \
	X(PUSHA, "pusha")                                                                                              \
	X(POPA, "popa")                                                                                                \
	X(PUSHF, "pushf")                                                                                              \
	X(POPF, "popf")                                                                                                \
	X(LAHF, "lahf")                                                                                                \
	X(SAHF, "sahf")                                                                                                \
	X(LES, "les")                                                                                                  \
	X(LDS, "lds")                                                                                                  \
	X(LSS, "lss")                                                                                                  \
	X(LFS, "lfs")                                                                                                  \
	X(LGS, "lgs")                                                                                                  \
	X(XLAT, "xlatb")                                                                                               \
	X(CBW, "cbw")                                                                                                  \
	X(CWD, "cwd")                                                                                                  \
	/* Strings */                                                                                                  \
	X(MOVS, "movs")                                                                                                \
	X(STOS, "stos")                                                                                                \
	X(LODS, "lods")                                                                                                \
	X(CMPS, "cmps")                                                                                                \
	X(SCAS, "scas")                                                                                                \
	X(INS, "ins")                                                                                                  \
	X(OUTS, "outs")                                                                                                \
	X(IN, "in")                                                                                                    \
	X(OUT, "out")                                                                                                  \
	/* Control flow */                                                                                             \
	X(JMP, "jmp")                                                                                                  \
	X(JMPF, "jmp far")                                                                                             \
	X(CALL, "call")                                                                                                \
	X(CALLF, "call far")                                                                                           \
	X(RET, "ret")                                                                                                  \
	X(RETF, "retf")                                                                                                \
	X(IRET, "iret")                                                                                                \
	X(JCC, "j")                                                                                                    \
	X(JCXZ, "jcxz")                                                                                                \
	X(LOOP, "loop")                                                                                                \
	X(LOOPE, "loope")                                                                                              \
	X(LOOPNE, "loopne")                                                                                            \
	X(INT, "int")                                                                                                  \
	X(INT3, "int3")                                                                                                \
	X(INT1, "int1")                                                                                                \
	X(INTO, "into")                                                                                                \
	X(BOUND, "bound")                                                                                              \
	X(ENTER, "enter")                                                                                              \
	X(LEAVE, "leave")                                                                                              \
	X(XBEGIN, "xbegin")                                                                                            \
	X(XABORT, "xabort")                                                                                            \
	X(XEND, "xend")                                                                                                \
	X(XTEST, "xtest")                                                                                              \
	/* Decimal and flags */                                                                                        \
	X(DAA, "daa")                                                                                                  \
	X(DAS, "das")                                                                                                  \
	X(AAA, "aaa")                                                                                                  \
	X(AAS, "aas")                                                                                                  \
	X(AAM, "aam")                                                                                                  \
	X(AAD, "aad")                                                                                                  \
	X(SALC, "salc")                                                                                                \
	X(CMC, "cmc")                                                                                                  \
	X(CLC, "clc")                                                                                                  \
	X(STC, "stc")                                                                                                  \
	X(CLI, "cli")                                                                                                  \
	X(STI, "sti")                                                                                                  \
	X(CLD, "cld")                                                                                                  \
	X(STD, "std")                                                                                                  \
	/* System */                                                                                                   \
	X(NOP, "nop")                                                                                                  \
	X(PAUSE, "pause")                                                                                              \
	X(HLT, "hlt")                                                                                                  \
	X(WAIT, "fwait")                                                                                               \
	X(ARPL, "arpl")                                                                                                \
	X(LAR, "lar")                                                                                                  \
	X(LSL, "lsl")                                                                                                  \
	X(SLDT, "sldt")                                                                                                \
	X(STR, "str")                                                                                                  \
	X(LLDT, "lldt")                                                                                                \
	X(LTR, "ltr")                                                                                                  \
	X(VERR, "verr")                                                                                                \
	X(VERW, "verw")                                                                                                \
	X(SGDT, "sgdt")                                                                                                \
	X(SIDT, "sidt")                                                                                                \
	X(LGDT, "lgdt")                                                                                                \
	X(LIDT, "lidt")                                                                                                \
	X(SMSW, "smsw")                                                                                                \
	X(LMSW, "lmsw")                                                                                                \
	X(INVLPG, "invlpg")                                                                                            \
	X(CLTS, "clts")                                                                                                \
	X(SYSCALL, "syscall")                                                                                          \
	X(SYSRET, "sysret")                                                                                            \
	X(SYSENTER, "sysenter")                                                                                        \
	X(SYSEXIT, "sysexit")                                                                                          \
	X(INVD, "invd")                                                                                                \
	X(WBINVD, "wbinvd")                                                                                            \
	X(UD, "ud")                                                                                                    \
	X(RDMSR, "rdmsr")                                                                                              \
	X(WRMSR, "wrmsr")                                                                                              \
	X(RDTSC, "rdtsc")                                                                                              \
	X(RDTSCP, "rdtscp")                                                                                            \
	X(RDPMC, "rdpmc")                                                                                              \
	X(RDPID, "rdpid")                                                                                              \
	X(RDRAND, "rdrand")                                                                                            \
	X(RDSEED, "rdseed")                                                                                            \
	X(CPUID, "cpuid")                                                                                              \
	X(RSM, "rsm")                                                                                                  \
	X(GETSEC, "getsec")                                                                                            \
	X(XGETBV, "xgetbv")                                                                                            \
	X(XSETBV, "xsetbv")                                                                                            \
	X(SWAPGS, "swapgs")                                                                                            \
	X(CLAC, "clac")                                                                                                \
	X(STAC, "stac")                                                                                                \
	X(MONITOR, "monitor")                                                                                          \
	X(MWAIT, "mwait")                                                                                              \
	X(RDFSBASE, "rdfsbase")                                                                                        \
	X(RDGSBASE, "rdgsbase")                                                                                        \
	X(WRFSBASE, "wrfsbase")                                                                                        \
	X(WRGSBASE, "wrgsbase")                                                                                        \
	X(FXSAVE, "fxsave")                                                                                            \
	X(FXRSTOR, "fxrstor")                                                                                          \
	X(LDMXCSR, "ldmxcsr")                                                                                          \
	X(STMXCSR, "stmxcsr")                                                                                          \
	X(XSAVE, "xsave")                                                                                              \
	X(XSAVEC, "xsavec")                                                                                            \
	X(XSAVES, "xsaves")                                                                                            \
	X(XSAVEOPT, "xsaveopt")                                                                                        \
	X(XRSTOR, "xrstor")                                                                                            \
	X(XRSTORS, "xrstors")                                                                                          \
	X(CLFLUSH, "clflush")                                                                                          \
	X(CLFLUSHOPT, "clflushopt")                                                                                    \
	X(CLWB, "clwb")                                                                                                \
	X(LFENCE, "lfence")                                                                                            \
	X(MFENCE, "mfence")                                                                                            \
	X(SFENCE, "sfence")                                                                                            \
	X(PREFETCH, "prefetch")                                                                                        \
	X(INVPCID, "invpcid")                                                                                          \
	X(SYSTEM, "(system)")                                                                                          \
	/* Virtualisation */                                                                                           \
	X(VMCALL, "vmcall")                                                                                            \
	X(VMMCALL, "vmmcall")                                                                                          \
	X(VMLAUNCH, "vmlaunch")                                                                                        \
	X(VMRESUME, "vmresume")                                                                                        \
	X(VMXOFF, "vmxoff")                                                                                            \
	X(VMXON, "vmxon")                                                                                              \
	X(VMPTRLD, "vmptrld")                                                                                          \
	X(VMPTRST, "vmptrst")                                                                                          \
	X(VMCLEAR, "vmclear")                                                                                          \
	X(VMREAD, "vmread")                                                                                            \
	X(VMWRITE, "vmwrite")                                                                                          \
	X(VMFUNC, "vmfunc")                                                                                            \
	X(INVEPT, "invept")                                                                                            \
	X(INVVPID, "invvpid")                                                                                          \
	/* Recognised, not told apart */                                                                               \
	X(X87, "(x87)")                                                                                                \
	X(SIMD_MOVE, "(simd move)")                                                                                    \
	X(SIMD, "(simd)")

enum insn_op {
#define INSN_OP_ENUM(name, text) INSN_OP_##name,
	INSN_OP_LIST(INSN_OP_ENUM)
#undef INSN_OP_ENUM
		INSN_OP_COUNT
};

/* The mnemonic; without the condition for Jcc, SETcc and CMOVcc. Never NULL. */
const char *insn_op_name(enum insn_op op);
