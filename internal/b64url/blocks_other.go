//go:build !amd64 || purego

package b64url

func decodeMost(out, in []byte) (_, _ []byte, ok bool) { return decodeWords(out, in, &decoding) }

func encodeMost(out, in []byte) (_, _ []byte) { return encodeWords(out, in, &encoding) }
