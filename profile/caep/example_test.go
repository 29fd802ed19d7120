package caep_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/caep"
	"github.com/jotsuite/jot/profile/secevent"
)

// A provider says that a session has ended, and the application that relies on it hears of it.
func Example() {
	ctx := context.Background()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := secevent.Sign(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Audience: jwt.Audience{"https://sp.example"}, IssuedAt: time.Now(), ID: rand.Text(),
	}, secevent.Claims{
		SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "session-1"},
	}, caep.SessionRevoked{Context: caep.Context{
		Timestamp: time.Now(), InitiatingEntity: "policy", ReasonUser: map[string]string{"en": "This device is no longer compliant."},
	}})
	if err != nil {
		log.Fatal(err)
	}

	v, err := secevent.NewVerifier(jwk.Set{key.Public()}, secevent.Policy{
		Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"},
	})
	if err != nil {
		log.Fatal(err)
	}
	t, err := v.Verify(ctx, raw)
	if err != nil {
		log.Fatal(err)
	}
	e, err := secevent.Read[caep.SessionRevoked](&t.Claims)
	fmt.Println(t.Claims.SubjectID.ID, e.InitiatingEntity, e.ReasonUser["en"], err)
	_, err = secevent.Read[caep.CredentialChange](&t.Claims)
	fmt.Println(errors.Is(err, secevent.ErrNoEvent))
	// Output:
	// session-1 policy This device is no longer compliant. <nil>
	// true
}

// Each type has its members, and checks them.
func ExampleContext() {
	for _, e := range []secevent.Event{
		caep.TokenClaimsChange{Claims: map[string]json.RawMessage{"role": json.RawMessage(`"ro-admin"`)}},
		caep.CredentialChange{CredentialType: "fido2-roaming", ChangeType: "create"},
		caep.AssuranceLevelChange{Namespace: "NIST-AAL", CurrentLevel: "nist-aal2", ChangeDirection: "increase"},
		caep.DeviceComplianceChange{PreviousStatus: "compliant", CurrentStatus: "not-compliant"},
		caep.SessionEstablished{AMR: []string{"otp"}},
		caep.SessionPresented{ExtID: "12345"},
		caep.RiskLevelChange{Principal: "USER", CurrentLevel: "SEVERE"},
	} {
		fmt.Println(e.EventType(), e.Check(nil))
	}
	// Output:
	// https://schemas.openid.net/secevent/caep/event-type/token-claims-change <nil>
	// https://schemas.openid.net/secevent/caep/event-type/credential-change <nil>
	// https://schemas.openid.net/secevent/caep/event-type/assurance-level-change <nil>
	// https://schemas.openid.net/secevent/caep/event-type/device-compliance-change <nil>
	// https://schemas.openid.net/secevent/caep/event-type/session-established <nil>
	// https://schemas.openid.net/secevent/caep/event-type/session-presented <nil>
	// https://schemas.openid.net/secevent/caep/event-type/risk-level-change the event does not conform to its definition: current_level is one of LOW, MEDIUM, HIGH
}
