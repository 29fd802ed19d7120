package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
)

// read reads a claim leniently; what cannot be read leaves v as it is.
func (s *subject) read(claim string, v any) {
	if raw := s.t.Claim(claim); raw != nil {
		_ = json.Unmarshal(raw, v) // the verifiers read it strictly
	}
}

// errReached stops a verifier at the key: all before that is good.
var errReached = errors.New("lint: the key is reached")

type unreachable struct{}

// Keys implements jwk.Source.
func (unreachable) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) { return nil, errReached }

// original holds the token as it came to the rules before the key: of the form, the header, the algorithm.
func (s *subject) original() {
	for _, p := range s.t.Problems {
		place := p.Where
		if place == "payload" {
			place = "claims"
		}
		f := Finding{Rule: p.Code, Place: place, Message: p.Detail}
		if p.Code == "token.encoding" && s.padded() {
			f.Message, f.Remedy = "the parts are padded with =", rules["lint.padded"].Remedy
		}
		s.refuse(f)
	}
	raw := s.t.Raw
	if s.t.Form == unverified.Disclosable {
		raw, _, _ = strings.Cut(raw, "~")
	}
	v, err := jwt.NewVerifier[struct{}](unreachable{}, jwt.Policy{AnyIssuer: true, AnyAudience: true, Type: s.t.HeaderString("typ")})
	if err == nil {
		_, err = v.Verify(context.Background(), raw)
	}
	if reject, ok := errors.AsType[*jwt.RejectError](err); ok {
		for _, reason := range reject.Unwrap() {
			r := newRefusal(reason)
			if len(s.t.Problems) > 0 && r.place == "token" {
				continue // it is said better
			}
			s.refuse(Finding{Rule: r.code, Place: r.place, Message: r.message, Spec: r.spec})
		}
	}
	switch _, ok := jwa.Lookup(s.t.HeaderString("alg")); {
	case len(s.intrinsic) > 0:
	case !ok: // a verifier with an extension knows it
		s.refuse(Finding{Rule: "alg.unknown", Place: "header.alg"})
	default:
		s.signature(raw)
	}
}

func (s *subject) padded() bool {
	return slices.ContainsFunc(strings.Split(s.t.Raw, "."), func(part string) bool { return strings.HasSuffix(part, "=") })
}

// signature looks at what can be seen of a signature without the key, and checks it where the key is in the token.
func (s *subject) signature(raw string) {
	i := strings.LastIndexByte(raw, '.')
	signature, _ := b64url.DecodeString(raw[i+1:])
	alg, _ := jwa.Lookup(s.t.HeaderString("alg"))
	size := alg.SignatureSize()
	switch {
	case size > 0 && len(signature) != size:
		f := Finding{Rule: "sig.invalid", Place: "signature", Message: "it has not the length that the algorithm gives it", Spec: alg.Spec()}
		if alg.Family() == "ECDSA" && len(signature) > 8 && signature[0] == 0x30 {
			f.Remedy = "it is in DER; JOSE wants r and s one after the other (RFC 7518, Section 3.4)"
		}
		s.refuse(f)
		return
	case alg.KeyType() == "RSA" && len(signature) < 256:
		s.refuse(Finding{Rule: "sig.invalid", Place: "signature", Message: "it is shorter than that of any RSA key of 2048 bits", Spec: alg.Spec()})
		return
	}
	switch own := s.t.HeaderMember("jwk"); {
	case alg.Symmetric() && (s.kind == dpopProof || s.kind == clientPoP):
		// RFC 9449, Section 4.2, and its like: there is no such key in a token.
		s.refuse(Finding{Rule: "alg.not_allowed", Place: "header.alg", Message: "a proof is made with an asymmetric key", Spec: "RFC 9449, Section 4.2"})
	case s.kind == dpopProof || s.kind == keyProof && own != nil:
		s.signedBy(own, "header.jwk", alg, raw[:i], signature)
	case s.kind == entityStatement && s.iss == s.sub:
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		s.read("jwks", &set)
		for _, k := range set.Keys {
			var named struct {
				KeyID string `json:"kid"`
			}
			_ = json.Unmarshal(k, &named) // what has no kid is not the one
			if named.KeyID != "" && named.KeyID == s.t.HeaderString("kid") {
				s.signedBy(k, "claims.jwks", alg, raw[:i], signature)
			}
		}
	case alg.Symmetric():
		s.guess(alg, raw[:i], signature)
	}
}

// signedBy checks the signature with a key that is in the token itself.
func (s *subject) signedBy(raw json.RawMessage, place string, alg jwa.Algorithm, message string, signature []byte) {
	if raw == nil {
		s.refuse(Finding{Rule: "key.none", Place: place, Message: "the key that the signature is made with is missing", Spec: "RFC 9449, Section 4.2"})
		return
	}
	description, err := jwk.Parse(raw)
	if err == nil {
		var key *jwk.PublicKey
		if key, err = description.PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{alg}}); err == nil {
			err = key.Verify([]byte(message), signature)
			place = "signature"
		}
	}
	if err != nil {
		r := newRefusal(err)
		s.refuse(Finding{Rule: r.code, Place: place, Message: r.message, Spec: r.spec})
	}
}

// secrets are those of tutorials, of test pages and of programs as they are delivered.
var secrets = []string{
	"secret", "secretkey", "secret_key", "secret-key", "secret key", "SecretKey", "mysecret", "mysecretkey", "my_secret", "my-secret",
	"supersecret", "supersecretkey", "super-secret", "your-secret", "yoursecret", "your-secret-key", "your-256-bit-secret", "your-384-bit-secret",
	"your-512-bit-secret", "a-string-secret-at-least-256-bits-long", "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
	"jwt", "jwtsecret", "jwt_secret", "jwt-secret", "JWT_SECRET", "token", "key", "private", "privatekey", "password", "Password1",
	"pass", "admin", "root", "test", "testing", "changeme", "change-me", "changeit", "default", "development", "dev", "example",
	"keyboard cat", "shhhhh", "shhhhhhared-secret", "hello", "helloworld", "qwerty", "123456", "12345678", "1234567890", "abc123", "letmein",
	"GQDstcKsx0NHjPOuXOYg5MbeJ1XT0uFiwDVvVBrk",
}

// guess tries the secrets that everyone knows.
func (s *subject) guess(alg jwa.Algorithm, message string, signature []byte) {
	for _, secret := range secrets {
		key, err := jwk.NewSecretKeyShorterThanHash(alg, "", []byte(secret))
		if err == nil && key.Verify([]byte(message), signature) == nil {
			// The secret is not printed: reports are kept where tokens are not.
			s.refuse(Finding{Rule: "key.weak", Place: "signature", Message: "the secret is one that everyone knows, so that anyone can make such tokens", Spec: "RFC 8725, Section 3.5"})
			return
		}
	}
}

// own looks at what no verifier of the kind does.
func (s *subject) own() {
	s.header()
	s.keysInside()
	s.times()
	s.hashes()
	for _, name := range []string{"iss", "aud"} {
		if s.kind == plain || s.kind == loginHint {
			if s.t.Claims != nil && s.t.Claim(name) == nil {
				s.find("lint.unbound", Note, "claims."+name, name)
			}
		}
	}
	switch s.kind {
	case entityStatement:
		s.metadata()
	case securityEvent, loginHint:
		s.phone()
	}
	for _, err := range s.eventFaults {
		s.refused(newRefusal(err), Error, "")
	}
}

func (s *subject) header() {
	t := s.t
	typ, alg := t.HeaderString("typ"), t.HeaderString("alg")
	if a, ok := jwa.Lookup(alg); ok && a.Deprecated() {
		s.find("lint.alg_deprecated", Note, "header.alg", alg)
	}
	if profile.Plain(typ) && (s.kind == clientAssertion || s.kind == authGrant) {
		s.find("lint.typ_missing", Note, "header.typ", map[Kind]string{clientAssertion: "client-authentication+jwt", authGrant: "authorization-grant+jwt"}[s.kind])
	}
	if compact.SameType(typ, "vc+sd-jwt") {
		s.find("lint.vc_sd_jwt", Warning, "header.typ", "")
	}
	for _, name := range []string{"jku", "x5u"} {
		if t.HeaderMember(name) != nil {
			s.find("lint.url_ignored", Note, "header."+name, name)
		}
	}
	if t.HeaderMember("jwk") != nil && s.kind != dpopProof && s.kind != keyProof {
		s.find("lint.jwk_ignored", Note, "header.jwk", "")
	}
	if t.HeaderMember("nonce") != nil && t.Claims != nil {
		s.find("lint.graph_nonce", Error, "header.nonce", "")
	}
	if what := injection(t.HeaderString("kid")); what != "" {
		s.find("lint.kid_injection", Warning, "header.kid", what)
	}
}

// injection names the attack that a kid looks like, where it is used carelessly to look up a key.
func injection(kid string) string {
	switch {
	case strings.ContainsFunc(kid, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "control characters"
	case strings.Contains(kid, "../"), strings.Contains(kid, `..\`), strings.HasPrefix(kid, "/"), strings.HasPrefix(kid, "file:"):
		return "path traversal"
	case strings.ContainsAny(kid, `'";`):
		return "SQL injection"
	case strings.ContainsAny(kid, "|`<>") || strings.Contains(kid, "$("):
		return "command injection"
	case len(kid) > 512:
		return "a flood of bytes"
	}
	return ""
}

// keysInside looks for private keys where public ones belong.
func (s *subject) keysInside() {
	look := func(place string, raw json.RawMessage) {
		if k, err := jwk.Parse(raw); err == nil && k.IsPrivate() {
			s.find("lint.private_key", Error, place, "")
		}
	}
	if raw := s.t.HeaderMember("jwk"); raw != nil {
		look("header.jwk", raw)
	}
	var cnf struct {
		JWK json.RawMessage `json:"jwk"`
	}
	s.read("cnf", &cnf)
	if cnf.JWK != nil {
		look("claims.cnf", cnf.JWK)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	s.read("jwks", &set)
	for _, raw := range set.Keys[:min(len(set.Keys), 100)] {
		look("claims.jwks", raw)
	}
}

// usual is how long tokens of a kind are good at most where care is taken.
var usual = map[Kind]time.Duration{
	idToken: 24 * time.Hour, accessToken: 24 * time.Hour, requestObject: time.Hour,
	logoutToken: 2 * time.Minute, // OpenID Connect Back-Channel Logout 1.0, Section 2.4
	response:    10 * time.Minute, userInfo: 24 * time.Hour, signedRequest: 15 * time.Minute,
}

func (s *subject) times() {
	const layout = "2006-01-02 15:04:05 UTC"
	if !s.exp.IsZero() && !s.now.Before(s.exp) {
		s.find("lint.expired", Note, "claims.exp", s.exp.UTC().Format(layout))
	}
	if s.nbf.After(s.now) {
		s.find("lint.not_yet_valid", Note, "claims.nbf", s.nbf.UTC().Format(layout))
	}
	if s.iat.After(s.now.Add(time.Minute)) {
		s.find("lint.future", Note, "claims.iat", s.iat.UTC().Format(layout))
	}
	if most := usual[s.kind]; most > 0 && !s.exp.IsZero() && !s.iat.IsZero() && s.exp.Sub(s.iat) > most {
		s.find("lint.lifetime", Note, "claims.exp", s.exp.Sub(s.iat).Round(time.Second).String())
	}
}

// hashes looks at the length of hashes that only the request could be compared with.
func (s *subject) hashes() {
	alg, _ := jwa.Lookup(s.t.HeaderString("alg"))
	half, ok := profile.HalfHash(alg, "")
	for _, name := range []string{"at_hash", "c_hash", "s_hash"} {
		if got := s.t.ClaimString(name); s.kind == idToken && got != "" && ok && !sameShape(got, half) {
			s.add(Finding{Rule: name + ".mismatch", Severity: Warning, Place: "claims." + name, Message: "it has not the length of half a hash of the algorithm's", Spec: "OpenID Connect Core 1.0, Section 3.1.3.6", Remedy: rules["at_hash.mismatch"].Remedy})
		}
	}
	if got := s.t.ClaimString("ath"); s.kind == dpopProof && s.t.Claim("ath") != nil && !sameShape(got, strings.Repeat("A", 43)) {
		s.add(Finding{Rule: "ath.mismatch", Severity: Error, Place: "claims.ath", Message: "it is no SHA-256 hash in base64url", Spec: "RFC 9449, Section 4.2", Remedy: rules["ath.mismatch"].Remedy})
	}
}

// phone looks at the number of an identifier whose format is unknown, so that no verifier came to look at it.
func (s *subject) phone() {
	var id struct {
		Number string `json:"phone_number"`
		Phone  string `json:"phone"`
	}
	s.read("sub_id", &id)
	unknown := slices.IndexFunc(s.findings, func(f Finding) bool { return f.Rule == "sub_id.unknown_format" })
	number := id.Number + id.Phone
	if unknown < 0 || number == "" || number[0] == '+' && strings.Trim(number[1:], "0123456789") == "" {
		return
	}
	s.add(Finding{
		Rule: "sub_id.invalid", Severity: s.findings[unknown].Severity, Place: "claims.sub_id.phone_number",
		Message: "the number is not in the form of E.164", Spec: "RFC 9493, Section 3.2.5", Remedy: rules["sub_id.invalid"].Remedy,
	})
}

// sameShape reports whether both are base64url of the same length.
func sameShape(a, b string) bool {
	_, err := b64url.DecodeString(a)
	return err == nil && len(a) == len(b)
}

// metadata looks at that of an entity statement: null values, and forms of OpenID4VCI that are gone.
func (s *subject) metadata() {
	var types map[string]map[string]json.RawMessage
	s.read("metadata", &types)
	for _, kind := range sorted(types) {
		members := types[kind]
		for _, name := range sorted(members) {
			if bytes.Equal(bytes.TrimSpace(members[name]), []byte("null")) {
				s.find("lint.metadata_null", Error, "claims.metadata."+kind+"."+name, name)
			}
		}
		if kind != "openid_credential_issuer" {
			continue
		}
		var credentials map[string]struct {
			Format string `json:"format"`
		}
		_ = json.Unmarshal(members["credential_configurations_supported"], &credentials) // may be absent
		for _, name := range sorted(credentials) {
			if credentials[name].Format == "vc+sd-jwt" {
				s.find("lint.vc_sd_jwt", Warning, "claims.metadata."+kind+".credential_configurations_supported."+name, "")
			}
		}
		if raw := members["nonce_endpoint"]; raw == nil || string(raw) == "null" {
			s.find("lint.no_nonce_endpoint", Warning, "claims.metadata."+kind, "")
		}
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// encrypted looks at the header of a JWE, which is all that can be seen of it.
func (s *subject) encrypted() {
	for _, p := range s.t.Problems {
		s.refuse(Finding{Rule: p.Code, Place: p.Where, Message: p.Detail})
	}
	alg := s.t.HeaderString("alg")
	a, _ := jwa.Lookup(alg)
	switch {
	case alg == "": // in JSON it may be a recipient's
		if s.t.Form == unverified.Encrypted {
			s.refuse(Finding{Rule: "alg.missing", Place: "header.alg"})
		}
	case a.Use() != "enc": // or none at all
		s.refuse(Finding{Rule: "alg.unknown", Place: "header.alg"})
	case a.Deprecated():
		s.find("lint.rsa1_5", Warning, "header.alg", "")
	}
	enc := s.t.HeaderString("enc")
	if _, ok := jwa.LookupEncryption(enc); enc != "" && !ok {
		s.refuse(Finding{Rule: "enc.unknown", Place: "header.enc"})
	}
	if zip := s.t.HeaderMember("zip"); zip != nil {
		if string(zip) != `"DEF"` {
			s.refuse(Finding{Rule: "zip.unknown", Place: "header.zip"})
		}
		s.find("lint.zip", Note, "header.zip", "")
	}
	s.header()
	s.keysInside()
}

// stuck looks at what follows the token in its text: the next parameter of a URL, where the token is none itself.
func (s *subject) stuck() {
	if s.after == "" || strings.HasSuffix(s.before, "=") || !strings.ContainsRune("&=?#%+/", rune(s.after[0])) {
		return
	}
	end := strings.IndexAny(s.after, " \t\r\n\"'<>")
	if end < 0 {
		end = len(s.after)
	}
	s.find("lint.stuck", Note, "token", s.after[:min(end, 32)])
}
