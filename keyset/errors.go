package keyset

import (
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
)

// The failures of sources, for errors.Is. Each has a stable code.
var (
	// ErrUnreachable: there are no keys, and they cannot be had now (keys.unreachable).
	ErrUnreachable error = errUnreachable
	// ErrStale: the keys are too old to be used, and no others can be had now
	// (keys.stale).
	ErrStale error = errStale
	// ErrRefusedURL: a URL or the address behind it may not be fetched (keys.refused_url).
	ErrRefusedURL error = errRefusedURL
	// ErrIssuer: the metadata is that of another issuer (issuer.mismatch).
	ErrIssuer = oauth.ErrIssuer
	// ErrOptions: the options contradict each other (keys.options).
	ErrOptions error = errOptions
	// ErrUntrusted: the issuer of the token is not in the [Trust] (issuer.untrusted). It
	// is a [jwk.ErrNoKey].
	ErrUntrusted error = errUntrusted
)

var (
	errUnreachable = fault.New("keys.unreachable", "RFC 8725, Section 3.8", "the keys cannot be had")
	errStale       = fault.New("keys.stale", "RFC 9111, Section 4.2.4", "the keys are too old")
	errRefusedURL  = fault.New("keys.refused_url", "RFC 8725, Section 3.10", "the URL may not be fetched")
	errOptions     = fault.New("keys.options", "", "the options are not valid")
	errUntrusted   = fault.New("issuer.untrusted", "RFC 8725, Section 3.8", "the issuer is not trusted")

	// A token of a stranger is refused, as one whose key is unknown: nothing failed.
	errStranger = jwk.ErrNoKey.(*fault.Error).Wrap(errUntrusted)
)
