package dpop_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/dpop"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A client makes a proof for one request, and the resource server verifies it beside the access token.
func Example() {
	ctx := context.Background()
	const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	key := must(jwk.Generate(jwa.ES256))
	r := httptest.NewRequest("GET", "https://api.example/orders?page=2", nil)
	proof := must(dpop.Sign(ctx, key, jwt.Registered{}, dpop.Claims{
		Method: r.Method, URL: r.URL.String(), TokenHash: dpop.TokenHash(token),
	}))
	r.Header.Set(dpop.Header, proof)
	r.Header.Set("Authorization", "DPoP "+token)

	v := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1e6)}))
	cnf := must(dpop.Thumbprint(key)) // which the access token has as cnf.jkt
	request := dpop.Expect{Method: r.Method, URL: "https://api.example" + r.URL.EscapedPath(), AccessToken: token, Thumbprint: cnf}
	t, err := v.Verify(ctx, must(dpop.FromHeader(r.Header)), request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Header().Type == dpop.Type, t.Claims.URL, t.Key.KeyID() == cnf)

	// It is good once.
	_, err = v.Verify(ctx, proof, request)
	fmt.Println(err, errors.Is(err, jwt.ErrReplay))
	fmt.Println(dpop.Error(err).Code)
	// Output:
	// true https://api.example/orders true
	// token refused: jti.replayed: jti: want a proof that was not used before true
	// invalid_dpop_proof
}

// A server asks for nonces, and a client answers it by itself: the handler is called once, with the second request.
func ExampleTransport() {
	nonces := must(dpop.NewNonces(dpop.NonceOptions{Life: time.Minute}))
	v := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1e6), Nonces: nonces}))
	var public string // the URL of the server as its clients know it
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proof, err := dpop.FromHeader(r.Header)
		if err == nil {
			_, err = v.Verify(r.Context(), proof, dpop.Expect{Method: r.Method, URL: public + r.URL.EscapedPath(), NoAccessToken: true})
		}
		if failed := v.SetNonce(r.Context(), w.Header()); failed != nil || err != nil && dpop.Error(err) == nil {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		if err != nil {
			fmt.Println("refused:", dpop.Error(err).Code, w.Header().Get(dpop.NonceHeader) != "")
			w.Header().Set("WWW-Authenticate", v.Challenge(err).String())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Println("served")
	}))
	defer s.Close()
	public = s.URL

	client := &http.Client{Transport: &dpop.Transport{Key: must(jwk.Generate(jwa.ES256))}}
	resp := must(client.Get(s.URL + "/orders"))
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// refused: use_dpop_nonce true
	// served
	// 200 OK
}

// A redirected request is a request of its own, and the transport is a link in a chain.
func ExampleTransport_RoundTrip() {
	token := func(*http.Request) (string, error) { return "Kz~8mXK1EalYznwH-LC-1fBAo", nil }
	t := &dpop.Transport{Key: must(jwk.Generate(jwa.ES256)), Token: token, Base: echo{}}
	resp := must(t.RoundTrip(httptest.NewRequest("GET", "https://api.example/orders", nil)))
	defer resp.Body.Close()
	fmt.Println(resp.Header.Get("Authorization"), len(resp.Header.Values(dpop.Header)))
	// Output: DPoP Kz~8mXK1EalYznwH-LC-1fBAo 1
}

// echo answers with the headers of the request.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{Header: r.Header, Body: http.NoBody}, nil
}

// Nonces are asked for and accepted by every replica that has the secret.
func ExampleNonces() {
	ctx := context.Background()
	o := dpop.NonceOptions{Secrets: [][]byte{[]byte("a secret of 32 bytes, or longer.")}}
	here, there := must(dpop.NewNonces(o)), must(dpop.NewNonces(o))
	nonce := must(here.New(ctx))
	fmt.Println(must(there.Accepts(ctx, nonce)), must(there.Accepts(ctx, "another")))
	// Output: true false
}
