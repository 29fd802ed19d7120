//go:build !purego

#include "textflag.h"

#define CONSTANT(name, low, high) \
	DATA name<>+0(SB)/8, $low  \
	DATA name<>+8(SB)/8, $high \
	GLOBL name<>(SB), RODATA|NOPTR, $16

// A character is looked up by its two halves, of four bits each.
CONSTANT(nibbles, 0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f)

// For each low half, the high halves that make a character of the alphabet with it, a bit for each.
CONSTANT(lows, 0xf8f8f8f8f8f8f8a8, 0x7050545050f0f8f8)

// For each high half, its bit.
CONSTANT(highs, 0x8040201008040201, 0)

// For each high half, what takes a character to its six bits; '_' alone needs 33 more.
CONSTANT(values, 0xb9b9bfbf04110000, 0)
CONSTANT(underscores, 0x5f5f5f5f5f5f5f5f, 0x5f5f5f5f5f5f5f5f)
CONSTANT(more, 0x2121212121212121, 0x2121212121212121)

// The six bits of four characters become 24: first those of two times 64 and 1, then those times 4096 and 1.
CONSTANT(pairs, 0x0140014001400140, 0x0140014001400140)
CONSTANT(quads, 0x0001100000011000, 0x0001100000011000)

// Their three bytes, the highest first.
CONSTANT(bytes, 0x090a040506000102, 0x808080800c0d0e08)

// func decodeQuads(dst, src *byte, n int) bool
TEXT ·decodeQuads(SB), NOSPLIT, $0-25
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVQ  n+16(FP), CX
	MOVOU nibbles<>(SB), X4
	MOVOU lows<>(SB), X5
	MOVOU highs<>(SB), X6
	MOVOU values<>(SB), X7
	MOVOU underscores<>(SB), X8
	MOVOU more<>(SB), X9
	MOVOU pairs<>(SB), X10
	MOVOU quads<>(SB), X11
	MOVOU bytes<>(SB), X12
	PXOR  X13, X13
	PXOR  X14, X14              // not zero where a character is not of the alphabet
	SUBQ  $4, CX

decode:
	MOVOU     (SI), X0
	MOVO      X0, X1
	PSRLL     $4, X1
	PAND      X4, X1            // the high halves
	MOVO      X0, X2
	PAND      X4, X2            // the low halves
	MOVO      X5, X3
	PSHUFB    X2, X3
	MOVO      X6, X2
	PSHUFB    X1, X2
	PAND      X2, X3
	PCMPEQB   X13, X3
	POR       X3, X14
	MOVO      X7, X2
	PSHUFB    X1, X2
	MOVO      X8, X3
	PCMPEQB   X0, X3
	PAND      X9, X3
	PADDB     X2, X0
	PADDB     X3, X0
	PMADDUBSW X10, X0
	PMADDWL   X11, X0
	PSHUFB    X12, X0
	MOVQ      X0, (DI)
	PSRLDQ    $8, X0
	MOVL      X0, 8(DI)
	ADDQ      $16, SI
	ADDQ      $12, DI
	SUBQ      $4, CX
	JGE       decode

	// One to three are left: go back to where four are.
	ADDQ $4, CX
	JEQ  last
	LEAQ -16(SI)(CX*4), SI
	LEAQ (CX)(CX*2), CX
	LEAQ -12(DI)(CX*1), DI
	XORL CX, CX
	JMP  decode

last:
	PMOVMSKB X14, AX
	TESTL    AX, AX
	SETEQ    ret+24(FP)
	RET

// Three bytes as two words, in the order that puts each six bits into the words that hold them.
CONSTANT(triples, 0x0405030401020001, 0x0a0b090a07080607)

// The first and third six bits, and where a multiplication's high half puts them; the second and fourth, and its low half.
CONSTANT(odd, 0x0fc0fc000fc0fc00, 0x0fc0fc000fc0fc00)
CONSTANT(right, 0x0400004004000040, 0x0400004004000040)
CONSTANT(even, 0x003f03f0003f03f0, 0x003f03f0003f03f0)
CONSTANT(left, 0x0100001001000010, 0x0100001001000010)

// 0 to 25 are one case, 26 to 51 another, and each further value has its own: what takes it to its character.
CONSTANT(upper, 0x1919191919191919, 0x1919191919191919)
CONSTANT(letters, 0x3333333333333333, 0x3333333333333333)
CONSTANT(characters, 0xfcfcfcfcfcfc4741, 0x000020effcfcfcfc)

// func encodeTriples(dst, src *byte, n int)
TEXT ·encodeTriples(SB), NOSPLIT, $0-24
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVQ  n+16(FP), CX
	MOVOU triples<>(SB), X4
	MOVOU odd<>(SB), X5
	MOVOU right<>(SB), X6
	MOVOU even<>(SB), X7
	MOVOU left<>(SB), X8
	MOVOU upper<>(SB), X9
	MOVOU letters<>(SB), X10
	MOVOU characters<>(SB), X11
	SUBQ  $4, CX

encode:
	MOVQ       (SI), X0
	MOVL       8(SI), X1
	PUNPCKLQDQ X1, X0
	PSHUFB     X4, X0
	MOVO       X0, X1
	PAND       X5, X1
	PMULHUW    X6, X1
	PAND       X7, X0
	PMULLW     X8, X0
	POR        X1, X0
	MOVO       X0, X1
	PSUBUSB    X10, X1
	MOVO       X0, X2
	PCMPGTB    X9, X2
	PSUBB      X2, X1
	MOVO       X11, X2
	PSHUFB     X1, X2
	PADDB      X2, X0
	MOVOU      X0, (DI)
	ADDQ       $12, SI
	ADDQ       $16, DI
	SUBQ       $4, CX
	JGE        encode

	// As decodeQuads does.
	ADDQ $4, CX
	JEQ  encoded
	LEAQ -16(DI)(CX*4), DI
	LEAQ (CX)(CX*2), CX
	LEAQ -12(SI)(CX*1), SI
	XORL CX, CX
	JMP  encode

encoded:
	RET

// func hasSSSE3() bool
TEXT ·hasSSSE3(SB), NOSPLIT, $0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $9, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET
