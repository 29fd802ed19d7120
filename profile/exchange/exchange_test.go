package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
)

const (
	now    = profiletest.Now
	server = "https://as.example"
)

var (
	ctx = context.Background()
	// base is a token of Alice from this server for this server.
	base   = profiletest.Claims{"iss": server, "sub": "alice", "aud": server, "exp": now + 60, "iat": now, "jti": "1"}
	access = base.With("client_id", "c1", "scope", "read write")
)

// want fails the test unless err is an error of OAuth with this code, and its cause has that one; with an empty code,
// unless err is nil.
func want(t *testing.T, err error, code, cause string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Code != code || e.Description == "" || fault.CodeOf(e.Cause) != cause {
		t.Errorf("%v, caused by %v; want %s and %s", err, errors.Unwrap(err), code, cause)
	}
}

func made[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// types verifies the three types of JWT of one issuer with one key.
func types(t *testing.T) map[TokenType]Verify {
	keys := jwk.Set{profiletest.Key(t).Public()}
	j := jwt.Policy{Clock: profiletest.Clock}
	at := made(accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{server}, Audiences: []string{server}, JWT: j}))
	id := made(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{server}, ClientID: server, JWT: j}))
	gr := made(grant.NewVerifier(keys, grant.Policy{Issuer: server, Issuers: []string{server}, AnySubject: true, TypedOnly: true, Reusable: true, JWT: j}))
	return map[TokenType]Verify{
		AccessToken: From(at.Verify),
		IDToken: From(func(ctx context.Context, raw string) (*jwt.Token[idtoken.Claims], error) {
			return id.Verify(ctx, raw, idtoken.Expect{Nonce: "n"})
		}),
		JWT: From(gr.Verify),
	}
}

func anyone(context.Context, *Exchange) (bool, error) { return true, nil }

func verifier(t *testing.T, change ...func(*Policy)) *Verifier {
	p := Policy{Issuer: server, Subject: types(t), Actor: types(t), Permit: anyone}
	for _, f := range change {
		f(&p)
	}
	return made(NewVerifier(p))
}

// A token of one type is none of another, though issuer, audience, subject and key be the same.
func TestAttack(t *testing.T) {
	t.Run("M3_token_types", func(t *testing.T) {
		tokens := map[TokenType]string{
			AccessToken: access.Sign(t, profiletest.Key(t), accesstoken.Type),
			IDToken:     base.With("nonce", "n").Sign(t, profiletest.Key(t), "JWT"),
			JWT:         base.Sign(t, profiletest.Key(t), grant.Type),
		}
		v := verifier(t)
		for is, raw := range tokens {
			for said := range tokens {
				x, err := v.Verify(ctx, &Request{SubjectToken: raw, SubjectTokenType: said}, Expect{ClientID: "c1"})
				if said == is {
					want(t, err, "", "")
					if err == nil && (x.Subject.Type != is || x.Subject.Subject != "alice") {
						t.Errorf("%+v", x.Subject)
					}
				} else if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidRequest {
					t.Errorf("%s as %s: %v", is, said, err)
				}
				_, err = v.Verify(ctx, &Request{SubjectToken: tokens[JWT], SubjectTokenType: JWT, ActorToken: raw, ActorTokenType: said}, Expect{ClientID: "c1"})
				if (err == nil) != (said == is) {
					t.Errorf("actor: %s as %s: %v", is, said, err)
				}
			}
		}
		for _, typ := range []TokenType{RefreshToken, SAML1, SAML2, "urn:x"} {
			_, err := v.Verify(ctx, &Request{SubjectToken: tokens[JWT], SubjectTokenType: typ}, Expect{ClientID: "c1"})
			want(t, err, oauth.InvalidRequest, "")
		}
		subjects := verifier(t, func(p *Policy) { p.Actor = nil })
		_, err := subjects.Verify(ctx, &Request{SubjectToken: tokens[JWT], SubjectTokenType: JWT, ActorToken: tokens[JWT], ActorTokenType: JWT}, Expect{ClientID: "c1"})
		want(t, err, oauth.InvalidRequest, "")
	})

	t.Run("M12_depth", func(t *testing.T) {
		// A chain that grows by one with each exchange stops.
		subject := &Token{Issuer: server, Subject: "alice"}
		for i := range MaxActors {
			next, err := Next(subject, &Token{Issuer: server, Subject: fmt.Sprint("service", i)})
			if err != nil {
				t.Fatal(i, err)
			}
			subject.Act = next
		}
		_, err := Next(subject, &Token{Issuer: server, Subject: "one more"})
		if !errors.Is(err, ErrActor) || fault.CodeOf(err) != "act.depth" {
			t.Error(err)
		}
		// One that was made elsewhere is not read.
		act := `{"sub":"x"}`
		for i := range 100 {
			act = fmt.Sprintf(`{"sub":"s%d","act":%s}`, i, act)
			err := json.Unmarshal([]byte(act), new(Actor))
			if ok := i < MaxActors-1; ok != (err == nil) || !ok && !errors.Is(err, ErrActor) {
				t.Fatal(i, err)
			}
		}
	})

	t.Run("M12_loops", func(t *testing.T) {
		a, b := &Token{Issuer: server, Subject: "a"}, &Token{Issuer: server, Subject: "b"}
		subject := &Token{Issuer: server, Subject: "alice"}
		for _, actor := range []*Token{a, b} {
			subject.Act = made(Next(subject, actor))
		}
		_, err := Next(subject, a)
		if !errors.Is(err, ErrActor) || fault.CodeOf(err) != "act.loop" {
			t.Error(err)
		}
		// The same name of another issuer is another.
		if _, err := Next(subject, &Token{Issuer: "https://other.example", Subject: "a"}); err != nil {
			t.Error(err)
		}
		loop := []byte(`{"sub":"a","act":{"sub":"b","act":{"sub":"a"}}}`)
		if err := json.Unmarshal(loop, new(Actor)); fault.CodeOf(err) != "act.loop" {
			t.Error(err)
		}
		one := &Actor{Subject: "a"}
		one.Prior = one
		if err := one.Check(); fault.CodeOf(err) != "act.loop" {
			t.Error(err)
		}
	})

	t.Run("M13_broadening", func(t *testing.T) {
		has := Rights{
			Scope: oauth.Scopes{"read", "write"}, Audience: []string{"billing"}, Resource: []string{"https://api.example", "https://two.example"},
		}
		for name, tc := range map[string]struct {
			ask  Request
			got  Rights
			code string
		}{
			"nothing":                 {Request{}, has, ""},
			"one scope":               {Request{Scope: oauth.Scopes{"read"}}, Rights{oauth.Scopes{"read"}, has.Audience, has.Resource}, ""},
			"one resource":            {Request{Resource: []string{"https://api.example"}}, Rights{has.Scope, nil, []string{"https://api.example"}}, ""},
			"one audience":            {Request{Audience: []string{"billing"}}, Rights{has.Scope, []string{"billing"}, nil}, ""},
			"both":                    {Request{Audience: []string{"billing"}, Resource: []string{"https://api.example"}}, Rights{has.Scope, []string{"billing"}, []string{"https://api.example"}}, ""},
			"more scope":              {Request{Scope: oauth.Scopes{"read", "admin"}}, Rights{}, oauth.InvalidScope},
			"scope in other case":     {Request{Scope: oauth.Scopes{"READ"}}, Rights{}, oauth.InvalidScope},
			"another audience":        {Request{Audience: []string{"billing", "payroll"}}, Rights{}, oauth.InvalidTarget},
			"a resource as audience":  {Request{Audience: []string{"https://api.example"}}, Rights{}, oauth.InvalidTarget},
			"another resource":        {Request{Resource: []string{"https://evil.example"}}, Rights{}, oauth.InvalidTarget},
			"a longer resource":       {Request{Resource: []string{"https://api.example.evil"}}, Rights{}, oauth.InvalidTarget},
			"a resource below":        {Request{Resource: []string{"https://api.example/admin"}}, Rights{}, oauth.InvalidTarget},
			"one beside what is good": {Request{Resource: []string{"https://api.example", "https://evil.example"}}, Rights{}, oauth.InvalidTarget},
		} {
			got, err := has.Narrow(&tc.ask)
			want(t, err, tc.code, "")
			if !reflect.DeepEqual(got, tc.got) {
				t.Errorf("%s: %+v, want %+v", name, got, tc.got)
			}
		}
	})

	// Who got hold of a token of a delegation does not lose the trail by impersonation.
	t.Run("M12_laundering", func(t *testing.T) {
		subject := &Token{Issuer: server, Subject: "alice", Act: &Actor{Issuer: server, Subject: "a"}}
		act, err := Next(subject, nil)
		if err != nil || !reflect.DeepEqual(act, subject.Act) {
			t.Error(act, err)
		}
		if act, err := Next(&Token{Subject: "alice"}, nil); act != nil || err != nil {
			t.Error(act, err)
		}
		if _, err := Next(&Token{Subject: "alice"}, subject); !errors.Is(err, ErrActor) {
			t.Error("the actor token's own actor is lost:", err)
		}
	})
}

func TestVerify(t *testing.T) {
	key := profiletest.Key(t)
	req := func(subject profiletest.Claims) *Request {
		return &Request{SubjectToken: subject.Sign(t, key, accesstoken.Type), SubjectTokenType: AccessToken}
	}
	with := func(r *Request, actor profiletest.Claims) *Request {
		r.ActorToken, r.ActorTokenType = actor.Sign(t, key, grant.Type), JWT
		return r
	}
	bob := base.With("sub", "bob")
	strict := func(p *Policy) { p.Permit = nil }
	for name, tc := range map[string]struct {
		req    *Request
		expect Expect
		policy func(*Policy)
		code   string
		cause  string
		act    string
	}{
		"impersonation":                 {req: req(access)},
		"delegation":                    {req: with(req(access), bob), act: `{"iss":"https://as.example","sub":"bob"}`},
		"delegation again":              {req: with(req(access.With("act", map[string]any{"sub": "carol"})), bob), act: `{"act":{"sub":"carol"},"iss":"https://as.example","sub":"bob"}`},
		"impersonation of a delegation": {req: req(access.With("act", map[string]any{"sub": "carol"})), act: `{"sub":"carol"}`},
		"no client":                     {req: req(access), expect: Expect{NoClientID: true}},
		"an expired subject":            {req: req(access.With("exp", now-61)), code: oauth.InvalidRequest, cause: "exp.expired"},
		"an expired actor":              {req: with(req(access), bob.With("exp", now-61)), code: oauth.InvalidRequest, cause: "exp.expired"},
		"an actor with an actor":        {req: with(req(access), bob.With("act", map[string]any{"sub": "carol"})), code: oauth.InvalidRequest, cause: "act.invalid"},
		"a loop":                        {req: with(req(access.With("act", map[string]any{"iss": server, "sub": "bob"})), bob), code: oauth.InvalidRequest, cause: "act.loop"},
		"an act of nobody":              {req: req(access.With("act", map[string]any{})), code: oauth.InvalidRequest, cause: "act.invalid"},
		"an act that is a string":       {req: req(access.With("act", "bob")), code: oauth.InvalidRequest, cause: "json.type"},
		"an act that is null":           {req: req(access.With("act", json.RawMessage("null"))), code: oauth.InvalidRequest, cause: "json.type"},
		"a may_act that is null":        {req: req(access.With("may_act", json.RawMessage("null"))), code: oauth.InvalidRequest, cause: "json.type"},
		"a may_act that is an array":    {req: req(access.With("may_act", []string{"bob"})), code: oauth.InvalidRequest, cause: "json.type"},
		"an empty scope":                {req: req(access.With("scope", ""))},
		"a strange scope":               {req: req(access.With("scope", "a\"b")), code: oauth.InvalidRequest},
		"not permitted":                 {req: req(access), policy: func(p *Policy) { p.Permit = func(context.Context, *Exchange) (bool, error) { return false, nil } }, code: oauth.InvalidRequest, cause: "may_act.mismatch"},
		"no may_act":                    {req: req(access), policy: strict, code: oauth.InvalidRequest, cause: "may_act.missing"},
		"may_act, the actor":            {req: with(req(access.With("may_act", map[string]any{"sub": "bob"})), bob), policy: strict, act: `{"iss":"https://as.example","sub":"bob"}`},
		"may_act, another actor":        {req: with(req(access.With("may_act", map[string]any{"sub": "carol"})), bob), code: oauth.InvalidRequest, cause: "may_act.mismatch"},
		"may_act, the client":           {req: req(access.With("may_act", map[string]any{"client_id": "c1"})), policy: strict},
		"may_act, the client as sub":    {req: req(access.With("may_act", map[string]any{"sub": "c1"})), policy: strict},
		"may_act, another client":       {req: req(access.With("may_act", map[string]any{"client_id": "c2"})), code: oauth.InvalidRequest, cause: "may_act.mismatch"},
		"may_act, no client":            {req: req(access.With("may_act", map[string]any{"client_id": "c1"})), expect: Expect{NoClientID: true}, code: oauth.InvalidRequest, cause: "may_act.mismatch"},
		"may_act, the client for it":    {req: with(req(access.With("may_act", map[string]any{"client_id": "c1"})), bob), code: oauth.InvalidRequest, cause: "may_act.mismatch"},
		"a request that is none":        {req: &Request{SubjectToken: access.Sign(t, key, accesstoken.Type), SubjectTokenType: AccessToken, ActorTokenType: JWT}, code: oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.expect == (Expect{}) {
				tc.expect.ClientID = "c1"
			}
			if tc.policy == nil {
				tc.policy = func(*Policy) {}
			}
			x, err := verifier(t, tc.policy).Verify(ctx, tc.req, tc.expect)
			want(t, err, tc.code, tc.cause)
			if err != nil {
				return
			}
			act := ""
			if x.Act != nil {
				act = string(made(json.Marshal(x.Act)))
			}
			if act != tc.act || x.ClientID != tc.expect.ClientID || x.Request != tc.req || (x.Actor != nil) != (tc.req.ActorToken != "") {
				t.Errorf("%+v, act %s", x, act)
			}
		})
	}
}

// What the token says is handed on.
func TestToken(t *testing.T) {
	raw := access.With("may_act", map[string]any{"sub": "c1"}, "email", "alice@example.com").Sign(t, profiletest.Key(t), accesstoken.Type)
	x, err := verifier(t).Verify(ctx, &Request{SubjectToken: raw, SubjectTokenType: AccessToken}, Expect{ClientID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	s := x.Subject
	if s.Issuer != server || s.Subject != "alice" || s.ClientID != "c1" || s.Scope.String() != "read write" || len(s.Audience) != 1 ||
		!s.Expiry.Equal(time.Unix(now+60, 0)) || string(s.Claims["email"]) != `"alice@example.com"` || string(s.MayAct["sub"]) != `"c1"` {
		t.Errorf("%+v", s)
	}
	// A deeper payload than is read here was a matter of the policy; it is refused and no panic.
	deep := map[string]any{}
	for range 40 {
		deep = map[string]any{"x": deep}
	}
	loose := made(jwt.NewVerifier[struct{}](jwk.Set{profiletest.Key(t).Public()}, jwt.Policy{
		Issuers: []string{server}, Audiences: []string{server}, MaxDepth: 100, Clock: profiletest.Clock,
	}))
	_, err = From(loose.Verify)(ctx, base.With("deep", deep).Sign(t, profiletest.Key(t), ""))
	want(t, err, oauth.InvalidRequest, "json.depth")
	_, err = From(loose.Verify)(ctx, base.With("client_id", 7).Sign(t, profiletest.Key(t), ""))
	want(t, err, oauth.InvalidRequest, "json.type")
}

// What could not be decided is not refused, and no error of OAuth.
func TestFailures(t *testing.T) {
	down := errors.New("down")
	opaque := func(_ context.Context, raw string) (*Token, error) {
		switch raw {
		case "down":
			return nil, down
		case "revoked":
			return nil, &oauth.Error{Code: oauth.InvalidGrant}
		}
		return &Token{Subject: "alice", Type: "whatever"}, nil
	}
	v := made(NewVerifier(Policy{
		Issuer: server, Subject: map[TokenType]Verify{RefreshToken: opaque},
		Permit: func(_ context.Context, x *Exchange) (bool, error) {
			if x.ClientID == "c2" {
				return false, down
			}
			return true, nil
		},
	}))
	x, err := v.Verify(ctx, &Request{SubjectToken: "good", SubjectTokenType: RefreshToken}, Expect{ClientID: "c1"})
	if err != nil || x.Subject.Type != RefreshToken {
		t.Error(x, err)
	}
	_, err = v.Verify(ctx, &Request{SubjectToken: "revoked", SubjectTokenType: RefreshToken}, Expect{ClientID: "c1"})
	want(t, err, oauth.InvalidRequest, "")
	for raw, client := range map[string]string{"down": "c1", "good": "c2"} {
		if _, err = v.Verify(ctx, &Request{SubjectToken: raw, SubjectTokenType: RefreshToken}, Expect{ClientID: client}); err != down {
			t.Errorf("%s, %s: %v", raw, client, err)
		}
	}
}

func TestPermits(t *testing.T) {
	many := map[string]any{"sub": "bob"}
	for i := range maxMembers {
		many[fmt.Sprint("x", i)] = i
	}
	bob := &Token{
		Issuer: server, Subject: "bob", ClientID: "c1",
		Claims: map[string]json.RawMessage{"email": json.RawMessage(`"b\u006fb@example.com"`), "n": json.RawMessage(`1`), "sub": json.RawMessage(`"mallory"`)},
	}
	for name, tc := range map[string]struct {
		may  any
		code string
	}{
		"sub":                     {map[string]any{"sub": "bob"}, ""},
		"iss and sub":             {map[string]any{"iss": server, "sub": "bob"}, ""},
		"more, written otherwise": {map[string]any{"sub": "bob", "email": "bob@example.com", "n": 1}, ""},
		"client_id":               {map[string]any{"client_id": "c1"}, ""},
		"another sub":             {map[string]any{"sub": "Bob"}, "may_act.mismatch"},
		"the sub of the claims":   {map[string]any{"sub": "mallory"}, "may_act.mismatch"},
		"another iss":             {map[string]any{"iss": "https://other.example", "sub": "bob"}, "may_act.mismatch"},
		"another client":          {map[string]any{"client_id": "c2"}, "may_act.mismatch"},
		"a claim that differs":    {map[string]any{"sub": "bob", "email": "eve@example.com"}, "may_act.mismatch"},
		"a number":                {map[string]any{"sub": "bob", "n": "1"}, "may_act.mismatch"},
		"a claim that is absent":  {map[string]any{"sub": "bob", "group": "admins"}, "may_act.mismatch"},
		"null for one":            {map[string]any{"sub": "bob", "group": nil}, "may_act.mismatch"},
		"sub is no string":        {map[string]any{"sub": []string{"bob"}}, "may_act.mismatch"},
		"nobody":                  {map[string]any{}, "may_act.invalid"},
		"an issuer alone":         {map[string]any{"iss": server}, "may_act.invalid"},
		"an email alone":          {map[string]any{"email": "bob@example.com"}, "may_act.invalid"},
		"an expiry":               {map[string]any{"sub": "bob", "exp": now}, "may_act.invalid"},
		"too much":                {many, "may_act.invalid"},
	} {
		subject := &Token{Issuer: server, Subject: "alice"}
		if err := json.Unmarshal(made(json.Marshal(tc.may)), &subject.MayAct); err != nil {
			t.Fatal(err)
		}
		err := subject.Permits(bob)
		if fault.CodeOf(err) != tc.code || err != nil && !errors.Is(err, ErrMayAct) {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	if err := (&Token{}).Permits(bob); fault.CodeOf(err) != "may_act.missing" || !errors.Is(err, ErrMayAct) {
		t.Error(err)
	}
	// A sub is that of the subject token's issuer, though it be written the same elsewhere.
	subject := &Token{Issuer: "https://other.example", MayAct: map[string]json.RawMessage{"sub": json.RawMessage(`"bob"`)}}
	if err := subject.Permits(bob); fault.CodeOf(err) != "may_act.mismatch" {
		t.Error(err)
	}
	subject.MayAct["iss"] = json.RawMessage(`"` + server + `"`)
	if err := subject.Permits(bob); err != nil {
		t.Error(err)
	}
	// What is no JSON, in a token that was made by hand, is the same as nothing.
	subject = &Token{Issuer: server, MayAct: map[string]json.RawMessage{"sub": json.RawMessage(`"bob"`), "group": json.RawMessage(`?`)}}
	if err := subject.Permits(bob); fault.CodeOf(err) != "may_act.mismatch" {
		t.Error(err)
	}
	// A party without a name is not one that is named by nothing.
	subject = &Token{Issuer: server, MayAct: map[string]json.RawMessage{"sub": json.RawMessage(`""`)}}
	if err := subject.Permits(&Token{Issuer: server}); fault.CodeOf(err) != "may_act.mismatch" {
		t.Error(err)
	}
}

func TestActor(t *testing.T) {
	for text, code := range map[string]string{
		`{"sub":"a"}`:       "",
		`{"client_id":"a"}`: "",
		`{"act":{"act":{"sub":"c"},"sub":"b"},"email":"a@example.com","iss":"https://i.example","sub":"a"}`: "",
		`{"iss":"a"}`:                         "act.invalid",
		`{"sub":""}`:                          "act.invalid",
		`{"sub":7}`:                           "json.type",
		`{"iss":7,"sub":"a"}`:                 "json.type",
		`{"client_id":[],"sub":"a"}`:          "json.type",
		`{"sub":"a","sub":"b"}`:               "json.duplicate",
		`{"sub":"a","act":{"iss":"b"}}`:       "act.invalid",
		`{"sub":"a","act":null}`:              "json.type",
		`{"sub":"a","act":{"sub":"a"}}`:       "act.loop",
		`{"sub":"a","act":"b"}`:               "json.type",
		`[]`:                                  "json.type",
		`{"sub":"a"` + members(17, "") + `}`:  "act.invalid",
		`{"sub":"a"` + members(16, "v") + `}`: "",
	} {
		var a Actor
		err := a.UnmarshalJSON([]byte(text))
		if fault.CodeOf(err) != code || err != nil && !errors.Is(err, ErrActor) {
			t.Errorf("%s: %v, want %q", text, err, code)
		}
		if err != nil {
			continue
		}
		var again Actor
		if err := json.Unmarshal(made(json.Marshal(&a)), &again); err != nil || !reflect.DeepEqual(a, again) {
			t.Errorf("%s: %+v, %+v, %v", text, a, again, err)
		}
	}
	// What says nothing of who the actor is is not written (RFC 8693, Section 4.1).
	a := &Actor{Subject: "a", Other: map[string]json.RawMessage{}}
	for _, name := range []string{"aud", "exp", "iat", "jti", "nbf", "may_act", "act", "sub", "iss", "client_id"} {
		a.Other[name] = json.RawMessage(`"x"`)
	}
	if text := string(made(json.Marshal(a))); text != `{"sub":"a"}` {
		t.Error(text)
	}
	if _, err := json.Marshal(&Actor{}); !errors.Is(err, ErrActor) {
		t.Error(err)
	}
	// In a token, written by package jwt and read by it.
	raw := made(jwt.Sign(ctx, profiletest.Key(t), jwt.Header{}, jwt.Registered{Expiry: time.Unix(now+60, 0)}, struct {
		Act *Actor `json:"act"`
	}{&Actor{Subject: "a", Prior: &Actor{Subject: "b"}}}))
	v := made(jwt.NewVerifier[struct{}](jwk.Set{profiletest.Key(t).Public()}, jwt.Policy{AnyIssuer: true, AnyAudience: true, Clock: profiletest.Clock}))
	var read Actor
	if ok, err := made(v.Verify(ctx, raw)).Claim("act", &read); !ok || err != nil || read.Subject != "a" || read.Prior.Subject != "b" || read.Prior.Prior != nil {
		t.Error(ok, err, read)
	}
	// An actor without sub is known by its client_id.
	if next, err := Next(&Token{Subject: "alice"}, &Token{ClientID: "c1"}); err != nil || next.ClientID != "c1" {
		t.Error(next, err)
	}
	if next, err := Next(&Token{Subject: "alice"}, &Token{Subject: "s", ClientID: "c1"}); err != nil || next.ClientID != "" {
		t.Error(next, err)
	}
	if _, err := Next(&Token{Subject: "alice"}, &Token{Issuer: "x"}); !errors.Is(err, ErrActor) {
		t.Error(err)
	}
}

func members(n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"x%d":%q`, i, value)
	}
	return b.String()
}

func TestIncomplete(t *testing.T) {
	fail := func(context.Context, string) (*Token, error) { return nil, errors.New("never") }
	for name, p := range map[string]Policy{
		"nothing":              {},
		"no issuer":            {Subject: map[TokenType]Verify{JWT: fail}},
		"no subject":           {Issuer: server, Actor: map[TokenType]Verify{JWT: fail}},
		"a type without":       {Issuer: server, Subject: map[TokenType]Verify{JWT: nil}},
		"a type that is none":  {Issuer: server, Subject: map[TokenType]Verify{"jwt": fail}},
		"an actor's that is":   {Issuer: server, Subject: map[TokenType]Verify{JWT: fail}, Actor: map[TokenType]Verify{"": fail}},
		"an actor's without":   {Issuer: server, Subject: map[TokenType]Verify{JWT: fail}, Actor: map[TokenType]Verify{JWT: nil}},
		"with one that is nil": {Issuer: server, Subject: map[TokenType]Verify{JWT: fail, AccessToken: nil}},
	} {
		if _, err := NewVerifier(p); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range []Expect{{}, {ClientID: "c1", NoClientID: true}} {
		if _, err := verifier(t).Verify(ctx, &Request{}, x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	// The maps are copied.
	subject := map[TokenType]Verify{JWT: fail}
	v := made(NewVerifier(Policy{Issuer: server, Subject: subject, Actor: subject}))
	subject[AccessToken] = fail
	_, err := v.Verify(ctx, &Request{SubjectToken: "x", SubjectTokenType: AccessToken}, Expect{ClientID: "c1"})
	want(t, err, oauth.InvalidRequest, "")
}

var form = url.Values{
	"grant_type": {GrantType}, "subject_token": {"s"}, "subject_token_type": {string(AccessToken)},
	"actor_token": {"a"}, "actor_token_type": {string(JWT)}, "requested_token_type": {string(SAML2)},
	"resource": {"https://api.example/?x=y", "urn:api"}, "audience": {"billing", "c2"}, "scope": {"read write"},
}

func TestParseRequest(t *testing.T) {
	all, err := ParseRequest(form)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(all, &Request{
		"s", AccessToken, "a", JWT, SAML2, []string{"https://api.example/?x=y", "urn:api"}, []string{"billing", "c2"}, oauth.Scopes{"read", "write"},
	}) {
		t.Errorf("%+v", all)
	}
	if again, err := all.Values(); err != nil || !reflect.DeepEqual(again, form) {
		t.Error(again, err)
	}
	long := strings.Repeat("x", maxParameter)
	targets := make([]string, maxTargets)
	for i := range targets {
		targets[i] = fmt.Sprint("https://", i, ".example")
	}
	for name, tc := range map[string]struct {
		param  string
		values []string
		code   string
	}{
		"no grant_type":                {"grant_type", nil, oauth.UnsupportedGrantType},
		"another":                      {"grant_type", []string{"authorization_code"}, oauth.UnsupportedGrantType},
		"no subject token":             {"subject_token", nil, oauth.InvalidRequest},
		"an empty one":                 {"subject_token", []string{""}, oauth.InvalidRequest},
		"two":                          {"subject_token", []string{"a", "b"}, oauth.InvalidRequest},
		"a long one":                   {"subject_token", []string{strings.Repeat("x", maxToken)}, ""},
		"one that is too long":         {"subject_token", []string{strings.Repeat("x", maxToken+1)}, oauth.InvalidRequest},
		"no type":                      {"subject_token_type", nil, oauth.InvalidRequest},
		"a type that is no URI":        {"subject_token_type", []string{"jwt"}, oauth.InvalidRequest},
		"a type that is too long":      {"subject_token_type", []string{"urn:" + long}, oauth.InvalidRequest},
		"a type of one's own":          {"subject_token_type", []string{"https://example.com/token"}, ""},
		"two types":                    {"subject_token_type", []string{string(JWT), string(JWT)}, oauth.InvalidRequest},
		"an actor type alone":          {"actor_token", nil, oauth.InvalidRequest},
		"an actor type and no value":   {"actor_token", []string{""}, oauth.InvalidRequest},
		"an actor without type":        {"actor_token_type", nil, oauth.InvalidRequest},
		"an actor type that is none":   {"actor_token_type", []string{"x y:z"}, oauth.InvalidRequest},
		"an actor that is too long":    {"actor_token", []string{strings.Repeat("x", maxToken+1)}, oauth.InvalidRequest},
		"no requested type":            {"requested_token_type", []string{""}, ""},
		"a requested type of none":     {"requested_token_type", []string{"jwt"}, oauth.InvalidRequest},
		"a resource that is relative":  {"resource", []string{"/api"}, oauth.InvalidTarget},
		"a resource with a fragment":   {"resource", []string{"https://api.example/#x"}, oauth.InvalidTarget},
		"a resource with an empty one": {"resource", []string{"https://api.example/#"}, oauth.InvalidTarget},
		"a resource with a space":      {"resource", []string{"https://api.example/ x"}, oauth.InvalidTarget},
		"a resource with an umlaut":    {"resource", []string{"https://äpi.example/"}, oauth.InvalidTarget},
		"a resource that is no URI":    {"resource", []string{"https://api.example/%zz"}, oauth.InvalidTarget},
		"a resource that is too long":  {"resource", []string{"https://" + long}, oauth.InvalidTarget},
		"resources without value":      {"resource", []string{"", "https://api.example"}, ""},
		"an audience that is too long": {"audience", []string{long + "x"}, oauth.InvalidTarget},
		"as many targets as may be":    {"resource", targets[2:], ""},
		"too many targets":             {"resource", targets[1:], oauth.InvalidTarget},
		"no scope":                     {"scope", []string{""}, ""},
		"a strange scope":              {"scope", []string{"a  b"}, oauth.InvalidScope},
		"two scopes":                   {"scope", []string{"a", "b"}, oauth.InvalidRequest},
		"two of an unknown one":        {"x", []string{"a", "b"}, oauth.InvalidRequest},
		"an unknown one":               {"client_id", []string{"c1"}, ""},
	} {
		f := maps.Clone(form)
		f[tc.param] = tc.values
		r, err := ParseRequest(f)
		want(t, err, tc.code, "")
		if (r == nil) != (err != nil) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
	least := url.Values{"grant_type": {GrantType}, "subject_token": {"s"}, "subject_token_type": {string(JWT)}}
	r, err := ParseRequest(least)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.Values(); err != nil || !reflect.DeepEqual(again, least) {
		t.Error(again, err)
	}
	_, err = (&Request{}).Values()
	want(t, err, oauth.InvalidRequest, "")
	_, err = (&Request{SubjectToken: "s", SubjectTokenType: JWT, Audience: []string{""}}).Values()
	want(t, err, oauth.InvalidTarget, "")
}

func TestParseResponse(t *testing.T) {
	req := &Request{Scope: oauth.Scopes{"read"}}
	const good = `"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"`
	r, err := req.ParseResponse(200, []byte(`{`+good+`,"expires_in":60,"scope":"a b","refresh_token":"r","x":1}`))
	if err != nil || !reflect.DeepEqual(r, &Response{"t", AccessToken, "Bearer", time.Minute, oauth.Scopes{"a", "b"}, "r"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if text := string(made(json.Marshal(r))); text != `{`+good+`,"expires_in":60,"scope":"a b","refresh_token":"r"}` {
		t.Error(text)
	}
	r, err = req.ParseResponse(200, []byte(`{`+good+`}`))
	if err != nil || r.Scope.String() != "read" || r.ExpiresIn != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, body := range map[string]string{
		"nothing":            ``,
		"no object":          `[]`,
		"no token":           `{"issued_token_type":"urn:x","token_type":"Bearer"}`,
		"no issued type":     `{"access_token":"t","token_type":"Bearer"}`,
		"an issued type":     `{"access_token":"t","issued_token_type":"jwt","token_type":"Bearer"}`,
		"no token_type":      `{"access_token":"t","issued_token_type":"urn:x"}`,
		"access token, N_A":  `{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"n_a"}`,
		"a string":           `{` + good + `,"expires_in":"60"}`,
		"a negative number":  `{` + good + `,"expires_in":-1}`,
		"one that wraps":     `{` + good + `,"expires_in":-9223372036854775807}`,
		"a large number":     `{` + good + `,"expires_in":4294967297}`,
		"a strange scope":    `{` + good + `,"scope":"a  b"}`,
		"twice":              `{` + good + `,"access_token":"u"}`,
		"another case":       `{` + strings.Replace(good, "access_token", "Access_Token", 1) + `}`,
		"data behind it all": `{` + good + `}x`,
	} {
		if r, err := req.ParseResponse(200, []byte(body)); r != nil || !errors.Is(err, ErrResponse) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	jwt := &Request{RequestedTokenType: JWT}
	if _, err := jwt.ParseResponse(200, []byte(`{`+good+`}`)); !errors.Is(err, ErrResponse) {
		t.Error(err)
	}
	if r, err := jwt.ParseResponse(200, []byte(`{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"N_A"}`)); err != nil || r.TokenType != NotApplicable {
		t.Error(r, err)
	}
	_, err = req.ParseResponse(http.StatusBadRequest, []byte(`{"error":"invalid_target"}`))
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidTarget {
		t.Error(err)
	}
	_, err = req.ParseResponse(http.StatusBadGateway, []byte(`<html>`))
	if _, ok := errors.AsType[*oauth.Error](err); err == nil || ok {
		t.Error("HTML is an error of OAuth:", err)
	}
	for name, r := range map[string]*Response{
		"nothing":           {},
		"a negative expiry": {"t", JWT, "Bearer", -1, nil, ""},
	} {
		if _, err := json.Marshal(r); !errors.Is(err, ErrResponse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(form.Encode())
	f.Add("grant_type=" + GrantType + "&subject_token=s&subject_token_type=urn:x&resource=&resource=https://a")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := ParseRequest(form)
		if err != nil {
			if _, ok := errors.AsType[*oauth.Error](err); !ok {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		again, err := r.Values()
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		if s, err := ParseRequest(again); err != nil || !reflect.DeepEqual(r, s) {
			t.Errorf("%q: %+v, %+v, %v", query, r, s, err)
		}
	})
}

func FuzzActor(f *testing.F) {
	f.Add([]byte(`{"act":{"act":{"sub":"c"},"sub":"b"},"email":"a@example.com","iss":"https://i.example","sub":"a"}`))
	f.Add([]byte(`{"sub":"a","act":{"sub":"a"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Actor
		if err := a.UnmarshalJSON(data); err != nil {
			if !errors.Is(err, ErrActor) {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		text, err := a.MarshalJSON()
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		var again Actor
		if err := again.UnmarshalJSON(text); err != nil {
			t.Fatalf("%q: %q: %v", data, text, err)
		}
		if text2, err := again.MarshalJSON(); err != nil || string(text) != string(text2) {
			t.Errorf("%q: %q, %q, %v", data, text, text2, err)
		}
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte(`{"access_token":"t","issued_token_type":"urn:x","token_type":"Bearer","expires_in":60,"scope":"a b"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := (&Request{}).ParseResponse(200, body)
		if err != nil {
			if !errors.Is(err, ErrResponse) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		again, err := (&Request{}).ParseResponse(200, made(json.Marshal(r)))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%q: %+v, %+v, %v", body, r, again, err)
		}
	})
}
