package main

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
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

// profileFlags are what the kinds ask for beside issuer and audience.
type profileFlags struct {
	ClientID        string `name:"client-id" placeholder:"CLIENT" help:"The client that made the token, or the one that it is for. Else it is --iss or --aud."`
	Nonce           string `placeholder:"NONCE" help:"The nonce of the request, or the one that the server asked for."`
	State           string `placeholder:"STATE" help:"The state of the request."`
	Sub             string `placeholder:"SUBJECT" help:"The user that the token must be about."`
	Method          string `placeholder:"METHOD" help:"The method of the request that the token came with."`
	URL             string `name:"url" placeholder:"URL" help:"The URL of the request that the token came with."`
	JKT             string `name:"jkt" placeholder:"THUMBPRINT" help:"The thumbprint of the key that the access token is bound to."`
	AccessTokenFile string `placeholder:"FILE" help:"The access token that came with the token."`
	CodeFile        string `placeholder:"FILE" help:"The authorization code that came with the token."`
	AttestationFile string `placeholder:"FILE" help:"The client attestation that a proof goes with."`
	PopFile         string `placeholder:"FILE" help:"The proof that a client attestation goes with."`
	AnyRequest      bool   `help:"Hold the token to no request: any nonce, state, method, URL, subject and proof."`
}

// verifyFunc verifies a token and returns its payload.
type verifyFunc func(ctx context.Context, keys jwk.Source, policy jwt.Policy, raw string) ([]byte, error)

// asked is what the options say, as the kinds need it.
type asked struct {
	c      *verifyCmd
	policy jwt.Policy        // for what is checked beside the kind's rules, and what is printed
	seen   *unverified.Token // never nil; for --any-request alone, which accepts whatever stands there
	token  string            // of --access-token-file
	code   string            // of --code-file
	other  string            // of --attestation-file or --pop-file
	rest   func() jwt.Policy // what is left for Policy.JWT
	replay func() *jwt.ReplayCache
}

// A kindVerifier is how the tokens of a kind are verified.
type kindVerifier struct {
	typ string
	// issuer, audience and client say whose names are needed.
	issuer, audience, client need
	// request names the options that say to which request the token belongs: with any of them, or --any-request.
	request []string
	verify  func(ctx context.Context, keys jwk.Source, a *asked, raw string) ([]byte, error)
}

// need is where a name comes from.
type need int

const (
	none       need = iota // it is not asked for
	given                  // it must be given
	byIssuer               // the client, who is the issuer
	byAudience             // the client, who is the audience
	own                    // --client-id alone
)

// profile checks the options, and returns the verifier of the kind that they name.
func (c *verifyCmd) profile(a *app, policy *jwt.Policy, raw string) (verifyFunc, error) {
	k, ok := kindVerifiers()[c.Profile]
	if !ok {
		if _, err := kindOf(c.Profile); err != nil {
			return nil, err
		}
		return nil, fail(exitUsage, "--typ demands its type; the kinds with rules are "+strings.Join(profileNames(), ", "), "there is no verifier for %s", c.Profile)
	}
	x := &asked{c: c}
	if x.seen, _ = unverified.Parse(raw); x.seen == nil {
		x.seen = &unverified.Token{}
	}
	for _, f := range []struct {
		name string
		into *string
	}{{c.AccessTokenFile, &x.token}, {c.CodeFile, &x.code}, {c.AttestationFile, &x.other}, {c.PopFile, &x.other}} {
		if f.name == "" {
			continue
		}
		text, err := a.in.text(f.name, theToken)
		if err != nil {
			return nil, err
		}
		*f.into = strings.TrimSpace(text)
	}
	if err := c.complete(k, policy); err != nil {
		return nil, err
	}
	x.policy = *policy
	x.rest = func() jwt.Policy {
		p := x.policy
		p.Issuers, p.AnyIssuer, p.Audiences, p.AnyAudience, p.Type, p.Types = nil, false, nil, false, "", nil
		return p
	}
	x.replay = func() *jwt.ReplayCache { return jwt.NewReplayCache(1) }
	policy.Type = k.typ
	return func(ctx context.Context, keys jwk.Source, _ jwt.Policy, raw string) ([]byte, error) {
		return k.verify(ctx, keys, x, raw)
	}, nil
}

// complete refuses what is missing for a kind, and fills in what follows from the rest.
func (c *verifyCmd) complete(k kindVerifier, policy *jwt.Policy) error {
	if c.Typ != "" {
		return fail(exitUsage, "leave it out", "--profile %s says the typ", c.Profile)
	}
	if c.ClientID == "" {
		switch {
		case k.client == byIssuer && len(policy.Issuers) == 1:
			c.ClientID = policy.Issuers[0]
		case k.client == byAudience && len(policy.Audiences) == 1:
			c.ClientID = policy.Audiences[0]
		case k.client == byAudience && c.AnyAudience:
			return fail(exitUsage, "give --aud or --client-id in its place", "--profile %s needs the client that it is for, and --any-audience names none", c.Profile)
		case k.client == byIssuer && c.AnyIssuer:
			return fail(exitUsage, "give --iss or --client-id in its place", "--profile %s needs the client that has made it, and --any-issuer names none", c.Profile)
		case k.client != none:
			return fail(exitUsage, "give --client-id CLIENT", "the client is not named")
		}
	}
	switch {
	case k.client == byIssuer && len(policy.Issuers) == 0:
		policy.Issuers = []string{c.ClientID}
	case k.client == byAudience && len(policy.Audiences) == 0:
		policy.Audiences = []string{c.ClientID}
	}
	switch {
	case k.issuer == given && len(policy.Issuers) == 0 && c.AnyIssuer:
		return fail(exitUsage, "give --iss ISSUER in its place", "--profile %s needs an issuer to accept, and --any-issuer names none", c.Profile)
	case k.audience == given && len(policy.Audiences) == 0 && c.AnyAudience:
		return fail(exitUsage, "give --aud AUDIENCE in its place", "--profile %s needs an audience to accept, and --any-audience names none", c.Profile)
	case k.issuer == given && len(policy.Issuers) == 0:
		return fail(exitUsage, "give --iss ISSUER", "no issuer to accept is named")
	case k.audience == given && len(policy.Audiences) == 0:
		return fail(exitUsage, "give --aud AUDIENCE", "no audience to accept is named")
	}
	// For what is printed: what the kind does not ask for may be anything.
	policy.AnyIssuer = k.issuer == none && k.client != byIssuer
	policy.AnyAudience = k.audience == none && k.client != byAudience
	if policy.AnyIssuer {
		policy.Issuers = nil
	}
	if policy.AnyAudience {
		policy.Audiences = nil
	}
	values := map[string]string{
		"--nonce": c.Nonce, "--state": c.State, "--sub": c.Sub, "--method": c.Method, "--url": c.URL,
		"--attestation-file": c.AttestationFile, "--pop-file": c.PopFile,
	}
	for _, name := range k.request {
		if values[name] == "" && !c.AnyRequest {
			return fail(exitUsage, "give "+strings.Join(k.request, " and ")+", or --any-request to do without", "it is not said to which request the token belongs")
		}
	}
	return nil
}

// profileNames are the kinds with a verifier.
func profileNames() []string {
	var names []string
	for name := range kindVerifiers() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// expected is what an option gives, or with --any-request what the token itself has.
func (x *asked) expected(option, claim string) string {
	if option == "" && x.c.AnyRequest {
		return x.seen.ClaimString(claim)
	}
	return option
}

// kindVerifiers are the verifiers of the kinds, each with what it asks for.
func kindVerifiers() map[string]kindVerifier {
	return map[string]kindVerifier{
		"id-token": {issuer: given, client: byAudience, request: []string{"--nonce"}, verify: verifyID},
		"access-token": {
			typ: accesstoken.Type, issuer: given, audience: given,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				p := accesstoken.Policy{Issuers: x.policy.Issuers, Audiences: x.policy.Audiences, JWT: x.rest()}
				if x.c.Legacy {
					p.Lenient = x.lenient()
				}
				v, err := accesstoken.NewVerifier(keys, p)
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw))
			},
		},
		"client-assertion": {
			typ: clientauth.Type, audience: given, client: byIssuer,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				p := clientauth.Policy{Issuer: x.policy.Audiences[0], ClientID: x.c.ClientID, Replay: x.replay(), JWT: x.rest()}
				if x.c.Legacy {
					p.LegacyAudiences = x.policy.Audiences
				}
				v, err := clientauth.NewVerifier(keys, p)
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw, clientauth.Expect{ClientID: x.c.ClientID}))
			},
		},
		"authorization-grant": {
			typ: grant.Type, issuer: given, audience: given,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				p := grant.Policy{
					Issuer: x.policy.Audiences[0], Audiences: x.policy.Audiences[1:], Issuers: x.policy.Issuers,
					AnySubject: x.c.Sub == "", Reusable: true, JWT: x.rest(),
				}
				if x.c.Sub != "" {
					p.Subjects = func(_, subject string) bool { return subject == x.c.Sub }
				}
				if x.c.Legacy {
					p.LegacyScope, p.SelfIssued = true, true
				}
				v, err := grant.NewVerifier(keys, p)
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw))
			},
		},
		"request-object": {
			typ: jar.Type, audience: given, client: own,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := jar.NewVerifier(keys, jar.Policy{Issuer: x.policy.Audiences[0], ClientID: x.c.ClientID, LegacyUntyped: x.c.Legacy, JWT: x.rest()})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw, jar.Expect{ClientID: x.c.ClientID}))
			},
		},
		"ciba-request": {
			audience: given, client: byIssuer,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := ciba.NewVerifier(keys, ciba.Policy{Issuer: x.policy.Audiences[0], ClientID: x.c.ClientID, Replay: x.replay(), JWT: x.rest()})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw, ciba.Expect{ClientID: x.c.ClientID, Delivery: ciba.Poll}))
			},
		},
		"login-hint-token": {verify: verifyHint},
		"jarm": {
			issuer: given, client: byAudience, request: []string{"--state"},
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := jarm.NewVerifier(keys, jarm.Policy{Issuer: x.policy.Issuers[0], ClientID: x.c.ClientID, JWT: x.rest()})
				if err != nil {
					return nil, err
				}
				state := x.expected(x.c.State, "state")
				return payload(v.Verify(ctx, raw, jarm.Expect{State: state, NoState: state == ""}))
			},
		},
		"client-attestation":     {typ: attestation.Type, client: own, request: []string{"--pop-file"}, verify: verifyAttestation},
		"client-attestation-pop": {typ: attestation.PoPType, audience: given, client: own, request: []string{"--attestation-file"}, verify: verifyPoP},
		"dpop-proof":             {typ: dpop.Type, request: []string{"--method", "--url"}, verify: verifyProof},
		"userinfo": {
			issuer: given, client: byAudience, request: []string{"--sub"},
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := userinfo.NewVerifier(keys, userinfo.Policy{
					Issuers: x.policy.Issuers, ClientID: x.c.ClientID, TrustedAudiences: x.policy.Audiences, AllowExpiry: x.c.Legacy, JWT: x.rest(),
				})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw, userinfo.Expect{Subject: or(x.expected(x.c.Sub, "sub"), "-")}))
			},
		},
		"introspection": {
			typ: introspection.Type, issuer: given, audience: given,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := introspection.NewVerifier(keys, introspection.Policy{
					Issuers: x.policy.Issuers, Audiences: x.policy.Audiences, LenientSubjectAndExpiry: x.c.Legacy, JWT: x.rest(),
				})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw))
			},
		},
		"logout-token": {
			typ: logout.Type, issuer: given, client: byAudience,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := logout.NewVerifier(keys, logout.Policy{
					Issuers: x.policy.Issuers, ClientID: x.c.ClientID, TrustedAudiences: x.policy.Audiences,
					LegacyUntyped: x.c.Legacy, LegacyNoExpiry: x.c.Legacy, Replay: x.replay(), JWT: x.rest(),
				})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw))
			},
		},
		"security-event": {
			typ: secevent.Type, issuer: given, audience: given,
			verify: func(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
				v, err := secevent.NewVerifier(keys, secevent.Policy{
					Issuers: x.policy.Issuers, Audiences: x.policy.Audiences,
					AnyProfile: x.c.Legacy, LegacyUntyped: x.c.Legacy, LegacyDrafts: x.c.Legacy, JWT: x.rest(),
				})
				if err != nil {
					return nil, err
				}
				return payload(v.Verify(ctx, raw))
			},
		},
		"atlassian-request": {client: byIssuer, request: []string{"--method", "--url"}, verify: verifyRequest},
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func verifyID(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
	v, err := idtoken.NewVerifier(keys, idtoken.Policy{
		Issuers: x.policy.Issuers, ClientID: x.c.ClientID, TrustedAudiences: x.policy.Audiences, JWT: x.rest(),
	})
	if err != nil {
		return nil, err
	}
	nonce := x.expected(x.c.Nonce, "nonce")
	return payload(v.Verify(ctx, raw, idtoken.Expect{
		Nonce: nonce, NoNonce: nonce == "", Subject: x.c.Sub, AccessToken: x.token, Code: x.code, State: x.c.State,
	}))
}

// lenient is the policy for access tokens as they are. Of the claims by which issuers tell them from their other tokens it asks
// for the one that is there, which accepts no more than to ask for none.
func (x *asked) lenient() *accesstoken.Lenient {
	l := &accesstoken.Lenient{}
	if typ := x.seen.HeaderString("typ"); strings.Contains(typ, "at+jwt") && !strings.EqualFold(strings.TrimPrefix(typ, "application/"), accesstoken.Type) {
		l.Types = []string{typ}
	}
	if x.c.ClientID != "" {
		l.Clients = []string{x.c.ClientID}
	}
	switch {
	case x.seen.ClaimString("token_use") == "access":
		l.Claim, l.Value = "token_use", "access"
	case x.seen.ClaimString("typ") == "Bearer":
		l.Claim, l.Value = "typ", "Bearer"
	case x.seen.Claim("kubernetes.io") != nil:
		l.Claim = "kubernetes.io"
	}
	return l
}

func verifyHint(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
	p := ciba.HintPolicy{
		Issuers: x.c.Iss, AnyIssuer: x.c.AnyIssuer, AnyAudience: x.c.AnyAudience, LegacySubjectIDs: x.c.Legacy, JWT: x.rest(),
	}
	if len(x.c.Aud) > 0 {
		p.Issuer = x.c.Aud[0]
	}
	v, err := ciba.NewHintVerifier(keys, p)
	if err != nil {
		return nil, err
	}
	return payload(v.Verify(ctx, raw))
}

func verifyProof(ctx context.Context, _ jwk.Source, x *asked, raw string) ([]byte, error) {
	v, err := dpop.NewVerifier(dpop.Policy{Replay: x.replay(), JWT: x.rest()})
	if err != nil {
		return nil, err
	}
	return payload(v.Verify(ctx, raw, dpop.Expect{
		Method: or(x.expected(x.c.Method, "htm"), "-"), URL: or(x.expected(x.c.URL, "htu"), "-"), Nonce: x.c.Nonce,
		AccessToken: x.token, NoAccessToken: x.token == "", Thumbprint: x.c.JKT, AnyKey: x.token != "" && x.c.JKT == "",
	}))
}

// attested verifies an attestation with its proof.
func (x *asked) attested(ctx context.Context, keys jwk.Source, token, proof, audience string) (*attestation.Client, error) {
	v, err := attestation.NewVerifier(keys, attestation.Policy{
		Audience: audience, ClientIDs: []string{x.c.ClientID}, DPoP: proof == "", Legacy: x.c.Legacy, Replay: x.replay(), JWT: x.rest(),
	})
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set(attestation.Header, token)
	expect := attestation.Expect{ClientID: x.c.ClientID, Challenge: x.c.Nonce}
	if proof != "" {
		h.Set(attestation.PoPHeader, proof)
	} else {
		// The attestation alone, as if its key had been proved.
		h.Set("DPoP", "-")
		expect.Thumbprint = thumbprintOf(token)
	}
	return v.Verify(ctx, h, expect)
}

// thumbprintOf is that of the key that an attestation names; a word that is none where it names none.
func thumbprintOf(token string) string {
	var cnf struct {
		JWK jwk.JWK `json:"jwk"`
	}
	t, err := unverified.Parse(token)
	if err != nil || json.Unmarshal(t.Claim("cnf"), &cnf) != nil {
		return "-"
	}
	thumbprint, err := cnf.JWK.Thumbprint(crypto.SHA256)
	if err != nil {
		return "-"
	}
	return thumbprint
}

func verifyAttestation(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
	audience := "-"
	if len(x.c.Aud) > 0 {
		audience = x.c.Aud[0]
	} else if x.other != "" {
		return nil, fail(exitUsage, "give --aud AUDIENCE", "the server that the proof is for is not named")
	}
	client, err := x.attested(ctx, keys, raw, x.other, audience)
	if err != nil {
		return nil, err
	}
	return client.Attestation.Payload(), nil
}

func verifyPoP(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
	if x.other == "" {
		return nil, fail(exitUsage, "give --attestation-file FILE", "a proof is nothing without the attestation that names its key")
	}
	client, err := x.attested(ctx, keys, x.other, raw, x.policy.Audiences[0])
	if err != nil {
		return nil, err
	}
	return client.PoP.Payload(), nil
}

func verifyRequest(ctx context.Context, keys jwk.Source, x *asked, raw string) ([]byte, error) {
	v, err := atlassian.NewVerifier(keys, atlassian.Policy{ClientKey: x.c.ClientID, JWT: x.rest()})
	if err != nil {
		return nil, err
	}
	expect := atlassian.Expect{QueryHash: x.seen.ClaimString("qsh"), NoQueryHash: x.c.Legacy, AllowContext: x.c.AnyRequest}
	if !x.c.AnyRequest {
		u, err := url.Parse(x.c.URL)
		if err != nil {
			return nil, fail(exitUsage, "", "%s is no URL", quoted(x.c.URL))
		}
		if expect.QueryHash, err = atlassian.QueryHash(x.c.Method, u, ""); err != nil {
			return nil, fail(exitUsage, "--url is the one behind the app's or the product's base URL", "%v", err)
		}
	}
	return payload(v.Verify(ctx, raw, expect))
}
