package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsuite/jot/oauth"
)

func TestClientMetadata(t *testing.T) {
	const set = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	const private = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}]}`
	long := strings.Repeat("x", 3000)
	for name, x := range map[string]struct {
		document string
		code     string // "" is good, "json" is not read at all
	}{
		"nothing":                         {`{}`, ""},
		"a machine":                       {`{"grant_types":["client_credentials"],"scope":"a b","client_name":"x","client_name#fr":"y"}`, ""},
		"a web application":               {`{"redirect_uris":["https://app.example/cb"],"response_types":["code"],"grant_types":["authorization_code"],"logo_uri":"https://app.example/l.png"}`, ""},
		"an app":                          {`{"redirect_uris":["com.example:/cb","http://127.0.0.1/cb"]}`, ""},
		"keys":                            {`{"jwks":` + set + `,"token_endpoint_auth_method":"private_key_jwt"}`, ""},
		"keys elsewhere":                  {`{"jwks_uri":"https://app.example/jwks","token_endpoint_auth_method":"private_key_jwt"}`, ""},
		"a certificate":                   {`{"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"192.0.2.1"}`, ""},
		"null is absent":                  {`{"scope":null}`, ""},
		"no object":                       {`[]`, "json"},
		"null":                            {`null`, "json"},
		"a member twice":                  {`{"scope":"a","scope":"b"}`, "json"},
		"a wrong type":                    {`{"grant_types":"x"}`, "json"},
		"too large":                       {`{"client_name":"` + strings.Repeat("x", 300<<10) + `"}`, "json"},
		"a relative redirect":             {`{"redirect_uris":["/cb"]}`, oauth.InvalidRedirectURI},
		"a redirect with a fragment":      {`{"redirect_uris":["https://app.example/cb#x"]}`, oauth.InvalidRedirectURI},
		"a redirect with a user":          {`{"redirect_uris":["https://a@app.example/cb"]}`, oauth.InvalidRedirectURI},
		"a redirect without a host":       {`{"redirect_uris":["https:/cb"]}`, oauth.InvalidRedirectURI},
		"a redirect over http":            {`{"redirect_uris":["http://app.example/cb"]}`, oauth.InvalidRedirectURI},
		"a redirect that runs":            {`{"redirect_uris":["javascript:alert(1)"]}`, oauth.InvalidRedirectURI},
		"a redirect that is no URI":       {`{"redirect_uris":["https://[::1/cb"]}`, oauth.InvalidRedirectURI},
		"a long redirect":                 {`{"redirect_uris":["https://app.example/` + long + `"]}`, oauth.InvalidRedirectURI},
		"too many redirects":              {`{"redirect_uris":["https://a.example"` + strings.Repeat(`,"https://a.example"`, 64) + `]}`, oauth.InvalidRedirectURI},
		"a malformed scope":               {`{"scope":"a  b"}`, oauth.InvalidClientMetadata},
		"an empty grant type":             {`{"grant_types":[""]}`, oauth.InvalidClientMetadata},
		"a long grant type":               {`{"grant_types":["` + long + `"]}`, oauth.InvalidClientMetadata},
		"too many contacts":               {`{"contacts":["a"` + strings.Repeat(`,"a"`, 64) + `]}`, oauth.InvalidClientMetadata},
		"a response type without a grant": {`{"grant_types":["client_credentials"],"response_types":["code"]}`, oauth.InvalidClientMetadata},
		"an implicit one":                 {`{"grant_types":["authorization_code"],"response_types":["code id_token token"]}`, oauth.InvalidClientMetadata},
		"a long name":                     {`{"client_name":"` + long + `"}`, oauth.InvalidClientMetadata},
		"a page that is none":             {`{"tos_uri":"javascript:alert(1)"}`, oauth.InvalidClientMetadata},
		"a page that is no URL":           {`{"tos_uri":"https://[::1/"}`, oauth.InvalidClientMetadata},
		"a page without a host":           {`{"tos_uri":"https:/tos"}`, oauth.InvalidClientMetadata},
		"a long page":                     {`{"tos_uri":"https://app.example/` + long + `"}`, oauth.InvalidClientMetadata},
		"keys at a long URL":              {`{"jwks_uri":"https://app.example/` + long + `"}`, oauth.InvalidClientMetadata},
		"keys twice":                      {`{"jwks":` + set + `,"jwks_uri":"https://app.example/jwks"}`, oauth.InvalidClientMetadata},
		"keys over http":                  {`{"jwks_uri":"http://app.example/jwks"}`, oauth.InvalidClientMetadata},
		"keys that are none":              {`{"jwks":{}}`, oauth.InvalidClientMetadata},
		"a private key":                   {`{"jwks":` + private + `}`, oauth.InvalidClientMetadata},
		"a secret":                        {`{"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}`, oauth.InvalidClientMetadata},
		"a secret left out":               {`{"jwks":{"keys":[{"kty":"oct","kid":"s"}]}}`, oauth.InvalidClientMetadata},
		"a method without keys":           {`{"token_endpoint_auth_method":"private_key_jwt"}`, oauth.InvalidClientMetadata},
		"another without keys":            {`{"token_endpoint_auth_method":"self_signed_tls_client_auth"}`, oauth.InvalidClientMetadata},
		"a method without a name":         {`{"token_endpoint_auth_method":"tls_client_auth"}`, oauth.InvalidClientMetadata},
		"a method with two":               {`{"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"192.0.2.1","tls_client_auth_san_dns":"x"}`, oauth.InvalidClientMetadata},
		"a name without its method":       {`{"tls_client_auth_san_dns":"x"}`, oauth.InvalidClientMetadata},
		"a name that is no address":       {`{"token_endpoint_auth_method":"tls_client_auth","tls_client_auth_san_ip":"x"}`, oauth.InvalidClientMetadata},
		"assertions without a signature":  {`{"token_endpoint_auth_method":"client_secret_jwt","token_endpoint_auth_signing_alg":"none"}`, oauth.InvalidClientMetadata},
		"answers without a signature":     {`{"introspection_signed_response_alg":"none"}`, oauth.InvalidClientMetadata},
		"enc without alg":                 {`{"introspection_encrypted_response_enc":"A128GCM"}`, oauth.InvalidClientMetadata},
	} {
		t.Run(name, func(t *testing.T) {
			var m oauth.ClientMetadata
			err := json.Unmarshal([]byte(x.document), &m)
			if (err != nil) != (x.code == "json") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			err = m.Validate()
			if e, ok := errors.AsType[*oauth.Error](err); (err != nil) != (x.code != "") || ok && e.Code != x.code {
				t.Error(err)
			}
			// What was read is written again, unknown members too.
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var again oauth.ClientMetadata
			if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(m, again) {
				t.Errorf("%v\n%s\n%s", err, x.document, b)
			}
		})
	}
	m := oauth.ClientMetadata{}
	if m.Method() != "client_secret_basic" || m.Grants()[0] != "authorization_code" {
		t.Error("the defaults of RFC 7591, Section 2")
	}
}

func TestClientInformation(t *testing.T) {
	const document = `{"client_id":"c","client_secret":"s","client_id_issued_at":5,"client_secret_expires_at":0,"registration_access_token":"t","registration_client_uri":"https://as.example/register/c","scope":"a","custom":[1]}`
	var c oauth.ClientInformation
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		t.Fatal(err)
	}
	if c.ClientID != "c" || c.Secret != "s" || c.IssuedAt != 5 || c.RegistrationToken != "t" || c.RegistrationURI == "" || c.Scope != "a" || string(c.Extra["custom"]) != "[1]" || len(c.Extra) != 1 {
		t.Errorf("%+v", c)
	}
	b, err := json.Marshal(c)
	if err != nil || string(b) != document {
		t.Errorf("%v\n%s", err, b)
	}
	if b, _ := json.Marshal(oauth.ClientInformation{ClientID: "c"}); string(b) != `{"client_id":"c"}` {
		t.Error(string(b))
	}
	for _, m := range []oauth.ClientMetadata{{Extra: map[string]json.RawMessage{"custom": json.RawMessage("[")}}, {Scope: "a", Name: "\xff"}} {
		if b, err := (oauth.ClientInformation{ClientMetadata: m}).MarshalJSON(); err == nil {
			t.Errorf("%s is written", b)
		}
	}
	for _, bad := range []string{`[]`, `{"client_id":1}`, `{"client_id":"a","client_id":"b"}`, `{"scope":1}`} {
		if json.Unmarshal([]byte(bad), &c) == nil {
			t.Error(bad, " is read")
		}
	}
}

// A client says how it authenticates and what it may ask for; a server answers with what it has made of it.
func ExampleClientMetadata() {
	m := oauth.ClientMetadata{Name: "Shop", GrantTypes: []string{"client_credentials"}, Scope: "orders:read"}
	fmt.Println(m.Validate(), m.Method(), m.Grants())

	b, _ := json.Marshal(oauth.ClientInformation{ClientMetadata: m, ClientID: "s6BhdRkqt3"})
	fmt.Println(string(b))
	// Output:
	// <nil> client_secret_basic [client_credentials]
	// {"client_id":"s6BhdRkqt3","grant_types":["client_credentials"],"client_name":"Shop","scope":"orders:read"}
}

func FuzzClientMetadata(f *testing.F) {
	f.Add([]byte(`{"scope":"a b","jwks":{"keys":[]},"x":1,"redirect_uris":["https://a.example"]}`))
	f.Add([]byte(`{"tls_client_auth_san_ip":"1","scope":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m oauth.ClientInformation
		if json.Unmarshal(data, &m) != nil {
			return
		}
		_ = m.Validate()
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	})
}
