package jwk

// Agreement teaches this package a curve of OKP keys for ECDH-ES. It is a value that is
// handed to a [Binding]; nothing is registered. All members are needed.
type Agreement struct {
	// Curve is the "crv" of the JWKs, such as "X448".
	Curve string
	// Check refuses what is no public key of the curve.
	Check func(public []byte) error
	// Generate returns a new private key.
	Generate func() (private []byte, err error)
	// Public returns the public key of a private one, or refuses that.
	Public func(private []byte) (public []byte, err error)
	// Agree returns the shared secret. It refuses public keys of small order, with which
	// the secret would be zero (RFC 8037, Section 3.2). It keeps neither slice.
	Agree func(private, public []byte) (secret []byte, err error)
}
