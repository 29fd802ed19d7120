package jwk

import (
	"context"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
)

func TestQuick(t *testing.T) {
	for _, a := range jwa.Signatures() {
		if a.Symmetric() {
			continue
		}
		k, err := Generate(a)
		if err != nil {
			t.Fatal(a, err)
		}
		s, err := k.Sign(context.Background(), []byte("x"))
		if err != nil {
			t.Fatal(a, err)
		}
		if err := k.Public().Verify([]byte("x"), s); err != nil {
			t.Fatal(a, err)
		}
		pj, _ := k.PrivateJWK()
		b, err := pj.MarshalPrivateJSON()
		t.Log(string(b), err)
		j2, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j2.PrivateKey(Binding{}); err != nil {
			t.Fatal(err)
		}
		b, _ = j2.MarshalJSON()
		t.Log(string(b))
		t.Log(j2.ThumbprintURI(5))
	}
}
