package jwt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestPolicyIncomplete(t *testing.T) {
	keys := jwk.Set{secretKey(t)}
	for name, tc := range map[string]struct {
		change func(*Policy)
		want   string // empty: accepted
	}{
		"complete":            {func(p *Policy) {}, ""},
		"zero":                {func(p *Policy) { *p = Policy{} }, "Issuers"},
		"no issuer":           {func(p *Policy) { p.Issuers = nil }, "Issuers"},
		"both issuers":        {func(p *Policy) { p.AnyIssuer = true }, "exclude"},
		"any issuer":          {func(p *Policy) { p.Issuers, p.AnyIssuer = nil, true }, ""},
		"no audience":         {func(p *Policy) { p.Audiences = nil }, "Audiences"},
		"both audiences":      {func(p *Policy) { p.AnyAudience = true }, "exclude"},
		"any audience":        {func(p *Policy) { p.Audiences, p.AnyAudience = nil, true }, ""},
		"empty issuer":        {func(p *Policy) { p.Issuers = []string{"a", ""} }, "empty"},
		"empty audience":      {func(p *Policy) { p.Audiences = []string{""} }, "empty"},
		"empty required":      {func(p *Policy) { p.Required = []string{""} }, "empty"},
		"empty critical":      {func(p *Policy) { p.Critical = []string{""} }, "empty"},
		"b64":                 {func(p *Policy) { p.Critical = []string{"b64"} }, "b64"},
		"duplicates":          {func(p *Policy) { p.Issuers = []string{"a", "a"} }, ""},
		"zero algorithm":      {func(p *Policy) { p.Algorithms = []jwa.Algorithm{{}} }, "algorithm"},
		"no leeway":           {func(p *Policy) { p.Leeway = NoLeeway }, ""},
		"negative leeway":     {func(p *Policy) { p.Leeway = -2 }, "Leeway"},
		"longest leeway":      {func(p *Policy) { p.Leeway = 10 * time.Minute }, ""},
		"unbounded leeway":    {func(p *Policy) { p.Leeway = 10*time.Minute + 1 }, "Leeway"},
		"negative age":        {func(p *Policy) { p.MaxAge = -1 }, "MaxAge"},
		"negative lifetime":   {func(p *Policy) { p.MaxLifetime = -1 }, "MaxLifetime"},
		"negative size":       {func(p *Policy) { p.MaxSize = -1 }, "limit"},
		"negative depth":      {func(p *Policy) { p.MaxDepth = -1 }, "limit"},
		"negative members":    {func(p *Policy) { p.MaxMembers = -1 }, "limit"},
		"negative cache":      {func(p *Policy) { p.CacheSize = -1 }, "limit"},
		"deepest":             {func(p *Policy) { p.MaxDepth = 10_000 }, ""},
		"too deep":            {func(p *Policy) { p.MaxDepth = 10_001 }, "MaxDepth"},
		"selector iss":        {func(p *Policy) { p.Selector = "iss" }, ""},
		"selector sub":        {func(p *Policy) { p.Selector = "sub" }, ""},
		"selector client_id":  {func(p *Policy) { p.Selector = "client_id" }, ""},
		"selector other":      {func(p *Policy) { p.Selector = "jti" }, "Selector"},
		"replay":              {func(p *Policy) { p.Replay = NewReplayCache(1) }, ""},
		"replay for ever":     {func(p *Policy) { p.Replay, p.OptionalExpiry = NewReplayCache(1), true }, "Replay"},
		"replay for ever too": {func(p *Policy) { p.Replay, p.IgnoreExpiry = NewReplayCache(1), true }, "Replay"},
		"replay by age":       {func(p *Policy) { p.Replay, p.OptionalExpiry, p.MaxAge = NewReplayCache(1), true, 1 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy()
			tc.change(&p)
			_, err := NewVerifier[struct{}](keys, p)
			if tc.want == "" {
				accept(t, err)
				return
			}
			if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNewVerifierRefusesKeys(t *testing.T) {
	for name, keys := range map[string]jwk.Source{"nil": nil, "nil key": jwk.Set{nil}} {
		if _, err := NewVerifier[struct{}](keys, policy()); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func refusedType[C any](t *testing.T, want error, claims C) {
	t.Helper()
	if _, err := NewVerifier[C](jwk.Set{secretKey(t)}, policy()); !errors.Is(err, want) {
		t.Errorf("NewVerifier[%T]: %v, want %v", claims, err, want)
	}
	if _, err := Sign(ctx, secretKey(t), Header{}, Registered{Expiry: clock()}, claims); !errors.Is(err, want) {
		t.Errorf("Sign[%T]: %v, want %v", claims, err, want)
	}
}

type hasMethod struct{ A string }

func (*hasMethod) UnmarshalJSON([]byte) error  { panic("must not be called") }
func (hasMethod) MarshalJSON() ([]byte, error) { panic("must not be called") }

func TestTypesOfClaims(t *testing.T) {
	refusedType(t, ErrCollision, struct {
		Exp int64 `json:"exp"`
	}{})
	refusedType(t, ErrCollision, struct {
		Issuer string `json:"iss,omitempty"`
	}{})
	refusedType(t, ErrCollision, Registered{})
	type nested struct {
		Subject string `json:"sub"`
	}
	refusedType(t, ErrCollision, struct{ nested }{})
	refusedType(t, ErrCollision, &nested{})
	refusedType(t, ErrPolicy, "text")
	refusedType(t, ErrPolicy, []string{})
	refusedType(t, ErrPolicy, any(nil))
	refusedType(t, ErrPolicy, map[int]string{})
	refusedType(t, ErrPolicy, hasMethod{})
	refusedType(t, ErrPolicy, struct{ hasMethod }{})
	refusedType(t, ErrPolicy, struct{ C chan int }{})
}

func TestPolicyIsCopied(t *testing.T) {
	p := Policy{
		Issuers: []string{issuer}, Audiences: []string{audience}, Algorithms: []jwa.Algorithm{jwa.HS256},
		Required: []string{"sub"}, Critical: []string{"x"}, Clock: clock,
	}
	keys := jwk.Set{secretKey(t)}
	v := verifier[struct{}](t, keys, p)
	p.Issuers[0], p.Audiences[0], p.Algorithms[0], p.Required[0], p.Critical[0], keys[0] = "x", "x", jwa.RS256, "x", "y", nil
	_, err := v.Verify(ctx, forge(`{"alg":"HS256","crit":["x"],"x":1}`, good))
	accept(t, err)
}
