package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// discard is a ResponseWriter that costs nothing.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkClientCredentials is a whole token request in the handler, beside the signature of the same token alone and a handler that
// does nothing but sign it.
func BenchmarkClientCredentials(b *testing.B) {
	a := start(b, server.Options{Observe: func(_ context.Context, _ *server.Event) {}})
	c := a.add("c", "", nil)
	signer, err := a.Options.Keys.Signer(ctx, jwa.ES256)
	if err != nil {
		b.Fatal(err)
	}
	signed := func() string {
		now := time.Now().Truncate(time.Second)
		raw, err := accesstoken.Sign(ctx, signer, jwt.Registered{
			Issuer: a.URL, Subject: "c", Audience: jwt.Audience{servertest.Resource}, IssuedAt: now, Expiry: now.Add(15 * time.Minute), ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		}, accesstoken.Claims{ClientID: "c", Scope: "read write"})
		if err != nil {
			b.Fatal(err)
		}
		return raw
	}
	body := []byte("grant_type=client_credentials&scope=read+write")
	reader := bytes.NewReader(body)
	r := httptest.NewRequest("POST", "/token", nil)
	r.Header = basic(c.ID, c.Secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.ContentLength, r.Body = int64(len(body)), io.NopCloser(reader)
	key := signer.(*jwk.PrivateKey)
	message := []byte(signed())
	for name, f := range map[string]func(){
		"signature": func() { _, _ = key.Sign(ctx, message) },
		"jwt":       func() { signed() },
		"handler": func() {
			reader.Reset(body)
			w := &discard{h: http.Header{}, status: 200}
			a.ServeHTTP(w, r)
			if w.status != 200 {
				b.Fatal(w.status)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// BenchmarkLoopback is the same over connections that stay open, beside a bare handler that signs the same token.
func BenchmarkLoopback(b *testing.B) {
	a := start(b, server.Options{Observe: func(context.Context, *server.Event) {}})
	c := a.add("c", "", nil)
	signer, err := a.Options.Keys.Signer(ctx, jwa.ES256)
	if err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().Truncate(time.Second)
		raw, err := accesstoken.Sign(ctx, signer, jwt.Registered{
			Issuer: a.URL, Subject: "c", Audience: jwt.Audience{servertest.Resource}, IssuedAt: now, Expiry: now.Add(15 * time.Minute), ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		}, accesstoken.Claims{ClientID: "c", Scope: "read write"})
		if err != nil {
			b.Error(err)
		}
		_, _ = io.WriteString(w, `{"access_token":"`+raw+`","token_type":"Bearer","expires_in":900}`)
	}))
	defer bare.Close()
	for _, x := range []struct{ name, url string }{{"bare", bare.URL}, {"server", a.URL + "/token"}} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				transport := &http.Transport{}
				defer transport.CloseIdleConnections()
				for pb.Next() {
					r, _ := http.NewRequest("POST", x.url, bytes.NewReader([]byte("grant_type=client_credentials&scope=read+write")))
					r.Header.Set("Authorization", basic(c.ID, c.Secret).Get("Authorization"))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					resp, err := transport.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}
