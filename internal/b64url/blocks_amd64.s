//go:build !purego

#include "textflag.h"

// Constants stand in both halves of a register.
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
	MOVQ           dst+0(FP), DI
	MOVQ           src+8(FP), SI
	MOVQ           n+16(FP), CX
	VBROADCASTI128 nibbles<>(SB), Y4
	VBROADCASTI128 lows<>(SB), Y5
	VBROADCASTI128 highs<>(SB), Y6
	VBROADCASTI128 values<>(SB), Y7
	VBROADCASTI128 underscores<>(SB), Y8
	VBROADCASTI128 more<>(SB), Y9
	VBROADCASTI128 pairs<>(SB), Y10
	VBROADCASTI128 quads<>(SB), Y11
	VBROADCASTI128 bytes<>(SB), Y12
	VPXOR          Y13, Y13, Y13
	VPXOR          Y14, Y14, Y14            // not zero where a character is not of the alphabet
	SUBQ           $8, CX

decode:
	VMOVDQU      (SI), Y0
	VPSRLD       $4, Y0, Y1
	VPAND        Y4, Y1, Y1             // the high halves
	VPAND        Y4, Y0, Y2             // the low halves
	VPSHUFB      Y2, Y5, Y3
	VPSHUFB      Y1, Y6, Y2
	VPAND        Y2, Y3, Y3
	VPCMPEQB     Y13, Y3, Y3
	VPOR         Y3, Y14, Y14
	VPSHUFB      Y1, Y7, Y2
	VPCMPEQB     Y8, Y0, Y3
	VPAND        Y9, Y3, Y3
	VPADDB       Y2, Y0, Y0
	VPADDB       Y3, Y0, Y0
	VPMADDUBSW   Y10, Y0, Y0
	VPMADDWD     Y11, Y0, Y0
	VPSHUFB      Y12, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VMOVDQU      X0, (DI)               // the last four are written anew
	VMOVQ        X1, 12(DI)
	VPEXTRD      $2, X1, 20(DI)
	ADDQ         $32, SI
	ADDQ         $24, DI
	SUBQ         $8, CX
	JGE          decode

	// One to seven are left: go back to where eight are.
	ADDQ $8, CX
	JEQ  last
	LEAQ -32(SI)(CX*4), SI
	LEAQ (CX)(CX*2), CX
	LEAQ -24(DI)(CX*1), DI
	XORL CX, CX
	JMP  decode

last:
	VPTEST Y14, Y14
	SETEQ  ret+24(FP)
	VZEROUPPER
	RET

// Three bytes as two words, in the order that puts each six bits into the words that hold them;
// the upper half of the register has its twelve bytes behind four others.
DATA triples<>+0(SB)/8, $0x0405030401020001
DATA triples<>+8(SB)/8, $0x0a0b090a07080607
DATA triples<>+16(SB)/8, $0x0809070805060405
DATA triples<>+24(SB)/8, $0x0e0f0d0e0b0c0a0b
GLOBL triples<>(SB), RODATA|NOPTR, $32

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
	MOVQ           dst+0(FP), DI
	MOVQ           src+8(FP), SI
	MOVQ           n+16(FP), CX
	VMOVDQU        triples<>(SB), Y4
	VBROADCASTI128 odd<>(SB), Y5
	VBROADCASTI128 right<>(SB), Y6
	VBROADCASTI128 even<>(SB), Y7
	VBROADCASTI128 left<>(SB), Y8
	VBROADCASTI128 upper<>(SB), Y9
	VBROADCASTI128 letters<>(SB), Y10
	VBROADCASTI128 characters<>(SB), Y11
	SUBQ           $8, CX

encode:
	VMOVDQU     (SI), X0
	VINSERTI128 $1, 8(SI), Y0, Y0
	VPSHUFB     Y4, Y0, Y0
	VPAND       Y5, Y0, Y1
	VPMULHUW    Y6, Y1, Y1
	VPAND       Y7, Y0, Y0
	VPMULLW     Y8, Y0, Y0
	VPOR        Y1, Y0, Y0
	VPSUBUSB    Y10, Y0, Y1
	VPCMPGTB    Y9, Y0, Y2
	VPSUBB      Y2, Y1, Y1
	VPSHUFB     Y1, Y11, Y2
	VPADDB      Y2, Y0, Y0
	VMOVDQU     Y0, (DI)
	ADDQ        $24, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JGE         encode

	// As decodeQuads does.
	ADDQ $8, CX
	JEQ  encoded
	LEAQ -32(DI)(CX*4), DI
	LEAQ (CX)(CX*2), CX
	LEAQ -24(SI)(CX*1), SI
	XORL CX, CX
	JMP  encode

encoded:
	VZEROUPPER
	RET

// func hasAVX2() bool
TEXT ·hasAVX2(SB), NOSPLIT, $0-1
	MOVB $0, ret+0(FP)

	// There are as many leaves.
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JLT  none

	// The system saves the registers: OSXSAVE and AVX, and then what XGETBV says.
	MOVL $1, AX
	XORL CX, CX
	CPUID
	ANDL $0x18000000, CX
	CMPL CX, $0x18000000
	JNE  none
	XORL CX, CX
	XGETBV
	ANDL $6, AX
	CMPL AX, $6
	JNE  none

	MOVL $7, AX
	XORL CX, CX
	CPUID
	SHRL $5, BX
	ANDL $1, BX
	MOVB BX, ret+0(FP)

none:
	RET
