package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

// Order is the claims of a kind of token: what RFC 7519 registers stays out of it.
type Order struct {
	Number int      `json:"order"`
	Items  []string `json:"items,omitempty"`
}

var (
	ctx = context.Background()
	now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

func newKey() *jwk.PrivateKey {
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func Example() {
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwt.Sign(ctx, key, jwt.Header{Type: "order+jwt"}, jwt.Registered{
		Issuer:   "https://shop.example",
		Audience: jwt.Audience{"https://api.example"},
		Expiry:   time.Now().Add(time.Hour),
	}, Order{Number: 7})
	if err != nil {
		log.Fatal(err)
	}

	v, err := jwt.NewVerifier[Order](jwk.Set{key.Public()}, jwt.Policy{
		Issuers:   []string{"https://shop.example"},
		Audiences: []string{"https://api.example"},
		Type:      "order+jwt",
	})
	if err != nil {
		log.Fatal(err)
	}
	t, err := v.Verify(ctx, raw)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Issuer, t.Claims.Number, t.AudienceIsString())
	// Output: https://shop.example 7 true
}

// Claims that have no type go into a map; integers keep all their digits.
func ExampleVerifier_Verify_map() {
	key := newKey()
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Issuer: "a", Expiry: now.Add(time.Hour)},
		map[string]any{"id": uint64(9007199254740993), "act": map[string]any{"sub": "admin"}}))
	v := must(jwt.NewVerifier[map[string]any](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"a"}, AnyAudience: true, Clock: func() time.Time { return now },
	}))
	t := must(v.Verify(ctx, raw))
	fmt.Println(t.Claims["id"].(json.Number), t.Claims["act"])
	// Output: 9007199254740993 map[sub:admin]
}

// Every refusal is in the error. Only is how to tolerate one.
func ExampleRejectError() {
	key := newKey()
	v := must(jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"api"},
		Leeway: jwt.NoLeeway, Clock: func() time.Time { return now },
	}))
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://as.example/", Audience: jwt.Audience{"api"}, Expiry: now,
	}, struct{}{}))

	_, err := v.Verify(ctx, raw)
	var refused *jwt.RejectError
	if errors.As(err, &refused) {
		fmt.Println(refused)
		fmt.Println(refused.Codes(), refused.Only("exp.expired"), len(refused.Unwrap()))
	}
	var claim *jwt.ClaimError
	if errors.As(err, &claim) {
		fmt.Println(claim.Claim, claim.Code, claim.Got, claim.Want, claim.Spec)
		fmt.Println("hint:", claim.Hint)
		fmt.Println(claim, claim.Is(jwt.ErrMissing), claim.Unwrap() != nil)
	}
	// Output:
	// token refused: iss.mismatch: iss: want "https://as.example"; exp.expired: exp: want a time after 2026-01-01T12:00:00Z
	// [iss.mismatch exp.expired] false 2
	// iss iss.mismatch https://as.example/ "https://as.example" RFC 8725, Section 3.8
	// hint: the token's value has a final slash; the policy's has none
	// iss.mismatch: iss: want "https://as.example" false true
}

// The sentinels are families of codes: all that a verifier can say of a token.
func Example_errors() {
	key, other := newKey(), newKey()
	v := must(jwt.NewVerifier[map[string]any](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"a"}, Audiences: []string{"api"}, MaxAge: time.Hour, MaxLifetime: 24 * time.Hour,
		Replay: jwt.NewReplayCache(1000), Clock: func() time.Time { return now },
	}))
	sign := func(key jwk.Signer, h jwt.Header, change func(*jwt.Registered)) string {
		r := jwt.Registered{Issuer: "a", Audience: jwt.Audience{"api"}, ID: "1", IssuedAt: now, Expiry: now.Add(time.Hour)}
		change(&r)
		return must(jwt.Sign(ctx, key, h, r, map[string]any{}, jwt.AllowMissingExpiry))
	}
	same := func(*jwt.Registered) {}
	good := sign(key, jwt.Header{}, same)
	extension := jwt.Header{Critical: []string{"x"}, Extra: map[string]json.RawMessage{"x": []byte("1")}}

	for _, tc := range []struct {
		family error
		token  string
	}{
		{nil, good},
		{jwt.ErrReplay, good},
		{jwt.ErrMalformed, "Bearer " + good},
		{jwt.ErrTooLarge, string(make([]byte, 100_000))},
		{jwt.ErrHeader, "W10.e30.AA"},
		{jwt.ErrAlgorithm, "eyJhbGciOiJub25lIn0.e30."},
		{jwt.ErrCritical, sign(key, extension, same)},
		{jwt.ErrType, sign(key, jwt.Header{Type: "at+jwt"}, same)},
		{jwt.ErrNoKey, sign(other, jwt.Header{}, same)},
		{jwt.ErrSignature, good[:len(good)-9] + "AAAAAAAAA"},
		{jwt.ErrIssuer, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.Issuer = "b" })},
		{jwt.ErrAudience, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.Audience[0] = "b" })},
		{jwt.ErrMissing, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.Expiry = time.Time{} })},
		{jwt.ErrExpired, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.Expiry = now.Add(-time.Hour) })},
		{jwt.ErrLifetime, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.Expiry = now.Add(25 * time.Hour) })},
		{jwt.ErrNotYetValid, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.NotBefore = now.Add(time.Minute * 2) })},
		{jwt.ErrIssuedAt, sign(key, jwt.Header{}, func(r *jwt.Registered) { r.IssuedAt = now.Add(-2 * time.Hour) })},
		{jwt.ErrClaims, must(jws.Sign(ctx, key, jwt.Header{}, []byte("[]")))},
	} {
		_, err := v.Verify(ctx, tc.token)
		var refused *jwt.RejectError
		if errors.As(err, &refused) {
			fmt.Println(errors.Is(err, tc.family), refused.Codes())
		}
	}
	// Output:
	// true [jti.replayed]
	// true [token.malformed]
	// true [token.too_large]
	// true [json.type]
	// true [alg.none]
	// true [crit.unknown]
	// true [typ.mismatch]
	// true [key.none]
	// true [sig.invalid]
	// true [iss.mismatch]
	// true [aud.mismatch]
	// true [exp.missing]
	// true [exp.expired]
	// true [exp.lifetime]
	// true [nbf.early]
	// true [iat.too_old]
	// true [json.type]
}

// What cannot be right is refused before there is a token.
func Example_misuse() {
	key := newKey()
	_, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, jwt.Policy{Issuers: []string{"a"}})
	fmt.Println(errors.Is(err, jwt.ErrPolicy), err)

	_, err = jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Expiry: now}, map[string]any{"iss": "b"})
	fmt.Println(errors.Is(err, jwt.ErrCollision), err)

	_, err = jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{}, struct{}{})
	fmt.Println(errors.Is(err, jwt.ErrMissing), err)
	var eternal jwt.SignOption = jwt.AllowMissingExpiry
	_, err = jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{}, struct{}{}, eternal)
	fmt.Println(err)
	// Output:
	// true the policy is invalid: name Audiences, or set AnyAudience
	// true a claim of your own has the name of a registered one
	// true exp.missing: exp: want a time, or AllowMissingExpiry
	// <nil>
}

// What has no field is reached by its name.
func ExampleToken_Claim() {
	key := newKey()
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Issuer: "a", Expiry: now.Add(time.Hour)}, struct {
		AuthTime jwt.NumericDate `json:"auth_time"`
	}{jwt.NumericDate{Time: now}}))
	v := must(jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"a"}, AnyAudience: true, Clock: func() time.Time { return now },
	}))
	t := must(v.Verify(ctx, raw))

	var at jwt.NumericDate
	ok, err := t.Claim("auth_time", &at)
	fmt.Println(ok, err, at.UTC())
	fmt.Printf("%s\n", t.Payload())
	// Output:
	// true <nil> 2026-01-01 12:00:00 +0000 UTC
	// {"iss":"a","exp":1767272400,"auth_time":1767268800}
}

// All claims may go into one type, the registered ones too.
func ExampleToken_Decode() {
	key := newKey()
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Issuer: "a", Subject: "alice", Expiry: now.Add(time.Hour)}, map[string]any{"role": "admin"}))
	v := must(jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"a"}, AnyAudience: true, Clock: func() time.Time { return now },
	}))
	t := must(v.Verify(ctx, raw))

	var user struct {
		Name string `json:"sub"`
		Role string `json:"role"`
	}
	fmt.Println(t.Decode(&user), user.Name, user.Role)
	// Output: <nil> alice admin
}

// A token is used once, across all verifiers that share the memory.
func ExampleReplayCache() {
	var seen jwt.Replay = jwt.NewReplayCache(10_000)
	for range 2 {
		used, err := seen.Seen(ctx, "https://as.example", "3b5c", time.Minute)
		fmt.Println(used, err)
	}
	// Output:
	// false <nil>
	// true <nil>
}

func ExampleAudience() {
	var one, several jwt.Audience
	if err := json.Unmarshal([]byte(`"api"`), &one); err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`["api","web"]`), &several); err != nil {
		log.Fatal(err)
	}
	fmt.Println(one.Contains("api"), several.Contains("mobile"))
	fmt.Printf("%s %s\n", must(json.Marshal(one)), must(json.Marshal(several)))
	// Output:
	// true false
	// "api" ["api","web"]
}

func ExampleNumericDate() {
	var d jwt.NumericDate
	if err := json.Unmarshal([]byte("1767268800.5"), &d); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.UTC())
	fmt.Printf("%s\n", must(json.Marshal(d)))
	// Output:
	// 2026-01-01 12:00:00.5 +0000 UTC
	// 1767268800.5
}

// A token that only one reader can read: signed by the shop, then encrypted for the API. The header
// shows whose it is to those who route it.
func ExampleSignEncrypted() {
	key := newKey()
	api := must(jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519"))
	raw := must(jwt.SignEncrypted(ctx, key, jwt.Recipient{
		Key:        api.Public(),
		Encryption: jwa.A256GCM,
		Header:     jwe.Header{Type: "order+jwt"},
		Replicate:  []string{"iss"},
	}, jwt.Header{Type: "order+jwt"}, jwt.Registered{
		Issuer: "https://shop.example", Audience: jwt.Audience{"https://api.example"}, Expiry: now.Add(time.Hour),
	}, Order{Number: 7}))

	p := jwt.Policy{
		Issuers:   []string{"https://shop.example"},
		Audiences: []string{"https://api.example"},
		Type:      "order+jwt",
		Clock:     func() time.Time { return now },
		Decryption: &jwt.Decryption{
			Keys:        jwk.DecryptionSet{api},
			Algorithms:  []jwa.Algorithm{jwa.ECDH_ES},
			Encryptions: []jwa.Encryption{jwa.A256GCM},
			MaxNesting:  2,
		},
	}
	v := must(jwt.NewVerifier[Order](jwk.Set{key.Public()}, p))
	t := must(v.Verify(ctx, raw))
	fmt.Println(t.Claims.Number, t.Key.Algorithm())
	for _, l := range t.Layers() {
		fmt.Println(l.Header.Algorithm, l.Header.Encryption, l.Header.ContentType, string(l.Header.Extra["iss"]), l.Key == jwk.Decrypter(api))
	}

	// What decrypts is not thereby from anyone: alone, each half is refused.
	signed := must(jwt.Sign(ctx, key, jwt.Header{Type: "order+jwt"}, t.Registered, t.Claims))
	_, err := v.Verify(ctx, signed)
	fmt.Println(err)
	p.Decryption = nil
	_, err = must(jwt.NewVerifier[Order](jwk.Set{key.Public()}, p)).Verify(ctx, raw)
	fmt.Println(err)
	_, err = v.Verify(ctx, raw[:len(raw)-4]+"AAAA")
	fmt.Println(errors.Is(err, jwt.ErrDecrypt), err)
	// Output:
	// 7 ES256
	// ECDH-ES A256GCM JWT "https://shop.example" true
	// token refused: token.signed: the token is malformed: it is signed and not encrypted, and the policy has Decryption
	// token refused: token.encrypted: the token is malformed: it is encrypted, and the policy has no Decryption
	// true token refused: dec.failed: it cannot be decrypted
}

// Rules of your own stand beside those of the policy, in one refusal.
func ExampleVerifier_VerifyWith() {
	key := newKey()
	v := must(jwt.NewVerifier[Order](jwk.Set{key.Public()}, jwt.Policy{
		Issuers: []string{"shop"}, AnyAudience: true,
		// Tokens from before there was a typ are accepted, and told apart by what they hold.
		Type: "order+jwt", Types: []string{"JWT"},
		Clock: func() time.Time { return now },
	}))
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Issuer: "shop", Expiry: now.Add(-time.Hour)}, Order{}))

	_, err := v.VerifyWith(ctx, raw, func(t *jwt.Token[Order], now time.Time) []*jwt.ClaimError {
		if t.Claims.Number == 0 {
			return []*jwt.ClaimError{{Claim: "order", Code: "order.missing", Want: "a number"}}
		}
		return nil
	})
	fmt.Println(err)
	var refused *jwt.RejectError
	fmt.Println(errors.As(err, &refused) && refused.Only("exp.expired"))
	// Output:
	// token refused: exp.expired: exp: want a time after 2026-01-01T11:59:00Z; order.missing: order: want a number
	// false
}

// What only the request shows is refused in the same way as what the token says.
func ExampleRefuse() {
	err := jwt.Refuse(&jwt.ClaimError{Claim: "DPoP", Code: "dpop.missing", Want: "a DPoP header", Spec: "RFC 9449, Section 4.3"})
	fmt.Println(err, err.Only("dpop.missing"))
	// Output: token refused: dpop.missing: DPoP: want a DPoP header true
}
