package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// An issuer whose keys change by themselves. Any number of processes may share the store.
func ExampleRotation() {
	store := new(keyset.MemoryStore) // or keyset.OpenDirStore("/var/lib/issuer/keys")
	keys, err := keyset.NewRotation(store, keyset.Timetable{Lifetime: time.Hour}, jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	jwks := httptest.NewServer(keys.Handler())
	defer jwks.Close()

	signer, err := keys.Signer(ctx, jwa.ES256) // anew for each token
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwt.Sign(ctx, signer, jwt.Header{},
		jwt.Registered{Issuer: "https://as.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour)}, struct{}{})
	if err != nil {
		log.Fatal(err)
	}

	// Elsewhere:
	remote, err := keyset.NewRemote(jwks.URL, keyset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier[struct{}](remote, jwt.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"api"}})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(ctx, raw)
	fmt.Println(token.Registered.Issuer, err)

	resp, err := http.Get(jwks.URL)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	// Output:
	// https://as.example <nil>
	// 200 OK application/jwk-set+json
}

// What becomes of the keys, and how an operator comes in between.
func ExampleRotation_Inspect() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	keys, err := keyset.NewRotation(new(keyset.MemoryStore), keyset.Timetable{
		Every:    90 * 24 * time.Hour, // each key signs for a quarter of a year
		Cache:    6 * time.Hour,       // verifiers ask again after so long
		Lifetime: 24 * time.Hour,      // no token lives longer
		Clock:    func() time.Time { return now },
	}, jwa.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	show := func(what string) {
		all, err := keys.Inspect(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(what, ":")
		for _, k := range all {
			var key keyset.RotationKey = k
			fmt.Print(" ", key.Phase)
		}
		fmt.Println()
	}
	show("at first")
	now = now.Add(90 * 24 * time.Hour)
	show("after 90 days")
	now = now.Add(2 * 24 * time.Hour)
	show("after 92 days")

	if err := keys.Rotate(ctx); err != nil { // the next key takes over now
		log.Fatal(err)
	}
	show("rotated")

	stolen, err := keys.Signer(ctx, jwa.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	if err := keys.Revoke(ctx, stolen.KeyID()); err != nil {
		log.Fatal(err)
	}
	show("revoked")
	_, err = keys.Keys(ctx, jwk.Query{Algorithm: "EdDSA", KeyID: stolen.KeyID()})
	fmt.Println(err)
	// Output:
	// at first: active published
	// after 90 days: retired active published
	// after 92 days: active published
	// rotated: retired active published
	// revoked: retired active published
	// no key fits
}

// Keys for encryption rotate too: senders see the current one, and every process
// decrypts what was encrypted with those before.
func ExampleRotation_DecryptionKeys() {
	keys, err := keyset.NewRotation(new(keyset.MemoryStore), keyset.Timetable{}, jwa.ECDH_ES_A256KW)
	if err != nil {
		log.Fatal(err)
	}
	set, maxAge, err := keys.Set(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(set), "key, for an hour:", maxAge.Round(time.Minute))
	recipient, err := set.Encrypters(jwk.Query{Algorithm: "ECDH-ES+A256KW"})
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwe.Encrypt(ctx, recipient[0], jwa.A256GCM, jwe.Header{}, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	message, err := jwe.Decrypt(ctx, keys, raw, jwe.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(message.Plaintext))
	// Output:
	// 1 key, for an hour: 1h0m0s
	// hello
}

// Without Run, calls do what is due; with it, none of them has to wait.
func ExampleRotation_Run() {
	keys, err := keyset.NewRotation(new(keyset.MemoryStore), keyset.Timetable{}, jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- keys.Run(ctx) }()
	stop()
	fmt.Println(<-done)
	// Output: context canceled
}

// sealed encrypts what another store keeps, so that who reads that cannot sign.
type sealed struct {
	keyset.Store
	key *jwk.SharedKey
}

func (s sealed) Load(ctx context.Context) (data []byte, version string, err error) {
	raw, version, err := s.Store.Load(ctx)
	if err != nil || version == "" {
		return nil, version, err
	}
	message, err := jwe.Decrypt(ctx, jwk.DecryptionSet{s.key}, string(raw), jwe.Options{MaxSize: 1 << 20})
	if err != nil {
		return nil, "", err
	}
	return message.Plaintext, version, nil
}

func (s sealed) Save(ctx context.Context, data []byte, old string) (version string, err error) {
	raw, err := jwe.Encrypt(ctx, s.key, jwa.A256GCM, jwe.Header{}, data)
	if err != nil {
		return "", err
	}
	return s.Store.Save(ctx, []byte(raw), old)
}

// A store that encrypts what it keeps in a folder.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	folder, err := keyset.OpenDirStore(filepath.Join(dir, "keys"))
	if err != nil {
		log.Fatal(err)
	}
	secret, err := jwk.GenerateSharedKey(jwa.Dir, jwa.A256GCM) // from a key management service
	if err != nil {
		log.Fatal(err)
	}
	keys, err := keyset.NewRotation(sealed{folder, secret}, keyset.Timetable{}, jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	set, _, err := keys.Set(ctx)
	fmt.Println(len(set), "keys", err)

	// Without the secret, the state says nothing, and is not written over.
	keys, err = keyset.NewRotation(folder, keyset.Timetable{}, jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = keys.Set(ctx)
	fmt.Println(errors.Is(err, keyset.ErrState))

	// Nor is it where another was faster.
	_, err = folder.Save(ctx, []byte("mine"), "the version that I read")
	fmt.Println(errors.Is(err, keyset.ErrConflict))
	// Output:
	// 2 keys <nil>
	// true
	// true
}

// Keys in files: those of issuers to verify with, and one's own to sign with.
func ExampleDir() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	private, err := key.PrivateJWK()
	if err != nil {
		log.Fatal(err)
	}
	pem, err := private.MarshalPrivatePEM()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signing.pem"), pem, 0o600); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "too-open.pem"), pem, 0o644); err != nil {
		log.Fatal(err)
	}

	keys, err := keyset.OpenDir(dir, keyset.DirOptions{Interval: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range keys.Skipped() {
		var skipped keyset.SkippedFile = s
		fmt.Println(skipped.Name, errors.Is(skipped.Err, keyset.ErrExposed))
	}
	signer, err := keys.Signer(ctx, key.KeyID())
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwt.Sign(ctx, signer, jwt.Header{}, jwt.Registered{Expiry: time.Now().Add(time.Hour)}, struct{}{})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier[struct{}](keys, jwt.Policy{AnyIssuer: true, AnyAudience: true})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(ctx, raw)
	fmt.Println("verified:", err == nil)

	set, err := keys.Set(ctx) // what may be published
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(set), "public key")
	_, err = keys.DecryptionKeys(ctx, jwk.Query{Algorithm: "RSA-OAEP-256"})
	fmt.Println(err)
	// Output:
	// too-open.pem true
	// verified: true
	// 1 public key
	// no key fits
}

// The set in the hands of a program that serves it as a part of something else.
func ExampleRotation_Handler() {
	keys, err := keyset.NewRotation(new(keyset.MemoryStore), keyset.Timetable{Cache: 10 * time.Minute}, jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/jwks.json", keys.Handler())
	server := httptest.NewServer(mux)
	defer server.Close()

	resp, err := http.Get(server.URL + "/.well-known/jwks.json")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	set, skipped, err := jwk.ParseSet(body, jwk.Binding{})
	fmt.Println(len(set), "keys", skipped, err)

	req, err := http.NewRequest(http.MethodGet, server.URL+"/.well-known/jwks.json", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("If-None-Match", resp.Header.Get("ETag"))
	if resp, err = http.DefaultClient.Do(req); err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status)
	// Output:
	// 2 keys [] <nil>
	// 304 Not Modified
}
