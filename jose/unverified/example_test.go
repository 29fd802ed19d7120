package unverified_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/jose/unverified"
)

func ExampleFind() {
	text := "GET / HTTP/1.1\n" +
		"Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJqb2UifQ.c2ln&x\n" +
		"DPoP: eyJhbGci...\n"
	var found []unverified.Found = unverified.Find(text)
	for _, f := range found {
		t := f.Token
		fmt.Println(f.Start, f.End, t.Form, t.HeaderString("alg"), t.ClaimString("sub"), len(f.Raw))
	}
	// Output: 37 97 compact HS256 joe 60
}

func ExampleParse() {
	// A header that has alg twice, with padding that should not be there.
	t, err := unverified.Parse("eyJhbGciOiJub25lIiwiYWxnIjoiSFMyNTYifQ==.e30.c2ln")
	if err != nil {
		panic(err)
	}
	fmt.Println(string(t.Header), string(t.Claims), string(t.HeaderMember("alg")), t.Claim("sub") == nil)
	var problems []unverified.Problem = t.Problems
	for _, p := range problems {
		fmt.Println(p.Code, p.Where)
	}
	fmt.Println(string(t.Signatures[0].Signature), t.Payload != nil, t.Prefix == "", t.Nested == nil)

	_, err = unverified.Parse("hello")
	fmt.Println(errors.Is(err, unverified.ErrNotToken))
	_, err = unverified.ParseMax(t.Raw, 10)
	fmt.Println(errors.Is(err, unverified.ErrTooLarge))
	fmt.Println(errors.Is(parse(strings.Repeat("A", unverified.MaxSize+1)), unverified.ErrTooLarge))
	// Output:
	// {"alg":"none","alg":"HS256"} {} "HS256" true
	// token.encoding header
	// json.duplicate header
	// sig true true true
	// true
	// true
	// true
}

func parse(s string) error {
	_, err := unverified.Parse(s)
	return err
}

func ExampleToken() {
	for _, s := range []string{
		"eyJhbGciOiJFUzI1NiJ9.e30.AAAA~WyJzYWx0IiwibmFtZSIsIkpvZSJd~",
		"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAAAAAA.AA",
		`{"payload":"e30","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"a"},"signature":"AAAA"}`,
		`{"payload":"e30","signatures":[{"protected":"eyJhbGciOiJFUzI1NiJ9","signature":"AAAA"}]}`,
		`{"protected":"eyJlbmMiOiJBMTI4R0NNIn0","ciphertext":"AAAA"}`,
		"pk.e30.AAAA",
	} {
		var t *unverified.Token
		t, err := unverified.Parse(s)
		if err != nil {
			panic(err)
		}
		var form unverified.Form = t.Form
		switch form {
		case unverified.Disclosable:
			var d unverified.Disclosure = t.Disclosures[0]
			fmt.Println(d.Name, string(d.Value), t.KeyBinding == nil)
		case unverified.Encrypted, unverified.EncryptedJSON:
			var e *unverified.Encryption = t.Encryption
			var to []unverified.Recipient = e.Recipients
			fmt.Println(e.Ciphertext, "bytes for", len(to))
		case unverified.Compact, unverified.Flattened, unverified.General, unverified.Prefixed:
			var by unverified.Signature = t.Signatures[0]
			fmt.Println(form, string(by.Unprotected), len(t.FindWithin()))
		}
	}
	// Output:
	// name "Joe" true
	// 6 bytes for 1
	// flattened {"kid":"a"} 0
	// general  0
	// 3 bytes for 1
	// prefixed  0
}
