package profile_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/attack"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/profile/jar"
	"github.com/jotsuite/jot/profile/logout"
	"github.com/jotsuite/jot/profile/secevent"
)

// An ask is what a kind has to say of a registered claim.
type ask string

const (
	required  ask = "required"
	optional  ask = "optional"  // it may be absent; what is there is held to the rule
	forbidden ask = "forbidden" // what is there is refused, by a code of the kind
	ignored   ask = "ignored"   // it says nothing to this kind, and may be anything of its type
)

// A demand is what a kind asks of one claim, and why.
type demand struct {
	ask  ask
	code string // where it is forbidden
	why  string
}

const (
	dpopClaims   = "RFC 9449, Section 4.2, has no such claim in a proof, which is for whoever serves the htu"
	ssfNoExpiry  = "Shared Signals Framework 1.0, Section 4.1.7: exp MUST NOT be there; an event that took place does not expire"
	draftAttest  = "draft-ietf-oauth-attestation-based-client-auth-10"
	userinfoTime = "OpenID Connect Core 1.0, Section 5.3.2, has no exp in a response, which is fetched when it is used"
)

// asks is what kinds, by the name of their column, ask of claims otherwise than most, which require iss, aud and exp.
var asks = map[string]map[string]demand{
	"request-object": {
		"iss": {optional, "", "RFC 9101, Section 4: iss SHOULD be there, and the client is named by client_id"},
		"aud": {optional, "", "RFC 9101, Section 4: aud SHOULD be there"},
		"exp": {optional, "", "RFC 9101, Section 4: a request object is asked for none; FAPI is, and a Replay is"},
	},
	"client-attestation": {
		"iss": {forbidden, "iss.unexpected", draftAttest + ", Document History: iss is removed"},
		"aud": {ignored, "", draftAttest + ", Section 4: the attester does not learn for whom it is; the proof has aud"},
	},
	"client-attestation-pop": {
		"iss": {forbidden, "iss.unexpected", draftAttest + ", Document History: iss is removed"},
		"exp": {forbidden, "exp.unexpected", draftAttest + ", Section 5.1: a proof has iat, whose age the server limits"},
	},
	"dpop-proof": {
		"iss": {ignored, "", dpopClaims},
		"aud": {ignored, "", dpopClaims},
		"exp": {optional, "", "RFC 9449, Section 4.2, has no exp: a proof is as old as its iat says"},
	},
	"introspection": {
		"exp": {forbidden, "kind.mismatch", "RFC 9701, Section 5: exp SHOULD NOT be beside token_introspection; its iat is held to MaxAge"},
	},
	"userinfo":           {"exp": {forbidden, "kind.mismatch", userinfoTime}},
	"userinfo, with exp": {"exp": {optional, "", userinfoTime}},
	"security-event":     {"exp": {forbidden, "exp.forbidden", ssfNoExpiry}},
	"security-event, untyped": {
		"exp": {optional, "", "RFC 8417, Section 2.2: exp is for profiles to ask for"},
	},
	"atlassian": {
		"aud": {ignored, "", "Atlassian Connect, Understanding JWT: a token has no aud; the secret is of one app and one product"},
	},
}

func init() { asks["request-object, untyped"] = asks["request-object"] }

// beside are codes that a kind adds to that of the attack, since the claim is held to a second rule of its own.
var beside = map[string][]string{
	"id-token":                {"aud.untrusted"},
	"id-token, without nonce": {"aud.untrusted"},
	"client-assertion":        {"aud.not_sole", "sub.mismatch", "exp.lifetime"},
	"authorization-grant":     {"aud.not_sole", "exp.lifetime"},
	"jarm":                    {"exp.lifetime"},
	"client-attestation-pop":  {"aud.not_sole"},
	"ciba-request":            {"client_id.mismatch", "exp.lifetime"},
	"userinfo":                {"aud.untrusted"},
	"userinfo, with exp":      {"aud.untrusted"},
	"logout-token":            {"aud.untrusted"},
	"logout-token, untyped":   {"aud.untrusted"},
}

// alone are the kinds of which no one else may be in aud, so that the usual token for two is refused.
var alone = map[string]string{
	"id-token":                "OpenID Connect Core 1.0, Section 3.1.3.7, rule 3: no audience that is not trusted",
	"id-token, without nonce": "OpenID Connect Core 1.0, Section 3.1.3.7, rule 3: no audience that is not trusted",
	"client-assertion":        "RFC 10070, Section 4: the issuer identifier is the sole aud",
	"authorization-grant":     "RFC 7521, Section 8.1: whoever else is in aud could present it here",
	"client-attestation-pop":  draftAttest + ", Section 5.1: one server",
	"userinfo":                "OpenID Connect Core 1.0, Section 3.1.3.7, rule 3, as in an ID token",
	"userinfo, with exp":      "OpenID Connect Core 1.0, Section 3.1.3.7, rule 3, as in an ID token",
	"logout-token":            "OpenID Connect Back-Channel Logout 1.0, Section 2.6, rule 4: as in an ID token",
	"logout-token, untyped":   "OpenID Connect Back-Channel Logout 1.0, Section 2.6, rule 4: as in an ID token",
}

// ownType is the typ of a kind that has one, and plain says that tokens without one are accepted too.
var ownType = map[string]struct {
	typ   string
	plain bool
}{
	"access-token":            {"at+jwt", false},
	"access-token, lenient":   {"at+jwt", true},
	"client-assertion":        {clientauth.Type, true},
	"authorization-grant":     {grant.Type, true},
	"request-object":          {jar.Type, false},
	"request-object, untyped": {jar.Type, true},
	"client-attestation":      {attestation.Type, false},
	"client-attestation-pop":  {attestation.PoPType, false},
	"dpop-proof":              {dpop.Type, false},
	"introspection":           {introspection.Type, false},
	"logout-token":            {logout.Type, false},
	"logout-token, untyped":   {logout.Type, true},
	"security-event":          {secevent.Type, false},
	"security-event, untyped": {secevent.Type, true},
}

// ownAge are the kinds that limit the age of a token themselves, to a minute, and let no policy of package jwt do it.
var ownAge = []string{"dpop-proof", "client-attestation-pop"}

// sampleOf is the valid token of a column.
func sampleOf(c column) sample {
	return samples[slices.IndexFunc(samples, func(s sample) bool { return s.kind == c.kinds[0] })]
}

// edited makes the token with edits of its header and its claims, which sign could not.
func (s sample) edited(t *testing.T, typ string, header, edits []string) string {
	t.Helper()
	raw := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	key := profiletest.Key(t)
	head := [][2]string{{"alg", `"ES256"`}, {"jwk", raw(key.Public().JWK())}}
	if typ != "" {
		head = append(head, [2]string{"typ", raw(typ)})
	}
	if s.claims["exp"] != nil {
		s.claims = s.claims.With("exp", now+300) // so that what is about the leeway alone is not about exp too
	}
	var members [][2]string
	for _, name := range slices.Sorted(maps.Keys(s.claims)) {
		members = append(members, [2]string{name, raw(s.claims[name])})
	}
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(attack.Members(head, header...))) + "." + encode([]byte(attack.Members(members, edits...)))
	signature, err := key.Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(signature)
}

// policyOf is the policy that an edit asks for, as far as a kind leaves it to the caller.
func policyOf(column string, e attack.Edit) jwt.Policy {
	p := jwt.Policy{Clock: profiletest.Clock, MaxAge: e.Policy.MaxAge, MaxLifetime: e.Policy.MaxLifetime}
	if e.Policy.NoLeeway {
		p.Leeway = jwt.NoLeeway
	}
	if slices.Contains(ownAge, column) {
		p.MaxAge = 0
	}
	return p
}

// applies says why an edit is no attack on a kind, which then accepts the token: its specification has no such rule. It is
// empty where the token is to be refused: with one of want, and with no code but those and also.
func applies(column string, e attack.Edit) (why string, want, also []string) {
	name, value := e.Claims[0], e.Claims[1]
	d, ok := asks[column][name]
	if !ok {
		d = demand{ask: optional}
		if name == "iss" || name == "aud" || name == "exp" {
			d.ask = required
		}
	}
	want, also = slices.Clone(e.Want), slices.Clone(beside[column])
	for i := 0; i < len(e.Claims); i += 2 {
		if e.Claims[i] == "exp" {
			also = append(also, "nbf.order") // where the kind has nbf, it is now
			if x := asks[column]["exp"]; x.ask == forbidden {
				also = append(also, x.code)
			}
		}
	}
	mistyped := !slices.ContainsFunc(e.Want, func(code string) bool { return !strings.HasPrefix(code, "json.") && code != "claim.type" })
	switch {
	case e.ID == "F19", mistyped:
	case value == "-" && d.ask != required, d.ask == ignored:
		return d.why, nil, nil
	case name == "iss" && value == `""` && d.ask != required:
		return "an empty iss is taken for an absent one, as jwt.Registered has it: " + d.why, nil, nil
	case d.ask == forbidden:
		want = append(want, d.code)
	}
	return "", want, also
}

// controlOf says with which edits a kind accepts the token beside the attack, and why it is not with those of the catalogue.
func controlOf(column string, e attack.Edit) (edits []string, why string) {
	for i := 0; i < len(e.Control); i += 2 {
		switch name := e.Control[i]; {
		case name == "exp" && asks[column]["exp"].ask == forbidden:
			return nil, asks[column]["exp"].why
		case name == "exp" && e.Policy.MaxLifetime > 0 && column == "jarm":
			return nil, "JARM, Section 2.1: a response lives for ten minutes at most"
		case name == "aud" && alone[column] != "":
			return nil, alone[column]
		}
	}
	return e.Control, ""
}

// rejected are the codes of a refusal.
func rejected(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	r, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		t.Fatalf("%T is no refusal of a token: %v", err, err)
	}
	return r.Codes()
}

// refuses fails the test unless err has one of want, and no code but those and also.
func refuses(t *testing.T, err error, want, also []string) {
	t.Helper()
	got := rejected(t, err)
	in := func(list []string) func(string) bool {
		return func(code string) bool { return slices.Contains(list, code) }
	}
	switch {
	case len(got) == 0:
		t.Errorf("accepted; want one of %v", want)
	case !slices.ContainsFunc(got, in(want)), slices.ContainsFunc(got, func(code string) bool { return !in(want)(code) && !in(also)(code) }):
		t.Errorf("refused with %v (%v); want one of %v, and beside it none but %v", got, err, want, also)
	}
}

// TestAttack is group F of the catalogue against each kind: its valid token, which is accepted, is refused with each attack on
// claims and typ. What is no attack on a kind is in asks, with the reason, and is shown to be accepted.
func TestAttack(t *testing.T) {
	var table strings.Builder
	var refused, accepted, skipped, others int
	for _, c := range columns(t) {
		s := sampleOf(c)
		own := ownType[c.name]
		why := map[string]int{}
		before := refused
		verify := func(t *testing.T, e attack.Edit, header, edits []string) error {
			t.Helper()
			return columnWith(t, c.name, policyOf(c.name, e), nil).verify(s.edited(t, own.typ, header, edits))
		}
		tried := map[string]bool{} // controls, of which most are the same
		control := func(t *testing.T, e attack.Edit, header, edits []string) {
			t.Helper()
			if key := fmt.Sprintf("%+v %q %q", e.Policy, header, edits); !tried[key] {
				tried[key] = true
				if err := verify(t, e, header, edits); err != nil {
					t.Errorf("the control is refused: %v", err)
				}
			}
		}
		t.Run(c.name, func(t *testing.T) {
			profiletest.Want(t, c.verify(s.edited(t, own.typ, nil, nil)))
			for _, e := range attack.ClaimEdits(party, here) {
				if e.Policy.MaxLifetime > 0 && asks[c.name]["exp"].ask == forbidden {
					why["F19: "+asks[c.name]["exp"].why]++ // no lifetime where there is no exp
					skipped++
					continue
				}
				t.Run(e.Title(), func(t *testing.T) {
					reason, want, also := applies(c.name, e)
					err := verify(t, e, nil, e.Claims)
					if reason != "" {
						profiletest.Want(t, err)
						why[e.ID+": "+reason]++
						accepted++
						return
					}
					refuses(t, err, want, also)
					refused++
					edits, reason := controlOf(c.name, e)
					if reason != "" {
						others++
					}
					control(t, e, nil, edits)
				})
			}
			for _, e := range attack.TypeEdits(own.typ) {
				t.Run(e.Title(), func(t *testing.T) {
					err := verify(t, e, e.Header, nil)
					if own.plain && (e.Header[1] == "-" || e.Header[1] == `"JWT"`) {
						profiletest.Want(t, err)
						why[e.ID+": tokens without a typ are accepted too"]++
						accepted++
						return
					}
					refuses(t, err, e.Want, nil)
					refused++
					control(t, e, e.ControlHeader, nil)
				})
			}
		})
		fmt.Fprintf(&table, "\n%-24s %4d refused", c.name, refused-before)
		for _, reason := range slices.Sorted(maps.Keys(why)) {
			fmt.Fprintf(&table, "\n%28d × no attack, %s", why[reason], reason)
		}
	}
	t.Logf("%d refused, each beside a control (%d of them the token untouched, as the kind does not have the catalogue's); %d are no attack on their kind and accepted, and %d not even tried%s", refused, others, accepted, skipped, table.String())
}

// columnWith is the column of a name, with a policy.
func columnWith(t *testing.T, name string, j jwt.Policy, shared jwt.Replay) column {
	t.Helper()
	cols := columnsWith(t, j, shared)
	return cols[slices.IndexFunc(cols, func(c column) bool { return c.name == name })]
}

// TestAttackLeeway is F15: no kind is made with clocks that differ by less than nothing, or by any time.
func TestAttackLeeway(t *testing.T) {
	for _, c := range columns(t) {
		s := sampleOf(c)
		raw := s.sign(t, s.typ)
		for _, leeway := range []time.Duration{-2, -time.Second, -time.Hour, 10*time.Minute + 1, time.Hour, 1 << 62} {
			err := func() (err error) {
				defer func() { err, _ = recover().(error) }() // made
				return columnWith(t, c.name, jwt.Policy{Clock: profiletest.Clock, Leeway: leeway}, nil).verify(raw)
			}()
			if !errors.Is(err, jwt.ErrPolicy) {
				t.Errorf("%s is made with a leeway of %v: %v", c.name, leeway, err)
			}
		}
		profiletest.Want(t, columnWith(t, c.name, jwt.Policy{Clock: profiletest.Clock, Leeway: 10 * time.Minute}, nil).verify(raw))
	}
}

// reusable are the kinds that have no replay of their own: a policy may give them one. The one that can have none says why.
var reusable = map[string]string{
	"id-token": "", "id-token, without nonce": "", "access-token": "", "access-token, lenient": "", "request-object": "",
	"request-object, untyped": "", "jarm": "", "login-hint-token": "", "introspection": "", "userinfo": "", "userinfo, with exp": "",
	"security-event": "", "security-event, untyped": "", "atlassian": "",
	"client-attestation": draftAttest + ", Section 10.2: an attestation is used many times; its proof is used once",
}

// TestAttackReplay is F17: two verifiers of a kind, as in two replicas, share what they remember. A token that one has
// accepted is refused by the other; one that was refused is not used up; one without jti is never accepted.
func TestAttackReplay(t *testing.T) {
	own, given := 0, 0
	for _, c := range columns(t) {
		s := sampleOf(c)
		s.claims = s.claims.With("jti", "1")
		typ := ownType[c.name].typ
		raw := s.edited(t, typ, nil, nil)
		why, policy := reusable[c.name]
		store := jwt.NewReplayCache(8)
		verify := func(raw string) error {
			j, shared := jwt.Policy{Clock: profiletest.Clock}, jwt.Replay(store)
			if policy && why == "" {
				// What has no exp is remembered until it is too old.
				j.Replay, j.MaxAge, shared = store, time.Hour, nil
			}
			return columnWith(t, c.name, j, shared).verify(raw)
		}
		if why != "" {
			for range 2 {
				profiletest.Want(t, columnWith(t, c.name, jwt.Policy{Clock: profiletest.Clock}, nil).verify(raw))
			}
			t.Logf("%s: %s", c.name, why)
			continue
		}
		refuses(t, verify(s.edited(t, typ, nil, []string{"nbf", fmt.Sprint(now + 61)})), []string{"nbf.early"}, nil)
		profiletest.Want(t, verify(raw))
		profiletest.Want(t, verify(raw), "jti.replayed")
		// The same signature of other bytes, and another token of the same name, are no new tokens.
		profiletest.Want(t, verify(s.edited(t, typ, nil, []string{"x", "1"})), "jti.replayed")
		profiletest.Want(t, verify(s.edited(t, typ, nil, []string{"jti", `"2"`})))
		profiletest.Want(t, verify(s.edited(t, typ, nil, []string{"jti", "-"})), "jti.missing")
		if policy {
			given++
		} else {
			own++
		}
	}
	t.Logf("%d kinds use a token once, %d if the policy asks for it, %d never", own, given, len(reusable)-given)
}
