package subjectid_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/jotsuite/jot/oauth/subjectid"
)

// An identifier is written, and read by the other side.
func Example() {
	session := subjectid.Identifier{Format: subjectid.Complex, Parts: map[string]subjectid.Identifier{
		"user":   {Format: subjectid.IssSub, Issuer: "https://op.example", Subject: "24400320"},
		"device": {Format: subjectid.IPAddresses, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
	}}
	b, err := json.Marshal(session)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))

	got, err := subjectid.Parse(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Parts["user"].Subject, got.Equal(&session))

	_, err = subjectid.Parse([]byte(`{"format":"email","email":"alice"}`))
	fmt.Println(err, errors.Is(err, subjectid.ErrInvalid))
	// Output:
	// {"format":"complex","device":{"format":"ip-addresses","ip-addresses":["192.0.2.1"]},"user":{"format":"iss_sub","iss":"https://op.example","sub":"24400320"}}
	// 24400320 true
	// the subject identifier does not keep to its format: the member email of the format email true
}

// What identifies a subject in one place may not in another, so there are many formats.
func ExampleIdentifier() {
	for _, id := range []subjectid.Identifier{
		{Format: subjectid.Account, URI: "acct:alice@service.example"},
		{Format: subjectid.Email, Email: "alice@example.com"},
		{Format: subjectid.Opaque, ID: "11112222333344445555"},
		{Format: subjectid.PhoneNumber, PhoneNumber: "+12065550100"},
		{Format: subjectid.DID, URL: "did:example:123456"},
		{Format: subjectid.URI, URI: "urn:uuid:4e851e98-83c4-4743-a5da-150ecb53042f"},
		{Format: subjectid.JWTID, Issuer: "https://op.example", ID: "B70BA622"},
		{Format: subjectid.SAMLAssertionID, Issuer: "https://op.example", ID: "_8e8dc5f6"},
		{Format: subjectid.Aliases, Aliases: []subjectid.Identifier{
			{Format: subjectid.Email, Email: "alice@example.com"}, {Format: subjectid.Opaque, ID: "11112222333344445555"},
		}},
	} {
		b, err := json.Marshal(id)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(b))
	}
	// Output:
	// {"format":"account","uri":"acct:alice@service.example"}
	// {"format":"email","email":"alice@example.com"}
	// {"format":"opaque","id":"11112222333344445555"}
	// {"format":"phone_number","phone_number":"+12065550100"}
	// {"format":"did","url":"did:example:123456"}
	// {"format":"uri","uri":"urn:uuid:4e851e98-83c4-4743-a5da-150ecb53042f"}
	// {"format":"jwt_id","iss":"https://op.example","jti":"B70BA622"}
	// {"format":"saml_assertion_id","issuer":"https://op.example","assertion_id":"_8e8dc5f6"}
	// {"format":"aliases","identifiers":[{"format":"email","email":"alice@example.com"},{"format":"opaque","id":"11112222333344445555"}]}
}

// A format of one's own, and one of a draft.
func ExampleIdentifier_Check() {
	var id subjectid.Identifier
	if err := json.Unmarshal([]byte(`{"format":"catalog_item","catalog_id":"c0384"}`), &id); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(id.Check(), subjectid.ErrUnknownFormat), id.Check("catalog_item"), string(id.Raw))

	if err := json.Unmarshal([]byte(`{"format":"phone","phone":"+1 206 555 0123"}`), &id); err != nil {
		log.Fatal(err)
	}
	today, err := id.Legacy()
	fmt.Println(today.Format, today.PhoneNumber, err)
	// Output:
	// true <nil> {"format":"catalog_item","catalog_id":"c0384"}
	// phone_number +12065550123 <nil>
}
