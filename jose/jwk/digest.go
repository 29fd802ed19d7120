package jwk

import (
	"crypto"
	_ "crypto/sha1" // registers what the table of jwa names
	_ "crypto/sha256"
	_ "crypto/sha512"
	"hash"
	"sync"
)

// digester is a hash that is used again, so that verifying allocates nothing for
// the digest.
type digester struct {
	state hash.Hash
	sum   [64]byte
	pool  *sync.Pool
}

var (
	sha256Pool = sync.Pool{New: func() any { return &digester{state: crypto.SHA256.New()} }}
	sha384Pool = sync.Pool{New: func() any { return &digester{state: crypto.SHA384.New()} }}
	sha512Pool = sync.Pool{New: func() any { return &digester{state: crypto.SHA512.New()} }}
)

func getDigester(h crypto.Hash) *digester {
	pool := &sha512Pool
	switch h {
	case crypto.SHA256:
		pool = &sha256Pool
	case crypto.SHA384:
		pool = &sha384Pool
	}
	d := pool.Get().(*digester)
	d.pool = pool
	return d
}

// digest returns the digest of message, valid until put.
func (d *digester) digest(message []byte) []byte {
	d.state.Reset()
	d.state.Write(message)
	return d.state.Sum(d.sum[:0])
}

func (d *digester) put() { d.pool.Put(d) }
