package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/exchange"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

const server = "https://as.example"

// A front end got Alice's access token, and exchanges it for one with which it calls the billing service for her.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	token := func(subject string, c accesstoken.Claims) string {
		return must(accesstoken.Sign(ctx, key, jwt.Registered{
			Issuer: server, Subject: subject, Audience: jwt.Audience{"https://front.example"}, ID: "1",
			IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute),
		}, c))
	}
	alices := token("alice", accesstoken.Claims{ClientID: "app", Scope: "invoices:read invoices:pay"})
	frontends := token("front", accesstoken.Claims{ClientID: "front"})

	// The front end asks.
	ask := &exchange.Request{
		SubjectToken: alices, SubjectTokenType: exchange.AccessToken,
		ActorToken: frontends, ActorTokenType: exchange.AccessToken,
		Audience: []string{"billing"}, Scope: oauth.Scopes{"invoices:read"},
	}
	form := must(ask.Values())

	// The authorization server decides.
	access := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
		Issuers: []string{server}, Audiences: []string{"https://front.example"},
	}))
	types := map[exchange.TokenType]exchange.Verify{exchange.AccessToken: exchange.From(access.Verify)}
	v := must(exchange.NewVerifier(exchange.Policy{
		Issuer: server, Subject: types, Actor: types,
		Permit: func(_ context.Context, x *exchange.Exchange) (bool, error) {
			return x.Actor != nil && x.Actor.Subject == x.ClientID, nil
		},
	}))
	req := must(exchange.ParseRequest(form))
	x := must(v.Verify(ctx, req, exchange.Expect{ClientID: "front"}))
	rights := must(exchange.Rights{Scope: x.Subject.Scope, Audience: []string{"billing", "shipping"}}.Narrow(req))
	fmt.Println(x.Subject.Subject, rights.Scope, rights.Audience, string(must(json.Marshal(x.Act))))

	// It issues the token and answers, and the front end reads the answer.
	issued := must(accesstoken.Sign(ctx, key, jwt.Registered{
		Issuer: server, Subject: x.Subject.Subject, Audience: rights.Audience, ID: "2",
		IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute),
	}, accesstoken.Claims{ClientID: x.ClientID, Scope: rights.Scope.String(), Actor: must(json.Marshal(x.Act))}))
	body := must(json.Marshal(&exchange.Response{
		AccessToken: issued, IssuedTokenType: exchange.AccessToken, TokenType: "Bearer", ExpiresIn: time.Minute, Scope: rights.Scope,
	}))
	answer := must(ask.ParseResponse(200, body))
	fmt.Println(answer.TokenType, answer.ExpiresIn, answer.Scope)

	// It does not get more than the subject token is good for.
	req.Scope = oauth.Scopes{"admin"}
	_, err := exchange.Rights{Scope: x.Subject.Scope}.Narrow(req)
	fmt.Println(errors.Is(err, &oauth.Error{Code: oauth.InvalidScope}))

	// The billing service sees for whom it works, and who asks.
	billing := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{Issuers: []string{server}, Audiences: []string{"billing"}}))
	t := must(billing.Verify(ctx, answer.AccessToken))
	var actor exchange.Actor
	if err := json.Unmarshal(t.Claims.Actor, &actor); err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Subject, "by", actor.Subject)
	// Output:
	// alice invoices:read [billing] {"iss":"https://as.example","sub":"front"}
	// Bearer 1m0s invoices:read
	// true
	// alice by front
}

// A chain of actors grows with each service that calls the next; only the outermost counts.
func ExampleNext() {
	subject := &exchange.Token{Issuer: server, Subject: "alice"}
	for _, service := range []string{"front", "billing"} {
		subject.Act = must(exchange.Next(subject, &exchange.Token{Issuer: server, Subject: service}))
	}
	fmt.Println(subject.Act.Subject, "now, and before it", subject.Act.Prior.Subject, subject.Act.Check() == nil, exchange.MaxActors)

	_, err := exchange.Next(subject, &exchange.Token{Issuer: server, Subject: "front"})
	fmt.Println(errors.Is(err, exchange.ErrActor))
	// Output:
	// billing now, and before it front true 8
	// true
}

// A subject token says who may act for its subject.
func ExampleToken_Permits() {
	subject := &exchange.Token{Issuer: server, Subject: "alice", MayAct: map[string]json.RawMessage{"sub": json.RawMessage(`"front"`)}}
	fmt.Println(subject.Permits(&exchange.Token{Issuer: server, Subject: "front"}))
	err := subject.Permits(&exchange.Token{Issuer: "https://other.example", Subject: "front"})
	fmt.Println(errors.Is(err, exchange.ErrMayAct))
	// Output:
	// <nil>
	// true
}

// There are other types of tokens, which are not used as access tokens.
func ExampleTokenType() {
	form := url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {"…"}, "subject_token_type": {string(exchange.RefreshToken)},
		"requested_token_type": {string(exchange.JWT)},
	}
	req := must(exchange.ParseRequest(form))
	body := `{"access_token": "…", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_type": "N_A"}`
	answer := must(req.ParseResponse(200, []byte(body)))
	fmt.Println(answer.TokenType == exchange.NotApplicable)
	for _, other := range []exchange.TokenType{exchange.IDToken, exchange.SAML1, exchange.SAML2} {
		_, err := req.ParseResponse(200, []byte(fmt.Sprintf(`{"access_token": "…", "issued_token_type": %q, "token_type": "N_A"}`, other)))
		fmt.Println(errors.Is(err, exchange.ErrResponse))
	}
	// Output:
	// true
	// true
	// true
	// true
}
