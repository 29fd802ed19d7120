package risc_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/risc"
	"github.com/jotsuite/jot/profile/secevent"
)

// A provider says that an account was hijacked, and another that relies on its email address hears of it.
func Example() {
	ctx := context.Background()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := secevent.Sign(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Audience: jwt.Audience{"https://sp.example"}, IssuedAt: time.Now(), ID: rand.Text(),
	}, secevent.Claims{
		SubjectID: &subjectid.Identifier{Format: subjectid.Email, Email: "alice@example.com"},
	}, risc.AccountDisabled{Reason: "hijacking"})
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
	e, err := secevent.Read[risc.AccountDisabled](&t.Claims)
	fmt.Println(t.Claims.SubjectID.Email, e.Reason, err)
	// Output: alice@example.com hijacking <nil>
}

// Each type checks its members, and whom it is about.
func ExampleReason() {
	account := &subjectid.Identifier{Format: subjectid.IssSub, Issuer: "https://idp.example", Subject: "24400320"}
	for _, e := range []secevent.Event{
		risc.AccountCredentialChangeRequired{},
		risc.AccountPurged{},
		risc.AccountEnabled{},
		risc.IdentifierChanged{NewValue: "john.roe@example.com"},
		risc.IdentifierRecycled{},
		risc.CredentialCompromise{CredentialType: "password", ReasonUser: risc.Reason{"en": "Your password was found on a list."}},
		risc.OptIn{},
		risc.OptOutInitiated{},
		risc.OptOutCancelled{},
		risc.OptOutEffective{},
		risc.RecoveryActivated{},
		risc.RecoveryInformationChanged{},
		risc.SessionsRevoked{},
	} {
		if err := e.Check(account); err != nil {
			fmt.Printf("%T: %v\n", e, err)
		}
	}
	// Output:
	// risc.IdentifierChanged: the event does not conform to its definition: the subject has the format email or phone_number
	// risc.IdentifierRecycled: the event does not conform to its definition: the subject has the format email or phone_number
}
