package subjectid

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/testvectors"
)

// Each case is accepted as it stands, or refused with one code and for one reason.
func TestFormats(t *testing.T) {
	const invalid, unknown = "sub_id.invalid", "sub_id.unknown_format"
	many := func(one string, n int) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	for _, tc := range []struct {
		json, code, why string // why is in the error
	}{
		{`{"format":"account","uri":"acct:example.user@service.example.com"}`, "", ""},
		{`{"format":"account","uri":"ACCT:a@b"}`, "", ""},
		{`{"format":"account","uri":"acct:b"}`, invalid, "uri"},
		{`{"format":"account","uri":"acct:@b"}`, invalid, "uri"},
		{`{"format":"account","uri":"acct:a@"}`, invalid, "uri"},
		{`{"format":"account","uri":"acct:a@b@c"}`, invalid, "uri"},
		{`{"format":"account","uri":"mailto:a@b"}`, invalid, "uri"},
		{`{"format":"account","uri":"acct:a b@c"}`, invalid, "uri"},
		{`{"format":"email","email":"user@example.com"}`, "", ""},
		{`{"format":"email","email":"\"a b\"@example.com"}`, "", ""},
		{`{"format":"email","email":"user@[192.0.2.1]"}`, "", ""},
		{`{"format":"email","email":"user@[IPv6:2001:db8::1]"}`, "", ""},
		{`{"format":"email","email":"ユーザー@例.example"}`, "", ""},
		{`{"format":"email","email":"` + strings.Repeat("a", 64) + `@b"}`, "", ""},
		{`{"format":"email","email":"` + strings.Repeat("a", 65) + `@b"}`, invalid, "email"},
		{`{"format":"email","email":"a@` + strings.Repeat("b", 252) + `"}`, "", ""},
		{`{"format":"email","email":"a@` + strings.Repeat("b", 253) + `"}`, invalid, "email"},
		{`{"format":"email","email":"example.com"}`, invalid, "email"},
		{`{"format":"email","email":"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"user@"}`, invalid, "email"},
		{`{"format":"email","email":"a..b@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a b@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a\u0001@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a\u007f@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a\u2003@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a\u0085@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"Alice <a@example.com>"}`, invalid, "email"},
		{`{"format":"email","email":"\"a\"b\"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"\"a\\\\b\"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"\"a\u0001\"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"\"\"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"\"a@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a b\"@example.com"}`, invalid, "email"},
		{`{"format":"email","email":"a@[192.0.2.1"}`, invalid, "email"},
		{`{"format":"email","email":"a@[example]"}`, invalid, "email"},
		{`{"format":"email","email":"a@[fe80::1%eth0]"}`, invalid, "email"},
		{`{"format":"iss_sub","iss":"https://issuer.example.com/","sub":"145234573"}`, "", ""},
		{`{"format":"iss_sub","iss":"https://issuer.example.com/"}`, invalid, "sub"},
		{`{"format":"iss_sub","sub":"145234573"}`, invalid, "iss"},
		{`{"format":"iss_sub","iss":"","sub":"145234573"}`, invalid, "iss"},
		{`{"format":"iss_sub","iss":"i","sub":null}`, invalid, "sub"},
		{`{"format":"iss_sub","iss":"i","sub":7}`, invalid, "sub"},
		{`{"format":"opaque","id":"11112222333344445555"}`, "", ""},
		{`{"format":"opaque","id":""}`, invalid, "id"},
		{`{"format":"phone_number","phone_number":"+12065550100"}`, "", ""},
		{`{"format":"phone_number","phone_number":"+123456789012345"}`, "", ""},
		{`{"format":"phone_number","phone_number":"+1234567890123456"}`, invalid, "phone_number"},
		{`{"format":"phone_number","phone_number":"+12"}`, "", ""},
		{`{"format":"phone_number","phone_number":"+1"}`, invalid, "phone_number"},
		{`{"format":"phone_number","phone_number":"+1 206 555 0100"}`, invalid, "phone_number"},
		{`{"format":"phone_number","phone_number":"12065550100"}`, invalid, "phone_number"},
		{`{"format":"phone_number","phone_number":"+02065550100"}`, invalid, "phone_number"},
		{`{"format":"phone_number","phone":"+12065550100"}`, invalid, ""},
		{`{"format":"did","url":"did:example:123456"}`, "", ""},
		{`{"format":"did","url":"did:example:123456/did/url/path?versionId=1"}`, "", ""},
		{`{"format":"did","url":"did:example:"}`, invalid, "url"},
		{`{"format":"did","url":"did:example:a:"}`, invalid, "url"},
		{`{"format":"did","url":"did:example:/a"}`, invalid, "url"},
		{`{"format":"did","url":"did:example:?a"}`, invalid, "url"},
		{`{"format":"did","url":"did:example:#a"}`, invalid, "url"},
		{`{"format":"did","url":"did::a"}`, invalid, "url"},
		{`{"format":"did","url":"did:Example:a"}`, invalid, "url"},
		{`{"format":"did","url":"did:example:a b"}`, invalid, "url"},
		{`{"format":"did","url":"https:example:a"}`, invalid, "url"},
		{`{"format":"uri","uri":"https://user.example.com/"}`, "", ""},
		{`{"format":"uri","uri":"urn:uuid:4e851e98-83c4-4743-a5da-150ecb53042f"}`, "", ""},
		{`{"format":"uri","uri":"/relative"}`, invalid, "uri"},
		{`{"format":"uri","uri":"https://a/ b"}`, invalid, "uri"},
		{`{"format":"uri","uri":"https://a/ü"}`, invalid, "uri"},
		{`{"format":"uri","uri":"https://a/%zz"}`, invalid, "uri"},
		{`{"format":"jwt_id","iss":"https://idp.example.com/123456789/","jti":"B70BA622"}`, "", ""},
		{`{"format":"jwt_id","iss":"https://idp.example.com/123456789/"}`, invalid, "jti"},
		{`{"format":"saml_assertion_id","issuer":"https://idp.example.com/","assertion_id":"_8e8"}`, "", ""},
		{`{"format":"saml_assertion_id","assertion_id":"_8e8"}`, invalid, "issuer"},
		{`{"format":"ip-addresses","ip-addresses":["10.29.37.75","2001:db8::8a2e:370:7334"]}`, "", ""},
		{`{"format":"ip-addresses","ip-addresses":[` + many(`"10.29.37.75"`, 64) + `]}`, "", ""},
		{`{"format":"ip-addresses","ip-addresses":[` + many(`"10.29.37.75"`, 65) + `]}`, invalid, "64"},
		{`{"format":"ip-addresses","ip-addresses":[]}`, invalid, "64"},
		{`{"format":"ip-addresses","ip-addresses":"10.29.37.75"}`, invalid, "64"},
		{`{"format":"ip-addresses","ip-addresses":["10.29.37.75","x"]}`, invalid, "64"},
		{`{"format":"ip-addresses","ip-addresses":["fe80::1%eth0"]}`, invalid, "zone"},
		{`{"format":"ip-addresses","ip-addresses":[""]}`, invalid, "address"},
		{`{"format":"aliases","identifiers":[{"format":"email","email":"user@example.com"},{"format":"opaque","id":"1"}]}`, "", ""},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"catalog_item","catalog_id":"c"}]}`, "", ""},
		{`{"format":"aliases","identifiers":[{"format":"catalog_item","catalog_id":"c"}]}`, unknown, ""},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"opaque"}]}`, invalid, "id"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"opaque","id":"1","x":1}]}`, invalid, "a member that"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"id":"1"}]}`, invalid, "no format"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},7]}`, invalid, "no JSON object"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"aliases","identifiers":[{"format":"opaque","id":"1"}]}]}`, invalid, "aliases within"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"complex","user":{"format":"opaque","id":"1"}}]}`, invalid, "within"},
		{`{"format":"aliases","identifiers":[` + many(`{"format":"opaque","id":"1"}`, 64) + `]}`, "", ""},
		{`{"format":"aliases","identifiers":[` + many(`{"format":"opaque","id":"1"}`, 65) + `]}`, invalid, "64"},
		{`{"format":"aliases","identifiers":[]}`, invalid, "64"},
		{`{"format":"aliases","identifiers":null}`, invalid, "64"},
		{`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"}],"id":"1"}`, invalid, "a member that"},
		{`{"format":"complex","user":{"format":"email","email":"bar@example.com"},"tenant":{"format":"iss_sub","iss":"https://example.com/idp1","sub":"1234"}}`, "", ""},
		{`{"format":"complex","a new name":{"format":"aliases","identifiers":[{"format":"opaque","id":"1"}]}}`, "", ""},
		{`{"format":"complex"}`, invalid, "64"},
		{`{"format":"complex","user":{"format":"opaque"}}`, invalid, "id"},
		{`{"format":"complex","user":"alice"}`, invalid, "no JSON object"},
		{`{"format":"complex","user":null}`, invalid, "no JSON object"},
		{`{"format":"complex","user":{"format":"catalog_item"}}`, unknown, ""},
		{`{"format":"complex","user":{"format":"complex","user":{"format":"opaque","id":"1"}}}`, invalid, "within"},
		{`{"format":"opaque","id":"1","iss":"https://a.example"}`, invalid, "a member that"},
		{`{"format":"catalog_item","catalog_id":"c0384/winter/2354122"}`, unknown, ""},
		{`{"format":"phone","phone":"+12065550100"}`, unknown, ""},
		{`{"format":"Email","email":"user@example.com"}`, unknown, ""},
		{`{"email":"user@example.com"}`, invalid, "no format"},
		{`{"format":"","email":"user@example.com"}`, invalid, "no format"},
		{`{"format":7,"email":"user@example.com"}`, invalid, "no format"},
		{`{"format":"opaque","id":"1","id":"2"}`, invalid, "no JSON object"},
		{`{"format":"opaque","format":"opaque","id":"2"}`, invalid, "no JSON object"},
		{`[]`, invalid, "no JSON object"},
		{`"alice"`, invalid, "no JSON object"},
		{`null`, invalid, "no JSON object"},
		{`{`, invalid, "no JSON object"},
	} {
		id, err := Parse([]byte(tc.json))
		if fault.CodeOf(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.why) {
			t.Errorf("%s: %v, want %q and %q", tc.json, err, tc.code, tc.why)
		}
		if errors.Is(err, ErrInvalid) != (tc.code == invalid) || errors.Is(err, ErrUnknownFormat) != (tc.code == unknown) {
			t.Errorf("%s: %v is not the error of its code", tc.json, err)
		}
		out, err := json.Marshal(id)
		switch {
		case tc.code == "":
			again, err := Parse(out)
			if err != nil || !again.Equal(&id) {
				t.Errorf("%s became %s: %v", tc.json, out, err)
			}
		case tc.code == invalid && err == nil:
			t.Errorf("%s is written: %s", tc.json, out)
		case tc.code == invalid && (id.Email+id.ID+id.Subject+id.Issuer+id.URI+id.URL+id.PhoneNumber != "" || id.Parts != nil || id.Aliases != nil || id.Addresses != nil):
			t.Errorf("%s is refused and has %+v", tc.json, id)
		}
	}
}

// What a program makes is held to the same rules as what is read.
func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		id   Identifier
		want error
	}{
		"email":                   {Identifier{Format: Email, Email: "a@example.com"}, nil},
		"none":                    {Identifier{}, ErrInvalid},
		"a field of another":      {Identifier{Format: Email, Email: "a@example.com", Subject: "a"}, ErrInvalid},
		"Raw beside":              {Identifier{Format: Email, Email: "a@example.com", Raw: json.RawMessage(`{}`)}, ErrInvalid},
		"not UTF-8":               {Identifier{Format: Opaque, ID: "\xff"}, ErrInvalid},
		"an email not UTF-8":      {Identifier{Format: Email, Email: "\xff@example.com"}, ErrInvalid},
		"no address":              {Identifier{Format: IPAddresses, Addresses: []netip.Addr{{}}}, ErrInvalid},
		"a part called format":    {Identifier{Format: Complex, Parts: map[string]Identifier{"format": {Format: Opaque, ID: "1"}}}, ErrInvalid},
		"agreed on":               {Identifier{Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}, nil},
		"agreed on, and a field":  {Identifier{Format: "x", ID: "1", Raw: json.RawMessage(`{"format":"x"}`)}, ErrInvalid},
		"not agreed on":           {Identifier{Format: "y", Raw: json.RawMessage(`{"format":"y"}`)}, ErrUnknownFormat},
		"agreed on, without Raw":  {Identifier{Format: "x"}, ErrInvalid},
		"agreed on, another Raw":  {Identifier{Format: "x", Raw: json.RawMessage(`{"format":"y"}`)}, ErrInvalid},
		"agreed on, in a complex": {Identifier{Format: Complex, Parts: map[string]Identifier{"user": {Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}}}, nil},
		"agreed on, an alias":     {Identifier{Format: Aliases, Aliases: []Identifier{{Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}}}, nil},
	} {
		if err := tc.id.Check("x"); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// Every field that a format does not have is refused beside those that it has.
func TestCheckFields(t *testing.T) {
	one := Identifier{Format: Opaque, ID: "1"}
	for i, set := range []func(*Identifier){
		func(id *Identifier) { id.URI = "x" }, func(id *Identifier) { id.Issuer = "x" }, func(id *Identifier) { id.Subject = "x" },
		func(id *Identifier) { id.ID = "x" }, func(id *Identifier) { id.PhoneNumber = "x" }, func(id *Identifier) { id.URL = "x" },
		func(id *Identifier) { id.Aliases = []Identifier{one} }, func(id *Identifier) { id.Addresses = []netip.Addr{netip.IPv6Loopback()} },
		func(id *Identifier) { id.Parts = map[string]Identifier{"user": one} }, func(id *Identifier) { id.Raw = json.RawMessage(`{}`) },
	} {
		id := Identifier{Format: Email, Email: "a@example.com"}
		set(&id)
		if err := id.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for i, id := range []Identifier{
		{Format: Opaque, ID: "1", Email: "a@example.com"},
		{Format: Aliases, Aliases: []Identifier{one}, ID: "1"},
		{Format: Complex, Parts: map[string]Identifier{"user": one}, ID: "1"},
		{Format: IPAddresses, Addresses: []netip.Addr{netip.IPv6Loopback()}, ID: "1"},
	} {
		if err := id.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A claim of the type takes what is refused, so that all that is wrong with a token can be said at once.
func TestClaim(t *testing.T) {
	var claims struct {
		Subject *Identifier `json:"sub_id"`
	}
	doc := []byte(`{"sub_id":{"format":"opaque","id":"1"}}`)
	if err := json.Unmarshal(doc, &claims); err != nil || claims.Subject.ID != "1" || claims.Subject.Raw != nil {
		t.Errorf("%+v, %v", claims.Subject, err)
	}
	copy(doc, strings.Repeat("x", len(doc)))
	if claims.Subject.ID != "1" {
		t.Error("the identifier shares the memory of the document")
	}
	if err := json.Unmarshal([]byte(`{"sub_id":{"format":"opaque","x":"1"}}`), &claims); err != nil {
		t.Error(err)
	}
	if s := claims.Subject; !errors.Is(s.Check(), ErrInvalid) || s.Format != Opaque || s.ID != "" || string(s.Raw) != `{"format":"opaque","x":"1"}` {
		t.Errorf("%+v", s)
	}
}

func TestMany(t *testing.T) {
	parts := map[string]Identifier{}
	for i := range 64 {
		parts[strings.Repeat("p", i+1)] = Identifier{Format: Opaque, ID: "1"}
	}
	id := Identifier{Format: Complex, Parts: parts}
	if err := id.Check(); err != nil {
		t.Error(err)
	}
	parts["more"] = Identifier{Format: Opaque, ID: "1"}
	if err := id.Check(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestEqual(t *testing.T) {
	const a = `{"format":"opaque","id":"1"}`
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{a, `{ "id" : "\u0031", "format":"opaque"}`, true},
		{a, `{"format":"opaque","id":"2"}`, false},
		{`{"format":"uri","uri":"acct:a@b"}`, `{"format":"account","uri":"acct:a@b"}`, false},
		{`{"format":"email","email":"a@b"}`, `{"format":"email","email":"A@b"}`, false},
		{`{"format":"ip-addresses","ip-addresses":["::1","10.0.0.1"]}`, `{"format":"ip-addresses","ip-addresses":["10.0.0.1","0:0:0:0:0:0:0:1"]}`, true},
		{`{"format":"ip-addresses","ip-addresses":["::1"]}`, `{"format":"ip-addresses","ip-addresses":["10.0.0.1"]}`, false},
		{`{"format":"ip-addresses","ip-addresses":["::1","::1","::2"]}`, `{"format":"ip-addresses","ip-addresses":["::1","::2"]}`, false},
		{`{"format":"aliases","identifiers":[` + a + `,{"format":"opaque","id":"2"}]}`, `{"format":"aliases","identifiers":[{"format":"opaque","id":"2"},` + a + `]}`, true},
		{`{"format":"aliases","identifiers":[` + a + `,` + a + `]}`, `{"format":"aliases","identifiers":[{"format":"opaque","id":"2"},` + a + `]}`, false},
		{`{"format":"aliases","identifiers":[` + a + `,{"format":"opaque","id":"2"}]}`, `{"format":"aliases","identifiers":[` + a + `,` + a + `]}`, false},
		{`{"format":"complex","user":` + a + `}`, `{"format":"complex","user":` + a + `}`, true},
		{`{"format":"complex","user":` + a + `}`, `{"format":"complex","device":` + a + `}`, false},
		{`{"format":"complex","user":` + a + `}`, `{"format":"complex","user":{"format":"opaque","id":"2"}}`, false},
		{`{"format":"x","n":1}`, `{"n":1,"format":"x"}`, true},
		{`{"format":"x","n":1}`, `{"n":2,"format":"x"}`, false},
	} {
		x, err := Parse([]byte(tc.a), "x")
		y, err2 := Parse([]byte(tc.b), "x")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if x.Equal(&y) != tc.want || y.Equal(&x) != tc.want {
			t.Errorf("%s and %s: %v, want %v", tc.a, tc.b, x.Equal(&y), tc.want)
		}
	}
}

// What is no JSON is equal to nothing.
func TestEqualRaw(t *testing.T) {
	whole := Identifier{Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}
	for _, raw := range []string{`{"format":"x"} 7`, `{"format":"x"`, ``, `null`} {
		broken := Identifier{Format: "x", Raw: json.RawMessage(raw)}
		other := Identifier{Format: "x", Raw: json.RawMessage(raw + " ")}
		if whole.Equal(&broken) || broken.Equal(&whole) || broken.Equal(&other) {
			t.Errorf("%q is equal to something", raw)
		}
	}
}

func TestLegacy(t *testing.T) {
	const phone = `{"format":"phone_number","phone_number":"+12065550123"}`
	for _, tc := range []struct{ old, want string }{
		{`{"format":"phone","phone_number":"+1 206 555 0123"}`, phone},
		{`{"format":"phone","phone":"+1 (206) 555-0123"}`, phone},
		{`{"format":"phone_number","phone_number":"+1.206.555.0123"}`, phone},
		{`{"format":"phone_number","phone_number":"+12065550123"}`, phone},
		{`{"subject_type":"phone","phone":"+12065550123"}`, phone},
		{`{"subject_type":"iss-sub","iss":"i","sub":"s"}`, `{"format":"iss_sub","iss":"i","sub":"s"}`},
		{`{"format":"jwt-id","iss":"i","jti":"s"}`, `{"format":"jwt_id","iss":"i","jti":"s"}`},
		{`{"format":"saml-assertion-id","issuer":"i","assertion_id":"s"}`, `{"format":"saml_assertion_id","issuer":"i","assertion_id":"s"}`},
		{`{"user":{"format":"phone","phone":"+12065550123"}}`, `{"format":"complex","user":` + phone + `}`},
		{`{"format":"complex","user":{"format":"phone","phone":"+12065550123"}}`, `{"format":"complex","user":` + phone + `}`},
		{`{"format":"complex","user":{"subject_type":"phone","phone":"+12065550123"}}`, `{"format":"complex","user":` + phone + `}`},
		{`{"format":"aliases","identifiers":[{"format":"phone","phone":"+12065550123"},{"format":"opaque","id":"1"}]}`, `{"format":"aliases","identifiers":[` + phone + `,{"format":"opaque","id":"1"}]}`},
		// What is not of a draft stays refused.
		{`{"format":"phone","phone":"+1 206 555 0123","phone_number":"+12065550123"}`, ""},
		{`{"format":"phone","phone":"206 555 0123"}`, ""},
		{`{"format":"phone","phone":""}`, ""},
		{`{"format":"phone"}`, ""},
		{`{"format":"email","subject_type":"email","email":"a@b"}`, ""},
		{`{"format":7,"email":"a@b"}`, ""},
		{`{"format":"id_token_claims","iss":"i","sub":"s"}`, ""},
		{`{"email":"a@b"}`, ""},
	} {
		var id Identifier
		if err := id.UnmarshalJSON([]byte(tc.old)); err != nil {
			t.Fatal(err)
		}
		got, err := id.Legacy()
		if (err == nil) != (tc.want != "") {
			t.Errorf("%s: %v", tc.old, err)
		}
		if err != nil {
			continue
		}
		if out, _ := json.Marshal(got); string(out) != tc.want {
			t.Errorf("%s became %s", tc.old, out)
		}
	}
	made := Identifier{Format: "x", Raw: json.RawMessage(`[]`)}
	if _, err := made.Legacy("x"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	// A part is replaced in what Legacy returns, and not in what it was called on.
	var id Identifier
	if err := id.UnmarshalJSON([]byte(`{"format":"complex","user":{"format":"phone","phone":"+12065550123"}}`)); err != nil {
		t.Fatal(err)
	}
	_, _ = id.Legacy()
	if id.Parts["user"].Format != "phone" {
		t.Error("Legacy changed the identifier")
	}
}

// The examples of the Shared Signals Framework: the one with spaces in its number and the proprietary one are not accepted as
// they are.
func TestVectors(t *testing.T) {
	dir := filepath.Join(testvectors.Dir(t), "ssf")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Subject json.RawMessage `json:"sub_id"`
			Format  string          `json:"format"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			continue // a message with its header
		}
		raw := []byte(doc.Subject)
		if doc.Format != "" {
			raw = b
		}
		if raw == nil {
			continue
		}
		n++
		id, err := Parse(raw, "catalog_item")
		if strings.Contains(string(raw), "+1 206") {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", filepath.Base(name), err)
			}
			id, err = id.Legacy()
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
		out, err := json.Marshal(id)
		again, err2 := Parse(out, "catalog_item")
		if err != nil || err2 != nil || !again.Equal(&id) {
			t.Errorf("%s became %s: %v, %v", filepath.Base(name), out, err, err2)
		}
	}
	if n < 25 {
		t.Errorf("%d identifiers in %s", n, dir)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"format":"email","email":"a@b"}`, `{"format":"complex","user":{"format":"phone","phone":"+1 2"}}`,
		`{"format":"aliases","identifiers":[{"format":"opaque","id":"1"},{"format":"x"}]}`,
		`{"format":"ip-addresses","ip-addresses":["::1"]}`, `{"subject_type":"iss-sub","iss":"i","sub":"s"}`,
		`{"format":"did","url":"did:example:1"}`, `{"format":"account","uri":"acct:a@b"}`, `{"format":"x","y":[1]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var id Identifier
		if err := id.UnmarshalJSON(b); err != nil {
			t.Fatal(err)
		}
		modern, err := id.Legacy(id.Format)
		for _, id := range []*Identifier{&id, &modern} {
			if id.Check(id.Format) != nil {
				if id.Format != "" && id.Raw == nil && id.Format != Complex && id.Format != Aliases {
					t.Errorf("%s is refused and not kept", b)
				}
				continue
			}
			out, err := id.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(out, id.Format)
			if err != nil || !again.Equal(id) {
				t.Errorf("%s became %s: %v", b, out, err)
			}
		}
		if id.Check(id.Format) == nil && err != nil {
			t.Errorf("%s is right, and Legacy refuses it: %v", b, err)
		}
	})
}
