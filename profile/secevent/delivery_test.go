package secevent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

var errBusy = errors.New("the database is busy")

// receiver takes tokens, those of the jti "busy" and of "no" excepted.
func receiver(t testing.TB, p Policy, taken *[]string) *Receiver {
	t.Helper()
	rc, err := NewReceiver(verifier(t, p), func(_ context.Context, tok *jwt.Token[Claims]) error {
		switch tok.ID {
		case "busy":
			return errBusy
		case "no":
			return &DeliveryError{AccessDenied, "not from you"}
		case "event":
			_, err := Read[StreamUpdated](&Claims{Events: map[string]json.RawMessage{StreamUpdated{}.EventType(): json.RawMessage(`{}`)}})
			return err
		}
		*taken = append(*taken, tok.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// failing is a source of keys that cannot be reached.
type failing struct{}

func (failing) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) { return nil, errBusy }

func TestPush(t *testing.T) {
	token := good.Sign(t, profiletest.Key(t), Type)
	made := func(change ...any) string { return good.With(change...).Sign(t, profiletest.Key(t), Type) }
	for name, tc := range map[string]struct {
		method, media, body string
		status              int
		code, description   string
	}{
		"a token":               {body: token, status: 202},
		"media type, in full":   {media: "Application/SecEvent+JWT; charset=utf-8", body: token, status: 202},
		"GET":                   {method: "GET", body: token, status: 405},
		"another media type":    {media: "application/jwt", body: token, status: 415},
		"no media type":         {media: "-", body: token, status: 415},
		"a line too many":       {body: token + "\n", status: 400, code: InvalidRequest, description: "token.malformed"},
		"nothing":               {body: "", status: 400, code: InvalidRequest, description: "token.malformed"},
		"too much":              {body: strings.Repeat("x", 1001), status: 413},
		"not too much":          {body: strings.Repeat("x", 1000), status: 400, code: InvalidRequest, description: "token.malformed"},
		"another issuer":        {body: made("iss", "https://evil.example"), status: 400, code: InvalidIssuer, description: "iss.mismatch"},
		"another audience":      {body: made("aud", "https://evil.example"), status: 400, code: InvalidAudience, description: "aud.mismatch"},
		"both":                  {body: made("aud", "https://evil.example", "iss", "x"), status: 400, code: InvalidIssuer, description: "iss.mismatch aud.mismatch"},
		"another rule":          {body: made("sub", "alice"), status: 400, code: InvalidRequest, description: "sub.forbidden"},
		"a forged token":        {body: token[:strings.LastIndexByte(token, '.')] + made("jti", "2")[strings.LastIndexByte(token, '.'):], status: 400, code: AuthenticationFailed, description: "sig.invalid"},
		"a key of another type": {body: "eyJhbGciOiJQUzI1NiIsInR5cCI6InNlY2V2ZW50K2p3dCJ9" + token[strings.IndexByte(token, '.'):], status: 400, code: InvalidKey, description: "key.none"},
		"the receiver refuses":  {body: made("jti", "no"), status: 400, code: AccessDenied, description: "not from you"},
		"an event is wrong":     {body: made("jti", "event"), status: 400, code: InvalidRequest, description: "events.invalid"},
		"the receiver is busy":  {body: made("jti", "busy"), status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			var taken []string
			p := some()
			p.JWT.MaxSize = 1000
			r := httptest.NewRequest("POST", "/events", strings.NewReader(tc.body))
			if tc.method != "" {
				r.Method = tc.method
			}
			switch tc.media {
			case "":
				r.Header.Set("Content-Type", "application/secevent+jwt")
			case "-":
			default:
				r.Header.Set("Content-Type", tc.media)
			}
			w := httptest.NewRecorder()
			receiver(t, p, &taken).ServeHTTP(w, r)
			if w.Code != tc.status || (len(taken) == 1) != (tc.status == 202) {
				t.Errorf("status %d, want %d, and %v taken (%s)", w.Code, tc.status, taken, w.Body)
			}
			if tc.code == "" {
				if w.Body.Len() > 0 || tc.status == 405 != (w.Header().Get("Allow") == "POST") {
					t.Errorf("%v %q", w.Header(), w.Body)
				}
				return
			}
			e, err := ParseDeliveryError(w.Body.Bytes())
			if err != nil || *e != (DeliveryError{tc.code, tc.description}) {
				t.Errorf("%v, %v", e, err)
			}
			if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Content-Language") != "en" {
				t.Error(h)
			}
		})
	}
}

// What is not the transmitter's fault says so, and nothing else.
func TestPushFails(t *testing.T) {
	v, err := NewVerifier(failing{}, some())
	if err != nil {
		t.Fatal(err)
	}
	rc, err := NewReceiver(v, func(context.Context, *jwt.Token[Claims]) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for status, body := range map[int]io.Reader{
		503: strings.NewReader(good.Sign(t, profiletest.Key(t), Type)),
		400: iotest.ErrReader(errBusy),
	} {
		r := httptest.NewRequest("POST", "/events", body)
		r.Header.Set("Content-Type", "application/secevent+jwt")
		w := httptest.NewRecorder()
		rc.ServeHTTP(w, r)
		if w.Code != status || w.Body.Len() > 0 {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
}

// A Replay would say of a token that could not be stored that it is known.
func TestReceiverWithoutReplay(t *testing.T) {
	p := some()
	p.JWT.Replay, p.JWT.MaxAge = jwt.NewReplayCache(1), 1e9
	if _, err := NewReceiver(verifier(t, p), nil); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
}

func TestPoll(t *testing.T) {
	made := func(id string, change ...any) string {
		return good.With("jti", id).With(change...).Sign(t, profiletest.Key(t), Type)
	}
	var taken []string
	next, err := receiver(t, some(), &taken).Acknowledge(ctx, &PollResponse{Tokens: map[string]string{
		"1": made("1"), "2": made("2"), "3": made("4"), "": made("5"), "no": made("no"), "busy": made("busy"), "aud": made("aud", "aud", "x"),
	}})
	if !errors.Is(err, errBusy) {
		t.Error(err)
	}
	if want := []string{"1", "2"}; !slices.Equal(taken, want) || !slices.Equal(next.Acknowledged, want) {
		t.Errorf("%v taken, %v acknowledged", taken, next.Acknowledged)
	}
	want := map[string]DeliveryError{
		"": {InvalidRequest, "jti.mismatch"}, "3": {InvalidRequest, "jti.mismatch"}, "no": {AccessDenied, "not from you"}, "aud": {InvalidAudience, "aud.mismatch"},
	}
	if !reflect.DeepEqual(next.Errors, want) {
		t.Errorf("%v", next.Errors)
	}
	// A token that is delivered again is taken again: who stores it knows it.
	next, err = receiver(t, some(), &taken).Acknowledge(ctx, &PollResponse{Tokens: map[string]string{"1": made("1")}})
	if err != nil || !slices.Equal(next.Acknowledged, []string{"1"}) || next.Errors != nil {
		t.Errorf("%+v, %v", next, err)
	}
}

// The documents of RFC 8936, both ways.
func TestPollDocuments(t *testing.T) {
	for body, want := range map[string]*PollRequest{
		`{}`:                                    {},
		`{"returnImmediately":true}`:            {ReturnImmediately: true},
		`{"returnImmediately":false}`:           {},
		`{"maxEvents":3}`:                       {MaxEvents: 3},
		`{"maxEvents":0,"ack":["4d35","3d0c"]}`: {MaxEvents: NoEvents, Acknowledged: []string{"4d35", "3d0c"}},
		`{"setErrs":{"4d35":{"err":"authentication_failed","description":"The SET could not be authenticated"}}}`: {
			Errors: map[string]DeliveryError{"4d35": {AuthenticationFailed, "The SET could not be authenticated"}},
		},
		`{"maxEvents":-1}`:                   nil,
		`{"maxEvents":1.5}`:                  nil,
		`{"maxEvents":"1"}`:                  nil,
		`{"ack":"4d35"}`:                     nil,
		`{"ack":["a",""]}`:                   nil,
		`{"ack":["a"],"ack":["b"]}`:          nil,
		`{"setErrs":{"4d35":{}}}`:            nil,
		`{"setErrs":{"":{"err":"x"}}}`:       nil,
		`{"setErrs":{"4d35":"invalid_key"}}`: nil,
		`[]`:                                 nil,
		``:                                   nil,
		`{} {}`:                              nil,
	} {
		got, err := ParsePollRequest([]byte(body))
		if (err == nil) != (want != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
		if err != nil {
			continue
		}
		out, err := json.Marshal(got)
		again, err2 := ParsePollRequest(out)
		if err != nil || err2 != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%s became %s", body, out)
		}
	}
	for body, want := range map[string]*PollResponse{
		`{"sets":{}}`: {Tokens: map[string]string{}},
		`{"sets":{"4d35":"eyJ"},"moreAvailable":true}`: {Tokens: map[string]string{"4d35": "eyJ"}, MoreAvailable: true},
		`{}`:                               nil,
		`{"sets":null}`:                    nil,
		`{"sets":["eyJ"]}`:                 nil,
		`{"sets":{"4d35":1}}`:              nil,
		`{"sets":{"a":"x","a":"y"}}`:       nil,
		`{"sets":{},"moreAvailable":null}`: nil,
	} {
		got, err := ParsePollResponse([]byte(body))
		if (err == nil) != (want != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
		if err != nil {
			continue
		}
		if out, err := json.Marshal(got); err != nil || string(out) != body {
			t.Errorf("%s became %s", body, out)
		}
	}
	if out, err := json.Marshal(PollResponse{}); err != nil || string(out) != `{"sets":{}}` {
		t.Errorf("%s, %v", out, err)
	}
	for body, ok := range map[string]bool{
		`{"err":"invalid_key","description":"Key ID 12345 has been revoked."}`: true,
		`{"err":"access_denied"}`:      true,
		`{"description":"x"}`:          false,
		`{"err":""}`:                   false,
		`{"err":7}`:                    false,
		`{"err":"a","description":[]}`: false,
	} {
		if _, err := ParseDeliveryError([]byte(body)); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
	// 8 MiB, and not more.
	big := `{"err":"x","description":"` + strings.Repeat("x", 8<<20-28) + `"}`
	if _, err := ParseDeliveryError([]byte(big)); err != nil || len(big) != 8<<20 {
		t.Error(len(big), err)
	}
	if _, err := ParseDeliveryError([]byte(big + " ")); err == nil {
		t.Error("more than 8 MiB are read")
	}
}

func TestErrorOf(t *testing.T) {
	d := &DeliveryError{InvalidState, "x"}
	if got := ErrorOf(fmt.Errorf("x: %w", d)); got != d || d.Error() != "invalid_state: x" {
		t.Error(got)
	}
	for _, err := range []error{nil, errBusy, context.Canceled, ErrNoEvent} {
		if got := ErrorOf(err); got != nil {
			t.Errorf("%v: %v", err, got)
		}
	}
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: other.Public()}, jwt.Header{Type: Type}, registered(), Claims{}, jwt.AllowMissingExpiry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = verifier(t, p).Verify(ctx, raw); ErrorOf(err) == nil || ErrorOf(err).Code != InvalidKey {
		t.Errorf("%v", err)
	}
	v, err := NewVerifier(jwk.Set{}, some())
	if err == nil {
		_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
		if ErrorOf(err) == nil || ErrorOf(err).Code != InvalidKey {
			t.Errorf("%v", err)
		}
	}
}

func FuzzDelivery(f *testing.F) {
	for _, s := range []string{
		`{"maxEvents":0,"returnImmediately":true,"ack":["a"],"setErrs":{"b":{"err":"invalid_key","description":"x"}}}`,
		`{"sets":{"a":"eyJ"},"moreAvailable":true}`, `{"err":"invalid_key","description":"x"}`,
	} {
		f.Add([]byte(s))
	}
	again := func(t *testing.T, v any, parse func([]byte) (any, error)) {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(out)
		if a, _ := json.Marshal(got); err != nil || string(a) != string(out) {
			t.Errorf("%s became %s: %v", out, a, err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePollRequest(b); err == nil {
			again(t, p, func(b []byte) (any, error) { return ParsePollRequest(b) })
		}
		if p, err := ParsePollResponse(b); err == nil {
			again(t, p, func(b []byte) (any, error) { return ParsePollResponse(b) })
		}
		if p, err := ParseDeliveryError(b); err == nil {
			again(t, p, func(b []byte) (any, error) { return ParseDeliveryError(b) })
		}
	})
}

var _ http.Handler = (*Receiver)(nil)
