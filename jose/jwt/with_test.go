package jwt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
)

func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		typ    string
		types  []string
		header string
		ok     bool
	}{
		{"a+jwt", []string{"JWT"}, `{"alg":"HS256"}`, true},
		{"a+jwt", []string{"jwt"}, `{"alg":"HS256","typ":"JWT"}`, true},
		{"a+jwt", []string{"JWT"}, `{"alg":"HS256","typ":"application/A+jwt"}`, true},
		{"a+jwt", []string{"JWT"}, `{"alg":"HS256","typ":"b+jwt"}`, false},
		{"a+jwt", []string{"JWT"}, `{"alg":"HS256","typ":""}`, false},
		{"a+jwt", []string{"b+jwt"}, `{"alg":"HS256","typ":"B+JWT"}`, true},
		{"a+jwt", []string{"b+jwt"}, `{"alg":"HS256"}`, false},
		{"a+jwt", []string{"b+jwt"}, `{"alg":"HS256","typ":"JWT"}`, false},
		{"", []string{"b+jwt"}, `{"alg":"HS256"}`, true},
		{"", []string{"b+jwt"}, `{"alg":"HS256","typ":"b+jwt"}`, true},
		{"", []string{"b+jwt"}, `{"alg":"HS256","typ":"a+jwt"}`, false},
	} {
		v := hs(t, func(p *Policy) { p.Type, p.Types = tc.typ, tc.types })
		_, err := v.Verify(ctx, forge(tc.header, good))
		if tc.ok {
			accept(t, err)
			continue
		}
		want(t, err, "typ.mismatch")
		for _, name := range append(tc.types, tc.typ) {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%v does not name %q", err, name)
			}
		}
	}
	p := policy()
	p.Types = []string{""}
	if _, err := NewVerifier[struct{}](jwk.Set{secretKey(t)}, p); !errors.Is(err, ErrPolicy) {
		t.Errorf("an empty type: %v", err)
	}
}

func TestVerifyWith(t *testing.T) {
	r := new(recorder)
	p := policy()
	p.Replay, p.Leeway = r, NoLeeway
	v := verifier[struct{}](t, jwk.Set{secretKey(t)}, p)
	raw := forge(plain, good)
	long := strings.Repeat("x", 100)
	calls := 0
	verify := func(raw string, refusals ...*ClaimError) error {
		tok, err := v.VerifyWith(ctx, raw, func(tok *Token[struct{}], now time.Time) []*ClaimError {
			calls++
			if tok.Subject != "alice" || !now.Equal(clock()) {
				t.Errorf("check is given %q at %v", tok.Subject, now)
			}
			return refusals
		})
		if (tok == nil) == (err == nil) {
			t.Errorf("a token and an error, or neither: %v", err)
		}
		return err
	}

	err := verify(raw, &ClaimError{Claim: "nonce", Code: "nonce.mismatch", Got: long}, &ClaimError{Claim: "aud", Code: "aud.mismatch"}, &ClaimError{Claim: "x", Code: "x.missing"})
	want(t, err, "nonce.mismatch", "aud.mismatch", "x.missing")
	if !errors.Is(err, ErrAudience) || !errors.Is(err, ErrMissing) || errors.Is(err, ErrIssuer) {
		t.Errorf("%v matches other sentinels", err)
	}
	if e, _ := errors.AsType[*ClaimError](err); e == nil || len(e.Got) > maxGot || strings.Contains(err.Error(), "xxx") {
		t.Errorf("Got is not cut: %+v", e)
	}
	// Beside the policy's own, and once.
	expired := forge(plain, with("exp", "1767268800"))
	err = verify(expired, &ClaimError{Claim: "exp", Code: "exp.expired"}, &ClaimError{Claim: "nonce", Code: "nonce.mismatch"}, &ClaimError{Claim: "exp", Code: "exp.lifetime"})
	want(t, err, "exp.expired", "nonce.mismatch", "exp.lifetime")
	if len(r.calls) > 0 {
		t.Error("a token that check refuses is used up")
	}
	accept(t, verify(raw))
	if len(r.calls) != 1 {
		t.Error("replay was not asked")
	}
	if calls != 3 {
		t.Errorf("check was called %d times", calls)
	}
	// Nothing that is not signed reaches it.
	want(t, verify(spoil(raw)), "sig.invalid")
	want(t, verify(forge(plain, with("iss", "1"))), "json.type")
	if calls != 3 {
		t.Error("check saw what was not signed, or could not be read")
	}
}

// From the cache a token is checked as it was the first time.
func TestVerifyWithCache(t *testing.T) {
	p := policy()
	p.CacheSize = 4
	v := verifier[struct{}](t, jwk.Set{secretKey(t)}, p)
	raw := forge(plain, good)
	accept(t, func() error { _, err := v.Verify(ctx, raw); return err }())
	_, err := v.VerifyWith(ctx, raw, func(*Token[struct{}], time.Time) []*ClaimError {
		return []*ClaimError{{Claim: "nonce", Code: "nonce.mismatch"}}
	})
	want(t, err, "nonce.mismatch")
}

func TestAudienceIsString(t *testing.T) {
	for aud, is := range map[string]bool{
		`"https://api.example"`: true, `["https://api.example"]`: false, `["https:\/\/api.example"]`: false, `"https:\/\/api.example"`: true,
		`["https://api.example","b"]`: false, "-": false,
	} {
		v := hs(t, func(p *Policy) { p.Audiences, p.AnyAudience = nil, true })
		tok, err := v.Verify(ctx, forge(plain, with("aud", aud)))
		accept(t, err)
		if tok.AudienceIsString() != is {
			t.Errorf("%s: %v", aud, !is)
		}
		if copied := *tok; copied.AudienceIsString() != is {
			t.Errorf("%s: a copy says %v", aud, !is)
		}
	}
	if new(Token[struct{}]).AudienceIsString() {
		t.Error("the zero token has an audience")
	}
}

// A refusal that is made outside of Verify is like one that is made there.
func TestRefuse(t *testing.T) {
	var err error = Refuse(&ClaimError{Claim: "aud", Code: "aud.mismatch", Got: strings.Repeat("x", 100)}, &ClaimError{Claim: "x", Code: "x.mismatch"}, errReplayFull)
	want(t, err, "aud.mismatch", "x.mismatch", "jti.full")
	if !errors.Is(err, ErrAudience) || !errors.Is(err, ErrReplay) || errors.Is(err, ErrIssuer) {
		t.Error(err)
	}
	if e, _ := errors.AsType[*ClaimError](err); e == nil || len(e.Got) > maxGot {
		t.Errorf("Got is not cut: %+v", e)
	}
}
