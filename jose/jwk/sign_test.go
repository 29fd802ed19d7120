//lint:file-ignore SA1019 malformed keys have to be made by hand

package jwk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestSignAndVerify(t *testing.T) {
	ctx := context.Background()
	message := []byte("the message")
	all := signers(t)
	for i, s := range all {
		t.Run(s.Algorithm().Name(), func(t *testing.T) {
			v := verifier(s)
			signature, err := s.Sign(ctx, message)
			if err != nil {
				t.Fatal(err)
			}
			if size := s.Algorithm().SignatureSize(); size != 0 && len(signature) != size {
				t.Errorf("the signature has %d bytes, want %d", len(signature), size)
			}
			streamed, err := s.SignReader(ctx, iotest.OneByteReader(bytes.NewReader(message)))
			if err != nil {
				t.Fatal(err)
			}
			appended, err := s.AppendSign(ctx, []byte("front"), message)
			if err != nil || !bytes.HasPrefix(appended, []byte("front")) {
				t.Fatalf("%q, %v", appended, err)
			}
			for _, sig := range [][]byte{signature, streamed, appended[5:]} {
				if err := v.Verify(message, sig); err != nil {
					t.Error(err)
				}
				if err := v.VerifyReader(iotest.OneByteReader(bytes.NewReader(message)), sig); err != nil {
					t.Error(err)
				}
			}
			other := verifier(all[(i+1)%len(all)])
			for name, c := range map[string]struct {
				v       jwk.Verifier
				message string
				sig     []byte
			}{
				"other message": {v, "the messagf", signature},
				"other key":     {other, "the message", signature},
				"first bit":     {v, "the message", flipped(signature, 0)},
				"last bit":      {v, "the message", flipped(signature, len(signature)*8-1)},
				"truncated":     {v, "the message", signature[:len(signature)-1]},
				"extended":      {v, "the message", append(bytes.Clone(signature), 0)},
				"zero in front": {v, "the message", append([]byte{0}, signature...)},
				"empty":         {v, "the message", nil},
				"zeros":         {v, "the message", make([]byte, len(signature))},
			} {
				t.Run(name, func(t *testing.T) {
					wantCode(t, c.v.Verify([]byte(c.message), c.sig), "sig.invalid")
					wantCode(t, c.v.VerifyReader(strings.NewReader(c.message), c.sig), "sig.invalid")
				})
			}
			broken := errors.New("broken")
			if err := v.VerifyReader(iotest.ErrReader(broken), signature); !errors.Is(err, broken) {
				t.Errorf("a reader's error became %v", err)
			}
			if _, err := s.SignReader(ctx, iotest.ErrReader(broken)); !errors.Is(err, broken) {
				t.Errorf("a reader's error became %v", err)
			}
			done, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := s.Sign(done, message); !errors.Is(err, context.Canceled) {
				t.Errorf("Sign after cancellation: %v", err)
			}
			if _, err := s.SignReader(done, bytes.NewReader(message)); !errors.Is(err, context.Canceled) {
				t.Errorf("SignReader after cancellation: %v", err)
			}
		})
	}
}

func flipped(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	b[bit/8] ^= 1 << (7 - bit%8)
	return b
}

// A reader that cancels in the middle ends the reading.
func TestSignReaderCancelled(t *testing.T) {
	for _, s := range signers(t) {
		ctx, cancel := context.WithCancel(context.Background())
		endless := readerFunc(func(p []byte) (int, error) {
			cancel()
			return len(p), nil
		})
		if _, err := s.SignReader(ctx, io.LimitReader(endless, 1<<20)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", s.Algorithm(), err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWholeMessageLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("reads 64 MiB")
	}
	k, err := mustParse(t, edPrivate).PrivateKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	zeros := readerFunc(func(p []byte) (int, error) { return len(p), nil })
	_, err = k.SignReader(context.Background(), zeros)
	wantCode(t, err, "key.limit")
	wantCode(t, k.Public().VerifyReader(zeros, make([]byte, 64)), "key.limit")
}

// RFC 7518, Section 3.4; CVE-2022-21449 and its relatives.
func TestECDSARange(t *testing.T) {
	for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.ES384, jwa.ES512} {
		k, err := jwk.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		pub := k.Public().CryptoKey().(*ecdsa.PublicKey)
		n, size := pub.Params().N, alg.SignatureSize()/2
		message := []byte("m")
		good, err := k.Sign(context.Background(), message)
		if err != nil {
			t.Fatal(err)
		}
		r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])
		raw := func(r, s *big.Int) []byte {
			b := make([]byte, 2*size)
			r.FillBytes(b[:size])
			s.FillBytes(b[size:])
			return b
		}
		zero, top := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*size)), big.NewInt(1))
		for name, sig := range map[string][]byte{
			"r=s=0": raw(zero, zero), "r=0": raw(zero, s), "s=0": raw(r, zero),
			"r=n": raw(n, s), "s=n": raw(r, n), "r=s=n": raw(n, n),
			"r max": raw(top, s), "s max": raw(r, top), "r=s=1": raw(big.NewInt(1), big.NewInt(1)),
		} {
			t.Run(alg.Name()+"/"+name, func(t *testing.T) {
				wantCode(t, k.Public().Verify(message, sig), "sig.invalid")
			})
		}
		// The twin of a signature is one too: nothing may take signatures for unique.
		if err := k.Public().Verify(message, raw(r, new(big.Int).Sub(n, s))); err != nil {
			t.Errorf("%s: the twin is refused: %v", alg, err)
		}
		der, err := ecdsa.SignASN1(rand.Reader, localKey(t, k).(*ecdsa.PrivateKey), hashed(alg.Hash(), message))
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, k.Public().Verify(message, der), "sig.invalid")
	}
}

func hashed(h crypto.Hash, message []byte) []byte {
	state := h.New()
	state.Write(message)
	return state.Sum(nil)
}

func localKey(t testing.TB, k *jwk.PrivateKey) any {
	t.Helper()
	j, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	der, err := j.MarshalPrivateDER()
	if err != nil {
		t.Fatal(err)
	}
	return parsePKCS8(t, der)
}

// Signatures whose r or s has leading zero bytes are rare: 2000 make some.
func TestECDSAShortIntegers(t *testing.T) {
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i := range 2000 {
		message := []byte{byte(i), byte(i >> 8)}
		sig, err := k.Sign(context.Background(), message)
		if err != nil {
			t.Fatal(err)
		}
		if sig[0] == 0 || sig[32] == 0 {
			seen++
			if err := k.Public().Verify(message, sig); err != nil {
				t.Fatalf("%x: %v", sig, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no signature with a leading zero in 2000")
	}
}

// RFC 7518, Section 3.5: the salt is as long as the hash.
func TestPSSSaltLength(t *testing.T) {
	key := testRSA(t)
	for alg, h := range map[jwa.Algorithm]crypto.Hash{jwa.PS256: crypto.SHA256, jwa.PS384: crypto.SHA384, jwa.PS512: crypto.SHA512} {
		k, err := jwk.NewPrivateKey(alg, "", key)
		if err != nil {
			t.Fatal(err)
		}
		digest := hashed(h, []byte("m"))
		for salt, code := range map[int]string{h.Size(): "", h.Size() - 1: "sig.invalid", h.Size() + 1: "sig.invalid", 8: "sig.invalid"} {
			if fipsEnforced && salt > h.Size() {
				continue
			}
			sig, err := rsa.SignPSS(rand.Reader, key, h, digest, &rsa.PSSOptions{SaltLength: salt, Hash: h})
			if err != nil {
				t.Fatal(err)
			}
			err = k.Public().Verify([]byte("m"), sig)
			if code == "" {
				if err != nil {
					t.Errorf("%s: %v", alg, err)
				}
				continue
			}
			wantCode(t, err, code)
		}
		own, err := k.Sign(context.Background(), []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(&key.PublicKey, h, digest, own, &rsa.PSSOptions{SaltLength: h.Size()}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// One RSA key under two algorithms: the signature of one is none of the other.
func TestRSAFamiliesDiffer(t *testing.T) {
	key := testRSA(t)
	for _, pair := range [][2]jwa.Algorithm{{jwa.RS256, jwa.PS256}, {jwa.PS256, jwa.RS256}, {jwa.RS256, jwa.RS384}, {jwa.PS384, jwa.PS512}} {
		a, err := jwk.NewPrivateKey(pair[0], "", key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := jwk.NewPublicKey(pair[1], "", &key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := a.Sign(context.Background(), []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.Verify([]byte("m"), sig), "sig.invalid")
	}
}

func TestEd25519Malleability(t *testing.T) {
	k, err := mustParse(t, edPrivate).PrivateKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := k.Sign(context.Background(), []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8032, Section 5.1.7: S is below the order of the group.
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	le := func(b []byte) []byte {
		b = bytes.Clone(b)
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return b
	}
	s := new(big.Int).SetBytes(le(sig[32:]))
	twin := append(bytes.Clone(sig[:32]), le(s.Add(s, l).FillBytes(make([]byte, 32)))...)
	wantCode(t, k.Public().Verify([]byte("m"), twin), "sig.invalid")
}

func TestSignaturesAreRandom(t *testing.T) {
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 20 {
		sig, err := k.Sign(context.Background(), []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		if r := string(sig[:32]); seen[r] {
			t.Fatal("r was used twice")
		} else {
			seen[r] = true
		}
	}
}

func TestNewPublicKeyRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, edPriv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := testRSA(t)
	own, err := jwa.New("X1", jwa.Traits{KeyType: "EC", Curve: "P-256"})
	if err != nil {
		t.Fatal(err)
	}
	n := func(bits int) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), big.NewInt(12345))
	}
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).Add(ec.X, big.NewInt(1)), Y: ec.Y}
	wide := 1 << 30
	wide = 2*wide + 1 // 2^31+1, negative where an int has 32 bits
	for name, c := range map[string]struct {
		alg  jwa.Algorithm
		pub  any
		code string
	}{
		"e above 2^31":     {jwa.RS256, &rsa.PublicKey{N: n(2048), E: wide}, "key.invalid"},
		"control EC":       {jwa.ES256, &ec.PublicKey, ""},
		"control RSA":      {jwa.PS512, &r.PublicKey, ""},
		"control Ed25519":  {jwa.Ed25519, ed, ""},
		"no algorithm":     {jwa.Algorithm{}, &ec.PublicKey, "alg.mismatch"},
		"other curve":      {jwa.ES384, &ec.PublicKey, "alg.mismatch"},
		"other type":       {jwa.RS256, &ec.PublicKey, "alg.mismatch"},
		"RSA for ES256":    {jwa.ES256, &r.PublicKey, "alg.mismatch"},
		"EC for EdDSA":     {jwa.EdDSA, &ec.PublicKey, "alg.mismatch"},
		"Ed25519 for EC":   {jwa.ES256, ed, "alg.mismatch"},
		"public as HMAC":   {jwa.HS256, &r.PublicKey, "alg.mismatch"},
		"encryption":       {jwa.RSA_OAEP, &r.PublicKey, "key.use"},
		"curve P-224":      {jwa.ES256, &p224.PublicKey, "key.unsupported"},
		"nil":              {jwa.ES256, nil, "key.unsupported"},
		"bytes":            {jwa.HS256, []byte("secret"), "key.unsupported"},
		"nil EC":           {jwa.ES256, (*ecdsa.PublicKey)(nil), "key.invalid"},
		"empty EC":         {jwa.ES256, &ecdsa.PublicKey{}, "key.invalid"},
		"no curve":         {jwa.ES256, &ecdsa.PublicKey{X: ec.X, Y: ec.Y}, "key.invalid"},
		"no X":             {jwa.ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), Y: ec.Y}, "key.invalid"},
		"no Y":             {jwa.ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), X: ec.X}, "key.invalid"},
		"off the curve":    {jwa.ES256, off, "key.invalid"},
		"infinity":         {jwa.ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, "key.invalid"},
		"nil RSA":          {jwa.RS256, (*rsa.PublicKey)(nil), "key.invalid"},
		"empty RSA":        {jwa.RS256, &rsa.PublicKey{}, "key.invalid"},
		"zero RSA":         {jwa.RS256, &rsa.PublicKey{N: new(big.Int), E: 65537}, "key.invalid"},
		"RSA 2047":         {jwa.RS256, &rsa.PublicKey{N: n(2047), E: 65537}, "key.weak"},
		"RSA 128 bits":     {jwa.RS256, &rsa.PublicKey{N: n(128), E: 65537}, "key.weak"},
		"RSA 16386":        {jwa.RS256, &rsa.PublicKey{N: n(16386), E: 65537}, "key.limit"},
		"RSA 16385":        {jwa.RS256, &rsa.PublicKey{N: n(16385), E: 65537}, "key.limit"},
		"even RSA":         {jwa.RS256, &rsa.PublicKey{N: new(big.Int).Add(n(2048), big.NewInt(1)), E: 65537}, "key.invalid"},
		"e=1":              {jwa.RS256, &rsa.PublicKey{N: n(2048), E: 1}, "key.invalid"},
		"e=2":              {jwa.RS256, &rsa.PublicKey{N: n(2048), E: 2}, "key.invalid"},
		"e even":           {jwa.RS256, &rsa.PublicKey{N: n(2048), E: 65536}, "key.invalid"},
		"e negative":       {jwa.RS256, &rsa.PublicKey{N: n(2048), E: -3}, "key.invalid"},
		"short Ed25519":    {jwa.EdDSA, ed[:31], "key.invalid"},
		"empty Ed25519":    {jwa.EdDSA, ed25519.PublicKey{}, "key.invalid"},
		"private EC":       {jwa.ES256, ec, "key.private"},
		"private RSA":      {jwa.RS256, r, "key.private"},
		"private Ed25519":  {jwa.EdDSA, edPriv, "key.private"},
		"foreign alg":      {own, &ec.PublicKey, "key.unsupported"},
		"smallest allowed": {jwa.RS256, &rsa.PublicKey{N: n(2048), E: 65537}, ""},
		"largest allowed":  {jwa.RS256, &rsa.PublicKey{N: n(16384), E: 65537}, ""},
		"largest e":        {jwa.RS256, &rsa.PublicKey{N: n(2048), E: 1<<31 - 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := jwk.NewPublicKey(c.alg, "k", c.pub)
			if c.code == "" {
				if err != nil || k.Algorithm() != c.alg || k.KeyID() != "k" {
					t.Errorf("%v, %v", k, err)
				}
				return
			}
			wantCode(t, err, c.code)
		})
	}
	t.Run("e=3", func(t *testing.T) {
		_, err := jwk.NewPublicKey(jwa.RS256, "", &rsa.PublicKey{N: n(2048), E: 3})
		if fipsEnforced {
			wantCode(t, err, "key.fips")
		} else if err != nil {
			t.Error(err)
		}
	})
	t.Run("odd size", func(t *testing.T) {
		_, err := jwk.NewPublicKey(jwa.RS256, "", &rsa.PublicKey{N: n(2049), E: 65537})
		if fipsEnforced {
			wantCode(t, err, "key.fips")
		} else if err != nil {
			t.Error(err)
		}
	})
}

// opaque is a signer of which nothing is known, as a key in hardware.
type opaque struct {
	crypto.Signer
	pub     crypto.PublicKey
	replace func([]byte) []byte
}

func (o opaque) Public() crypto.PublicKey {
	if o.pub != nil {
		return o.pub
	}
	return o.Signer.Public()
}

func (o opaque) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := o.Signer.Sign(r, digest, opts)
	if o.replace != nil {
		sig = o.replace(sig)
	}
	return sig, err
}

func TestOpaqueSigner(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := testRSA(t)
	for alg, s := range map[jwa.Algorithm]crypto.Signer{jwa.ES256: ec, jwa.EdDSA: ed, jwa.Ed25519: ed, jwa.RS256: r, jwa.RS512: r, jwa.PS256: r, jwa.PS384: r} {
		t.Run(alg.Name(), func(t *testing.T) {
			k, err := jwk.NewPrivateKey(alg, "hsm", opaque{Signer: s})
			if err != nil {
				t.Fatal(err)
			}
			sig, err := k.Sign(context.Background(), []byte("m"))
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Public().Verify([]byte("m"), sig); err != nil {
				t.Error(err)
			}
			_, err = k.PrivateJWK()
			wantCode(t, err, "key.private")
			for name, replace := range map[string]func([]byte) []byte{
				"empty":     func([]byte) []byte { return nil },
				"truncated": func(b []byte) []byte { return b[:len(b)-1] },
				"extended":  func(b []byte) []byte { return append(b, 0) },
				"changed":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
			} {
				k, err := jwk.NewPrivateKey(alg, "hsm", opaque{Signer: s, replace: replace})
				if err != nil {
					t.Fatal(err)
				}
				_, err = k.Sign(context.Background(), []byte("m"))
				t.Run(name, func(t *testing.T) { wantCode(t, err, "sig.invalid") })
			}
		})
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwk.NewPrivateKey(jwa.ES256, "", opaque{Signer: ec, pub: &other.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Sign(context.Background(), []byte("m"))
	wantCode(t, err, "sig.invalid")
}

func TestNewPrivateKeyRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mixed := append(bytes.Clone(ed[:32]), ed[32:]...)
	mixed[40] ^= 1
	r := testRSA(t)
	multi := *r
	multi.Primes = append(append([]*big.Int{}, r.Primes...), big.NewInt(3))
	noPrimes := &rsa.PrivateKey{PublicKey: r.PublicKey, D: r.D}
	nilPrime := &rsa.PrivateKey{PublicKey: r.PublicKey, D: r.D, Primes: []*big.Int{nil, r.Primes[1]}}
	nilPrime2 := &rsa.PrivateKey{PublicKey: r.PublicKey, D: r.D, Primes: []*big.Int{r.Primes[0], nil}}
	wrongD := &rsa.PrivateKey{PublicKey: r.PublicKey, D: new(big.Int).Add(r.D, big.NewInt(2)), Primes: r.Primes}
	for name, c := range map[string]struct {
		alg  jwa.Algorithm
		s    crypto.Signer
		code string
	}{
		"control":           {jwa.ES256, ec, ""},
		"nil":               {jwa.ES256, nil, "key.invalid"},
		"nil EC":            {jwa.ES256, (*ecdsa.PrivateKey)(nil), "key.invalid"},
		"empty EC":          {jwa.ES256, &ecdsa.PrivateKey{}, "key.invalid"},
		"no EC scalar":      {jwa.ES256, &ecdsa.PrivateKey{PublicKey: ec.PublicKey}, "key.invalid"},
		"no RSA exponent":   {jwa.RS256, &rsa.PrivateKey{PublicKey: r.PublicKey, Primes: r.Primes}, "key.invalid"},
		"empty Ed25519":     {jwa.EdDSA, ed25519.PrivateKey{}, "key.invalid"},
		"nil RSA":           {jwa.RS256, (*rsa.PrivateKey)(nil), "key.invalid"},
		"empty RSA":         {jwa.RS256, &rsa.PrivateKey{}, "key.invalid"},
		"short Ed25519":     {jwa.EdDSA, ed[:63], "key.invalid"},
		"other algorithm":   {jwa.ES384, ec, "alg.mismatch"},
		"other public EC":   {jwa.ES256, &ecdsa.PrivateKey{PublicKey: other.PublicKey, D: ec.D}, "key.invalid"},
		"scalar too large":  {jwa.ES256, &ecdsa.PrivateKey{PublicKey: ec.PublicKey, D: elliptic.P256().Params().N}, "key.invalid"},
		"other public Ed":   {jwa.EdDSA, ed25519.PrivateKey(mixed), "key.invalid"},
		"three primes":      {jwa.RS256, &multi, "key.unsupported"},
		"no primes":         {jwa.RS256, noPrimes, "key.unsupported"},
		"nil prime":         {jwa.RS256, nilPrime, "key.invalid"},
		"nil second prime":  {jwa.RS256, nilPrime2, "key.invalid"},
		"other RSA d":       {jwa.RS256, wrongD, "key.invalid"},
		"opaque, bad alg":   {jwa.RS256, opaque{Signer: ec}, "alg.mismatch"},
		"opaque, HMAC":      {jwa.HS256, opaque{Signer: ec}, "alg.mismatch"},
		"opaque, no public": {jwa.ES256, opaque{Signer: ec, pub: "nothing"}, "key.unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwk.NewPrivateKey(c.alg, "", c.s)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, c.code)
		})
	}
}

func TestRemoteKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	remote := func(sign func(context.Context, []byte, crypto.SignerOpts) ([]byte, error)) *jwk.PrivateKey {
		k, err := jwk.NewRemoteKey(jwa.ES256, "kms", &ec.PublicKey, sign)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	honest := func(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return ec.Sign(rand.Reader, digest, opts)
	}
	t.Run("control", func(t *testing.T) {
		type key struct{}
		k := remote(func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			if ctx.Value(key{}) != "here" {
				t.Error("another context")
			}
			if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
				t.Errorf("%v, %d bytes", opts.HashFunc(), len(digest))
			}
			return ec.Sign(rand.Reader, digest, opts)
		})
		sig, err := k.Sign(context.WithValue(ctx, key{}, "here"), []byte("m"))
		if err != nil || k.Public().Verify([]byte("m"), sig) != nil {
			t.Error(err)
		}
		_, err = k.PrivateJWK()
		wantCode(t, err, "key.private")
	})
	t.Run("blocked until cancelled", func(t *testing.T) {
		done, cancel := context.WithCancel(ctx)
		started := make(chan struct{})
		k := remote(func(ctx context.Context, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
			close(started)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		go func() { <-started; cancel() }()
		if _, err := k.Sign(done, []byte("m")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		done, cancel := context.WithCancel(ctx)
		cancel()
		k := remote(func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
			t.Error("the signer was asked")
			return nil, nil
		})
		if _, err := k.Sign(done, []byte("m")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("cancelled while signing", func(t *testing.T) {
		done, cancel := context.WithCancel(ctx)
		k := remote(func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			cancel()
			return honest(ctx, digest, opts)
		})
		if _, err := k.Sign(done, []byte("m")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("error", func(t *testing.T) {
		down := errors.New("the service is down")
		k := remote(func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) { return nil, down })
		if _, err := k.Sign(ctx, []byte("m")); !errors.Is(err, down) {
			t.Error(err)
		}
	})
	t.Run("options of PSS", func(t *testing.T) {
		r := testRSA(t)
		k, err := jwk.NewRemoteKey(jwa.PS384, "", &r.PublicKey, func(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			if o, ok := opts.(*rsa.PSSOptions); !ok || o.Hash != crypto.SHA384 || o.SaltLength != rsa.PSSSaltLengthEqualsHash {
				t.Errorf("%#v", opts)
			}
			return r.Sign(rand.Reader, digest, opts)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(ctx, []byte("m")); err != nil {
			t.Error(err)
		}
	})
	t.Run("whole message of Ed25519", func(t *testing.T) {
		pub, ed, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwk.NewRemoteKey(jwa.Ed25519, "", pub, func(_ context.Context, message []byte, opts crypto.SignerOpts) ([]byte, error) {
			if string(message) != "m" || opts.HashFunc() != 0 {
				t.Errorf("%q, %v", message, opts.HashFunc())
			}
			return ed.Sign(rand.Reader, message, opts)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(ctx, []byte("m")); err != nil {
			t.Error(err)
		}
	})
	t.Run("bad results", func(t *testing.T) {
		long := append([]byte{0x02, 33, 0x01}, make([]byte, 32)...)
		for name, der := range map[string][]byte{
			"nothing":           nil,
			"one byte":          {0x30},
			"raw":               make([]byte, 64),
			"empty sequence":    {0x30, 0},
			"one integer":       {0x30, 3, 2, 1, 1},
			"three integers":    {0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1},
			"r=0":               {0x30, 6, 2, 1, 0, 2, 1, 1},
			"s=0":               {0x30, 6, 2, 1, 1, 2, 1, 0},
			"negative":          {0x30, 6, 2, 1, 0x80, 2, 1, 1},
			"not shortest":      {0x30, 7, 2, 2, 0, 1, 2, 1, 1},
			"empty integer":     {0x30, 5, 2, 0, 2, 1, 1},
			"no integer":        {0x30, 6, 4, 1, 1, 2, 1, 1},
			"trailing":          {0x30, 6, 2, 1, 1, 2, 1, 1, 0},
			"too short":         {0x30, 7, 2, 1, 1, 2, 1, 1},
			"integer too long":  append([]byte{0x30, byte(len(long) + 3)}, append(long, 2, 1, 1)...),
			"long form unused":  {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1},
			"long form cut":     {0x30, 0x81},
			"longer form":       {0x30, 0x82, 0, 6, 2, 1, 1, 2, 1, 1},
			"indefinite length": {0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0},
			"well-formed":       {0x30, 6, 2, 1, 1, 2, 1, 1},
		} {
			t.Run(name, func(t *testing.T) {
				k := remote(func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) { return der, nil })
				got, err := k.Sign(ctx, []byte("m"))
				wantCode(t, err, "sig.invalid")
				if err != nil && strings.Contains(err.Error(), "DER") == (name == "well-formed") {
					t.Errorf("another reason: %v", err)
				}
				if got != nil {
					t.Errorf("returned %x all the same", got)
				}
			})
		}
	})
	t.Run("bad length of P-521", func(t *testing.T) {
		p521, err := jwk.Generate(jwa.ES512)
		if err != nil {
			t.Fatal(err)
		}
		integer := append([]byte{2, 64}, bytes.Repeat([]byte{1}, 64)...)
		// 0x84 announces four bytes of length; it is no length of 132.
		der := append(append([]byte{0x30, 0x84}, integer...), integer...)
		k, err := jwk.NewRemoteKey(jwa.ES512, "", p521.Public().CryptoKey(), func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) { return der, nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err = k.Sign(ctx, []byte("m")); err == nil || !strings.Contains(err.Error(), "DER") {
			t.Errorf("another reason: %v", err)
		}
	})
	_, err = jwk.NewRemoteKey(jwa.ES256, "", &ec.PublicKey, nil)
	wantCode(t, err, "key.invalid")
	_, err = jwk.NewRemoteKey(jwa.ES384, "", &ec.PublicKey, honest)
	wantCode(t, err, "alg.mismatch")
}

// Nothing on the way to a verified HMAC allocates, and little where the standard
// library does not.
func TestAllocations(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("instrumented")
	}
	ctx := context.Background()
	message := make([]byte, 300)
	buf := make([]byte, 0, 1024)
	for _, s := range signers(t) {
		sig, err := s.Sign(ctx, message)
		if err != nil {
			t.Fatal(err)
		}
		v := verifier(s)
		verify := testing.AllocsPerRun(20, func() {
			if err := v.Verify(message, sig); err != nil {
				t.Error(err)
			}
		})
		sign := testing.AllocsPerRun(20, func() {
			if _, err := s.AppendSign(ctx, buf, message); err != nil {
				t.Error(err)
			}
		})
		primVerify, primSign := primitive(t, s, message, sig)
		if verify > primVerify {
			t.Errorf("%s: Verify allocates %v times, the primitive %v", s.Algorithm(), verify, primVerify)
		}
		if sign > primSign {
			t.Errorf("%s: AppendSign allocates %v times, the primitive %v", s.Algorithm(), sign, primSign)
		}
	}
}

// primitive returns the allocations of the standard library alone.
func primitive(t *testing.T, s jwk.Signer, message, sig []byte) (verify, sign float64) {
	t.Helper()
	if s.Algorithm().Symmetric() {
		return 0, 0
	}
	priv := localKey(t, s.(*jwk.PrivateKey)).(crypto.Signer)
	h := s.Algorithm().Hash()
	var opts crypto.SignerOpts = h
	if s.Algorithm().Family() == "RSASSA-PSS" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	}
	input := message
	if h != 0 {
		input = hashed(h, message)
	}
	made, err := priv.Sign(rand.Reader, input, opts)
	if err != nil {
		t.Fatal(err)
	}
	sign = testing.AllocsPerRun(20, func() { _, _ = priv.Sign(rand.Reader, input, opts) })
	verify = testing.AllocsPerRun(20, func() {
		switch k := priv.Public().(type) {
		case *ecdsa.PublicKey:
			ecdsa.VerifyASN1(k, input, made)
		case *rsa.PublicKey:
			if o, ok := opts.(*rsa.PSSOptions); ok {
				_ = rsa.VerifyPSS(k, h, input, made, o)
			} else {
				_ = rsa.VerifyPKCS1v15(k, h, input, made)
			}
		case ed25519.PublicKey:
			ed25519.Verify(k, input, made)
		}
	})
	return verify, sign
}
