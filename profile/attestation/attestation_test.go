package attestation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	sent = Expect{ClientID: "c1"}
)

// keys are those of an attester, of an instance, and of somebody else.
type keys struct{ attester, instance, other *jwk.PrivateKey }

func made(t testing.TB) keys {
	t.Helper()
	k := keys{attester: profiletest.Key(t)}
	var err error
	if k.instance, err = jwk.Generate(jwa.ES256); err != nil {
		t.Fatal(err)
	}
	if k.other, err = jwk.Generate(jwa.ES256); err != nil {
		t.Fatal(err)
	}
	return k
}

// description is a JWK as a claim has it.
func description(t testing.TB, k interface{ JWK() jwk.JWK }) map[string]any {
	t.Helper()
	b, err := json.Marshal(k.JWK())
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (k keys) attestation(t testing.TB) profiletest.Claims {
	return profiletest.Claims{
		"sub": "c1", "exp": now + 3600, "iat": now, "cnf": map[string]any{"jwk": description(t, k.instance)},
	}
}

var proof = profiletest.Claims{"aud": "https://as.example", "jti": "1", "iat": now}

func some() Policy {
	return Policy{
		Audience: "https://as.example", ClientIDs: []string{"c1"}, Replay: jwt.NewReplayCache(8),
		JWT: jwt.Policy{Clock: profiletest.Clock},
	}
}

func (k keys) verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{k.attester.Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// head is the header of a request; a token that is empty is not there.
func head(attested, proof string) http.Header {
	h := http.Header{}
	if attested != "" {
		h.Set(Header, attested)
	}
	if proof != "" {
		h.Set(PoPHeader, proof)
	}
	return h
}

func legacy(p *Policy) { p.Legacy = true }

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	k := made(t)
	private := map[string]any{}
	j, err := k.instance.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	b, err := j.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &private); err != nil {
		t.Fatal(err)
	}
	off := description(t, k.instance)
	off["x"] = off["y"]
	challenged := func(p *Policy) {
		p.Challenges, _ = NewChallenges(ChallengeOptions{Secrets: [][]byte{make([]byte, 32)}, Clock: profiletest.Clock})
	}
	p := some()
	challenged(&p)
	challenge, err := p.Challenges.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	encrypts := description(t, k.instance)
	encrypts["use"] = "enc"
	weak := map[string]any{"kty": "RSA", "e": "AQAB", "n": "4" + strings.Repeat("k", 169) + "E"}
	only := func(algs ...jwa.Algorithm) func(*Policy) { return func(p *Policy) { p.PoPAlgorithms = algs } }
	type list = []any
	for name, tc := range map[string]struct {
		attested, proof     list // changes
		typ, popTyp         string
		attester, possessor jwk.Signer
		policy              func(*Policy)
		expect              Expect
		want                []string
	}{
		"both":                       {},
		"without iat":                {attested: list{"iat", nil}},
		"an unknown claim":           {attested: list{"wallet_name", "w"}, proof: list{"x", 1}},
		"typ JWT":                    {typ: "JWT", want: []string{"typ.mismatch"}},
		"the typ of the proof":       {typ: PoPType, want: []string{"typ.mismatch"}},
		"without sub":                {attested: list{"sub", nil}, want: []string{"claim.missing"}},
		"another client's":           {attested: list{"sub", "c2"}, expect: Expect{NoClientID: true}, want: []string{"client_id.mismatch"}},
		"any client's":               {attested: list{"sub", "c2"}, expect: Expect{NoClientID: true}, policy: func(p *Policy) { p.ClientIDs, p.AnyClient = nil, true }},
		"client_id of another":       {attested: list{"sub", "c2"}, policy: func(p *Policy) { p.ClientIDs = []string{"c1", "c2"} }, want: []string{"client_id.mismatch"}},
		"without exp":                {attested: list{"exp", nil}, want: []string{"exp.missing"}},
		"expired":                    {attested: list{"exp", now - 61}, want: []string{"exp.expired"}},
		"too old":                    {attested: list{"iat", now - 3661}, policy: func(p *Policy) { p.JWT.MaxAge = time.Hour }, want: []string{"iat.too_old"}},
		"old enough":                 {attested: list{"iat", now - 3660}, policy: func(p *Policy) { p.JWT.MaxAge = time.Hour }},
		"without cnf":                {attested: list{"cnf", nil}, want: []string{"claim.missing"}},
		"cnf without jwk":            {attested: list{"cnf", map[string]any{"jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}}, want: []string{"cnf.invalid"}},
		"cnf with a private key":     {attested: list{"cnf", map[string]any{"jwk": private}}, want: []string{"cnf.invalid"}},
		"cnf with a secret":          {attested: list{"cnf", map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0"}}}, want: []string{"cnf.invalid"}},
		"cnf with no key":            {attested: list{"cnf", map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256"}}}, want: []string{"cnf.invalid"}},
		"cnf off the curve":          {attested: list{"cnf", map[string]any{"jwk": off}}, want: []string{"cnf.invalid"}},
		"proof: key of encryption":   {attested: list{"cnf", map[string]any{"jwk": encrypts}}, want: []string{"key.use"}},
		"proof: key too weak":        {attested: list{"cnf", map[string]any{"jwk": weak}}, want: []string{"key.weak"}},
		"iss":                        {attested: list{"iss", "https://attester.example"}, want: []string{"iss.unexpected"}},
		"iss, legacy":                {attested: list{"iss", "https://attester.example"}, policy: legacy},
		"a stranger's":               {attester: k.other, want: []string{"key.none"}},
		"a secret":                   {attester: profiletest.Secret(t), want: []string{"alg.not_allowed"}},
		"the instance's own":         {attester: k.instance, want: []string{"key.none"}},
		"proof: typ JWT":             {popTyp: "JWT", want: []string{"typ.mismatch"}},
		"proof: of a DPoP proof":     {popTyp: "dpop+jwt", want: []string{"typ.mismatch"}},
		"proof: without aud":         {proof: list{"aud", nil}, want: []string{"aud.missing"}},
		"proof: another server":      {proof: list{"aud", "https://other.example"}, want: []string{"aud.mismatch"}},
		"proof: the endpoint":        {proof: list{"aud", "https://as.example/token"}, want: []string{"aud.mismatch"}},
		"proof: two servers":         {proof: list{"aud", list{"https://as.example", "https://other.example"}}, want: []string{"aud.not_sole"}},
		"proof: an array of one":     {proof: list{"aud", list{"https://as.example"}}},
		"proof: without jti":         {proof: list{"jti", nil}, want: []string{"jti.missing"}},
		"proof: a jti of 256":        {proof: list{"jti", strings.Repeat("x", 256)}},
		"proof: a longer jti":        {proof: list{"jti", strings.Repeat("x", 257)}, want: []string{"jti.too_long"}},
		"proof: without iat":         {proof: list{"iat", nil}, want: []string{"iat.missing"}},
		"proof: a minute old":        {proof: list{"iat", now - 120}},
		"proof: older":               {proof: list{"iat", now - 121}, want: []string{"iat.too_old"}},
		"proof: older than MaxAge":   {proof: list{"iat", now - 11}, policy: func(p *Policy) { p.MaxAge, p.JWT.Leeway = 10*time.Second, jwt.NoLeeway }, want: []string{"iat.too_old"}},
		"proof: from the future":     {proof: list{"iat", now + 61}, want: []string{"iat.future"}},
		"proof: iss":                 {proof: list{"iss", "c1"}, want: []string{"iss.unexpected"}},
		"proof: exp":                 {proof: list{"exp", now + 60}, want: []string{"exp.unexpected"}},
		"proof: legacy":              {proof: list{"iss", "c1", "exp", now + 60}, policy: legacy},
		"proof: legacy, iss":         {proof: list{"iss", "c2", "exp", now + 60}, policy: legacy, want: []string{"sub.mismatch"}},
		"proof: legacy, no iss":      {proof: list{"exp", now + 60}, policy: legacy},
		"proof: legacy, old":         {proof: list{"iat", now - 121, "exp", now + 60}, policy: legacy, want: []string{"iat.too_old"}},
		"proof: legacy, no iat":      {proof: list{"iat", nil, "exp", now + 60}, policy: legacy},
		"proof: legacy, far exp":     {proof: list{"iat", nil, "exp", now + 3660}, policy: legacy},
		"proof: legacy, further exp": {proof: list{"iat", nil, "exp", now + 3661}, policy: legacy, want: []string{"exp.lifetime"}},
		"proof: legacy, expired":     {proof: list{"exp", now - 61}, policy: legacy, want: []string{"exp.expired"}},
		"proof: legacy, no time":     {proof: list{"iat", nil}, policy: legacy, want: []string{"iat.missing"}},
		"proof: a stranger's":        {possessor: k.other, want: []string{"sig.invalid"}},
		"proof: the attester's":      {possessor: k.attester, want: []string{"sig.invalid"}},
		"proof: a secret":            {possessor: profiletest.Secret(t), want: []string{"alg.not_allowed"}},
		"proof: not that algorithm":  {policy: only(jwa.ES384), want: []string{"alg.not_allowed"}},
		"proof: that algorithm":      {policy: only(jwa.ES384, jwa.ES256)},
		"challenge":                  {proof: list{"challenge", challenge}, policy: challenged},
		"no challenge":               {policy: challenged, want: []string{"challenge.missing"}},
		"another challenge":          {proof: list{"challenge", "A" + challenge[1:31] + "A"}, policy: challenged, want: []string{"challenge.mismatch"}},
		"a challenge, not asked for": {proof: list{"challenge", "x"}},
		"the session's":              {proof: list{"challenge", "x"}, expect: Expect{ClientID: "c1", Challenge: "x"}},
		"another session's":          {proof: list{"challenge", "y"}, expect: Expect{ClientID: "c1", Challenge: "x"}, want: []string{"challenge.mismatch"}},
		"not the session's":          {proof: list{"challenge", challenge}, policy: challenged, expect: Expect{ClientID: "c1", Challenge: "x"}, want: []string{"challenge.mismatch"}},
		"none of the session":        {expect: Expect{ClientID: "c1", Challenge: "x"}, want: []string{"challenge.missing"}},
		"nonce":                      {proof: list{"nonce", challenge}, policy: challenged, want: []string{"challenge.missing"}},
		"nonce, legacy":              {proof: list{"nonce", challenge}, policy: func(p *Policy) { challenged(p); legacy(p) }},
		"both, legacy":               {proof: list{"challenge", "x", "nonce", challenge}, policy: func(p *Policy) { challenged(p); legacy(p) }, want: []string{"challenge.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect == (Expect{}) {
				tc.expect = sent
			}
			if tc.attester == nil {
				tc.attester = k.attester
			}
			if tc.possessor == nil {
				tc.possessor = k.instance
			}
			if tc.typ == "" {
				tc.typ = Type
			}
			if tc.popTyp == "" {
				tc.popTyp = PoPType
			}
			h := head(k.attestation(t).With(tc.attested...).Sign(t, tc.attester, tc.typ), proof.With(tc.proof...).Sign(t, tc.possessor, tc.popTyp))
			c, err := k.verifier(t, p).Verify(ctx, h, tc.expect)
			profiletest.Want(t, err, tc.want...)
			if err != nil {
				if of := strings.HasPrefix(err.Error(), theProof); of != (strings.HasPrefix(name, "proof:") || strings.HasPrefix(tc.want[0], "challenge.")) {
					t.Errorf("the refusal is of the other token: %v", err)
				}
				return
			}
			thumbprint, err := k.instance.JWK().Thumbprint(5) // SHA-256
			if err != nil || c.Thumbprint != thumbprint || c.PoP == nil || c.Attestation.Subject == "" {
				t.Errorf("%+v", c)
			}
		})
	}
}

// Section 7.1, step 1; Section 7.2, step 1; Section 7.3, steps 1 and 2.
func TestHeaders(t *testing.T) {
	k := made(t)
	attested, pop := k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)
	thumbprint, err := k.instance.JWK().Thumbprint(5)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := k.other.JWK().Thumbprint(5)
	if err != nil {
		t.Fatal(err)
	}
	dpop := func(p *Policy) { p.DPoP = true }
	for name, tc := range map[string]struct {
		header     http.Header
		policy     func(*Policy)
		thumbprint string
		want       []string
	}{
		"both":                   {header: head(attested, pop)},
		"any case":               {header: func() http.Header { h := head("", pop); h.Set("oauth-CLIENT-attestation", attested); return h }()},
		"none":                   {header: head("", ""), want: []string{"attestation.missing", "pop.missing"}},
		"no attestation":         {header: head("", pop), want: []string{"attestation.missing"}},
		"no proof":               {header: head(attested, ""), want: []string{"pop.missing"}},
		"two attestations":       {header: http.Header{http.CanonicalHeaderKey(Header): {attested, attested}, http.CanonicalHeaderKey(PoPHeader): {pop}}, want: []string{"attestation.multiple"}},
		"two proofs":             {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, http.CanonicalHeaderKey(PoPHeader): {pop, pop}}, want: []string{"pop.multiple"}},
		"two in one":             {header: head(attested+", "+attested, pop), want: []string{"token.encrypted"}},
		"two proofs in one":      {header: head(attested, pop+","+pop), want: []string{"token.encrypted"}},
		"one for the other":      {header: head(pop, attested), want: []string{"typ.mismatch"}},
		"the attestation twice":  {header: head(attested, attested), want: []string{"typ.mismatch"}},
		"an empty proof":         {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, http.CanonicalHeaderKey(PoPHeader): {""}}, want: []string{"token.malformed"}},
		"an empty proof, DPoP":   {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, http.CanonicalHeaderKey(PoPHeader): {""}, "Dpop": {"p"}}, policy: dpop, thumbprint: thumbprint, want: []string{"token.malformed"}},
		"too long":               {header: head(attested, strings.Repeat("x", 16<<10+1)), want: []string{"token.too_large"}},
		"combined":               {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, "Dpop": {"p"}}, policy: dpop, thumbprint: thumbprint},
		"combined, not allowed":  {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, "Dpop": {"p"}}, thumbprint: thumbprint, want: []string{"pop.missing"}},
		"combined, not verified": {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, "Dpop": {"p"}}, policy: dpop, want: []string{"pop.missing"}},
		"combined, another key":  {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, "Dpop": {"p"}}, policy: dpop, thumbprint: stranger, want: []string{"cnf.mismatch"}},
		"combined, without":      {header: head(attested, ""), policy: dpop, thumbprint: thumbprint, want: []string{"dpop.missing"}},
		"combined, twice":        {header: http.Header{http.CanonicalHeaderKey(Header): {attested}, "Dpop": {"p", "p"}}, policy: dpop, thumbprint: thumbprint, want: []string{"dpop.multiple"}},
		"beside a DPoP proof":    {header: func() http.Header { h := head(attested, pop); h.Set("DPoP", "p"); return h }(), policy: dpop, thumbprint: stranger},
		"a proof, by a stranger": {header: head(attested, proof.Sign(t, k.other, PoPType)), policy: dpop, thumbprint: thumbprint, want: []string{"sig.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			c, err := k.verifier(t, p).Verify(ctx, tc.header, Expect{ClientID: "c1", Thumbprint: tc.thumbprint})
			profiletest.Want(t, err, tc.want...)
			if err == nil && (c.Thumbprint != thumbprint || (c.PoP == nil) != (name == "combined")) {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A proof is good once, one that is refused is not used up, and nobody uses up another's.
func TestReplay(t *testing.T) {
	k := made(t)
	v := k.verifier(t, some())
	h := head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType))
	_, err := v.Verify(ctx, h, Expect{ClientID: "c2"})
	profiletest.Want(t, err, "client_id.mismatch")
	// The same jti, of another instance.
	others := k.attestation(t).With("cnf", map[string]any{"jwk": description(t, k.other)}).Sign(t, k.attester, Type)
	_, err = v.Verify(ctx, head(others, proof.Sign(t, k.other, PoPType)), sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, h, sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, h, sent)
	profiletest.Want(t, err, "jti.replayed")
	// The attestation is good many times.
	h.Set(PoPHeader, proof.With("jti", "2").Sign(t, k.instance, PoPType))
	_, err = v.Verify(ctx, h, sent)
	profiletest.Want(t, err)
}

// remembers is a Replay that fails, or tells what it was asked.
type remembers struct {
	err    error
	issuer string
	id     string
	ttl    time.Duration
}

func (r *remembers) Seen(_ context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	r.issuer, r.id, r.ttl = issuer, id, ttl
	return false, r.err
}

func TestReplayOf(t *testing.T) {
	k := made(t)
	attested := k.attestation(t).Sign(t, k.attester, Type)
	for name, tc := range map[string]struct {
		change []any
		want   time.Duration
	}{
		"now":                  {nil, 2 * time.Minute},
		"a minute ago":         {[]any{"iat", now - 60}, time.Minute},
		"legacy":               {[]any{"exp", now + 30}, 2 * time.Minute},
		"legacy, with exp":     {[]any{"iat", nil, "exp", now + 30}, 90 * time.Second},
		"legacy, with far exp": {[]any{"iat", nil, "exp", now + 3660}, time.Hour + 2*time.Minute},
	} {
		r := &remembers{}
		p := some()
		p.Legacy, p.Replay = true, r
		c, err := k.verifier(t, p).Verify(ctx, head(attested, proof.With(tc.change...).Sign(t, k.instance, PoPType)), sent)
		profiletest.Want(t, err)
		if err == nil && (r.issuer != "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"+c.Thumbprint || r.id != "1" || r.ttl != tc.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// What fails is no refusal; what is full is one.
	down := errors.New("down")
	p := some()
	p.Replay = &remembers{err: down}
	h := head(attested, proof.Sign(t, k.instance, PoPType))
	if _, err := k.verifier(t, p).Verify(ctx, h, sent); err != down || Error(err) != nil {
		t.Error(err)
	}
	p.Replay = jwt.NewReplayCache(1)
	v := k.verifier(t, p)
	_, err := v.Verify(ctx, h, sent)
	profiletest.Want(t, err)
	h.Set(PoPHeader, proof.With("jti", "2").Sign(t, k.instance, PoPType))
	_, err = v.Verify(ctx, h, sent)
	profiletest.Want(t, err, "jti.full")
}

// fails are challenges of a store that is down.
type fails struct{ err error }

func (f fails) New(context.Context) (string, error)           { return "", f.err }
func (f fails) Accepts(context.Context, string) (bool, error) { return true, f.err }

func TestChallenges(t *testing.T) {
	k := made(t)
	p := some()
	down := errors.New("down")
	p.Challenges = fails{down}
	v := k.verifier(t, p)
	attested := k.attestation(t).Sign(t, k.attester, Type)
	if _, err := v.Verify(ctx, head(attested, proof.With("challenge", "x").Sign(t, k.instance, PoPType)), sent); err != down {
		t.Error(err)
	}
	if err := v.SetChallenge(ctx, http.Header{}); err != down {
		t.Error(err)
	}
	w := httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/challenge", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "server_error") || strings.Contains(w.Body.String(), "down") {
		t.Error(w.Code, w.Body)
	}

	// Without them there is no endpoint, and no header.
	v = k.verifier(t, some())
	w = httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/challenge", nil))
	h := http.Header{}
	if err := v.SetChallenge(ctx, h); err != nil || len(h) > 0 || w.Code != http.StatusNotFound {
		t.Error(err, h, w.Code)
	}

	var err error
	if p.Challenges, err = NewChallenges(ChallengeOptions{Clock: profiletest.Clock}); err != nil {
		t.Fatal(err)
	}
	v = k.verifier(t, p)
	w = httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/challenge", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Error(w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/challenge", nil))
	var r ChallengeResponse
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Error(err, w.Code, w.Header())
	}
	_, err = v.Verify(ctx, head(attested, proof.With("challenge", r.Challenge).Sign(t, k.instance, PoPType)), sent)
	profiletest.Want(t, err)

	if err := v.SetChallenge(ctx, h); err != nil || h.Get("Cache-Control") != "no-store" {
		t.Error(err, h)
	}
	_, err = v.Verify(ctx, head(attested, proof.With("challenge", h.Get(ChallengeHeader), "jti", "2").Sign(t, k.instance, PoPType)), sent)
	profiletest.Want(t, err)
	h = http.Header{"Cache-Control": {"private, no-store"}}
	if err := v.SetChallenge(ctx, h); err != nil || h.Get("Cache-Control") != "private, no-store" {
		t.Error(err, h)
	}
	if _, err := NewChallenges(ChallengeOptions{Secrets: [][]byte{make([]byte, 31)}}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
}

func TestError(t *testing.T) {
	k := made(t)
	p := some()
	p.Legacy = true
	var err error
	if p.Challenges, err = NewChallenges(ChallengeOptions{Clock: profiletest.Clock}); err != nil {
		t.Fatal(err)
	}
	challenge, err := p.Challenges.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.JWT.MaxAge = time.Hour
	good := k.attestation(t).Sign(t, k.attester, Type)
	fresh := proof.With("challenge", challenge)
	for name, tc := range map[string]struct {
		header http.Header
		want   string
		status int
	}{
		"no attestation":           {head("", ""), oauth.InvalidClient, 401},
		"no proof":                 {head(good, ""), oauth.InvalidClientAttestation, 400},
		"no challenge":             {head(good, proof.Sign(t, k.instance, PoPType)), oauth.UseAttestationChallenge, 400},
		"another challenge":        {head(good, proof.With("challenge", "x").Sign(t, k.instance, PoPType)), oauth.UseAttestationChallenge, 400},
		"another challenge, old":   {head(good, proof.With("challenge", "x", "iat", now-1000).Sign(t, k.instance, PoPType)), oauth.InvalidClientAttestation, 400},
		"expired":                  {head(k.attestation(t).With("exp", now-100).Sign(t, k.attester, Type), fresh.Sign(t, k.instance, PoPType)), oauth.UseFreshAttestation, 400},
		"old":                      {head(k.attestation(t).With("iat", now-10000).Sign(t, k.attester, Type), fresh.Sign(t, k.instance, PoPType)), oauth.UseFreshAttestation, 400},
		"expired, another client":  {head(k.attestation(t).With("exp", now-100, "sub", "c2").Sign(t, k.attester, Type), fresh.Sign(t, k.instance, PoPType)), oauth.InvalidClientAttestation, 400},
		"the proof is old":         {head(good, fresh.With("iat", now-1000).Sign(t, k.instance, PoPType)), oauth.InvalidClientAttestation, 400},
		"the proof, of a stranger": {head(good, fresh.Sign(t, k.other, PoPType)), oauth.InvalidClientAttestation, 400},
	} {
		_, err := k.verifier(t, p).Verify(ctx, tc.header, sent)
		if e := Error(err); e == nil || e.Code != tc.want || e.HTTPStatus() != tc.status || !errors.Is(e, err) {
			t.Errorf("%s: %v", name, e)
		}
	}
	if e := Error(nil); e != nil {
		t.Error(e)
	}
}

// broken is a source of keys that cannot look.
type broken struct{ err error }

func (b broken) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) { return nil, b.err }

// A source that fails is no refusal.
func TestSource(t *testing.T) {
	k := made(t)
	down := errors.New("down")
	v, err := NewVerifier(broken{down}, some())
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)), sent)
	if err != down || Error(err) != nil {
		t.Error(err)
	}
	// Of the proof's key, the policy has refused other algorithms before it is asked for.
	if _, err := (instanceKeys{jwa.ES256}).Keys(ctx, jwk.Query{Algorithm: "ES384"}); err != jwt.ErrAlgorithm {
		t.Error(err)
	}
}

// attesters finds the keys of the attesters of a client.
type attesters map[string]jwk.Set

func (a attesters) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return a[q.Selector].Keys(ctx, q)
}

// The attester of one client does not speak for another.
func TestAnyClient(t *testing.T) {
	k := made(t)
	p := some()
	p.ClientIDs, p.AnyClient = nil, true
	for _, selector := range []string{"", "sub"} {
		p.JWT.Selector, p.Replay = selector, jwt.NewReplayCache(8)
		v, err := NewVerifier(attesters{"c1": {k.attester.Public()}, "c2": {k.other.Public()}}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)), sent)
		profiletest.Want(t, err)
		two := k.attestation(t).With("sub", "c2")
		_, err = v.Verify(ctx, head(two.Sign(t, k.other, Type), proof.With("jti", "2").Sign(t, k.instance, PoPType)), Expect{NoClientID: true})
		profiletest.Want(t, err)
		_, err = v.Verify(ctx, head(two.Sign(t, k.attester, Type), proof.With("jti", "3").Sign(t, k.instance, PoPType)), Expect{NoClientID: true})
		profiletest.Want(t, err, "key.none")
	}
	// Another selector is the caller's choice.
	p.JWT.Selector, p.Legacy, p.Replay = "iss", true, jwt.NewReplayCache(8)
	v, err := NewVerifier(attesters{"https://attester.example": {k.attester.Public()}}, p)
	if err != nil {
		t.Fatal(err)
	}
	raw := k.attestation(t).With("iss", "https://attester.example").Sign(t, k.attester, Type)
	_, err = v.Verify(ctx, head(raw, proof.Sign(t, k.instance, PoPType)), sent)
	profiletest.Want(t, err)
}

func TestIncomplete(t *testing.T) {
	k := made(t)
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"no audience":          {func(p *Policy) { p.Audience = "" }, "Audience"},
		"no client":            {func(p *Policy) { p.ClientIDs = nil }, "ClientIDs"},
		"a client and any":     {func(p *Policy) { p.AnyClient = true }, "ClientIDs"},
		"an empty client":      {func(p *Policy) { p.ClientIDs = []string{""} }, "empty"},
		"no replay":            {func(p *Policy) { p.Replay = nil }, "Replay"},
		"negative age":         {func(p *Policy) { p.MaxAge = -1 }, "MaxAge"},
		"replay of the other":  {func(p *Policy) { p.JWT.Replay = p.Replay }, "JWT.Replay"},
		"expired is good":      {func(p *Policy) { p.JWT.IgnoreExpiry = true }, "JWT.IgnoreExpiry"},
		"exp is optional":      {func(p *Policy) { p.JWT.OptionalExpiry = true }, "JWT.OptionalExpiry"},
		"encrypted":            {func(p *Policy) { p.JWT.Decryption = &jwt.Decryption{} }, "JWT.Decryption"},
		"a secret":             {func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.HS256} }, "symmetric"},
		"a secret of a proof":  {func(p *Policy) { p.PoPAlgorithms = []jwa.Algorithm{jwa.ES256, jwa.HS256} }, "symmetric"},
		"JWT.AnyIssuer":        {func(p *Policy) { p.JWT.AnyIssuer = true }, "JWT.AnyIssuer"},
		"a leeway of an hour":  {func(p *Policy) { p.JWT.Leeway = time.Hour }, "Leeway"},
		"a negative size":      {func(p *Policy) { p.JWT.MaxSize = -1 }, "negative limit"},
		"an unknown algorithm": {func(p *Policy) { p.PoPAlgorithms = []jwa.Algorithm{{}} }, ""},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(jwk.Set{k.attester.Public()}, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(nil, some()); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
	for _, x := range []Expect{{}, {ClientID: "c1", NoClientID: true}} {
		h := head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType))
		if _, err := k.verifier(t, some()).Verify(ctx, h, x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

func TestSign(t *testing.T) {
	k := made(t)
	public := k.instance.JWK()
	// By the clock of the system, as clients have it.
	r := jwt.Registered{Subject: "c1", Expiry: time.Now().Add(time.Hour)}
	c := Claims{Confirmation: &pop.Confirmation{JWK: &public}}
	attested, err := Sign(ctx, k.attester, r, c)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.JWT.Clock = nil
	h := http.Header{}
	if err := SetHeaders(ctx, h, attested, k.instance, "https://as.example", "x"); err != nil {
		t.Fatal(err)
	}
	got, err := k.verifier(t, p).Verify(ctx, h, Expect{ClientID: "c1", Challenge: "x"})
	profiletest.Want(t, err)
	if err == nil && (got.PoP.Claims.Challenge != "x" || len(got.PoP.ID) < 20 || got.PoP.IssuedAt.Nanosecond() != 0) {
		t.Errorf("%+v", got.PoP)
	}
	if err := SetHeaders(ctx, h, attested, profiletest.Secret(t), "https://as.example", ""); err == nil {
		t.Error("a proof with a secret")
	}
	// What is given stays.
	raw, err := SignPoP(ctx, k.instance, jwt.Registered{Audience: jwt.Audience{"https://as.example"}, ID: "7", IssuedAt: time.Unix(now, 0)}, PoPClaims{})
	if err != nil {
		t.Fatal(err)
	}
	h.Set(Header, k.attestation(t).Sign(t, k.attester, Type))
	h.Set(PoPHeader, raw)
	if got, err = k.verifier(t, some()).Verify(ctx, h, sent); err != nil || got.PoP.ID != "7" {
		t.Error(err)
	}

	private, err := k.instance.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	for claim, change := range map[string]func(*jwt.Registered, *Claims) jwk.Signer{
		"sub": func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Subject = ""; return k.attester },
		"exp": func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Expiry = time.Time{}; return k.attester },
		"iss": func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Issuer = "a"; return k.attester },
		"cnf": func(_ *jwt.Registered, c *Claims) jwk.Signer { c.Confirmation = nil; return k.attester },
		"alg": func(*jwt.Registered, *Claims) jwk.Signer { return profiletest.Secret(t) },
		"cnf ": func(_ *jwt.Registered, c *Claims) jwk.Signer {
			c.Confirmation = &pop.Confirmation{JWK: &private}
			return k.attester
		},
	} {
		r, c := r, c
		_, err := Sign(ctx, change(&r, &c), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != strings.TrimSpace(claim) {
			t.Errorf("%s: %v", claim, err)
		}
	}
	for claim, r := range map[string]jwt.Registered{
		"aud":  {},
		"aud ": {Audience: jwt.Audience{"a", "b"}},
		"iss":  {Audience: jwt.Audience{"a"}, Issuer: "c1"},
		"exp":  {Audience: jwt.Audience{"a"}, Expiry: time.Unix(now, 0)},
		"jti":  {Audience: jwt.Audience{"a"}, ID: strings.Repeat("x", 257)},
	} {
		_, err := SignPoP(ctx, k.instance, r, PoPClaims{})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != strings.TrimSpace(claim) {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// An RSA key has no algorithm of its own: it is that of the proof, if the policy has it.
func TestRSA(t *testing.T) {
	k := made(t)
	signer, err := jwk.Generate(jwa.PS256)
	if err != nil {
		t.Fatal(err)
	}
	key := description(t, signer)
	delete(key, "alg")
	h := head(k.attestation(t).With("cnf", map[string]any{"jwk": key}).Sign(t, k.attester, Type), proof.Sign(t, signer, PoPType))
	_, err = k.verifier(t, some()).Verify(ctx, h, sent)
	profiletest.Want(t, err)
	p := some()
	p.PoPAlgorithms = []jwa.Algorithm{jwa.RS256, jwa.ES256}
	_, err = k.verifier(t, p).Verify(ctx, h, sent)
	profiletest.Want(t, err, "alg.not_allowed")
	// One that has it keeps to it.
	key["alg"] = "RS256"
	h.Set(Header, k.attestation(t).With("cnf", map[string]any{"jwk": key}).Sign(t, k.attester, Type))
	_, err = k.verifier(t, some()).Verify(ctx, h, sent)
	profiletest.Want(t, err, "alg.mismatch")
}

// A key that cannot be used is refused by a verifier that knows the header of the proof already, too.
func TestBadKeyLater(t *testing.T) {
	k := made(t)
	v := k.verifier(t, some())
	_, err := v.Verify(ctx, head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)), sent)
	profiletest.Want(t, err)
	key := description(t, k.instance)
	key["use"] = "enc"
	h := head(k.attestation(t).With("cnf", map[string]any{"jwk": key}).Sign(t, k.attester, Type), proof.With("jti", "2").Sign(t, k.instance, PoPType))
	_, err = v.Verify(ctx, h, sent)
	profiletest.Want(t, err, "key.use")
}

// EdDSA and Ed25519 are two names of one algorithm (RFC 9864): the key may have either, and the proof the other.
func TestEd25519(t *testing.T) {
	k := made(t)
	for _, alg := range []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519} {
		signer, err := jwk.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []any{"EdDSA", "Ed25519", nil} {
			key := description(t, signer)
			if key["alg"] = name; name == nil {
				delete(key, "alg")
			}
			h := head(k.attestation(t).With("cnf", map[string]any{"jwk": key}).Sign(t, k.attester, Type), proof.Sign(t, signer, PoPType))
			_, err = k.verifier(t, some()).Verify(ctx, h, sent)
			profiletest.Want(t, err)
		}
	}
}

// The attestation and the proof of the collected texts, made anew with keys of ours: of draft -04, which is refused by
// default for what draft -08 has removed, and for nothing else.
func TestSeeds(t *testing.T) {
	k := made(t)
	attested := profiletest.Claims{
		"iss": "https://attester.example.com", "sub": "track2_full", "iat": 1732246776, "exp": 1732333176,
		"cnf": map[string]any{"jwk": description(t, k.instance)},
	}
	proof := profiletest.Claims{"iss": "track2_full", "iat": 1732246778, "exp": 1732333178, "jti": "790NHIoCzfNvXkc8", "aud": "https://trial.authlete.net"}
	p := Policy{
		Audience: "https://trial.authlete.net", ClientIDs: []string{"track2_full"}, Replay: jwt.NewReplayCache(8), Legacy: true,
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1732246780, 0) }},
	}
	x := Expect{ClientID: "track2_full"}
	h := head(attested.Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType))
	_, err := k.verifier(t, p).Verify(ctx, h, x)
	profiletest.Want(t, err)

	p.Legacy, p.Replay = false, jwt.NewReplayCache(8)
	v := k.verifier(t, p)
	_, err = v.Verify(ctx, h, x)
	profiletest.Want(t, err, "iss.unexpected")
	h.Set(Header, attested.With("iss", nil).Sign(t, k.attester, Type))
	_, err = v.Verify(ctx, h, x)
	profiletest.Want(t, err, "iss.unexpected", "exp.unexpected")
	h.Set(PoPHeader, proof.With("iss", nil, "exp", nil).Sign(t, k.instance, PoPType))
	_, err = v.Verify(ctx, h, x)
	profiletest.Want(t, err)
}

// The examples of the draft, whose keys are published with it.
func TestDraft(t *testing.T) {
	attested := strings.Join([]string{
		"eyJ0eXAiOiJvYXV0aC1jbGllbnQtYXR0ZXN0YXRpb24rand0IiwiYWxnIjoiRVMyNTYiLCJraWQiOiIxMSJ9",
		"eyJzdWIiOiJodHRwczovL2NsaWVudC5leGFtcGxlLmNvbSIsImlhdCI6MTc3MjQ4NzU5NSwiZXhwIjoyNTI5ODY2Mzk0LCJjbmYiOnsiandrIjp7Imt0eSI6IkVDIiwidXNlIjoic2lnIiwiY3J2IjoiUC0yNTYiLCJ4IjoiVmNLVk5CWjRJYUJBWVczanhNNHczVEpGVkE3bXllVUdReUd0LWdfeXZwUSIsInkiOiJmLUUtaFlFM1RBV0t3aFZ2OXBlajlOQUJzOVNYOVhzTk84MHg1N2pGVHlVIn19fQ",
		"_TS4d-LAnRlwdN97wiVnl4z7C9gvm45IWr-BvGTzeZaHtZtgNZ88gvzroU3LElUPbgF4kWi_DFORnKzsx5yu6A",
	}, ".")
	proof := strings.Join([]string{
		"eyJ0eXAiOiJvYXV0aC1jbGllbnQtYXR0ZXN0YXRpb24tcG9wK2p3dCIsImFsZyI6IkVTMjU2In0",
		"eyJhdWQiOiJodHRwczovL2FzLmV4YW1wbGUuY29tIiwianRpIjoiZDI1ZDAwYWItNTUyYi00NmZjLWFlMTktOThmNDQwZjI1MDY0IiwiaWF0IjoxNzcyNDg3NTk1LCJjaGFsbGVuZ2UiOiI1YzFhOWUxMC0yOWZmLTRjMmItYWU3My01N2MwOTU3YzA5YzQifQ",
		"M4Uc4rWVAqaLlmDDUXQKkKPbAQKj0JrTizLgWhZndmbkvM3VL8y-w_QJr7Z0HZlH94E64cLa8L5fSjJItYv0jg",
	}, ".")
	j, err := jwk.ParsePEM([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := j.PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(jwk.Set{key}, Policy{
		Audience: "https://as.example.com", AnyClient: true, Replay: jwt.NewReplayCache(8),
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1772487600, 0) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Verify(ctx, head(attested, proof), Expect{ClientID: "https://client.example.com", Challenge: "5c1a9e10-29ff-4c2b-ae73-57c0957c09c4"})
	profiletest.Want(t, err)
	if err == nil && c.PoP.ID != "d25d00ab-552b-46fc-ae19-98f440f25064" {
		t.Error(c.PoP.ID)
	}
}

// What an attacker who has seen a request, or is a client himself, can try.
func TestAttacks(t *testing.T) {
	k := made(t)
	attested := k.attestation(t).Sign(t, k.attester, Type)
	for name, tc := range map[string]struct {
		header http.Header
		want   string
	}{
		"M3_proof_in_place_of_attestation": {head(proof.Sign(t, k.instance, PoPType), proof.Sign(t, k.instance, PoPType)), "typ.mismatch"},
		"M4_seen_attestation_with_own_key": {head(attested, proof.Sign(t, k.other, PoPType)), "sig.invalid"},
		"M4_key_in_the_header_of_proof":    {head(attested, withKey(t, k.other)), "sig.invalid"},
		"M8_own_attestation_as_an_other":   {head(k.attestation(t).With("sub", "c2").Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)), "client_id.mismatch"},
		"M8_attests_itself":                {head(k.attestation(t).Sign(t, k.instance, Type), proof.Sign(t, k.instance, PoPType)), "key.none"},
		"M2_proof_for_another_server":      {head(attested, proof.With("aud", "https://evil.example").Sign(t, k.instance, PoPType)), "aud.mismatch"},
		"M2_proof_for_another_server_too":  {head(attested, proof.With("aud", []string{"https://evil.example", "https://as.example"}).Sign(t, k.instance, PoPType)), "aud.not_sole"},
		"F8_aud_empty":                     {head(attested, proof.With("aud", "").Sign(t, k.instance, PoPType)), "aud.mismatch"},
		"F10_aud_slash":                    {head(attested, proof.With("aud", "https://as.example/").Sign(t, k.instance, PoPType)), "aud.mismatch"},
		"F13_jti_a_number":                 {head(attested, proof.With("jti", 1).Sign(t, k.instance, PoPType)), "json.type"},
		"F16_exp_at_the_moment":            {head(k.attestation(t).With("exp", now-60).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType)), "exp.expired"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.verifier(t, some()).Verify(ctx, tc.header, sent)
			profiletest.Want(t, err, tc.want)
		})
	}
}

// withKey is a proof that brings its own key.
func withKey(t *testing.T, key *jwk.PrivateKey) string {
	t.Helper()
	public := key.JWK()
	raw, err := jwt.Sign(ctx, key, jwt.Header{Type: PoPType, JWK: &public}, jwt.Registered{
		Audience: jwt.Audience{"https://as.example"}, ID: "1", IssuedAt: time.Unix(now, 0),
	}, struct{}{}, jwt.AllowMissingExpiry)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzHeaders gives any two headers.
func FuzzHeaders(f *testing.F) {
	k := made(f)
	v := k.verifier(f, some())
	attested := k.attestation(f).Sign(f, k.attester, Type)
	f.Add(attested, proof.Sign(f, k.instance, PoPType))
	f.Add("", "a.b.c")
	f.Fuzz(func(t *testing.T, a, p string) {
		for _, h := range []http.Header{head(a, p), head(attested, p)} {
			if _, err := v.Verify(ctx, h, sent); err != nil && Error(err) == nil {
				t.Errorf("no refusal: %v", err)
			}
		}
	})
}

// The two tokens, the key of the second, and what the request is held to.
func TestAllocations(t *testing.T) {
	k := made(t)
	p := some()
	p.Replay = &remembers{}
	v := k.verifier(t, p)
	h := head(k.attestation(t).Sign(t, k.attester, Type), proof.Sign(t, k.instance, PoPType))
	profiletest.Ceiling(t, 56, func() { _, _ = v.Verify(ctx, h, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifiers of the same claims, of which the second here has the key
// that it otherwise has to make of the attestation.
func BenchmarkVerify(b *testing.B) {
	k := made(b)
	p := some()
	p.Replay = &remembers{}
	v := k.verifier(b, p)
	attested, raw := k.attestation(b).Sign(b, k.attester, Type), proof.Sign(b, k.instance, PoPType)
	h := head(attested, raw)
	first, err := jwt.NewVerifier[Claims](jwk.Set{k.attester.Public()}, jwt.Policy{AnyIssuer: true, AnyAudience: true, Type: Type, Clock: profiletest.Clock})
	if err != nil {
		b.Fatal(err)
	}
	second, err := jwt.NewVerifier[PoPClaims](jwk.Set{k.instance.Public()}, jwt.Policy{
		AnyIssuer: true, Audiences: []string{p.Audience}, Type: PoPType, OptionalExpiry: true, MaxAge: time.Minute, Clock: profiletest.Clock,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := first.Verify(ctx, attested); err != nil {
				b.Fatal(err)
			}
			if _, err := second.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		key := k.instance.JWK()
		for b.Loop() {
			if _, err := key.PublicKey(jwk.Binding{}); err != nil {
				b.Fatal(err)
			}
			if _, err := key.Thumbprint(5); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, h, sent); err != nil {
				b.Fatal(err)
			}
		}
	})
}
