package caep

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/secevent"
)

// read reads a payload as its type has it.
func read[T secevent.Event](payload string) (any, error) {
	var e T
	return secevent.Read[T](&secevent.Claims{
		Events:    map[string]json.RawMessage{e.EventType(): json.RawMessage(payload)},
		SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "1"},
	})
}

// types is how each is read, by the end of its URI.
var types = map[string]func(payload string) (any, error){
	"session-revoked":          read[SessionRevoked],
	"token-claims-change":      read[TokenClaimsChange],
	"credential-change":        read[CredentialChange],
	"assurance-level-change":   read[AssuranceLevelChange],
	"device-compliance-change": read[DeviceComplianceChange],
	"session-established":      read[SessionEstablished],
	"session-presented":        read[SessionPresented],
	"risk-level-change":        read[RiskLevelChange],
}

// least is the smallest payload of each type.
var least = map[string]string{
	"session-revoked": `{}`, "session-established": `{}`, "session-presented": `{}`,
	"token-claims-change":      `{"claims":{"role":null}}`,
	"credential-change":        `{"credential_type":"otp","change_type":"create"}`,
	"assurance-level-change":   `{"namespace":"NIST-AAL","current_level":"nist-aal2"}`,
	"device-compliance-change": `{"previous_status":"compliant","current_status":"not-compliant"}`,
	"risk-level-change":        `{"principal":"USER","current_level":"LOW"}`,
}

// Each case has one member that is not as CAEP has it, or none.
func TestEvents(t *testing.T) {
	for name, read := range types {
		for members, ok := range map[string]bool{
			``:                               true,
			`"event_timestamp":1615304991`:   true,
			`"event_timestamp":1615304991.5`: true,
			`"event_timestamp":"1615304991"`: false,
			`"initiating_entity":"admin"`:    true,
			`"initiating_entity":"user"`:     true,
			`"initiating_entity":"policy"`:   true,
			`"initiating_entity":"system"`:   true,
			`"initiating_entity":"root"`:     false,
			`"reason_admin":{"en":"Landspeed Policy Violation","es-410":"Violación"}`: true,
			`"reason_admin":{}`:                       false,
			`"reason_admin":"Landspeed"`:              false,
			`"reason_admin":{"":"x"}`:                 false,
			`"reason_admin":{"en_US":"x"}`:            false,
			`"reason_admin":{"en-":"x"}`:              false,
			`"reason_admin":{"englishes":"x"}`:        false,
			`"reason_admin":{"en":1}`:                 false,
			`"reason_user":{"x-klingon":"x"}`:         true,
			`"reason_user":{}`:                        false,
			`"reason_user":{"en us":"x"}`:             false,
			`"what nobody knows":[1]`:                 true,
			`"event_timestamp":1,"event_timestamp":1`: false,
		} {
			payload := strings.TrimSuffix(least[name], "}") + "," + members + "}"
			payload = strings.Replace(strings.Replace(payload, "{,", "{", 1), ",}", "}", 1)
			if _, err := read(payload); (err == nil) != ok || err != nil && !errors.Is(err, secevent.ErrEvent) {
				t.Errorf("%s %s: %v", name, payload, err)
			}
		}
	}
	for _, tc := range []struct {
		name, payload string
		ok            bool
	}{
		{"token-claims-change", `{}`, false},
		{"token-claims-change", `{"claims":{}}`, false},
		{"token-claims-change", `{"claims":null}`, false},
		{"token-claims-change", `{"claims":["role"]}`, false},
		{"credential-change", `{"credential_type":"password","change_type":"revoke","friendly_name":"x","x509_issuer":"x","x509_serial":"x","fido2_aaguid":"x"}`, true},
		{"credential-change", `{"credential_type":"password","change_type":"update"}`, true},
		{"credential-change", `{"credential_type":"password","change_type":"delete"}`, true},
		{"credential-change", `{"credential_type":"password","change_type":"deleted"}`, false},
		{"credential-change", `{"credential_type":"password"}`, false},
		{"credential-change", `{"change_type":"delete"}`, false},
		{"assurance-level-change", `{"namespace":"x","current_level":"x","previous_level":"y","change_direction":"increase"}`, true},
		{"assurance-level-change", `{"namespace":"x","current_level":"x","change_direction":"decrease"}`, true},
		{"assurance-level-change", `{"namespace":"x","current_level":"x","change_direction":"up"}`, false},
		{"assurance-level-change", `{"namespace":"x"}`, false},
		{"assurance-level-change", `{"current_level":"x"}`, false},
		{"device-compliance-change", `{"previous_status":"not-compliant","current_status":"compliant"}`, true},
		{"device-compliance-change", `{"previous_status":"not-compliant"}`, false},
		{"device-compliance-change", `{"current_status":"compliant"}`, false},
		{"device-compliance-change", `{"previous_status":"unknown","current_status":"compliant"}`, false},
		{"session-established", `{"fp_ua":"x","acr":"AAL2","amr":["otp"],"ext_id":"12345"}`, true},
		{"session-established", `{"amr":"otp"}`, false},
		{"session-presented", `{"fp_ua":"x","ext_id":"12345"}`, true},
		{"risk-level-change", `{"principal":"anything","current_level":"MEDIUM","previous_level":"HIGH","risk_reason":"x"}`, true},
		{"risk-level-change", `{"principal":"USER","current_level":"HIGH","previous_level":"low"}`, false},
		{"risk-level-change", `{"principal":"USER","current_level":"low"}`, false},
		{"risk-level-change", `{"principal":"USER"}`, false},
		{"risk-level-change", `{"current_level":"LOW"}`, false},
	} {
		if _, err := types[tc.name](tc.payload); (err == nil) != tc.ok {
			t.Errorf("%s %s: %v", tc.name, tc.payload, err)
		}
	}
}

// The error says what CAEP wants and by which clause, and not what was there.
func TestErrors(t *testing.T) {
	_, err := types["risk-level-change"](`{"principal":"USER","current_level":"secret"}`)
	e, ok := err.(interface{ Spec() string })
	if !ok || e.Spec() != "CAEP 1.0, Section 3.8.1" || !errors.Is(err, profile.ErrEvent) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// The examples of CAEP, signed and verified as they are.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testvectors.Dir(t), "ssf", "caep-1_0", "*.json"))
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
		var doc secevent.Claims
		if err := errors.Join(json.Unmarshal(b, &claims), json.Unmarshal(b, &doc)); err != nil {
			t.Fatal(err)
		}
		if claims["events"] == nil {
			continue
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
			read := types[strings.TrimPrefix(uri, base)]
			if read == nil {
				t.Errorf("%s: nobody reads %s", filepath.Base(name), uri)
			} else if e, err := read(string(payload)); err != nil {
				t.Errorf("%s: %+v, %v", filepath.Base(name), e, err)
			}
		}
	}
	if n != 13 {
		t.Errorf("%d tokens", n)
	}
}
