package server

import (
	"context"
	"strings"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/server/store"
)

// Guard makes a guard for an API in the process of the server, and one of its Resources: it verifies the server's own JWTs without asking
// anybody for keys, and refuses those that were revoked. What p leaves empty of JWT, DPoP, ClientCertificate, Denylist and Clock is the
// server's. Opaque tokens are refused.
func (s *Server) Guard(p guard.Policy) (*guard.Guard, error) {
	r := s.resource(p.Resource)
	if r == nil || r.Opaque {
		return nil, errOptions.With("the resource of the guard is none of Resources that has JWTs")
	}
	if p.JWT == nil {
		p.JWT = must(accesstoken.NewVerifier(s.o.Keys, accesstoken.Policy{
			Issuers: []string{s.o.Issuer}, Audiences: []string{p.Resource}, JWT: jwt.Policy{Clock: s.o.Clock, Leeway: leeway},
		}))
	}
	if p.DPoP == nil {
		p.DPoP = s.proofs
	}
	if p.ClientCertificate == nil {
		p.ClientCertificate = s.o.ClientCertificate
	}
	if p.Denylist == nil {
		p.Denylist = revoked{s}
	}
	if p.Clock == nil {
		p.Clock = s.o.Clock
	}
	return guard.New(p)
}

// revoked is what the store says of tokens.
type revoked struct{ s *Server }

// Denied implements [guard.Denylist].
func (r revoked) Denied(ctx context.Context, t *guard.Token) (bool, error) {
	return r.s.o.Store.Revoked(ctx, r.s.o.Clock(), t.IssuedAt, targets(t.ID, t.ClientID, t.Subject)...)
}

// targets are what a revocation may name that ends a token.
func targets(id, client, subject string) []store.Target {
	out := []store.Target{{Sort: store.OfToken, ID: id}, {Sort: store.OfClient, ID: client}, {Sort: store.OfSubject, ID: subject}}
	if family, _, ok := strings.Cut(id, "."); ok {
		out = append(out, store.Target{Sort: store.OfGrant, ID: family})
	}
	return out
}
