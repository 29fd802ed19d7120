// Package attack is the catalogue of known attacks on tokens as one table of
// data. The library and the command line are run against the same [Cases]; each
// case has a control, accepted in the same setup, so that a refusal is known to
// be for the reason that the case names.
//
// Nothing here uses this module's own code: the tokens are made with the
// standard library alone, and where an attack is not about the signature, the
// signature is a good one, so that exactly one rule is broken.
package attack

import "time"

// The setup that a case has unless it says otherwise.
const (
	Issuer   = "https://as.example"
	Audience = "https://api.example"
	// Unix is the verifier's clock, 2026-01-01T12:00:00Z.
	Unix = 1767268800
)

// Form says what a case hands over.
type Form string

const (
	JWT     Form = "jwt"     // a compact token with claims
	JSON    Form = "json"    // a signature in the JSON serialization, RFC 7515, Section 7.2
	Private Form = "private" // no token: the attack is a key to sign with
	JWE     Form = "jwe"     // a compact token that is encrypted
	JWEJSON Form = "jwejson" // encryption in the JSON serialization, RFC 7516, Section 7.2
	Nested  Form = "nested"  // a compact token with claims that is signed and then encrypted
	Public  Form = "public"  // no token: the attack is a key to encrypt to
)

// Kind says what the bytes of a key file are.
type Kind string

const (
	JWK      Kind = "jwk"
	JWKSet   Kind = "jwks"
	PEM      Kind = "pem"
	Secret   Kind = "secret"
	Password Kind = "password"
)

// Key is key material as a file would hold it.
type Key struct {
	Kind Kind
	Data []byte
	Alg  string // the algorithm that the caller binds the key to; empty: the key's own
	// AllowRSA1_5 is the caller's word that the key may be bound to it.
	AllowRSA1_5 bool
}

// Policy is what the caller demands of the claims. The zero value stands for
// [Issuer], [Audience], an untyped token, the clock at [Unix] and the default leeway.
// Of what is encrypted it narrows alg and enc, and no more.
type Policy struct {
	Algs, Encs             []string
	Decrypt                *Key // of a nested token
	Issuers, Audiences     []string
	Type                   string
	AnyIssuer, AnyAudience bool
	AllowWeakKey           bool
	NoLeeway               bool
	Now                    int64
	MaxAge, MaxLifetime    time.Duration
}

// Case is one attack.
type Case struct {
	ID, Name string // the catalogue's id, and which of its variants
	Form     Form
	Token    func() string
	Control  func() string // the same without the attack; accepted
	Key      Key
	// ControlKey and ControlPolicy differ from Key and Policy where the attack is
	// in the key or in what the caller asks.
	ControlKey    Key
	Policy        Policy
	ControlPolicy Policy
	Want          []string // the codes of which the refusal has one, and no other
	// NoCLI says why the command line does not run the case; empty where it does.
	NoCLI string
}

// Other is an id, or a part of one, that no token can show.
type Other struct {
	ID, Name string
	Where    string // the test that covers it, or the part of jot that will
}

// HasToken reports whether the attack is not in a key alone.
func (f Form) HasToken() bool { return f != Private && f != Public }

// Title is the name of the case's test.
func (c Case) Title() string { return title(c.ID, c.Name) }

// Title is the name of the check's test.
func (o Other) Title() string { return title(o.ID, o.Name) }

func title(id, name string) string { return id + "_" + name }

// Cases returns the table. Cases of A6 put fetch into headers as a URL: pass the
// address of a server that counts its visitors.
func Cases(fetch string) []Case {
	var all []Case
	for _, group := range [][]Case{
		algorithms(fetch), signatures(), encodings(), documents(), criticals(),
		claimRules(), weakKeys(), compositions(), keyRules(), limits(),
		encryptionRules(), encryptionKeys(), encryptionCompositions(), nested(),
	} {
		all = append(all, group...)
	}
	for i := range all {
		all[i].fill()
	}
	return all
}

// fill gives a case what most of them have.
func (c *Case) fill() {
	if c.Form == "" {
		c.Form = JWT
	}
	if c.Key.Kind == "" {
		c.Key = octKey
	}
	if c.ControlKey.Kind == "" {
		c.ControlKey = c.Key
	}
	if c.Control == nil && c.Form == JWT {
		c.Control = fixed(hs(`{"alg":"HS256"}`, claims()))
	}
	if c.ControlPolicy.zero() {
		c.ControlPolicy = c.Policy
	}
	c.Policy.fill()
	c.ControlPolicy.fill()
}

func (p *Policy) zero() bool {
	return len(p.Algs) == 0 && len(p.Encs) == 0 && p.Decrypt == nil && len(p.Issuers) == 0 && len(p.Audiences) == 0 && p.Type == "" && !p.AnyIssuer && !p.AnyAudience &&
		!p.AllowWeakKey && !p.NoLeeway && p.Now == 0 && p.MaxAge == 0 && p.MaxLifetime == 0
}

func (p *Policy) fill() {
	if len(p.Issuers) == 0 && !p.AnyIssuer {
		p.Issuers = []string{Issuer}
	}
	if len(p.Audiences) == 0 && !p.AnyAudience {
		p.Audiences = []string{Audience}
	}
	if p.Now == 0 {
		p.Now = Unix
	}
}

func fixed(s string) func() string { return func() string { return s } }
