package jws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwk"
)

// entry is one signature on its way to being verified.
type entry struct {
	Signature
	prefix     string // the encoded protected header
	signature  []byte
	candidates []jwk.Verifier
}

// prepare decodes the signature and finds the keys it is tried with.
func (e *entry) prepare(ctx context.Context, keys jwk.Source, signature string, o Options) error {
	var err error
	if e.signature, err = b64url.DecodeString(signature); err != nil {
		return errMalformed.Wrap(err)
	}
	h := e.Header
	if o.AllowUnprotectedHeader {
		h.Algorithm = either(h.Algorithm, e.Unprotected.Algorithm)
		h.KeyID = either(h.KeyID, e.Unprotected.KeyID)
	}
	e.candidates, err = h.Verifiers(ctx, keys, "", o)
	return err
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// verify tries the candidates on the bytes that were received.
func (e *entry) verify(message []byte) {
	e.Err = errSignature
	for _, k := range e.candidates {
		if k.Verify(message, e.signature) == nil {
			e.Key, e.Err = k, nil
			return
		}
	}
}

// stream verifies all entries in one pass over the payload. It fails only where
// the payload cannot be read.
func stream(ctx context.Context, entries []entry, payload io.Reader, unencoded bool) error {
	type try struct {
		e *entry
		k jwk.Verifier
	}
	var (
		tries []try
		jobs  []func(io.Reader) error
	)
	for i := range entries {
		e := &entries[i]
		if e.Err != nil {
			continue
		}
		e.Err = errSignature
		for _, k := range e.candidates {
			tries = append(tries, try{e, k})
			jobs = append(jobs, func(r io.Reader) error {
				return k.VerifyReader(signingInput(e.prefix, r, unencoded), e.signature)
			})
		}
	}
	results, err := fanOut(ctx, payload, jobs)
	if err != nil {
		return err
	}
	for i, t := range tries {
		switch {
		case t.e.Key != nil:
		case results[i] == nil:
			t.e.Key, t.e.Err = t.k, nil
		case fault.CodeOf(results[i]) != errSignature.Code():
			// The key could not take the payload, which is no fault of the signature.
			t.e.Err = errSignature.Wrap(results[i])
		}
	}
	return nil
}

// fanOut gives every job the whole of one stream, and returns what each of them
// returned. It fails where the stream does.
func fanOut(ctx context.Context, payload io.Reader, jobs []func(io.Reader) error) ([]error, error) {
	source := &watched{ctx: ctx, r: payload}
	results := make([]error, len(jobs))
	switch len(jobs) {
	case 0:
		return nil, nil
	case 1:
		// Here and not beside the caller, who may want to recover from what panics.
		results[0] = jobs[0](source)
		return results, source.err
	}
	// Each job has a pipe and runs beside the others; one that stops early goes on
	// discarding, so that none waits for it.
	var wait sync.WaitGroup
	pipes := make([]*io.PipeWriter, len(jobs))
	writers := make([]io.Writer, len(jobs))
	for i, job := range jobs {
		r, w := io.Pipe()
		pipes[i], writers[i] = w, w
		wait.Go(func() {
			results[i] = job(r)
			_, _ = io.Copy(io.Discard, r)
		})
	}
	_, err := io.Copy(io.MultiWriter(writers...), source)
	for _, w := range pipes {
		_ = w.CloseWithError(err) // nil is the end of the stream; the error is always nil
	}
	wait.Wait()
	return results, err
}

// conclude judges the signatures together.
func conclude(entries []entry, o Options) (*Message, error) {
	var (
		m        = &Message{Signatures: make([]Signature, len(entries))}
		failures []error
		signers  []jwk.Verifier
	)
	for i, e := range entries {
		m.Signatures[i] = e.Signature
		if e.Err != nil {
			if len(entries) > 1 {
				e.Err = fmt.Errorf("signature %d: %w", i+1, e.Err)
			}
			failures = append(failures, e.Err)
			continue
		}
		if !contains(signers, e.Key) {
			signers = append(signers, e.Key)
		}
	}
	if len(failures) > 0 && (o.Require == All || len(signers) == 0) {
		return nil, errors.Join(failures...)
	}
	if len(signers) < max(o.MinSignatures, 1) {
		return nil, errSignature.Wrap(errTooFew)
	}
	return m, nil
}

// contains reports whether k is among keys, by identity or by kid.
func contains(keys []jwk.Verifier, k jwk.Verifier) bool {
	for _, other := range keys {
		if other == k || k.KeyID() != "" && other.KeyID() == k.KeyID() && other.Algorithm() == k.Algorithm() {
			return true
		}
	}
	return false
}

// signingInput is what a signature covers, as a stream (RFC 7515, Section 5.1;
// RFC 7797, Section 3).
func signingInput(header string, payload io.Reader, unencoded bool) io.Reader {
	if !unencoded {
		payload = &encoder{src: payload}
	}
	return io.MultiReader(strings.NewReader(header), strings.NewReader("."), payload)
}

// encoder is the base64url of what it reads.
type encoder struct {
	src     io.Reader
	err     error
	pending []byte // encoded and not yet read
	in      [3 << 10]byte
	out     [4 << 10]byte
}

func (e *encoder) Read(p []byte) (int, error) {
	for len(e.pending) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		// Whole groups of three bytes until the end, so that the text is one.
		var n int
		n, e.err = io.ReadFull(e.src, e.in[:])
		if errors.Is(e.err, io.ErrUnexpectedEOF) {
			e.err = io.EOF
		}
		e.pending = b64url.AppendEncode(e.out[:0], e.in[:n])
	}
	n := copy(p, e.pending)
	e.pending = e.pending[n:]
	return n, nil
}

// watched is a payload whose own failures are told from those of the signature.
type watched struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		w.err = err
		return 0, err
	}
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// join is header.payload in one piece.
func join(header, payload string) []byte {
	b := make([]byte, 0, len(header)+1+len(payload))
	b = append(b, header...)
	b = append(b, '.')
	return append(b, alias.Bytes(payload)...)
}
