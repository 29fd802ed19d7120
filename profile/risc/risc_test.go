package risc

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/secevent"
)

var (
	email = &subjectid.Identifier{Format: subjectid.Email, Email: "alice@example.com"}
	phone = &subjectid.Identifier{Format: subjectid.PhoneNumber, PhoneNumber: "+12065550123"}
	user  = &subjectid.Identifier{Format: subjectid.IssSub, Issuer: "https://idp.example", Subject: "1"}
)

func read[T secevent.Event](payload string, subject *subjectid.Identifier) (any, error) {
	var e T
	return secevent.Read[T](&secevent.Claims{
		Events: map[string]json.RawMessage{e.EventType(): json.RawMessage(payload)}, SubjectID: subject,
	})
}

// types is how each is read, by the end of its URI.
var types = map[string]func(payload string, subject *subjectid.Identifier) (any, error){
	"account-credential-change-required": read[AccountCredentialChangeRequired],
	"account-purged":                     read[AccountPurged],
	"account-disabled":                   read[AccountDisabled],
	"account-enabled":                    read[AccountEnabled],
	"identifier-changed":                 read[IdentifierChanged],
	"identifier-recycled":                read[IdentifierRecycled],
	"credential-compromise":              read[CredentialCompromise],
	"opt-in":                             read[OptIn],
	"opt-out-initiated":                  read[OptOutInitiated],
	"opt-out-cancelled":                  read[OptOutCancelled],
	"opt-out-effective":                  read[OptOutEffective],
	"recovery-activated":                 read[RecoveryActivated],
	"recovery-information-changed":       read[RecoveryInformationChanged],
	"sessions-revoked":                   read[SessionsRevoked],
}

// Each type takes its smallest payload, of each subject that it is of.
func TestTypes(t *testing.T) {
	for name, read := range types {
		payload := `{}`
		if name == "credential-compromise" {
			payload = `{"credential_type":"password"}`
		}
		identifier := strings.HasPrefix(name, "identifier-")
		for _, tc := range []struct {
			subject *subjectid.Identifier
			ok      bool
		}{{email, true}, {phone, true}, {user, !identifier}, {nil, !identifier}} {
			if _, err := read(payload, tc.subject); (err == nil) != tc.ok || err != nil && !errors.Is(err, secevent.ErrEvent) {
				t.Errorf("%s of %+v: %v", name, tc.subject, err)
			}
		}
	}
	if len(types) != 14 {
		t.Errorf("%d types", len(types))
	}
}

// Each case has one member that is not as RISC has it, or none.
func TestMembers(t *testing.T) {
	for _, tc := range []struct {
		name, payload string
		ok            bool
	}{
		{"account-disabled", `{"reason":"hijacking"}`, true},
		{"account-disabled", `{"reason":"bulk-account"}`, true},
		{"account-disabled", `{"reason":"another"}`, true},
		{"account-disabled", `{"reason":7}`, false},
		{"identifier-changed", `{"new-value":"john.roe@example.com"}`, true},
		{"identifier-changed", `{"new-value":[]}`, false},
		{"credential-compromise", `{}`, false},
		{"credential-compromise", `{"credential_type":""}`, false},
		{"credential-compromise", `{"credential_type":"password","event_timestamp":1508012752,"reason_admin":{"en":"x"},"reason_user":{"en":"y"}}`, true},
		{"credential-compromise", `{"credential_type":"password","event_timestamp":"x"}`, false},
		{"credential-compromise", `{"credential_type":"password","reason_admin":"x","reason_user":"y"}`, true},
		{"credential-compromise", `{"credential_type":"password","reason_admin":{}}`, false},
		{"credential-compromise", `{"credential_type":"password","reason_user":{}}`, false},
		{"credential-compromise", `{"credential_type":"password","reason_user":{"en us":"y"}}`, false},
		{"credential-compromise", `{"credential_type":"password","reason_user":7}`, false},
		{"credential-compromise", `{"credential_type":"password","reason_user":"\ud800"}`, false},
	} {
		e, err := types[tc.name](tc.payload, email)
		if (err == nil) != tc.ok {
			t.Errorf("%s %s: %v", tc.name, tc.payload, err)
		}
		if c, ok := e.(CredentialCompromise); ok && err == nil && strings.Contains(tc.payload, `"reason_admin":"x"`) && (c.ReasonAdmin["und"] != "x" || c.ReasonUser["und"] != "y") {
			t.Errorf("%+v", c)
		}
	}
	// encoding/json gives up nothing of its document.
	var r Reason
	doc := []byte(`{"en":"a\u0062"}`)
	if err := json.Unmarshal(doc, &r); err != nil || r["en"] != "ab" || string(doc) != `{"en":"a\u0062"}` {
		t.Errorf("%v, %v", r, err)
	}
	if err := r.UnmarshalJSON([]byte(`"\ud800"`)); err == nil {
		t.Error("half a character is read")
	}
	doc = []byte(`"a\u0062"`)
	if err := r.UnmarshalJSON(doc); err != nil || r["und"] != "ab" || string(doc) != `"a\u0062"` {
		t.Errorf("%v, %v", r, err)
	}
}

// The examples of RISC, signed and verified; one of them has a comma too many.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testvectors.Dir(t), "ssf", "risc-1_0", "*"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var claims profiletest.Claims
		if json.Unmarshal([]byte(strings.ReplaceAll(string(b), "\",\n  }", "\"\n  }")), &claims) != nil {
			continue // a diagram
		}
		n++
		v, err := secevent.NewVerifier(jwk.Set{profiletest.Key(t).Public()}, secevent.Policy{
			Issuers: []string{claims["iss"].(string)}, Audiences: []string{claims["aud"].(string)}, JWT: jwt.Policy{Clock: profiletest.Clock},
		})
		if err != nil {
			t.Fatal(err)
		}
		tok, err := v.Verify(t.Context(), claims.Sign(t, profiletest.Key(t), secevent.Type))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		for uri, payload := range tok.Claims.Events {
			if read := types[strings.TrimPrefix(uri, base)]; read == nil {
				t.Errorf("%s: nobody reads %s", filepath.Base(name), uri)
			} else if _, err := read(string(payload), tok.Claims.SubjectID); err != nil {
				t.Errorf("%s: %v", filepath.Base(name), err)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d tokens", n)
	}
}
