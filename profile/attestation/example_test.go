package attestation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/dpop"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// The backend of an app attests an instance of it, which then sends a request to an authorization server.
func Example() {
	ctx := context.Background()
	attester := must(jwk.Generate(jwa.ES256))
	instance := must(jwk.Generate(jwa.ES256))

	// The attester, once it is convinced that this is its app and that it has the key.
	public := instance.JWK()
	attested := must(attestation.Sign(ctx, attester, jwt.Registered{
		Subject: "wallet", IssuedAt: time.Now(), Expiry: time.Now().Add(24 * time.Hour),
	}, attestation.Claims{Confirmation: &pop.Confirmation{JWK: &public}}))

	// The instance, for each request.
	r := must(http.NewRequestWithContext(ctx, http.MethodPost, "https://as.example/token", nil))
	if err := attestation.SetHeaders(ctx, r.Header, attested, instance, "https://as.example", ""); err != nil {
		log.Fatal(err)
	}

	// The authorization server.
	v := must(attestation.NewVerifier(jwk.Set{attester.Public()}, attestation.Policy{
		Audience: "https://as.example", ClientIDs: []string{"wallet"}, Replay: jwt.NewReplayCache(1000),
	}))
	c := must(v.Verify(ctx, r.Header, attestation.Expect{ClientID: "wallet"}))
	fmt.Println(c.Attestation.Subject, c.Attestation.Header().Type == attestation.Type, c.PoP.Header().Type == attestation.PoPType)
	fmt.Println(c.Thumbprint == instance.KeyID()) // what a refresh token is bound to

	// A proof is good once.
	_, err := v.Verify(ctx, r.Header, attestation.Expect{ClientID: "wallet"})
	fmt.Println(errors.Is(err, jwt.ErrReplay), attestation.Error(err).Code)
	// Output:
	// wallet true true
	// true
	// true invalid_client_attestation
}

// A server gives out challenges, so that it need not rely on the clocks of its clients.
func ExampleChallenges() {
	ctx := context.Background()
	attester := must(jwk.Generate(jwa.ES256))
	instance := must(jwk.Generate(jwa.ES256))
	public := instance.JWK()
	attested := must(attestation.Sign(ctx, attester, jwt.Registered{Subject: "wallet", Expiry: time.Now().Add(time.Hour)},
		attestation.Claims{Confirmation: &pop.Confirmation{JWK: &public}}))

	var challenges attestation.Challenges = must(attestation.NewChallenges(attestation.ChallengeOptions{Life: time.Minute}))
	v := must(attestation.NewVerifier(jwk.Set{attester.Public()}, attestation.Policy{
		Audience: "https://as.example", AnyClient: true, Replay: jwt.NewReplayCache(1000), Challenges: challenges,
	}))

	// A request without one is answered with one.
	h := http.Header{}
	must(0, attestation.SetHeaders(ctx, h, attested, instance, "https://as.example", ""))
	_, err := v.Verify(ctx, h, attestation.Expect{ClientID: "wallet"})
	w := httptest.NewRecorder()
	must(0, v.SetChallenge(ctx, w.Header()))
	attestation.Error(err).Write(w)
	fmt.Println(w.Code, attestation.Error(err).Code == oauth.UseAttestationChallenge, len(w.Header().Get(attestation.ChallengeHeader)))

	// Or the client asks for one first, at the challenge endpoint.
	w = httptest.NewRecorder()
	v.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://as.example/challenge", nil))
	var response attestation.ChallengeResponse
	must(0, json.Unmarshal(w.Body.Bytes(), &response))

	must(0, attestation.SetHeaders(ctx, h, attested, instance, "https://as.example", response.Challenge))
	c := must(v.Verify(ctx, h, attestation.Expect{ClientID: "wallet"}))
	fmt.Println(c.Attestation.Subject)
	// Output:
	// 400 true 32
	// wallet
}

// A DPoP proof may take the place of the proof: what is issued is then bound to the key that is attested. One source of challenges
// serves both.
func ExamplePolicy_dPoP() {
	ctx := context.Background()
	attester := must(jwk.Generate(jwa.ES256))
	instance := must(jwk.Generate(jwa.ES256))
	public := instance.JWK()
	challenges := must(attestation.NewChallenges(attestation.ChallengeOptions{}))
	nonce := must(challenges.New(ctx)) // from a response of the server

	h := http.Header{}
	h.Set(attestation.Header, must(attestation.Sign(ctx, attester, jwt.Registered{Subject: "wallet", Expiry: time.Now().Add(time.Hour)},
		attestation.Claims{Confirmation: &pop.Confirmation{JWK: &public}})))
	h.Set("DPoP", must(dpop.Sign(ctx, instance, jwt.Registered{}, dpop.Claims{Method: "POST", URL: "https://as.example/token", Nonce: nonce})))
	fmt.Println(h.Get(attestation.PoPHeader) == "")

	proofs := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1000), Nonces: challenges}))
	proof := must(proofs.Verify(ctx, must(dpop.FromHeader(h)), dpop.Expect{
		Method: "POST", URL: "https://as.example/token", NoAccessToken: true,
	}))
	v := must(attestation.NewVerifier(jwk.Set{attester.Public()}, attestation.Policy{
		Audience: "https://as.example", AnyClient: true, Replay: jwt.NewReplayCache(1000), Challenges: challenges, DPoP: true,
	}))
	var c *attestation.Client = must(v.Verify(ctx, h, attestation.Expect{ClientID: "wallet", Thumbprint: proof.Key.KeyID()}))
	fmt.Println(c.PoP == nil, c.Thumbprint == proof.Key.KeyID())
	fmt.Println(attestation.Method, attestation.MethodDPoP)
	// Output:
	// true
	// true true
	// attest_jwt_client_auth attest_jwt_client_auth_dpop
}

// A proof by itself, for another way to carry it than in a header.
func ExampleSignPoP() {
	instance := must(jwk.Generate(jwa.ES256))
	raw := must(attestation.SignPoP(context.Background(), instance, jwt.Registered{Audience: jwt.Audience{"https://as.example"}},
		attestation.PoPClaims{Challenge: "AYjcyMzY3ZDhiNmJkNTZ"}))
	fmt.Println(len(raw) > 0)
	// Output: true
}
