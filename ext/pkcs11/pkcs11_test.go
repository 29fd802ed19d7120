//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

var ctx = context.Background()

func pin() (string, error) { return userPIN, nil }

// openToken opens a token whose library is watched.
func openToken(t testing.TB, d *device, o Options) (*Token, *watched) {
	t.Helper()
	w := watch(d.Ctx)
	if o.PIN == nil {
		o.PIN = pin
	}
	token, err := open(o, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token, w
}

func find[K any](t testing.TB, token *Token, f Find) K {
	t.Helper()
	key, err := token.Key(f)
	if err != nil {
		t.Fatal(err)
	}
	k, ok := key.(K)
	if !ok {
		t.Fatalf("it is a %T", key)
	}
	return k
}

func TestSignatures(t *testing.T) {
	d := newDevice(t)
	slot := d.token("test")
	d.ec(slot, "P-256", []byte{1}, elliptic.P256())
	d.ec(slot, "P-384", []byte{2}, elliptic.P384())
	d.ec(slot, "P-521", []byte{3}, elliptic.P521())
	d.rsa(slot, "RSA", []byte{4}, 2048)
	token, err := Open(Options{Module: d.module, Token: "test", PIN: pin})
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	for _, tc := range []struct {
		alg   jwa.Algorithm
		label string
	}{
		{jwa.ES256, "P-256"},
		{jwa.ES384, "P-384"},
		{jwa.ES512, "P-521"},
		{jwa.RS256, "RSA"},
		{jwa.RS384, "RSA"},
		{jwa.RS512, "RSA"},
		{jwa.PS256, "RSA"},
		{jwa.PS384, "RSA"},
		{jwa.PS512, "RSA"},
	} {
		t.Run(tc.alg.Name(), func(t *testing.T) {
			key := find[remote](t, token, Find{Label: tc.label})
			local, err := jwk.NewPrivateKey(tc.alg, "k", key)
			if err != nil {
				t.Fatal(err)
			}
			far, err := jwk.NewRemoteKey(tc.alg, "k", key.Public(), key.SignContext)
			if err != nil {
				t.Fatal(err)
			}
			for _, signer := range []*jwk.PrivateKey{local, far} {
				raw, err := jws.Sign(ctx, signer, jws.Header{}, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				m, err := jws.Verify(ctx, jwk.Set{signer.Public()}, raw, jws.Options{})
				if err != nil || string(m.Payload) != "hello" {
					t.Error(m, err)
				}
				if _, err := signer.PrivateJWK(); !errors.Is(err, jwk.ErrPrivate) {
					t.Error(err)
				}
			}
		})
	}
}

// remote is what keys of both types have for functions of jwk that take a context.
type remote interface {
	crypto.Signer
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
	DecryptContext(ctx context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error)
}

var (
	_ crypto.Decrypter  = (*RSAKey)(nil)
	_ ecdh.KeyExchanger = (*ECKey)(nil)
)

func TestDecryption(t *testing.T) {
	d := newDevice(t)
	slot := d.token("test")
	d.ec(slot, "P-256", []byte{1}, elliptic.P256())
	d.ec(slot, "P-384", []byte{2}, elliptic.P384())
	d.ec(slot, "P-521", []byte{3}, elliptic.P521())
	d.rsa(slot, "RSA", []byte{4}, 2048)
	token, _ := openToken(t, d, Options{Token: "test"})
	for _, tc := range []struct {
		alg   jwa.Algorithm
		label string
	}{
		{jwa.RSA_OAEP, "RSA"},
		{jwa.ECDH_ES, "P-256"},
		{jwa.ECDH_ES_A128KW, "P-256"},
		{jwa.ECDH_ES_A256KW, "P-384"},
		{jwa.ECDH_ES, "P-521"},
	} {
		t.Run(tc.alg.Name()+" "+tc.label, func(t *testing.T) {
			key := find[remote](t, token, Find{Label: tc.label})
			local, err := jwk.NewDecryptionKey(tc.alg, "k", key)
			if err != nil {
				t.Fatal(err)
			}
			far, err := jwk.NewRemoteDecryptionKey(tc.alg, "k", key.Public(), key.DecryptContext)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range []*jwk.DecryptionKey{local, far} {
				for range 5 {
					raw, err := jwe.Encrypt(ctx, k.Public(), jwa.A256GCM, jwe.Header{}, []byte("hello"))
					if err != nil {
						t.Fatal(err)
					}
					m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{k}, raw, jwe.Options{})
					if err != nil || string(m.Plaintext) != "hello" {
						t.Fatal(m, err)
					}
				}
			}
		})
	}
}

// A ciphertext that is not one is refused without a word of why, and the session serves
// the next.
func TestWrongCiphertext(t *testing.T) {
	d := newDevice(t)
	d.rsa(d.token("test"), "RSA", nil, 2048)
	var seen atomic.Int32
	token, w := openToken(t, d, Options{Token: "test", Observe: func(error) { seen.Add(1) }})
	key, err := jwk.NewDecryptionKey(jwa.RSA_OAEP, "", find[*RSAKey](t, token, Find{Label: "RSA"}))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwe.Encrypt(ctx, key.Public(), jwa.A256GCM, jwe.Header{}, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(raw, ".")
	bad := strings.Join([]string{part[0], strings.Repeat("A", len(part[1])), part[2], part[3], part[4]}, ".")
	for range 3 {
		if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, bad, jwe.Options{}); !errors.Is(err, jwk.ErrDecrypt) {
			t.Error(err)
		}
		if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, raw, jwe.Options{}); err != nil {
			t.Error(err)
		}
	}
	if seen.Load() != 3 || w.count("OpenSession") != 1 {
		t.Errorf("%d errors, %d sessions", seen.Load(), w.count("OpenSession"))
	}
}

// Whatever becomes of the token, the next operation finds it again.
func TestTokenLost(t *testing.T) {
	d := newDevice(t)
	d.ec(d.token("test"), "P-256", []byte{1}, elliptic.P256())
	var seen atomic.Int32
	token, w := openToken(t, d, Options{Token: "test", Observe: func(error) { seen.Add(1) }})
	key := find[*ECKey](t, token, Find{ID: []byte{1}})
	digest := sha256.Sum256([]byte("hello"))
	sign := func(t *testing.T) {
		t.Helper()
		signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(key.pub, digest[:], signature) {
			t.Error("another signature")
		}
	}
	for name, lose := range map[string]func(){
		"all sessions are closed": func() { d.check(d.CloseAllSessions(d.slot("test"))) },
		"logged out": func() {
			s, err := d.OpenSession(d.slot("test"), p11.CKF_SERIAL_SESSION)
			d.check(err)
			d.check(d.Logout(s))
			d.check(d.CloseSession(s))
		},
		"the library is finalised": func() { d.check(d.Finalize()) },
		"the library is initialised anew": func() { // after which SoftHSM has the token in another slot
			d.check(d.Finalize())
			d.check(d.Initialize())
		},
	} {
		t.Run(name, func(t *testing.T) {
			sign(t)
			before := seen.Load()
			lose()
			sign(t)
			sign(t)
			if seen.Load() == before {
				t.Error("nothing was lost")
			}
		})
	}
	for _, code := range lost {
		for _, function := range []string{"SignInit", "Sign", "OpenSession", "Login"} {
			t.Run(fmt.Sprintf("%s %v", function, p11.Error(code)), func(t *testing.T) {
				if function != "SignInit" && function != "Sign" {
					d.check(d.CloseAllSessions(d.slot("test")))
					token.mu.Lock()
					token.idle = nil
					token.mu.Unlock()
				}
				n := w.count(function)
				w.will(function, p11.Error(code))
				sign(t)
				if w.count(function) != n+2 {
					t.Errorf("asked %d times", w.count(function)-n)
				}
			})
		}
	}
	// One that stays away is an error, and is found when it is back.
	gone := p11.Error(p11.CKR_DEVICE_REMOVED)
	w.will("SignInit", gone)
	w.will("GetSlotList", gone)
	_, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if !errors.Is(err, gone) {
		t.Error(err)
	}
	sign(t)
	// What has nothing to do with that is not repeated.
	n := w.count("SignInit")
	w.will("SignInit", p11.Error(p11.CKR_KEY_FUNCTION_NOT_PERMITTED))
	if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); !is(err, p11.CKR_KEY_FUNCTION_NOT_PERMITTED) || w.count("SignInit") != n+1 {
		t.Error(err)
	}
	sign(t)
}

// A key that was replaced under its label while the token was away is another: its
// signatures are refused by jwk, and not sent.
func TestKeyReplaced(t *testing.T) {
	d := newDevice(t)
	slot := d.token("test")
	d.ec(slot, "k", []byte{1}, elliptic.P256())
	token, _ := openToken(t, d, Options{Token: "test"})
	signer, err := jwk.NewPrivateKey(jwa.ES256, "", find[*ECKey](t, token, Find{Label: "k"}))
	if err != nil {
		t.Fatal(err)
	}
	d.remove(slot, "k", p11.CKO_PRIVATE_KEY)
	d.check(d.CloseAllSessions(slot))
	if _, err := signer.Sign(ctx, []byte("hello")); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	d.ec(slot, "k", []byte{2}, elliptic.P256())
	if _, err := signer.Sign(ctx, []byte("hello")); !errors.Is(err, jwk.ErrSignature) {
		t.Error(err)
	}
}

func TestPIN(t *testing.T) {
	d := newDevice(t)
	slot := d.token("test")
	d.ec(slot, "k", nil, elliptic.P256())
	// A wrong PIN is tried once, however often the token is asked for.
	var asked atomic.Int32
	right := "wrong and secret"
	w := watch(d.Ctx)
	_, err := open(Options{Token: "test", PIN: func() (string, error) { asked.Add(1); return right, nil }}, w)
	if !errors.Is(err, ErrPIN) || !is(err, p11.CKR_PIN_INCORRECT) || strings.Contains(err.Error(), right) {
		t.Error(err)
	}
	failure := errors.New("no terminal")
	if _, err = open(Options{Token: "test", PIN: func() (string, error) { return "", failure }}, w); !errors.Is(err, ErrPIN) || !errors.Is(err, failure) {
		t.Error(err)
	}
	if n := w.count("OpenSession") - w.count("CloseSession"); n != 0 {
		t.Errorf("%d sessions are open", n)
	}

	asked.Store(0)
	right = userPIN
	token, w := openToken(t, d, Options{Token: "test", PIN: func() (string, error) { asked.Add(1); return right, nil }})
	key := find[*ECKey](t, token, Find{Label: "k"})
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", token, token, token), fmt.Sprintf("%v %+v", key, key)} {
		if strings.Contains(text, userPIN) {
			t.Error(text)
		}
	}
	digest := make([]byte, 32)
	right = "no longer"
	d.check(d.CloseAllSessions(slot))
	for range 5 {
		if _, err := key.Sign(nil, digest, crypto.SHA256); !errors.Is(err, ErrPIN) || strings.Contains(err.Error(), right) {
			t.Error(err)
		}
	}
	if asked.Load() != 2 || w.count("Login") != 2 {
		t.Errorf("asked %d times, %d logins", asked.Load(), w.count("Login"))
	}
	// A login that fails for another reason is tried again.
	token, w = openToken(t, d, Options{Token: "test"})
	key = find[*ECKey](t, token, Find{Label: "k"})
	d.check(d.CloseAllSessions(slot))
	w.will("Login", p11.Error(p11.CKR_FUNCTION_FAILED))
	if _, err := key.Sign(nil, digest, crypto.SHA256); !errors.Is(err, ErrPIN) {
		t.Error(err)
	}
	if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
		t.Error(err)
	}
	// Somebody else has logged in meanwhile.
	d.check(d.CloseAllSessions(slot))
	w.will("Login", p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN))
	s := d.session(slot)
	if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
		t.Error(err)
	}
	d.check(d.CloseSession(s))
	// Without a PIN, there is no login, and no private key to see.
	none, err := open(Options{Token: "test"}, watch(d.Ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	_ = token.Close()
	d.check(d.CloseAllSessions(slot))
	if _, err := none.Key(Find{Label: "k"}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// A key may want the PIN for each signature.
func TestAlwaysAuthenticate(t *testing.T) {
	d := newDevice(t)
	d.ec(d.token("test"), "k", nil, elliptic.P256(), p11.NewAttribute(p11.CKA_ALWAYS_AUTHENTICATE, true))
	var asked atomic.Int32
	var wrong atomic.Bool
	token, w := openToken(t, d, Options{Token: "test", PIN: func() (string, error) {
		asked.Add(1)
		if wrong.Load() {
			return "wrong", nil
		}
		return userPIN, nil
	}})
	key := find[*ECKey](t, token, Find{Label: "k"})
	for range 3 {
		if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 4 {
		t.Errorf("asked %d times", asked.Load())
	}
	wrong.Store(true)
	another, err := token.session()
	if err != nil {
		t.Fatal(err)
	}
	token.mu.Lock()
	first := token.idle
	token.mu.Unlock()
	if len(first) != 0 {
		t.Error("the session is not the one that is kept")
	}
	if _, err := token.try(func(session) error { return nil }); err != nil { // in a second session
		t.Fatal(err)
	}
	token.mu.Lock()
	token.idle = append(token.idle, another)
	token.mu.Unlock()
	for range 3 {
		if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, ErrPIN) {
			t.Error(err)
		}
	}
	if w.count("Login") != 5 {
		t.Errorf("%d logins", w.count("Login"))
	}
}

func TestFind(t *testing.T) {
	d := newDevice(t)
	slot := d.token("one")
	d.token("two")
	d.ec(slot, "twice", []byte{1}, elliptic.P256())
	d.ec(slot, "twice", []byte{2}, elliptic.P256())
	d.ec(slot, "no id", nil, elliptic.P256())
	d.ec(slot, "curve", []byte{3}, elliptic.P224())
	d.ec(slot, "alone", []byte{4}, elliptic.P256())
	d.remove(slot, "alone", p11.CKO_PUBLIC_KEY)
	d.ec(slot, "certified", []byte{5}, elliptic.P256())
	token, w := openToken(t, d, Options{Token: "one"})

	certified := find[*ECKey](t, token, Find{Label: "certified"})
	d.remove(slot, "certified", p11.CKO_PUBLIC_KEY)
	d.certificate(slot, "another label", []byte{5}, certified.pub)
	for _, tc := range []struct {
		find Find
		err  error
	}{
		{Find{Label: "twice", ID: []byte{1}}, nil},
		{Find{ID: []byte{2}}, nil},
		{Find{Label: "no id"}, nil},
		{Find{Label: "certified"}, nil},
		{Find{Label: "twice"}, ErrAmbiguous},
		{Find{Label: "twice", ID: []byte{3}}, ErrNotFound},
		{Find{Label: "none"}, ErrNotFound},
		{Find{Label: "alone"}, ErrNotFound},
		{Find{Label: "curve"}, ErrUnsupported},
	} {
		key, err := token.Key(tc.find)
		if !errors.Is(err, tc.err) || (key == nil) == (tc.err == nil) {
			t.Errorf("%v: %v", tc.find, err)
		}
		if key != nil {
			if _, err := jwk.NewPrivateKey(jwa.ES256, "", key); err != nil {
				t.Error(err)
			}
			if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := token.Key(Find{}); err == nil {
		t.Error("a key without a name is found")
	}
	// Each error of the library on the way is returned.
	failure := p11.Error(p11.CKR_FUNCTION_FAILED)
	for _, function := range []string{
		"FindObjectsInit", "FindObjects",
		fmt.Sprintf("GetAttributeValue %#x", p11.CKA_ALWAYS_AUTHENTICATE), fmt.Sprintf("GetAttributeValue %#x", p11.CKA_ID),
		fmt.Sprintf("GetAttributeValue %#x", p11.CKA_KEY_TYPE), fmt.Sprintf("GetAttributeValue %#x", p11.CKA_EC_PARAMS),
		fmt.Sprintf("GetAttributeValue %#x", p11.CKA_VALUE),
	} {
		w.will(function, failure)
		if _, err := token.Key(Find{Label: "certified"}); !errors.Is(err, failure) {
			t.Errorf("%s: %v", function, err)
		}
	}
	// One whose private RSA object shows no modulus, or an exponent that is none.
	d.rsa(slot, "RSA", []byte{6}, 2048)
	for _, attribute := range []uint{p11.CKA_MODULUS, p11.CKA_PUBLIC_EXPONENT} {
		name := fmt.Sprintf("GetAttributeValue %#x", attribute)
		w.will(name, failure)
		if _, err := token.Key(Find{Label: "RSA"}); !errors.Is(err, failure) {
			t.Errorf("%s: %v", name, err)
		}
		w.will(name, p11.Error(p11.CKR_ATTRIBUTE_SENSITIVE))
		public := find[*RSAKey](t, token, Find{Label: "RSA"})
		if _, err := public.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
			t.Error(err)
		}
	}
	w.answer(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 0, 0, 1})
	_, err := token.Key(Find{Label: "RSA"})
	if !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	w.answer(p11.CKA_KEY_TYPE, p11.NewAttribute(p11.CKA_KEY_TYPE, uint(p11.CKK_DSA)).Value)
	if _, err = token.Key(Find{Label: "RSA"}); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	w.answer(0, nil)
	// A certificate that is none, and one of a key that does not sign here.
	certificate, err := x509.ParseCertificate(d.certificate(slot, "Ed25519", []byte{7}, ed25519.PublicKey(make([]byte, 32))))
	d.check(err)
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	d.check(err)
	for _, der := range [][]byte{{1}, certificate.Raw, d.certificate(slot, "P-224", []byte{8}, &small.PublicKey)} {
		w.answer(p11.CKA_VALUE, der)
		if _, err = token.Key(Find{Label: "certified"}); err == nil {
			t.Error("a certificate without a key for signatures is accepted")
		}
	}
	w.answer(0, nil)
	// Some tokens do not know an attribute.
	w.will(fmt.Sprintf("GetAttributeValue %#x", p11.CKA_ALWAYS_AUTHENTICATE), p11.Error(p11.CKR_ATTRIBUTE_TYPE_INVALID))
	find[*ECKey](t, token, Find{Label: "certified"})

	for _, tc := range []struct {
		o   Options
		err error
	}{
		{Options{Token: "none"}, ErrNotFound},
		{Options{}, ErrAmbiguous},
		{Options{Token: "one", Serial: "none"}, ErrNotFound},
		{Options{Token: "one"}, nil},
	} {
		tc.o.PIN = pin
		token, err := open(tc.o, d.Ctx)
		if !errors.Is(err, tc.err) {
			t.Error(err)
		}
		if err == nil {
			_ = token.Close()
		}
	}
	var info p11.TokenInfo
	info, err = d.GetTokenInfo(slot)
	d.check(err)
	bySerial, err := open(Options{Serial: info.SerialNumber, PIN: pin}, d.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	find[*ECKey](t, bySerial, Find{Label: "certified"})
	_ = bySerial.Close()
	for _, function := range []string{"Initialize", "GetSlotList", "OpenSession", "GetSessionInfo"} {
		w := watch(d.Ctx)
		w.will(function, failure)
		if _, err := open(Options{Token: "one", PIN: pin}, w); !errors.Is(err, failure) {
			t.Errorf("%s: %v", function, err)
		}
		if w.count("OpenSession") > 0 && function == "GetSessionInfo" && w.count("CloseSession") != 1 {
			t.Error("a session is left open")
		}
	}
	w = watch(d.Ctx)
	w.will("GetTokenInfo", failure, failure, failure)
	if _, err := open(Options{Token: "one", PIN: pin}, w); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := open(Options{Token: "one", Sessions: -1}, w); err == nil {
		t.Error("a negative number of sessions is accepted")
	}
	if _, err := Open(Options{Module: "/nonexistent/library.so"}); err == nil {
		t.Error("a library that is not there is opened")
	}
}

func TestOperationsRefused(t *testing.T) {
	d := newDevice(t)
	slot := d.token("test")
	d.ec(slot, "EC", nil, elliptic.P256())
	d.rsa(slot, "RSA", nil, 2048)
	token, w := openToken(t, d, Options{Token: "test"})
	ec, rs := find[*ECKey](t, token, Find{Label: "EC"}), find[*RSAKey](t, token, Find{Label: "RSA"})
	digest := make([]byte, 32)
	other, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"SHA-1":        func() ([]byte, error) { return rs.Sign(nil, digest[:20], crypto.SHA1) },
		"no hash":      func() ([]byte, error) { return rs.Sign(nil, digest, crypto.Hash(0)) },
		"short digest": func() ([]byte, error) { return rs.Sign(nil, digest[:31], crypto.SHA256) },
		"negative salt": func() ([]byte, error) {
			return rs.Sign(nil, digest, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -5})
		},
		//lint:ignore SA1019 it is refused
		"PKCS #1 v1.5": func() ([]byte, error) { return rs.Decrypt(nil, make([]byte, 256), &rsa.PKCS1v15DecryptOptions{}) },
		"no padding":   func() ([]byte, error) { return rs.Decrypt(nil, make([]byte, 256), nil) },
		"OAEP of MD5":  func() ([]byte, error) { return rs.Decrypt(nil, make([]byte, 256), &rsa.OAEPOptions{Hash: crypto.MD5}) },
		"OAEP of SHA-1 and MD5": func() ([]byte, error) {
			return rs.Decrypt(nil, make([]byte, 256), &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.MD5})
		},
		"another curve":   func() ([]byte, error) { return ec.ECDH(other.PublicKey()) },
		"no other key":    func() ([]byte, error) { return ec.DecryptContext(ctx, nil, nil) },
		"a nil other key": func() ([]byte, error) { return ec.ECDH(nil) },
	} {
		if out, err := f(); !errors.Is(err, ErrUnsupported) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The mechanisms, as the library gets them.
	auto := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto}
	signature, err := rs.Sign(nil, digest, auto)
	if err != nil || rsa.VerifyPSS(rs.pub, crypto.SHA256, digest, signature, auto) != nil {
		t.Error(err)
	}
	w.mechs = nil
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		// SoftHSM has OAEP with SHA-1 alone.
		if _, err := rs.Decrypt(nil, make([]byte, 256), &rsa.OAEPOptions{Hash: hash}); !is(err, p11.CKR_ARGUMENTS_BAD) {
			t.Error(err)
		}
	}
	if len(w.mechs) != 3 {
		t.Error(w.mechs)
	}
	// A token that does not let the secret out.
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.will(fmt.Sprintf("GetAttributeValue %#x", p11.CKA_VALUE), p11.Error(p11.CKR_ATTRIBUTE_SENSITIVE))
	if secret, err := ec.ECDH(peer.PublicKey()); !errors.Is(err, ErrUnsupported) || secret != nil {
		t.Error(err)
	}
	want, err := peer.ECDH(ec.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	got, err := ec.ECDH(peer.PublicKey())
	if err != nil || !bytes.Equal(got, want) || ec.Curve() != ecdh.P256() {
		t.Errorf("%x, want %x: %v", got, want, err)
	}
}

// More callers than sessions wait, and none longer than its context.
func TestSessions(t *testing.T) {
	d := newDevice(t)
	d.ec(d.token("test"), "k", nil, elliptic.P256())
	token, w := openToken(t, d, Options{Token: "test", Sessions: 3})
	key := find[*ECKey](t, token, Find{Label: "k"})
	signer, err := jwk.NewPrivateKey(jwa.ES256, "", key)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			for n := range 10 {
				if i == 0 && n%4 == 3 { // while others are in the middle of something
					w.will("Sign", p11.Error(p11.CKR_DEVICE_REMOVED))
				}
				if _, err := signer.Sign(ctx, []byte("hello")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if _, err := signer.Sign(ctx, []byte("hello")); err != nil {
		t.Error(err)
	}
	token.mu.Lock()
	if n := len(token.idle); n < 1 || n > 3 {
		t.Errorf("%d sessions are kept", n)
	}
	token.mu.Unlock()

	for range 3 {
		token.turns <- struct{}{}
	}
	soon, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := key.SignContext(soon, make([]byte, 32), crypto.SHA256); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range 3 {
		<-token.turns
	}

	wait.Go(func() { _ = token.Close() })
	_ = token.Close()
	wait.Wait()
	if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if len(token.idle) != 0 || w.count("CloseSession") < 1 {
		t.Error("sessions are left")
	}
}

func TestParsePoint(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	params := []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}
	wrapped := append([]byte{4, 65}, raw...)
	for name, point := range map[string][]byte{"OCTET STRING": wrapped, "raw": raw} {
		pub, err := parsePoint(params, point)
		if err != nil || !pub.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	off := bytes.Clone(wrapped)
	off[len(off)-1] ^= 1
	for name, tc := range map[string][2][]byte{
		"off the curve":    {params, off},
		"data after":       {params, append(bytes.Clone(wrapped), 0)},
		"no OCTET STRING":  {params, {5, 0}},
		"empty":            {params, {4, 0}},
		"params and more":  {append(bytes.Clone(params), 0), wrapped},
		"no OID":           {{5, 0}, wrapped},
		"an unknown curve": {{6, 5, 0x2b, 0x81, 4, 0, 10}, wrapped},
	} {
		if pub, err := parsePoint(tc[0], tc[1]); err == nil {
			t.Errorf("%s: %v", name, pub)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	f.Add([]byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, append([]byte{4, 65, 4}, make([]byte, 64)...))
	f.Add([]byte{6, 5, 0x2b, 0x81, 4, 0, 34}, []byte{4, 0x81, 0})
	f.Fuzz(func(t *testing.T, params, point []byte) {
		if pub, err := parsePoint(params, point); err == nil {
			if _, err := pub.ECDH(); err != nil {
				t.Error(err)
			}
		}
	})
}

var _ io.Closer = (*Token)(nil)
