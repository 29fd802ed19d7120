package secevent_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/caep"
	"github.com/jotsuite/jot/profile/secevent"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A transmitter says that a session has ended, and the receiver verifies it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(secevent.Sign(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Audience: jwt.Audience{"https://sp.example"}, IssuedAt: time.Now(), ID: rand.Text(),
	}, secevent.Claims{
		SubjectID:     &subjectid.Identifier{Format: subjectid.Opaque, ID: "session-1"},
		TransactionID: "8675309",
	}, caep.SessionRevoked{}))

	v := must(secevent.NewVerifier(jwk.Set{key.Public()}, secevent.Policy{
		Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"},
	}))
	t := must(v.Verify(ctx, raw))
	if _, err := secevent.Read[caep.SessionRevoked](&t.Claims); err == nil {
		fmt.Println(t.Claims.SubjectID.ID, "has ended")
	}
	fmt.Println(t.Header().Type == secevent.Type)
	// Output:
	// session-1 has ended
	// true
}

// A token is pushed to the receiver, which stores it and answers.
func ExampleReceiver() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	v := must(secevent.NewVerifier(jwk.Set{key.Public()}, secevent.Policy{
		Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"},
	}))
	receiver := must(secevent.NewReceiver(v, func(ctx context.Context, t *jwt.Token[secevent.Claims]) error {
		switch e, err := secevent.Read[secevent.Verification](&t.Claims); {
		case errors.Is(err, secevent.ErrNoEvent):
			return nil // an event that is not known here; others would be stored
		case err != nil:
			return err
		case e.State != "the state that was sent":
			return &secevent.DeliveryError{Code: secevent.InvalidState, Description: "this is not the state that was sent"}
		}
		return nil
	}))
	server := httptest.NewServer(receiver)
	defer server.Close()

	push := func(audience, state string) {
		raw := must(secevent.Sign(ctx, key, jwt.Registered{
			Issuer: "https://idp.example", Audience: jwt.Audience{audience}, IssuedAt: time.Now(), ID: rand.Text(),
		}, secevent.Claims{
			SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "stream-1"},
		}, secevent.Verification{State: state}))
		r := must(http.Post(server.URL, "application/secevent+jwt", bytes.NewBufferString(raw)))
		defer r.Body.Close()
		if r.StatusCode == http.StatusBadRequest {
			fmt.Println(must(secevent.ParseDeliveryError(must(io.ReadAll(r.Body)))))
			return
		}
		fmt.Println(r.Status)
	}
	push("https://sp.example", "the state that was sent")
	push("https://sp.example", "another")
	push("https://sp2.example", "the state that was sent")
	// Output:
	// 202 Accepted
	// invalid_state: this is not the state that was sent
	// invalid_audience: aud.mismatch
}

// A receiver polls, and says in the next request what became of the tokens.
func ExampleReceiver_Acknowledge() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	v := must(secevent.NewVerifier(jwk.Set{key.Public()}, secevent.Policy{
		Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"},
	}))
	receiver := must(secevent.NewReceiver(v, func(context.Context, *jwt.Token[secevent.Claims]) error { return nil }))

	// The transmitter answers a poll.
	asked := must(secevent.ParsePollRequest([]byte(`{"maxEvents":10,"returnImmediately":true}`)))
	raw := must(secevent.Sign(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Audience: jwt.Audience{"https://sp.example"}, IssuedAt: time.Now(), ID: "1",
	}, secevent.Claims{
		SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "stream-1"},
	}, secevent.StreamUpdated{Status: "paused"}))
	body := must(json.Marshal(secevent.PollResponse{Tokens: map[string]string{"1": raw, "2": "no token"}}))
	fmt.Println(asked.MaxEvents)

	// The receiver takes what is there.
	next := must(receiver.Acknowledge(ctx, must(secevent.ParsePollResponse(body))))
	next.MaxEvents, next.ReturnImmediately = secevent.NoEvents, true
	fmt.Println(string(must(json.Marshal(next))))
	// Output:
	// 10
	// {"maxEvents":0,"returnImmediately":true,"ack":["1"],"setErrs":{"2":{"err":"invalid_request","description":"token.malformed"}}}
}

// What a receiver answers to a token, where it does so by itself.
func ExampleErrorOf() {
	ctx := context.Background()
	key, other := must(jwk.Generate(jwa.ES256)), must(jwk.Generate(jwa.ES256))
	policy := secevent.Policy{Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"}}
	// A profile of RFC 8417 that is not of the Shared Signals Framework.
	raw := must(secevent.SignAnyProfile(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Subject: "https://scim.example/44f6", Audience: jwt.Audience{"https://sp.example"},
		IssuedAt: time.Now(), ID: rand.Text(),
	}, secevent.Claims{Events: map[string]json.RawMessage{"urn:ietf:params:scim:event:passwordReset": json.RawMessage(`{"id":"44f6"}`)}}))

	_, err := must(secevent.NewVerifier(jwk.Set{key.Public()}, policy)).Verify(ctx, raw)
	fmt.Println(secevent.ErrorOf(err), secevent.ErrorOf(err).Code == secevent.InvalidRequest)

	_, err = must(secevent.NewVerifier(jwk.Set{other.Public()}, policy)).Verify(ctx, raw)
	fmt.Println(secevent.ErrorOf(err), secevent.ErrorOf(err).Code == secevent.InvalidKey)

	policy.AnyProfile = true
	t := must(must(secevent.NewVerifier(jwk.Set{key.Public()}, policy)).Verify(ctx, raw))
	fmt.Println(t.Subject)

	// The others, for what only the receiver knows.
	fmt.Println(secevent.InvalidIssuer, secevent.InvalidAudience, secevent.AuthenticationFailed, secevent.AccessDenied)
	fmt.Println(errors.Is(caep.CredentialChange{}.Check(nil), secevent.ErrEvent), secevent.TransactionID("t"))
	// Output:
	// invalid_request: sub.forbidden claim.missing true
	// invalid_key: key.none true
	// https://scim.example/44f6
	// invalid_issuer invalid_audience authentication_failed access_denied
	// true t
}
