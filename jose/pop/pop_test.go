package pop_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/pop"
)

func ExampleConfirmation() {
	var c pop.Confirmation
	// RFC 9449, Section 6.1.
	err := json.Unmarshal([]byte(`{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`), &c)
	fmt.Println(c.Thumbprint, err, c.Check())
	// Output: 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I <nil> <nil>
}

func TestCheck(t *testing.T) {
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public := key.Public().JWK()
	private, err := key.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := jwk.Parse([]byte(`{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		c  pop.Confirmation
		ok bool
	}{
		"empty":       {pop.Confirmation{}, false},
		"public":      {pop.Confirmation{JWK: &public}, true},
		"private":     {pop.Confirmation{JWK: &private}, false},
		"symmetric":   {pop.Confirmation{JWK: &secret}, false},
		"kid":         {pop.Confirmation{KeyID: "1"}, true},
		"jwe":         {pop.Confirmation{JWE: "x"}, true},
		"jkt":         {pop.Confirmation{Thumbprint: "x"}, true},
		"certificate": {pop.Confirmation{X5TS256: "x"}, true},
	} {
		if err := tc.c.Check(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The claim is written as it is read, and a key in it without its private members.
func TestJSON(t *testing.T) {
	for _, in := range []string{
		`{"jwk":{"kty":"EC","crv":"P-256","x":"18wHLeIgW9wVN6VD1Txgpqy2LszYkMf6J8njVAibvhM","y":"-V4dS4UaLMgP_4fY4j8ir7cl1TXlFdAgcx55o7TkcSA"}}`, // RFC 7800, Section 3.2
		`{"kid":"dfd1aa97-6d8d-4575-a0fe-34b96de2bfad"}`,             // RFC 7800, Section 3.4
		`{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`, // RFC 8705, Section 3.1
	} {
		var c pop.Confirmation
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(c)
		if err != nil || string(out) != in {
			t.Errorf("%s became %s, %v", in, out, err)
		}
	}
}
