package jar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/jar"
)

// Clients are the keys that clients have registered, by client_id.
type Clients map[string]jwk.Set

func (c Clients) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return c[q.Selector].Keys(ctx, q)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A client signs its authorization request, and the authorization endpoint goes on with what was signed.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))

	object := must(jar.Sign(ctx, key, jwt.Registered{
		Issuer: "s6BhdRkqt3", Audience: jwt.Audience{"https://as.example"},
		NotBefore: time.Now(), Expiry: time.Now().Add(time.Minute),
	}, jar.NewClaims(url.Values{
		"client_id": {"s6BhdRkqt3"}, "response_type": {"code"}, "redirect_uri": {"https://c.example/cb"}, "max_age": {"86400"},
	})))
	location := must(jar.URL("https://as.example/authorize", "s6BhdRkqt3", object, nil))

	u := must(url.Parse(location + "&redirect_uri=https://evil.example"))

	v := must(jar.NewVerifier(Clients{"s6BhdRkqt3": {key.Public()}}, jar.Policy{
		Issuer: "https://as.example", AnyClient: true, FAPI: true,
	}))
	q := must(v.Resolve(ctx, u.Query()))
	fmt.Println(q.Parameters.Get("redirect_uri"), q.Parameters.Get("max_age"), q.Token.Header().Type == jar.Type)

	_, err := v.Resolve(ctx, url.Values{"client_id": {"another"}, "request": {object}})
	fmt.Println(err, errors.Is(err, &oauth.Error{Code: oauth.InvalidRequestObject}))
	// Output:
	// https://c.example/cb 86400 true
	// oauth: invalid_request_object: the request object is refused: client_id.mismatch (client_id: want the client of the request) true
}

// The endpoint for pushed requests keeps what a client that has authenticated asks for, and hands it out once.
func ExamplePushedCache() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	clients := Clients{"s6BhdRkqt3": {key.Public()}}
	pushed := jar.NewPushedCache(10_000, min(90*time.Second, jar.MaxPushedLifetime))

	// A client may push a request object, or the parameters themselves.
	par := must(jar.NewVerifier(clients, jar.Policy{Issuer: "https://as.example", AnyClient: true, UnsignedRequests: true}))
	form := url.Values{"client_id": {"s6BhdRkqt3"}, "response_type": {"code"}, "client_assertion": {"…"}}
	q := must(par.Resolve(ctx, form))
	uri, expiresIn, err := pushed.Push(ctx, "s6BhdRkqt3", q.Parameters)
	fmt.Println(strings.HasPrefix(uri, jar.Prefix), expiresIn, err)

	v := must(jar.NewVerifier(clients, jar.Policy{Issuer: "https://as.example", AnyClient: true, Pushed: pushed}))
	query := url.Values{"client_id": {"s6BhdRkqt3"}, "request_uri": {uri}}
	q = must(v.Resolve(ctx, query))
	fmt.Println(q.Parameters.Encode(), q.Pushed)
	_, err = v.Resolve(ctx, query)
	fmt.Println(err)
	p, err := pushed.Take(ctx, "s6BhdRkqt3", uri)
	fmt.Println(p, err)
	// Output:
	// true 1m30s <nil>
	// client_id=s6BhdRkqt3&response_type=code true
	// oauth: invalid_request_uri: request_uri is unknown, expired, used, or of another client
	// map[] <nil>
}

// A database that keeps pushed requests takes and deletes in one statement.
type database map[string]url.Values

func (d database) Take(_ context.Context, clientID, requestURI string) (url.Values, error) {
	p := d[clientID+" "+requestURI]
	delete(d, clientID+" "+requestURI)
	return p, nil
}

func ExamplePushed() {
	ctx := context.Background()
	uri := jar.NewRequestURI()
	var pushed jar.Pushed = database{"s6BhdRkqt3 " + uri: {"client_id": {"s6BhdRkqt3"}}}
	v := must(jar.NewVerifier(Clients{}, jar.Policy{Issuer: "https://as.example", AnyClient: true, Pushed: pushed}))
	fmt.Println(must(v.Resolve(ctx, url.Values{"client_id": {"s6BhdRkqt3"}, "request_uri": {uri}})).Parameters)
	// Output: map[client_id:[s6BhdRkqt3]]
}

// A server can fetch request objects from the URLs that a client has registered.
func ExampleByReference() {
	v := must(jar.NewVerifier(Clients{}, jar.Policy{
		Issuer: "https://as.example", AnyClient: true,
		ByReference: &jar.ByReference{Registered: func(_ context.Context, clientID string) ([]string, error) {
			return map[string][]string{"s6BhdRkqt3": {"https://c.example/request.jwt"}}[clientID], nil
		}},
	}))
	_, err := v.Resolve(context.Background(), url.Values{"client_id": {"s6BhdRkqt3"}, "request_uri": {"https://169.254.169.254/"}})
	fmt.Println(err)
	// Output: oauth: invalid_request_uri: request_uri is not registered
}

// Verify is for request objects that come in another way.
func ExampleVerifier_Verify() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	claims := jar.Claims{ClientID: "s6BhdRkqt3", Scope: "openid", Other: map[string]json.RawMessage{"max_age": json.RawMessage("0")}}
	raw := must(jar.Sign(ctx, key, jwt.Registered{Expiry: time.Now().Add(time.Minute)}, claims))
	v := must(jar.NewVerifier(jwk.Set{key.Public()}, jar.Policy{Issuer: "https://as.example", ClientID: "s6BhdRkqt3"}))
	t := must(v.Verify(ctx, raw, jar.Expect{ClientID: "s6BhdRkqt3"}))
	fmt.Println(t.Claims.Scope, t.Claims.Parameters())
	// Output: openid map[client_id:[s6BhdRkqt3] max_age:[0] scope:[openid]]
}
