// Package grpc shows a guard in front of a gRPC service.
package grpc

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// request is the call as a guard reads it: what gRPC sends over HTTP is a POST to the path of the method, and its
// metadata are the header.
func request(ctx context.Context, method string) *http.Request {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, Header: http.Header{}}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for name, values := range md {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if p, ok := peer.FromContext(ctx); ok {
		r.RemoteAddr = p.Addr.String()
		if t, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			r.TLS = &t.State
		}
	}
	return r.WithContext(ctx)
}

type tokenKey struct{}

// guarded lets calls with a good token through.
func guarded(g *guard.Guard, need guard.Need) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		token, err := g.Verify(request(ctx, info.FullMethod), need)
		if err == nil {
			return handler(context.WithValue(ctx, tokenKey{}, token), req)
		}
		e := new(oauth.Error)
		errors.As(err, &e) // each error of Verify is one
		switch e.HTTPStatus() {
		case http.StatusForbidden:
			return nil, status.Error(codes.PermissionDenied, e.Error())
		case http.StatusServiceUnavailable:
			return nil, status.Error(codes.Unavailable, e.Error())
		}
		return nil, status.Error(codes.Unauthenticated, e.Error())
	}
}

// whoAsks is a service that says whose token it was called with.
type whoAsks struct{ *health.Server }

func (s whoAsks) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	token, _ := ctx.Value(tokenKey{}).(*guard.Token)
	fmt.Println(token.Subject, "asks")
	return s.Server.Check(ctx, r)
}

func Example() {
	key := must(jwk.Generate(jwa.ES256))
	g := must(guard.New(guard.Policy{
		Resource: "https://grpc.example",
		JWT: must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
			Issuers: []string{"https://as.example"}, Audiences: []string{"https://grpc.example"},
		})),
	}))
	server := grpc.NewServer(grpc.UnaryInterceptor(guarded(g, guard.Need{Scopes: []string{"health"}})))
	grpc_health_v1.RegisterHealthServer(server, whoAsks{health.NewServer()})
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	go func() { _ = server.Serve(listener) }() // until Stop
	defer server.Stop()

	conn := must(grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer func() { _ = conn.Close() }()
	client := grpc_health_v1.NewHealthClient(conn)

	now := time.Now()
	for _, scope := range []string{"health", "other", ""} {
		ctx := context.Background()
		if scope != "" {
			raw := must(accesstoken.Sign(ctx, key, jwt.Registered{
				Issuer: "https://as.example", Subject: "alice", Audience: jwt.Audience{"https://grpc.example"},
				IssuedAt: now, Expiry: now.Add(time.Minute), ID: scope,
			}, accesstoken.Claims{ClientID: "shop", Scope: scope}))
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
		}
		r, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		fmt.Println(r.GetStatus(), status.Code(err))
	}
	// Output:
	// alice asks
	// SERVING OK
	// UNKNOWN PermissionDenied
	// UNKNOWN Unauthenticated
}
