package lint_test

import (
	"fmt"

	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

func ExampleRecognize() {
	for _, s := range []string{
		"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhIn0.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIiwic3ViIjoicyIsImF1ZCI6ImMiLCJleHAiOjF9.AAAA",
	} {
		t, err := unverified.Parse(s)
		if err != nil {
			panic(err)
		}
		var kind lint.Kind = lint.Recognize(t)
		fmt.Println(kind, lint.Alternatives(t))
	}
	fmt.Println(lint.Kinds()[:3])
	// Output:
	// access-token []
	// userinfo [id-token authorization-grant]
	// [jwt id-token access-token]
}
