package lint

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/atlassian"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/ciba"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/profile/jar"
	"github.com/jotsuite/jot/profile/jarm"
	"github.com/jotsuite/jot/profile/logout"
	"github.com/jotsuite/jot/profile/secevent"
	"github.com/jotsuite/jot/profile/userinfo"
)

// A judge is the verifier of a kind, with P for its policy.
type judge[P any] struct {
	pkg string // that the verifier is of
	typ string // of the kind; empty where plain tokens are of it
	// policy is the strict policy for a token, made of what it says.
	policy func(s *subject) P
	// options are what else a policy could say to accept the token: sets of which one is tried as a whole.
	options func(s *subject) [][]option[P]
	// verify makes the verifier and asks it.
	verify func(s *subject, p P, raw string) error
	// ignored are codes of refusals for what only the request shows.
	ignored []string
}

// option is one word of a policy that lets more pass.
type option[P any] struct {
	name  string // as it is written in Go
	apply func(p *P)
}

func (j judge[P]) examine(s *subject) (strict, legacy outcome) {
	try := func(options []option[P]) outcome {
		p := j.policy(s)
		for _, o := range options {
			o.apply(&p)
		}
		return s.run(j.typ, j.ignored, func(raw string) error { return j.verify(s, p, raw) })
	}
	strict = try(nil)
	legacy = strict
	if len(strict.refusals) == 0 || j.options == nil {
		return strict, legacy
	}
	var chosen []option[P]
	for _, set := range j.options(s) {
		if o := try(set); better(o, legacy) {
			legacy, chosen = o, set
		}
	}
	// What does not help is left out, the last first.
	for i := len(chosen) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(chosen), i, i+1)
		if o := try(fewer); !better(legacy, o) {
			legacy, chosen = o, fewer
		}
	}
	for _, o := range chosen {
		legacy.verdict.Options = append(legacy.verdict.Options, o.name)
	}
	return strict, legacy
}

// better reports whether a accepts more than b.
func better(a, b outcome) bool {
	if a.verdict.Accepts != b.verdict.Accepts {
		return a.verdict.Accepts
	}
	return len(a.refusals) < len(b.refusals)
}

func (j judge[P]) name() string { return j.pkg }

// examiner is a judge of any kind.
type examiner interface {
	examine(s *subject) (strict, legacy outcome)
	name() string
}

// judge asks the verifier of the kind, and makes findings of what it refuses.
func (s *subject) judge(r *Report) {
	j, ok := judges[s.kind]
	if !ok {
		j = general
	}
	r.Verifier = j.name()
	strict, legacy := j.examine(s)
	for _, o := range []*outcome{&strict, &legacy} {
		if len(s.intrinsic) > 0 {
			o.verdict.Accepts = false
			o.verdict.Codes = slices.Compact(append(slices.Clone(s.intrinsic), o.verdict.Codes...))
		}
	}
	r.Strict, r.Legacy = strict.verdict, legacy.verdict
	for _, refused := range strict.refusals {
		severity, remedy := Error, ""
		if !legacy.has(refused) {
			severity, remedy = Warning, "to accept it: "+list(r.Legacy.Options)
		}
		s.refused(refused, severity, remedy)
	}
	for _, refused := range legacy.refusals {
		s.refused(refused, Error, "")
	}
}

func (s *subject) refused(r refusal, severity Severity, remedy string) {
	for _, more := range []string{rules[r.code].Remedy, r.hint} {
		if more != "" && remedy != "" {
			remedy = more + "; " + remedy
		} else if more != "" {
			remedy = more
		}
	}
	s.add(Finding{Rule: r.code, Severity: severity, Place: r.place, Message: r.message, Spec: or(r.spec, rules[r.code].Spec), Remedy: remedy})
}

func list(names []string) string {
	out := ""
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			out += " and "
		default:
			out += ", "
		}
		out += n
	}
	return out
}

// general is for kinds without a verifier of their own here: the rules of package jwt.
var general = judge[jwt.Policy]{
	pkg: "jose/jwt",
	policy: func(s *subject) jwt.Policy {
		p := s.policy()
		p.Issuers, p.Audiences = []string{s.iss}, s.aud
		// RFC 7519, Section 4.1: all of them are optional.
		p.AnyIssuer, p.AnyAudience = s.iss == "", len(s.aud) == 0
		if p.AnyIssuer {
			p.Issuers = nil
		}
		if typ := s.t.HeaderString("typ"); !profile.Plain(typ) {
			p.Type = typ
		}
		// Kinds of which no more is known here end, or do not, as their specifications have it.
		p.OptionalExpiry = s.kind != plain
		return p
	},
	options: func(*subject) [][]option[jwt.Policy] {
		return [][]option[jwt.Policy]{{{"jwt.Policy.OptionalExpiry", func(p *jwt.Policy) { p.OptionalExpiry = true }}}}
	},
	verify: func(s *subject, p jwt.Policy, raw string) error {
		v, err := jwt.NewVerifier[struct{}](s.keys(), p)
		if err == nil {
			_, err = v.Verify(context.Background(), raw)
		}
		return err
	},
}

// judges are the verifiers of the kinds that have one.
var judges = map[Kind]examiner{
	idToken: judge[idtoken.Policy]{
		pkg: "profile/idtoken",
		policy: func(s *subject) idtoken.Policy {
			// Who else is in aud is for the client to trust.
			return idtoken.Policy{Issuers: []string{s.issuer()}, ClientID: s.audience(), TrustedAudiences: s.aud, JWT: s.policy()}
		},
		verify: func(s *subject, p idtoken.Policy, raw string) error {
			v, err := idtoken.NewVerifier(s.keys(), p)
			if err == nil {
				nonce := s.t.ClaimString("nonce")
				_, err = v.Verify(context.Background(), raw, idtoken.Expect{Nonce: nonce, NoNonce: nonce == ""})
			}
			return err
		},
	},
	accessToken: judge[accesstoken.Policy]{
		pkg: "profile/accesstoken", typ: accesstoken.Type,
		policy: func(s *subject) accesstoken.Policy {
			return accesstoken.Policy{Issuers: []string{s.issuer()}, Audiences: []string{s.audience()}, JWT: s.policy()}
		},
		options: lenient,
		verify: func(s *subject, p accesstoken.Policy, raw string) error {
			v, err := accesstoken.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw)
			}
			return err
		},
	},
	clientAssertion: judge[clientauth.Policy]{
		pkg: "profile/clientauth", typ: clientauth.Type,
		policy: func(s *subject) clientauth.Policy {
			return clientauth.Policy{Issuer: s.audience(), ClientID: s.issuer(), Replay: jwt.NewReplayCache(1), JWT: s.policy()}
		},
		options: func(s *subject) [][]option[clientauth.Policy] {
			return [][]option[clientauth.Policy]{{
				{"clientauth.Policy.LegacyAudiences", func(p *clientauth.Policy) { p.LegacyAudiences = s.audiences() }},
				{s.lifetime("clientauth.Policy"), func(p *clientauth.Policy) { p.MaxLifetime = s.life() }},
			}}
		},
		verify: func(s *subject, p clientauth.Policy, raw string) error {
			v, err := clientauth.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw, clientauth.Expect{NoClientID: true})
			}
			return err
		},
	},
	authGrant: judge[grant.Policy]{
		pkg: "profile/grant", typ: grant.Type,
		policy: func(s *subject) grant.Policy {
			return grant.Policy{
				Issuer: s.audience(), TrustedAudiences: s.aud, Issuers: []string{s.issuer()}, AnySubject: true,
				Replay: jwt.NewReplayCache(1), JWT: s.policy(),
			}
		},
		options: func(s *subject) [][]option[grant.Policy] {
			return [][]option[grant.Policy]{
				{
					// RFC 7523, Section 3, rule 7, leaves it open.
					{"grant.Policy.Reusable", func(p *grant.Policy) { p.Reusable, p.Replay = true, nil }},
					{"grant.Policy.SelfIssued", func(p *grant.Policy) { p.SelfIssued = true }},
					{"grant.Policy.LegacyScope", func(p *grant.Policy) { p.LegacyScope = true }},
					{s.lifetime("grant.Policy"), func(p *grant.Policy) { p.MaxLifetime = s.life() }},
				},
				{{"grant.Policy.LegacyBitbucket", func(p *grant.Policy) { p.LegacyBitbucket, p.Replay = true, nil }}},
			}
		},
		verify: func(s *subject, p grant.Policy, raw string) error {
			var keys jwk.Source = s.keys()
			if p.LegacyBitbucket { // wants a source that knows clients by name
				keys = anyone{s.public}
			}
			v, err := grant.NewVerifier(keys, p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw)
			}
			return err
		},
	},
	requestObject: judge[jar.Policy]{
		pkg: "profile/jar", typ: jar.Type,
		policy: func(s *subject) jar.Policy {
			return jar.Policy{Issuer: s.audience(), ClientID: or(s.t.ClaimString("client_id"), nobody), JWT: s.policy()}
		},
		options: func(*subject) [][]option[jar.Policy] {
			return [][]option[jar.Policy]{{{"jar.Policy.LegacyUntyped", func(p *jar.Policy) { p.LegacyUntyped = true }}}}
		},
		verify: func(s *subject, p jar.Policy, raw string) error {
			v, err := jar.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw, jar.Expect{ClientID: p.ClientID})
			}
			return err
		},
	},
	cibaRequest: judge[ciba.Policy]{
		pkg: "profile/ciba",
		policy: func(s *subject) ciba.Policy {
			return ciba.Policy{Issuer: s.audience(), ClientID: s.issuer(), Replay: jwt.NewReplayCache(1), JWT: s.policy()}
		},
		options: func(s *subject) [][]option[ciba.Policy] {
			return [][]option[ciba.Policy]{{{s.lifetime("ciba.Policy"), func(p *ciba.Policy) { p.MaxLifetime = s.life() }}}}
		},
		verify: func(s *subject, p ciba.Policy, raw string) error {
			v, err := ciba.NewVerifier(s.keys(), p)
			if err == nil {
				// A token for notifications is what ping needs; who polls has none.
				_, err = v.Verify(context.Background(), raw, ciba.Expect{ClientID: p.ClientID, Delivery: ciba.Poll})
			}
			return err
		},
	},
	loginHint: judge[ciba.HintPolicy]{
		pkg: "profile/ciba",
		policy: func(s *subject) ciba.HintPolicy {
			// CIBA Core, Section 7.1, asks a hint for none of iss, aud and exp.
			p := ciba.HintPolicy{Issuer: s.audience(), AnyAudience: len(s.aud) == 0, AnyIssuer: s.iss == "", JWT: s.policy()}
			if p.AnyAudience {
				p.Issuer = ""
			}
			if !p.AnyIssuer {
				p.Issuers = []string{s.iss}
			}
			p.JWT.OptionalExpiry = true
			return p
		},
		options: func(s *subject) [][]option[ciba.HintPolicy] {
			format := s.format()
			return [][]option[ciba.HintPolicy]{
				{{"ciba.HintPolicy.LegacySubjectIDs", func(p *ciba.HintPolicy) { p.LegacySubjectIDs = true }}},
				{{agreed("ciba.HintPolicy", format), func(p *ciba.HintPolicy) { p.Formats = []string{format} }}},
			}
		},
		verify: func(s *subject, p ciba.HintPolicy, raw string) error {
			v, err := ciba.NewHintVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw)
			}
			return err
		},
	},
	response: judge[jarm.Policy]{
		pkg: "profile/jarm",
		policy: func(s *subject) jarm.Policy {
			return jarm.Policy{Issuer: s.issuer(), ClientID: s.audience(), JWT: s.policy()}
		},
		options: func(s *subject) [][]option[jarm.Policy] {
			return [][]option[jarm.Policy]{{{s.lifetime("jarm.Policy"), func(p *jarm.Policy) { p.MaxLifetime = s.life() }}}}
		},
		verify: func(s *subject, p jarm.Policy, raw string) error {
			v, err := jarm.NewVerifier(s.keys(), p)
			if err == nil {
				state := s.t.ClaimString("state")
				_, err = v.Verify(context.Background(), raw, jarm.Expect{State: state, NoState: state == ""})
			}
			return err
		},
	},
	clientAttestation: judge[attestation.Policy]{
		pkg: "profile/attestation", typ: attestation.Type,
		policy: func(s *subject) attestation.Policy {
			// Its proof is another token: a DPoP proof of the same key stands in for that.
			return attestation.Policy{Audience: nobody, ClientIDs: []string{or(s.sub, nobody)}, DPoP: true, Replay: jwt.NewReplayCache(1), JWT: s.policy()}
		},
		options: legacyAttestation,
		verify: func(s *subject, p attestation.Policy, raw string) error {
			v, err := attestation.NewVerifier(s.keys(), p)
			if err == nil {
				h := http.Header{}
				h.Set(attestation.Header, raw)
				h.Set("DPoP", "verified elsewhere")
				_, err = v.Verify(context.Background(), h, attestation.Expect{NoClientID: true, Thumbprint: s.thumbprint()})
			}
			return err
		},
	},
	clientPoP: judge[attestation.Policy]{
		pkg: "profile/attestation", typ: attestation.PoPType,
		policy: func(s *subject) attestation.Policy {
			return attestation.Policy{Audience: s.audience(), ClientIDs: []string{or(s.iss, nobody)}, Replay: jwt.NewReplayCache(1), JWT: s.policy()}
		},
		options: legacyAttestation,
		verify: func(s *subject, p attestation.Policy, raw string) error {
			v, err := attestation.NewVerifier(s.keys(), p)
			if err == nil {
				h := http.Header{}
				h.Set(attestation.Header, s.attestation(p.ClientIDs[0]))
				h.Set(attestation.PoPHeader, raw)
				_, err = v.Verify(context.Background(), h, attestation.Expect{NoClientID: true})
			}
			return err
		},
	},
	dpopProof: judge[dpop.Policy]{
		pkg: "profile/dpop", typ: dpop.Type,
		policy: func(s *subject) dpop.Policy { return dpop.Policy{Replay: jwt.NewReplayCache(1), JWT: s.policy()} },
		verify: func(s *subject, p dpop.Policy, raw string) error {
			x := dpop.Expect{Method: or(s.t.ClaimString("htm"), "GET"), URL: or(s.t.ClaimString("htu"), nobody), NoAccessToken: true}
			if s.t.Claim("ath") != nil {
				x.AccessToken, x.AnyKey, x.NoAccessToken = nobody, true, false
			}
			v, err := dpop.NewVerifier(p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw, x)
			}
			return err
		},
		ignored: []string{"ath.mismatch"},
	},
	userInfo: judge[userinfo.Policy]{
		pkg: "profile/userinfo",
		policy: func(s *subject) userinfo.Policy {
			return userinfo.Policy{Issuers: []string{s.issuer()}, ClientID: s.audience(), TrustedAudiences: s.aud, JWT: s.policy()}
		},
		options: func(*subject) [][]option[userinfo.Policy] {
			return [][]option[userinfo.Policy]{{{"userinfo.Policy.AllowExpiry", func(p *userinfo.Policy) { p.AllowExpiry = true }}}}
		},
		verify: func(s *subject, p userinfo.Policy, raw string) error {
			v, err := userinfo.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw, userinfo.Expect{Subject: or(s.sub, nobody)})
			}
			return err
		},
	},
	introspected: judge[introspection.Policy]{
		pkg: "profile/introspection", typ: introspection.Type,
		policy: func(s *subject) introspection.Policy {
			return introspection.Policy{Issuers: []string{s.issuer()}, Audiences: []string{s.audience()}, JWT: s.policy()}
		},
		options: func(*subject) [][]option[introspection.Policy] {
			return [][]option[introspection.Policy]{{{
				"introspection.Policy.LenientSubjectAndExpiry", func(p *introspection.Policy) { p.LenientSubjectAndExpiry = true },
			}}}
		},
		verify: func(s *subject, p introspection.Policy, raw string) error {
			v, err := introspection.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw)
			}
			return err
		},
	},
	logoutToken: judge[logout.Policy]{
		pkg: "profile/logout", typ: logout.Type,
		policy: func(s *subject) logout.Policy {
			return logout.Policy{
				Issuers: []string{s.issuer()}, ClientID: s.audience(), TrustedAudiences: s.aud,
				Replay: jwt.NewReplayCache(1), JWT: s.policy(),
			}
		},
		options: func(*subject) [][]option[logout.Policy] {
			return [][]option[logout.Policy]{{
				{"logout.Policy.LegacyUntyped", func(p *logout.Policy) { p.LegacyUntyped = true }},
				{"logout.Policy.LegacyNoExpiry", func(p *logout.Policy) { p.LegacyNoExpiry = true }},
			}}
		},
		verify: func(s *subject, p logout.Policy, raw string) error {
			v, err := logout.NewVerifier(s.keys(), p)
			if err == nil {
				_, err = v.Verify(context.Background(), raw)
			}
			return err
		},
	},
	securityEvent: judge[secevent.Policy]{
		pkg: "profile/secevent", typ: secevent.Type,
		policy: func(s *subject) secevent.Policy {
			return secevent.Policy{Issuers: []string{s.issuer()}, Audiences: []string{s.audience()}, JWT: s.policy()}
		},
		options: func(s *subject) [][]option[secevent.Policy] {
			format := s.format()
			others := []option[secevent.Policy]{
				{"secevent.Policy.LegacyUntyped", func(p *secevent.Policy) { p.LegacyUntyped = true }},
				{"secevent.Policy.AnyProfile", func(p *secevent.Policy) { p.AnyProfile = true }},
			}
			return [][]option[secevent.Policy]{
				append([]option[secevent.Policy]{{"secevent.Policy.LegacyDrafts", func(p *secevent.Policy) { p.LegacyDrafts = true }}}, others...),
				append([]option[secevent.Policy]{{agreed("secevent.Policy", format), func(p *secevent.Policy) { p.Formats = []string{format} }}}, others...),
			}
		},
		verify: func(s *subject, p secevent.Policy, raw string) error {
			v, err := secevent.NewVerifier(s.keys(), p)
			var t *jwt.Token[secevent.Claims]
			if err == nil {
				t, err = v.Verify(context.Background(), raw)
			}
			if err == nil {
				s.eventFaults = events(&t.Claims)
			}
			return err
		},
	},
	signedRequest: judge[request]{
		pkg: "profile/atlassian",
		policy: func(s *subject) request {
			p := request{Policy: atlassian.Policy{ClientKey: s.issuer(), JWT: s.policy()}}
			p.QueryHash = or(s.t.ClaimString("qsh"), nobody)
			p.AllowContext = p.QueryHash == atlassian.ContextHash
			// The callbacks of the lifecycle, which Atlassian signs.
			if alg := s.t.HeaderString("alg"); alg == "RS256" {
				p.ClientKey, p.InstallBaseURL = "", s.audience()
				p.JWT.Algorithms = []jwa.Algorithm{s.key.Algorithm()} // which stands in for it
			}
			return p
		},
		options: func(*subject) [][]option[request] {
			return [][]option[request]{{{"atlassian.Expect.NoQueryHash", func(p *request) { p.NoQueryHash = true }}}}
		},
		verify: func(s *subject, p request, raw string) error {
			v, err := atlassian.NewVerifier(s.keys(), p.Policy)
			if err == nil {
				_, err = v.Verify(context.Background(), raw, p.Expect)
			}
			return err
		},
	},
}

// request is what a signed request is held to.
type request struct {
	atlassian.Policy
	atlassian.Expect
}

func legacyAttestation(*subject) [][]option[attestation.Policy] {
	return [][]option[attestation.Policy]{{{"attestation.Policy.Legacy", func(p *attestation.Policy) { p.Legacy = true }}}}
}

// lenient are the policies for access tokens as they are: those with a claim by which the issuer's access tokens are told from
// its others come first, since they say more.
func lenient(s *subject) (sets [][]option[accesstoken.Policy]) {
	var base accesstoken.Lenient
	if typ := s.t.HeaderString("typ"); !profile.Plain(typ) && !compact.SameType(typ, accesstoken.Type) && !profile.Registered(typ) {
		base.Types = []string{typ}
	}
	if len(s.aud) == 0 {
		for _, name := range []string{"client_id", "azp", "appid", "cid"} {
			if id := s.t.ClaimString(name); id != "" {
				base.Clients = []string{id}
				break
			}
		}
	}
	add := func(claim, value string) {
		l := base
		l.Claim, l.Value = claim, value
		sets = append(sets, []option[accesstoken.Policy]{{describe(l), func(p *accesstoken.Policy) { p.Lenient = &l }}})
	}
	for _, name := range []string{"token_use", "typ"} {
		if value := s.t.ClaimString(name); value != "" && (value == "access" || value == "Bearer") {
			add(name, value)
		}
	}
	if s.t.Claim("kubernetes.io") != nil {
		add("kubernetes.io", "")
	}
	add("", "")
	return sets
}

// describe writes l as Go does.
func describe(l accesstoken.Lenient) string {
	var fields []string
	if len(l.Types) > 0 {
		fields = append(fields, "Types: []string{"+strconv.Quote(l.Types[0])+"}")
	}
	if l.Claim != "" {
		fields = append(fields, "Claim: "+strconv.Quote(l.Claim))
	}
	if l.Value != "" {
		fields = append(fields, "Value: "+strconv.Quote(l.Value))
	}
	if len(l.Clients) > 0 {
		fields = append(fields, "Clients: []string{"+strconv.Quote(l.Clients[0])+"}")
	}
	out := "accesstoken.Lenient{"
	for i, f := range fields {
		if i > 0 {
			out += ", "
		}
		out += f
	}
	return out + "}"
}

// anyone is a key that is said to be that of whoever is asked for.
type anyone struct{ key jwk.Verifier }

// Keys implements jwk.Source.
func (a anyone) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) {
	return []jwk.Verifier{a.key}, nil
}

// described is a key of which there is a description alone.
type described struct{ key jwk.JWK }

func (d described) JWK() jwk.JWK { return d.key }

// thumbprint is that of the key that cnf names.
func (s *subject) thumbprint() string {
	var cnf struct {
		JWK jwk.JWK `json:"jwk"`
	}
	s.read("cnf", &cnf)
	thumbprint, _ := dpop.Thumbprint(described{cnf.JWK})
	return or(thumbprint, nobody) // of none: the verifier says what is wrong with the key
}

// attestation makes one of the key that the token is signed anew with.
func (s *subject) attestation(client string) string {
	var cnf struct {
		Confirmation struct {
			JWK jwk.JWK `json:"jwk"`
		} `json:"cnf"`
	}
	cnf.Confirmation.JWK = s.key.JWK().Public()
	raw, _ := jwt.Sign(context.Background(), s.key, jwt.Header{Type: attestation.Type}, jwt.Registered{Subject: client, Expiry: s.at.Add(time.Hour)}, cnf)
	return raw // without one, the verifier says that it is missing
}

// format is that of the subject identifier.
func (s *subject) format() string {
	var id struct {
		Format string `json:"format"`
	}
	s.read("sub_id", &id)
	return id.Format
}

// agreed names the option for a format that both sides have agreed on.
func agreed(policy, format string) string { return policy + ".Formats with " + strconv.Quote(format) }

func (s *subject) audiences() []string {
	if len(s.aud) == 0 {
		return []string{nobody}
	}
	return s.aud
}

// life is how long the token is good, a second at least.
func (s *subject) life() time.Duration { return max(time.Second, s.exp.Sub(s.at)) }

// lifetime names the option that allows it.
func (s *subject) lifetime(policy string) string {
	return policy + ".MaxLifetime of " + s.life().String()
}
