package lint_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/idtoken"
)

const (
	now  = profiletest.Now
	op   = "https://op.example"
	here = "https://here.example"
)

type (
	claims = profiletest.Claims
	object = map[string]any
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// found writes findings as rule@place, with a mark for the severity: ! an error, ? a warning, nothing for a note.
func found(r lint.Report, notes bool) []string {
	var out []string
	for _, f := range r.Findings {
		mark := map[lint.Severity]string{lint.Error: "!", lint.Warning: "?"}[f.Severity]
		if mark != "" || notes {
			out = append(out, mark+f.Rule+"@"+f.Place)
		}
	}
	return out
}

// at is the time of the tests, for what would have expired.
var at = lint.Options{Now: profiletest.Clock()}

func look(t testing.TB, raw string, o lint.Options) lint.Report {
	t.Helper()
	tok, err := unverified.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	r := lint.Lint(tok, o)
	check(t, r)
	return r
}

// check holds a report to what is true of all.
func check(t testing.TB, r lint.Report) {
	t.Helper()
	if r.Findings == nil {
		t.Error("no list of findings")
	}
	for _, f := range r.Findings {
		if f.Rule == "policy.invalid" || strings.HasSuffix(f.Message, ": ") || f.Rule == "" || f.Place == "" || f.Message == "" || strings.Contains(f.Message+f.Remedy, "%s") {
			t.Errorf("%+v", f)
		}
		if f.Spec == "" && f.Rule != "token.too_large" && f.Rule != "token.encoding" && !strings.HasPrefix(f.Rule, "json.") {
			t.Errorf("%s has no source", f.Rule)
		}
		if f.Severity == lint.Warning && f.Remedy == "" {
			t.Errorf("%s is a warning without a remedy", f.Rule)
		}
	}
	for _, v := range []lint.Verdict{r.Strict, r.Legacy} {
		if r.Verifier != "" && v.Accepts != (len(v.Codes) == 0) {
			t.Errorf("%+v", v)
		}
	}
	if r.Strict.Accepts && !r.Legacy.Accepts || len(r.Strict.Options) > 0 {
		t.Errorf("strict %+v, legacy %+v", r.Strict, r.Legacy)
	}
	for _, in := range r.Inside {
		check(t, in)
	}
}

// TestSeeds lints every token of the collected real texts: the kind is right, each rule that is older than today's is found, and
// none is invented.
func TestSeeds(t *testing.T) {
	const (
		attestationLegacy = "attestation.Policy.Legacy"
		weak              = "!key.weak@signature"
	)
	type want struct{ kind, findings, option string }
	plain := want{"jwt", weak + " ?exp.missing@claims.exp lint.unbound@claims.iss lint.unbound@claims.aud", "jwt.Policy.OptionalExpiry"}
	attested := want{"client-attestation", "?iss.unexpected@claims.iss lint.expired@claims.exp", attestationLegacy}
	pop := want{"client-attestation-pop", "?iss.unexpected@claims.iss ?exp.unexpected@claims.exp lint.expired@claims.exp", attestationLegacy}
	expired := func(kind string) want { return want{kind, "lint.expired@claims.exp", ""} }
	assertion := want{"client-assertion", "lint.typ_missing@header.typ lint.expired@claims.exp", ""}
	for file, wanted := range map[string][]want{
		"000_c86aab274fe4510e.txt": {plain, plain},
		"002_b47a9bcb169ff5a1.txt": {plain},
		"004_c3b52057abb3158f.txt": {
			{"id-token", "lint.expired@claims.exp lint.stuck@token", ""},
			{"request-object", "?typ.mismatch@header.typ", "jar.Policy.LegacyUntyped"},
			expired("ciba-request"),
			assertion,
			expired("ciba-request"),
			{"login-hint-token", "?sub_id.unknown_format@claims.sub_id lint.unbound@claims.iss lint.unbound@claims.aud", "ciba.HintPolicy.LegacySubjectIDs"},
			expired("jarm"), expired("jarm"),
			assertion,
			attested, pop, attested, pop,
			{"dpop-proof", "", ""},
			{"dpop-proof", "", ""},
			{"userinfo", "?kind.mismatch@claims.exp lint.expired@claims.exp", "userinfo.Policy.AllowExpiry"},
			{"introspection", "", ""},
			{"introspection", "", ""},
			{"access-token", "?aud.missing@claims.aud lint.expired@claims.exp", `accesstoken.Lenient{Clients: []string{"9055509671"}}`},
			{"entity-statement", strings.Repeat("!lint.metadata_null@claims.metadata.openid_provider.* ", 13) +
				"?lint.vc_sd_jwt@claims.metadata.openid_credential_issuer.* ?lint.no_nonce_endpoint@claims.metadata.openid_credential_issuer lint.expired@claims.exp", ""},
			{"sd-jwt-vc", "", ""},
			{"key-proof", "", ""},
			{"security-event", "?sub_id.unknown_format@claims.sub_id ?json.type@claims.txn ?sub_id.invalid@claims.sub_id.phone_number", "secevent.Policy.LegacyDrafts"},
		},
	} {
		b, err := os.ReadFile(filepath.Join(testvectors.Seeds(t), file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		list := unverified.Find(text)
		if len(list) != len(wanted) {
			t.Fatalf("%s: %d tokens", file, len(list))
		}
		for i, f := range list {
			r := lint.Lint(f.Token, lint.Options{Before: text[max(0, f.Start-80):f.Start], After: text[f.End:min(len(text), f.End+80)]})
			check(t, r)
			var got []string
			for _, s := range found(r, true) {
				for _, p := range []string{"claims.metadata.openid_provider.", "claims.metadata.openid_credential_issuer."} {
					if before, _, ok := strings.Cut(s, p); ok {
						s = before + p + "*"
					}
				}
				got = append(got, s)
			}
			w := wanted[i]
			if string(r.Kind) != w.kind || strings.Join(got, " ") != strings.TrimSpace(w.findings) || strings.Join(r.Legacy.Options, " ") != w.option {
				t.Errorf("%s, token %d: %s %v %v, want %+v", file, i+1, r.Kind, got, r.Legacy.Options, w)
			}
			if hasError := slices.ContainsFunc(r.Findings, func(f lint.Finding) bool { return f.Severity == lint.Error && !strings.HasPrefix(f.Rule, "lint.") }); r.Legacy.Accepts == hasError {
				t.Errorf("%s, token %d: %+v", file, i+1, r.Legacy)
			}
		}
	}
}

// TestProviders lints the tokens of eight providers: they are accepted strictly, or with the one option that is named, and that option
// is what the verifier wants.
func TestProviders(t *testing.T) {
	for _, p := range profiletest.Providers() {
		t.Run(p.Kind+" of "+p.Name, func(t *testing.T) {
			r := look(t, p.Sign(t, profiletest.Key(t)), at)
			var options []string
			if p.Option != "" {
				options = []string{p.Option}
			}
			if string(r.Kind) != p.Kind || !r.Legacy.Accepts || !slices.Equal(r.Legacy.Options, options) || r.Strict.Accepts != (p.Option == "") || r.Count(lint.Error) > 0 {
				t.Errorf("%s: strict %+v, legacy %+v, %v", r.Kind, r.Strict, r.Legacy, found(r, true))
			}
			if p.Kind == "id-token" && len(r.Findings) > 0 {
				t.Errorf("%v", found(r, true))
			}
		})
	}
}

// base are claims that all kinds have, as far as their rules allow.
var base = claims{"iss": op, "sub": "alice", "aud": here, "iat": now, "exp": now + 60, "jti": "1"}

// samples are a valid token of each kind with a verifier, the typ that it has, and one case for each option.
var samples = []struct {
	kind, typ string
	claims    claims
}{
	{"id-token", "JWT", base.With("nonce", "n")},
	{"access-token", "at+jwt", base.With("client_id", "c1")},
	{"client-assertion", "client-authentication+jwt", base.With("sub", op)},
	{"authorization-grant", "authorization-grant+jwt", base},
	{"request-object", "oauth-authz-req+jwt", base.With("sub", nil, "client_id", op, "response_type", "code")},
	{"ciba-request", "", base.With("sub", nil, "nbf", now, "scope", "openid", "login_hint", "a")},
	{"login-hint-token", "", base.With("sub", nil, "sub_id", object{"format": "email", "email": "a@example.com"})},
	{"jarm", "", base.With("sub", nil, "code", "c", "state", "s")},
	{"client-attestation", "oauth-client-attestation+jwt", base.With("iss", nil, "cnf", object{"jwk": public})},
	{"client-attestation-pop", "oauth-client-attestation-pop+jwt", base.With("iss", nil, "sub", nil, "exp", nil)},
	{"userinfo", "", base.With("exp", nil, "email", "a@example.com")},
	{"introspection", "token-introspection+jwt", base.With("sub", nil, "exp", nil, "token_introspection", object{"active": true})},
	{"logout-token", "logout+jwt", base.With("events", object{"http://schemas.openid.net/event/backchannel-logout": object{}})},
	{"security-event", "secevent+jwt", base.With("sub", nil, "exp", nil, "sub_id", object{"format": "opaque", "id": "1"}, "events", object{"https://e.example": object{}})},
	{"atlassian-request", "JWT", base.With("aud", nil, "qsh", "0f")},
	{"jwt", "JWT", base.With("sub", nil)},
	{"key-proof", "openid4vci-proof+jwt", base},
	{"status-list", "statuslist+jwt", base.With("status_list", object{})},
}

var (
	private = must(jwk.Generate(jwa.ES256))
	public  = private.Public().JWK()
	secret  = must(jwk.GenerateSecret(jwa.HS256))
	leaked  = string(must(must(private.PrivateJWK()).MarshalPrivateJSON()))
)

func signer(kind string) jwk.Signer {
	if kind == "atlassian-request" {
		return secret
	}
	return private
}

func TestSamples(t *testing.T) {
	for _, s := range samples {
		r := look(t, s.claims.Sign(t, signer(s.kind), s.typ), at)
		if string(r.Kind) != s.kind || !r.Strict.Accepts || r.Count(lint.Error)+r.Count(lint.Warning) > 0 {
			t.Errorf("%s: %s, %+v, %v", s.kind, r.Kind, r.Strict, found(r, true))
		}
		// Without a claim, with one of the wrong type, and with the typ of another kind, nothing fails but by a rule.
		for name := range s.claims {
			for _, v := range []any{nil, 7, object{}} {
				look(t, s.claims.With(name, v).Sign(t, signer(s.kind), s.typ), lint.Options{Kind: lint.Kind(s.kind), Now: at.Now})
			}
		}
		for _, typ := range []string{"at+jwt", "", "JWT", "x", "a b", "ü"} {
			look(t, s.claims.Sign(t, signer(s.kind), typ), lint.Options{Kind: lint.Kind(s.kind), Now: at.Now})
		}
		for _, other := range lint.Kinds() {
			r := look(t, s.claims.Sign(t, signer(s.kind), s.typ), lint.Options{Kind: other, Now: at.Now})
			if r.Kind != other {
				t.Errorf("%s, not %s", r.Kind, other)
			}
		}
	}
}

// TestOptions breaks a rule that an option accepts: it is a warning that names the option, and the codes of the strict verdict are
// those of the verifier.
func TestOptions(t *testing.T) {
	events := object{"http://schemas.openid.net/event/backchannel-logout": object{}}
	for name, c := range map[string]struct {
		kind, typ     string
		change        []any
		want, options string
	}{
		"no exp":                     {"jwt", "JWT", []any{"exp", nil}, "?exp.missing@claims.exp", "jwt.Policy.OptionalExpiry"},
		"assertion, array":           {"client-assertion", "client-authentication+jwt", []any{"aud", []string{here}}, "?aud.not_sole@claims.aud", "clientauth.Policy.LegacyAudiences"},
		"assertion, two audiences":   {"client-assertion", "client-authentication+jwt", []any{"aud", []string{here, here + "/token"}}, "?aud.not_sole@claims.aud", "clientauth.Policy.LegacyAudiences"},
		"assertion, long":            {"client-assertion", "client-authentication+jwt", []any{"exp", now + 86400}, "?exp.lifetime@claims.exp", "clientauth.Policy.MaxLifetime of 24h0m0s"},
		"assertion, array and long":  {"client-assertion", "client-authentication+jwt", []any{"aud", []string{here}, "exp", now + 86400}, "?aud.not_sole@claims.aud ?exp.lifetime@claims.exp", "clientauth.Policy.LegacyAudiences clientauth.Policy.MaxLifetime of 24h0m0s"},
		"grant without jti":          {"authorization-grant", "authorization-grant+jwt", []any{"jti", nil}, "?jti.missing@claims.jti", "grant.Policy.Reusable"},
		"grant, self-issued":         {"authorization-grant", "JWT", []any{"sub", op}, "?kind.mismatch@claims.sub", "grant.Policy.SelfIssued"},
		"grant with scope":           {"authorization-grant", "JWT", []any{"scope", "a"}, "?kind.mismatch@claims.scope", "grant.Policy.LegacyScope"},
		"grant, long":                {"authorization-grant", "authorization-grant+jwt", []any{"exp", now + 7200}, "?exp.lifetime@claims.exp", "grant.Policy.MaxLifetime of 2h0m0s"},
		"grant of Bitbucket":         {"authorization-grant", "JWT", []any{"aud", nil, "jti", nil, "qsh", "x"}, "", ""},
		"request, untyped":           {"request-object", "", nil, "?typ.mismatch@header.typ", "jar.Policy.LegacyUntyped"},
		"CIBA, long":                 {"ciba-request", "", []any{"exp", now + 7200}, "?exp.lifetime@claims.exp", "ciba.Policy.MaxLifetime of 2h0m0s"},
		"hint of drafts":             {"login-hint-token", "", []any{"sub_id", object{"format": "phone", "phone": "+12065550100"}}, "?sub_id.unknown_format@claims.sub_id", "ciba.HintPolicy.LegacySubjectIDs"},
		"hint of another format":     {"login-hint-token", "", []any{"sub_id", object{"format": "x", "y": "z"}}, "?sub_id.unknown_format@claims.sub_id", `ciba.HintPolicy.Formats with "x"`},
		"JARM, long":                 {"jarm", "", []any{"exp", now + 3600}, "?exp.lifetime@claims.exp", "jarm.Policy.MaxLifetime of 1h0m0s"},
		"attestation of drafts":      {"client-attestation", "oauth-client-attestation+jwt", []any{"iss", op}, "?iss.unexpected@claims.iss", "attestation.Policy.Legacy"},
		"proof of drafts":            {"client-attestation-pop", "oauth-client-attestation-pop+jwt", []any{"iss", "c", "exp", now + 60}, "?iss.unexpected@claims.iss ?exp.unexpected@claims.exp", "attestation.Policy.Legacy"},
		"UserInfo with exp":          {"userinfo", "", []any{"exp", now + 60}, "?kind.mismatch@claims.exp", "userinfo.Policy.AllowExpiry"},
		"introspection with sub":     {"introspection", "token-introspection+jwt", []any{"sub", "a", "exp", now + 60}, "?kind.mismatch@claims.sub ?kind.mismatch@claims.exp", "introspection.Policy.LenientSubjectAndExpiry"},
		"logout, untyped":            {"logout-token", "JWT", []any{"events", events}, "?typ.mismatch@header.typ", "logout.Policy.LegacyUntyped"},
		"logout, no exp":             {"logout-token", "logout+jwt", []any{"exp", nil, "events", events}, "?exp.missing@claims.exp", "logout.Policy.LegacyNoExpiry"},
		"event, numeric txn":         {"security-event", "secevent+jwt", []any{"txn", 7}, "?json.type@claims.txn", "secevent.Policy.LegacyDrafts"},
		"event, untyped":             {"security-event", "", nil, "?typ.mismatch@header.typ", "secevent.Policy.LegacyUntyped"},
		"event, of another profile":  {"security-event", "secevent+jwt", []any{"exp", now + 60, "sub", "a"}, "?exp.forbidden@claims.exp ?sub.forbidden@claims.sub", "secevent.Policy.AnyProfile"},
		"event, of another format":   {"security-event", "secevent+jwt", []any{"sub_id", object{"format": "x", "y": "z"}}, "?sub_id.unknown_format@claims.sub_id", `secevent.Policy.Formats with "x"`},
		"request of HipChat":         {"atlassian-request", "JWT", []any{"qsh", nil}, "?claim.missing@claims.qsh", "atlassian.Expect.NoQueryHash"},
		"access token without claim": {"access-token", "at+jwt", []any{"jti", nil, "client_id", nil, "iat", nil, "sub", nil}, "?claim.missing@claims.sub ?iat.missing@claims.iat ?jti.missing@claims.jti ?claim.missing@claims.client_id", "accesstoken.Lenient{}"},
	} {
		i := slices.IndexFunc(samples, func(s struct {
			kind, typ string
			claims    claims
		},
		) bool {
			return s.kind == c.kind
		})
		r := look(t, samples[i].claims.With(c.change...).Sign(t, signer(c.kind), c.typ), lint.Options{Kind: lint.Kind(c.kind), Now: at.Now})
		if name == "grant of Bitbucket" {
			// Its sub is the client, and its iss the app.
			if !r.Legacy.Accepts || strings.Join(r.Legacy.Options, " ") != "grant.Policy.LegacyBitbucket" {
				t.Errorf("%s: %+v, %v", name, r.Legacy, found(r, true))
			}
			continue
		}
		got := strings.Join(found(r, false), " ")
		if sortWords(got) != sortWords(c.want) || strings.Join(r.Legacy.Options, " ") != c.options || r.Strict.Accepts || !r.Legacy.Accepts {
			t.Errorf("%s: %s, %+v; want %s, %s", name, got, r.Legacy, c.want, c.options)
		}
		for _, f := range r.Findings {
			if f.Severity == lint.Warning && !strings.Contains(f.Remedy, r.Legacy.Options[0]) && !strings.Contains(f.Remedy, r.Legacy.Options[len(r.Legacy.Options)-1]) {
				t.Errorf("%s: %s says %q", name, f.Rule, f.Remedy)
			}
		}
	}
}

func sortWords(s string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(s))), " ")
}

// TestVerdicts compares the verdicts with those of the verifiers themselves, given the key.
func TestVerdicts(t *testing.T) {
	ctx := context.Background()
	keys := jwk.Set{private.Public()}
	j := jwt.Policy{Clock: profiletest.Clock}
	ids := must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{op}, ClientID: here, JWT: j}))
	strict := must(accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{op}, Audiences: []string{here}, JWT: j}))
	lenient := must(accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{op}, Audiences: []string{here}, Lenient: &accesstoken.Lenient{}, JWT: j}))
	codes := func(err error) []string {
		if err == nil {
			return nil
		}
		return err.(*jwt.RejectError).Codes()
	}
	for _, typ := range []string{"", "JWT", "at+jwt", "dpop+jwt"} {
		for _, change := range [][]any{
			nil,
			{"exp", nil},
			{"iat", nil},
			{"jti", nil},
			{"sub", nil},
			{"sub", op},
			{"nonce", "n"},
			{"scope", "a"},
			{"client_id", "c"},
			{"client_id", 7},
			{"scope", []int{1}},
			{"events", object{}},
			{"cnf", object{}},
			{"nonce", 7},
			{"client_id", "c", "events", 1},
			{"aud", nil, "sub", nil},
		} {
			raw := base.With(change...).Sign(t, private, typ)
			r := look(t, raw, lint.Options{Kind: "id-token", Now: at.Now})
			x := idtoken.Expect{NoNonce: true}
			if n, ok := base.With(change...)["nonce"].(string); ok {
				x = idtoken.Expect{Nonce: n}
			}
			_, err := ids.Verify(ctx, raw, x)
			if !slices.Equal(r.Strict.Codes, codes(err)) {
				t.Errorf("id-token %s %v: %v, want %v", typ, change, r.Strict.Codes, codes(err))
			}
			r = look(t, raw, lint.Options{Kind: "access-token", Now: at.Now})
			_, err = strict.Verify(ctx, raw)
			if !slices.Equal(r.Strict.Codes, codes(err)) {
				t.Errorf("access-token %s %v: %v, want %v", typ, change, r.Strict.Codes, codes(err))
			}
			_, err = lenient.Verify(ctx, raw)
			if _, noAudience := base.With(change...)["aud"]; noAudience && r.Legacy.Accepts != (err == nil) {
				t.Errorf("access-token %s %v: %+v, want %v", typ, change, r.Legacy, codes(err))
			}
		}
	}
}

func compact(header, payload, signature string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(header)) + "." + enc([]byte(payload)) + "." + signature
}

// TestErrors breaks rules that no option accepts.
func TestErrors(t *testing.T) {
	body := string(must(json.Marshal(base)))
	sig := strings.Repeat("A", 86)
	good := base.Sign(t, private, "JWT")
	for name, c := range map[string]struct{ token, want string }{
		"none":                  {compact(`{"alg":"none"}`, body, ""), "!alg.none@header.alg"},
		"no alg":                {compact(`{}`, body, sig), "!alg.missing@header.alg"},
		"unknown alg":           {compact(`{"alg":"ES256K"}`, body, sig), "!alg.unknown@header.alg"},
		"alg of encryption":     {compact(`{"alg":"RSA-OAEP"}`, body, sig), "!alg.unknown@header.alg"},
		"header twice":          {compact(`{"alg":"ES256","alg":"ES256"}`, body, sig), "!json.duplicate@header"},
		"claims twice":          {compact(`{"alg":"ES256"}`, `{"iss":"a","iss":"b","exp":1}`, sig), "!json.duplicate@claims"},
		"crit":                  {compact(`{"alg":"ES256","crit":["x"],"x":1}`, body, sig), "!crit.unknown@header"},
		"padding":               {good + "==", "!token.encoding@signature"},
		"no signature":          {compact(`{"alg":"ES256"}`, body, ""), "!sig.invalid@signature"},
		"short RSA":             {compact(`{"alg":"RS256"}`, body, sig), "!sig.invalid@signature"},
		"DER":                   {compact(`{"alg":"ES256"}`, body, base64.RawURLEncoding.EncodeToString(append([]byte{0x30, 0x44}, make([]byte, 68)...))), "!sig.invalid@signature"},
		"JSON":                  {`{"protected":"` + strings.Split(good, ".")[0] + `","payload":"` + strings.Split(good, ".")[1] + `","signature":"` + sig + `"}`, "!token.malformed@token"},
		"private jwk":           {compact(`{"alg":"ES256","jwk":`+leaked+`}`, body, sig), "!lint.private_key@header.jwk !key.private@header.jwk"},
		"Graph":                 {compact(`{"alg":"ES256","nonce":"n","typ":"JWT"}`, body, sig), "!lint.graph_nonce@header.nonce"},
		"kid, path":             {compact(`{"alg":"ES256","kid":"../../etc/passwd"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid, SQL":              {compact(`{"alg":"ES256","kid":"x' UNION SELECT 'k"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid, command":          {compact(`{"alg":"ES256","kid":"k|whoami"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid, control":          {compact(`{"alg":"ES256","kid":"k\u0000"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid, delete":           {compact(`{"alg":"ES256","kid":"k\u007f"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid, long":             {compact(`{"alg":"ES256","kid":"`+strings.Repeat("k", 600)+`"}`, body, sig), "?lint.kid_injection@header.kid"},
		"kid of Cognito":        {compact(`{"alg":"ES256","kid":"1234example+/="}`, body, sig), ""},
		"kid, a URL":            {compact(`{"alg":"ES256","kid":"did:web:a.example#key-1"}`, body, sig), ""},
		"prefixed":              {"pk." + strings.Split(good, ".")[1] + "." + sig, "?lint.prefixed@token"},
		"never valid":           {base.With("exp", now-7200).Sign(t, private, "JWT"), "!exp.expired@claims.exp"},
		"ends before it begins": {base.With("nbf", now+600).Sign(t, private, "JWT"), "!nbf.order@claims.nbf !exp.expired@claims.exp"},
		"a string for a date":   {base.With("exp", "soon").Sign(t, private, "JWT"), "!json.type@claims.exp"},
		"cnf, private":          {base.With("client_id", "c", "cnf", object{"jwk": json.RawMessage(leaked)}).Sign(t, private, "at+jwt"), "!cnf.invalid@claims.cnf !lint.private_key@claims.cnf"},
		"at_hash, another hash": {base.With("nonce", "n", "at_hash", strings.Repeat("A", 32)).Sign(t, private, ""), "?at_hash.mismatch@claims.at_hash"},
		"at_hash, no base64url": {base.With("nonce", "n", "at_hash", strings.Repeat("+", 22)).Sign(t, private, ""), "?at_hash.mismatch@claims.at_hash"},
		"UserInfo, never valid": {base.With("exp", now-7200, "email", "e").Sign(t, private, ""), "!exp.expired@claims.exp"},
		"symmetric proof":       {base.With("iss", nil, "sub", nil, "exp", nil).Sign(t, secret, "oauth-client-attestation-pop+jwt"), "!alg.not_allowed@header.alg"},
		"at_hash":               {base.With("nonce", "n", "at_hash", "x").Sign(t, private, ""), "?at_hash.mismatch@claims.at_hash"},
		"CIBA, symmetric":       {base.With("sub", nil, "nbf", now, "scope", "openid", "login_hint", "a").Sign(t, secret, ""), "!alg.not_allowed@header.alg"},
		"CAEP, wrong":           {base.With("sub", nil, "exp", nil, "sub_id", object{"format": "opaque", "id": "1"}, "events", object{"https://schemas.openid.net/secevent/caep/event-type/token-claims-change": object{}}).Sign(t, private, "secevent+jwt"), "!events.invalid@claims.events"},
		"phone in letters":      {base.With("sub", nil, "sub_id", object{"format": "phone", "phone": "+1 206"}).Sign(t, private, ""), "?sub_id.unknown_format@claims.sub_id ?sub_id.invalid@claims.sub_id.phone_number"},
		"old vc":                {compact(`{"alg":"ES256","typ":"vc+sd-jwt"}`, `{"iss":"https://a","vct":"v"}`, sig) + "~", "?lint.vc_sd_jwt@header.typ"},
		"statement, its jwks":   {base.With("sub", op, "jwks", object{"keys": []any{json.RawMessage(leaked)}}).Sign(t, private, "entity-statement+jwt"), "!lint.private_key@claims.jwks"},
	} {
		t.Run(name, func(t *testing.T) {
			tok, err := unverified.Parse(c.token)
			if err != nil {
				t.Fatal(err)
			}
			r := lint.Lint(tok, at)
			if got := strings.Join(found(r, false), " "); sortWords(got) != sortWords(c.want) {
				t.Errorf("%s: %s, want %s", r.Kind, got, c.want)
			}
			if refused := strings.Contains(strings.NewReplacer("!lint.", "", "!events.", "").Replace(c.want), "!"); refused == r.Legacy.Accepts && r.Verifier != "" {
				t.Errorf("%+v", r.Legacy)
			}
			check(t, r)
		})
	}
}

func TestSamePlace(t *testing.T) {
	r := look(t, base.With("exp", now-7200).Sign(t, private, ""), lint.Options{Kind: "userinfo", Now: at.Now})
	if got := strings.Join(found(r, false), " "); got != "!exp.expired@claims.exp ?kind.mismatch@claims.exp" {
		t.Error(got)
	}
}

// TestProofs are tokens with the key in them, so that the signature can be checked.
func TestProofs(t *testing.T) {
	sign := func(key jwk.Signer, described any, c claims) string {
		h := object{"typ": "dpop+jwt", "alg": key.Algorithm().Name()}
		if described != nil {
			h["jwk"] = described
		}
		input := compact(string(must(json.Marshal(h))), string(must(json.Marshal(c))), "")
		input = strings.TrimSuffix(input, ".")
		return input + "." + base64.RawURLEncoding.EncodeToString(must(key.Sign(context.Background(), []byte(input))))
	}
	proof := claims{"jti": "1", "iat": now, "htm": "GET", "htu": here}
	other := must(jwk.Generate(jwa.ES256))
	for name, c := range map[string]struct{ token, want string }{
		"good":             {sign(private, public, proof), ""},
		"for a token":      {sign(private, public, proof.With("ath", strings.Repeat("A", 43))), ""},
		"for no token":     {sign(private, public, proof.With("ath", "x")), "!ath.mismatch@claims.ath"},
		"another key":      {sign(other, public, proof), "!sig.invalid@signature"},
		"no key":           {sign(private, nil, proof), "!key.none@header.jwk"},
		"the private key":  {sign(private, json.RawMessage(leaked), proof), "!key.private@header.jwk !lint.private_key@header.jwk"},
		"a secret":         {sign(secret, public, proof), "!alg.not_allowed@header.alg"},
		"a key of nothing": {sign(private, object{"kty": "EC"}, proof), "!key.unsupported@header.jwk"},
		"no htm":           {sign(private, public, proof.With("htm", nil)), "!claim.missing@claims.htm"},
		"no URL":           {sign(private, public, proof.With("htu", "x")), "!htu.mismatch@claims.htu"},
	} {
		r := look(t, c.token, at)
		if got := strings.Join(found(r, false), " "); sortWords(got) != sortWords(c.want) || r.Strict.Accepts != (c.want == "" || name == "for no token") {
			t.Errorf("%s: %s, %+v, want %s", name, got, r.Strict, c.want)
		}
	}
	// An entity configuration, by the key that it names.
	for _, c := range []struct {
		key  jwk.Signer
		want string
	}{{private, ""}, {other, "!sig.invalid@signature"}} {
		h := `{"typ":"entity-statement+jwt","alg":"ES256","kid":"` + private.KeyID() + `"}`
		input := strings.TrimSuffix(compact(h, string(must(json.Marshal(base.With("sub", op, "jwks", object{"keys": []any{public}})))), ""), ".")
		r := look(t, input+"."+base64.RawURLEncoding.EncodeToString(must(c.key.Sign(context.Background(), []byte(input)))), at)
		if got := strings.Join(found(r, false), " "); got != c.want {
			t.Errorf("entity configuration: %s, want %q", got, c.want)
		}
	}
}

// TestNotes are what is good to know of tokens that break no rule.
func TestNotes(t *testing.T) {
	sig := strings.Repeat("A", 86)
	body := string(must(json.Marshal(base)))
	for name, c := range map[string]struct {
		token, want string
		o           lint.Options
	}{
		"EdDSA":          {compact(`{"alg":"EdDSA","typ":"JWT"}`, body, sig), "lint.alg_deprecated@header.alg", at},
		"Ed25519":        {compact(`{"alg":"Ed25519","typ":"JWT"}`, body, sig), "", at},
		"jku":            {compact(`{"alg":"ES256","typ":"JWT","jku":"https://a","x5u":"https://b"}`, body, sig), "lint.url_ignored@header.jku lint.url_ignored@header.x5u", at},
		"jwk":            {compact(`{"alg":"ES256","typ":"JWT","jwk":`+string(must(public.MarshalJSON()))+`}`, body, sig), "lint.jwk_ignored@header.jwk", at},
		"expired":        {base.Sign(t, private, "JWT"), "lint.expired@claims.exp", lint.Options{Now: time.Unix(now+3600, 0)}},
		"not yet":        {base.With("nbf", now).Sign(t, private, "JWT"), "lint.not_yet_valid@claims.nbf lint.future@claims.iat", lint.Options{Now: time.Unix(now-3600, 0)}},
		"long":           {base.With("nonce", "n", "exp", now+1e7).Sign(t, private, "JWT"), "lint.lifetime@claims.exp", at},
		"untyped":        {base.With("sub", op).Sign(t, private, "JWT"), "lint.typ_missing@header.typ", at},
		"nobody":         {base.With("iss", nil, "aud", nil).Sign(t, private, "JWT"), "lint.unbound@claims.iss lint.unbound@claims.aud", at},
		"stuck":          {base.Sign(t, private, "JWT"), "lint.stuck@token", lint.Options{Now: at.Now, After: "&state=x more"}},
		"in a URL":       {base.Sign(t, private, "JWT"), "", lint.Options{Now: at.Now, Before: "https://a/?t=", After: "&state=x"}},
		"in a sentence":  {base.Sign(t, private, "JWT"), "", lint.Options{Now: at.Now, After: ", and"}},
		"by the clock":   {base.Sign(t, private, "JWT"), "lint.expired@claims.exp", lint.Options{}},
		"encrypted":      {compact5(`{"alg":"ECDH-ES","enc":"A256GCM","zip":"DEF"}`), "lint.zip@header.zip", at},
		"JWE":            {compact5(`{"alg":"dir","enc":"A256GCM"}`), "", at},
		"a context":      {base.With("aud", nil, "qsh", "context-qsh").Sign(t, secret, "JWT"), "", at},
		"two in a group": {base.With("nonce", "n", "aud", []string{here, op}).Sign(t, private, "JWT"), "", at},
	} {
		r := look(t, c.token, c.o)
		if got := strings.Join(found(r, true), " "); sortWords(got) != sortWords(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func compact5(header string) string {
	return compact(header, "", "") + strings.Repeat("A", 16) + ".AAAA." + strings.Repeat("A", 22)
}

func TestEncryptedHeaders(t *testing.T) {
	for header, want := range map[string]string{
		`{"alg":"RSA1_5","enc":"A256GCM"}`:              "?lint.rsa1_5@header.alg",
		`{"alg":"ES256","enc":"A256GCM"}`:               "!alg.unknown@header.alg",
		`{"alg":"x","enc":"A256GCM"}`:                   "!alg.unknown@header.alg",
		`{"enc":"A256GCM"}`:                             "!alg.missing@header.alg",
		`{"alg":"dir","enc":"A1"}`:                      "!enc.unknown@header.enc",
		`{"alg":"dir","enc":"A256GCM","zip":"GZ"}`:      "!zip.unknown@header.zip",
		`{"alg":"dir","enc":"A256GCM","enc":"A256GCM"}`: "!json.duplicate@header",
	} {
		r := look(t, compact5(header), at)
		if got := strings.Join(found(r, false), " "); got != want || r.Kind != "jwe" || r.Verifier != "" {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
}

// TestInside looks at the tokens in a token.
func TestInside(t *testing.T) {
	hint := claims{"sub_id": object{"format": "phone", "phone": "+1"}}.Sign(t, private, "")
	request := base.With("sub", nil, "nbf", now, "scope", "openid", "login_hint_token", hint, "id_token_hint", "eyJ.x.y")
	delete(request, "id_token_hint")
	r := look(t, request.Sign(t, private, ""), at)
	if len(r.Inside) != 1 || r.Inside[0].Place != "claims.login_hint_token" || r.Inside[0].Kind != "login-hint-token" || r.Count(lint.Warning) != 1 || r.Count(lint.Error) != 0 {
		t.Errorf("%+v", r)
	}
	nested := string(must(jws.Sign(context.Background(), private, jws.Header{ContentType: "JWT"}, []byte(hint))))
	r = look(t, nested, at)
	if len(r.Inside) != 1 || r.Inside[0].Place != "payload" {
		t.Errorf("%+v", r)
	}
	kb := claims{"iat": now, "aud": here, "nonce": "n", "sd_hash": "x"}.Sign(t, private, "kb+jwt")
	r = look(t, base.With("vct", "v").Sign(t, private, "dc+sd-jwt")+"~"+kb, at)
	if len(r.Inside) != 1 || r.Inside[0].Kind != "key-binding" || !r.Inside[0].Strict.Accepts || !r.Strict.Accepts {
		t.Errorf("%+v", r)
	}
	// Tokens in tokens without end, and very many of them.
	deep := hint
	for range 10 {
		deep = claims{"iss": "a", "login_hint_token": deep}.Sign(t, private, "")
	}
	depth := 0
	for r := look(t, deep, at); len(r.Inside) > 0; r = r.Inside[0] {
		depth++
	}
	wide := claims{}
	for i := range 100 {
		wide[strings.Repeat("x", i+1)] = hint
	}
	if r := look(t, wide.Sign(t, private, ""), at); depth != 4 || len(r.Inside) != 16 {
		t.Errorf("%d deep, %d wide", depth, len(r.Inside))
	}
}

// TestSecrets finds the secrets that everyone knows, and no others.
func TestSecrets(t *testing.T) {
	for secret, weak := range map[string]bool{"secret": true, "your-256-bit-secret": true, "a-string-secret-at-least-256-bits-long": true, "tr0ub4dor&3-not-in-any-list-of-secrets": false} {
		key := must(jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", []byte(secret)))
		r := look(t, base.Sign(t, key, "JWT"), at)
		if got := slices.Contains(found(r, false), "!key.weak@signature"); got != weak || r.Strict.Accepts == weak {
			t.Errorf("%s: %v", secret, got)
		}
		if b := string(must(json.Marshal(r))); strings.Contains(b, `"`+secret+`"`) {
			t.Error("the secret is in the report")
		}
	}
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range lint.Rules() {
		if seen[r.ID] || r.Text == "" || r.Spec == "" || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("%+v", r)
		}
		seen[r.ID] = true
	}
	if !seen["lint.stuck"] || !seen["kind.mismatch"] || seen["sig.invalid"] {
		t.Error("rules are missing, or too many")
	}
}

func FuzzLint(f *testing.F) {
	for _, s := range samples {
		f.Add(`{"alg":"ES256","typ":"`+s.typ+`"}`, string(must(json.Marshal(s.claims))), s.kind)
	}
	f.Add(`{"alg":"HS256","nonce":1,"jwk":{}}`, `{"cnf":{"jwk":{}},"metadata":{"a":null}}`, "jwt")
	f.Fuzz(func(t *testing.T, header, payload, kind string) {
		tok, err := unverified.Parse(compact(header, payload, strings.Repeat("A", 86)))
		if err != nil {
			return
		}
		check(t, lint.Lint(tok, at))
		if slices.Contains(lint.Kinds(), lint.Kind(kind)) {
			check(t, lint.Lint(tok, lint.Options{Kind: lint.Kind(kind), Now: at.Now}))
		}
	})
}
