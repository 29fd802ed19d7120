package main

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
)

// fetcher is a [keyset.Remote] or a [keyset.Issuer].
type fetcher interface {
	Set(ctx context.Context) (jwk.Set, error)
	State() keyset.State
}

// newFetcher returns the keys at a URL, or those of the issuer that the URL names. A key
// that names no algorithm is for alg, where one is given.
func newFetcher(url string, issuer bool, alg jwa.Algorithm) (fetcher, error) {
	var (
		o   keyset.Options
		f   fetcher
		err error
	)
	if alg != (jwa.Algorithm{}) {
		o.Binding.Algorithms = []jwa.Algorithm{alg}
	}
	if issuer {
		f, err = keyset.NewIssuer(url, o)
	} else {
		f, err = keyset.NewRemote(url, o)
	}
	if err != nil {
		return nil, fail(exitUsage, "write it as https://…; http is for this machine alone", "%s cannot be fetched: %v%s", quoted(url), err, inCode(err))
	}
	return f, nil
}

// fetchFailure is the failure to get keys, which says nothing about any token.
func fetchFailure(err error) *failure {
	hint := "look at the URL and the network; jot verify --jwks FILE needs none"
	switch {
	case errors.Is(err, keyset.ErrRefusedURL):
		hint = "if you trust that address, give it yourself: --jwks URL"
	case isUncertified(err):
		hint = "nobody whom this machine trusts has certified that server; SSL_CERT_FILE names an authority of one's own, save on Windows and macOS"
	case errors.Is(err, keyset.ErrIssuer):
		hint = "the issuer is compared exactly: look for a slash at the end"
	}
	return fail(exitFile, hint, "%v%s", err, inCode(err))
}

// isUncertified reports whether a server was reached, and its certificate is not trusted.
func isUncertified(err error) bool {
	_, is := errors.AsType[*tls.CertificateVerificationError](err)
	return is
}
