package unverified_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

// TestSeeds goes through every token of the collected real texts.
func TestSeeds(t *testing.T) {
	const pop = "7yNhIHVeaPFIB_0k-YpiFATomCLpxIv-e2AAFmCRBLE"
	const attester = "zX9xbJqBziMWK5vmjXHgZTmiY16xfnZxzSEa0GqY5_Q"
	type want struct{ kind, alg, kid, typ string }
	dir := testvectors.Seeds(t)
	for file, wanted := range map[string][]want{
		"000_c86aab274fe4510e.txt": {
			{"jwt", "HS256", "", "JWT"}, // in the prose; then in the HTTP message
			{"jwt", "HS256", "", "JWT"},
		},
		"001_538881926e11c652.txt": nil,
		"002_b47a9bcb169ff5a1.txt": {
			{"jwt", "HS256", "", "JWT"}, // three more are elided
		},
		"003_d91d1c798bfcca91.txt": nil,
		"004_c3b52057abb3158f.txt": {
			{"id-token", "RS256", "1e9gdk7", ""}, // &state= is stuck to it
			{"request-object", "RS256", "k2bdc", ""},
			{"ciba-request", "ES256", "ltacesbw", ""}, // wrapped
			{"client-assertion", "ES256", "ltacesbw", ""},
			{"ciba-request", "ES256", "ltacesbw", ""},
			{"login-hint-token", "ES256", "ltacesbw", ""},
			{"jarm", "ES256", "laeb", ""}, // wrapped
			{"jarm", "ES256", "laeb", ""},
			{"client-assertion", "ES256", pop, "JWT"},
			{"client-attestation", "ES256", attester, "oauth-client-attestation+jwt"}, // wrapped by RFC 8792
			{"client-attestation-pop", "ES256", pop, "oauth-client-attestation-pop+jwt"},
			{"client-attestation", "ES256", attester, "oauth-client-attestation+jwt"},
			{"client-attestation-pop", "ES256", pop, "oauth-client-attestation-pop+jwt"},
			{"dpop-proof", "ES256", "", "dpop+jwt"}, // wrapped by RFC 8792
			{"dpop-proof", "ES256", "", "dpop+jwt"},
			{"userinfo", "ES256", "shrrK1BKoVgnxi9jvUTXtQmisyzkizhOodCNfc8l0dw", ""},
			{"introspection", "RS256", "wG6D", "token-introspection+jwt"}, // wrapped
			{"introspection", "RS256", "wG6D", "token-introspection+jwt"},
			{"access-token", "PS256", "authlete-fapidev-api-20180524", "at+jwt"},
			{"entity-statement", "RS256", "78CQ6-oXiofgNq5yeWgTKfj4nqxgm1j5LvBxSwE_xA4", "entity-statement+jwt"},
			{"sd-jwt-vc", "ES256", "", "dc+sd-jwt"}, // wrapped
			{"key-proof", "ES256", "", "openid4vci-proof+jwt"},
			{"security-event", "ES256", "", "secevent+jwt"},
		},
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			found := unverified.Find(string(text))
			if len(found) != len(wanted) {
				t.Fatalf("%d tokens, want %d", len(found), len(wanted))
			}
			for i, f := range found {
				tok := f.Token
				got := want{string(lint.Recognize(tok)), tok.HeaderString("alg"), tok.HeaderString("kid"), tok.HeaderString("typ")}
				if got != wanted[i] {
					t.Errorf("token %d: %+v, want %+v", i+1, got, wanted[i])
				}
				if len(tok.Problems) > 0 {
					t.Errorf("token %d: %v", i+1, tok.Problems)
				}
				if f.Raw != tok.Raw || strings.ContainsAny(f.Raw, "\\\n &=") || text[f.Start] != f.Raw[0] || text[f.End-1] != f.Raw[len(f.Raw)-1] {
					t.Errorf("token %d is %d to %d: %s", i+1, f.Start, f.End, f.Raw)
				}
			}
		})
	}
}

// TestSeedsTwice compares what the article prints twice: wrapped in a message, and
// in one line.
func TestSeedsTwice(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testvectors.Seeds(t), "004_c3b52057abb3158f.txt"))
	if err != nil {
		t.Fatal(err)
	}
	f := unverified.Find(string(text))
	for _, pair := range [][2]int{{2, 4}, {6, 7}, {9, 11}, {10, 12}, {13, 14}, {16, 17}} {
		if f[pair[0]].Raw != f[pair[1]].Raw {
			t.Errorf("tokens %d and %d differ", pair[0]+1, pair[1]+1)
		}
	}
	if inside := f[4].Token.FindWithin(); len(inside) != 1 || inside[0].Raw != f[5].Raw {
		t.Errorf("the request carries %v", inside)
	}
	if n := len(f[20].Token.Disclosures); n != 21 {
		t.Errorf("%d disclosures", n)
	}
}
