package jwk

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
)

// ParsePEM reads one key or a chain of certificates from PEM: the labels PUBLIC
// KEY, PRIVATE KEY, RSA PUBLIC KEY, RSA PRIVATE KEY, EC PRIVATE KEY and
// CERTIFICATE. Of certificates, the first one's key is described and all become
// "x5c". Another block, a second key or text after the last block is refused;
// text before the first is not, as OpenSSL writes it there. Encrypted keys must be
// decrypted first.
func ParsePEM(data []byte) (JWK, error) {
	if len(data) > maxSet {
		return JWK{}, errLimit.With("a PEM file has at most 1 MiB")
	}
	var (
		first JWK
		chain [][]byte
	)
	rest := data
	for n := 0; ; n++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" && n == 0 {
			n-- // OpenSSL writes the name of the curve before the key
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return JWK{}, errUnsupported.With("the PEM is encrypted: decrypt it first, as with openssl pkey")
		}
		if n > 0 && (block.Type != "CERTIFICATE" || chain == nil) {
			return JWK{}, errInvalid.With("the PEM has more than one key")
		}
		var err error
		switch block.Type {
		case "CERTIFICATE":
			chain = append(chain, block.Bytes)
			if n == 0 {
				first, err = fromCertificate(block.Bytes)
			}
		case "PUBLIC KEY":
			first, err = fromParsed(x509.ParsePKIXPublicKey(block.Bytes))
		case "PRIVATE KEY":
			first, err = fromParsed(x509.ParsePKCS8PrivateKey(block.Bytes))
		case "RSA PUBLIC KEY":
			first, err = fromParsed(x509.ParsePKCS1PublicKey(block.Bytes))
		case "RSA PRIVATE KEY":
			first, err = fromParsed(x509.ParsePKCS1PrivateKey(block.Bytes))
		case "EC PRIVATE KEY":
			first, err = fromParsed(x509.ParseECPrivateKey(block.Bytes))
		case "OPENSSH PRIVATE KEY":
			err = errUnsupported.With("an OpenSSH private key: convert it with ssh-keygen -p -m PKCS8")
		default:
			err = errUnsupported.With(fmt.Sprintf("a PEM block of the type %.40q is no key", block.Type))
		}
		if err != nil {
			return JWK{}, err
		}
	}
	if first.w == nil {
		return JWK{}, errInvalid.With("there is no PEM block")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return JWK{}, errInvalid.With("there is text after the PEM block")
	}
	for _, der := range chain {
		first.w.X5C = append(first.w.X5C, base64.StdEncoding.EncodeToString(der))
	}
	return first, nil
}

// ParseDER reads one key or certificate from DER, in any of the forms that ParsePEM
// knows. Of a certificate, the key is described and the certificate becomes "x5c".
func ParseDER(der []byte) (JWK, error) {
	if len(der) > maxSet {
		return JWK{}, errLimit.With("a DER file has at most 1 MiB")
	}
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		return FromKey(k)
	}
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return FromKey(k)
	}
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return FromKey(k)
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return FromKey(k)
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return FromKey(k)
	}
	j, err := fromCertificate(der)
	if err != nil {
		return JWK{}, errInvalid.With("this is not the DER of a key or certificate that is known here")
	}
	j.w.X5C = []string{base64.StdEncoding.EncodeToString(der)}
	return j, nil
}

func fromParsed[K any](key K, err error) (JWK, error) {
	if err != nil {
		return JWK{}, errInvalid.With("the PEM block does not hold what its label says")
	}
	return FromKey(key)
}

func fromCertificate(der []byte) (JWK, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return JWK{}, errInvalid.With("the certificate cannot be read")
	}
	return FromKey(cert.PublicKey)
}

// FromKey describes a key of the standard library, public or private: those of
// crypto/ecdsa, crypto/rsa, crypto/ed25519 and crypto/ecdh.
func FromKey(key any) (JWK, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if err := checkEC(k); err != nil {
			return JWK{}, err
		}
	case *ecdsa.PrivateKey:
		if k == nil {
			return JWK{}, errMatch
		}
		if err := checkEC(&k.PublicKey); err != nil {
			return JWK{}, err
		}
		if err := checkPrivate(k); err != nil {
			return JWK{}, err
		}
	case *rsa.PublicKey:
		if k == nil || k.N == nil || k.N.Sign() <= 0 || k.E <= 0 {
			return JWK{}, errInvalid.With("the RSA modulus is missing")
		}
	case *rsa.PrivateKey:
		if k == nil || k.N == nil {
			return JWK{}, errMatch
		}
		if err := checkPrivate(k); err != nil {
			return JWK{}, err
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return JWK{}, errInvalid.With("an Ed25519 public key has 32 bytes")
		}
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return JWK{}, errInvalid.With("an Ed25519 private key has 64 bytes")
		}
		if err := checkPrivate(k); err != nil {
			return JWK{}, err
		}
	case *ecdh.PublicKey:
		if k == nil {
			return JWK{}, errMatch
		}
	case *ecdh.PrivateKey:
		if k == nil {
			return JWK{}, errMatch
		}
	default:
		return JWK{}, errUnsupported.With(fmt.Sprintf("a %T cannot be written as a JWK", key))
	}
	w := new(wire)
	describe(w, key)
	return JWK{w: w}, nil
}

// MarshalDER returns the public key as a SubjectPublicKeyInfo.
func (j JWK) MarshalDER() ([]byte, error) {
	pub, err := j.wire().publicKey()
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(pub)
}

// MarshalPEM returns the public key as a PEM block PUBLIC KEY.
func (j JWK) MarshalPEM() ([]byte, error) {
	der, err := j.MarshalDER()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// MarshalPrivateDER returns the private key as PKCS#8, not encrypted.
func (j JWK) MarshalPrivateDER() ([]byte, error) {
	key, err := j.wire().privateKey()
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// MarshalPrivatePEM returns the private key as a PEM block PRIVATE KEY, not
// encrypted.
func (j JWK) MarshalPrivatePEM() ([]byte, error) {
	der, err := j.MarshalPrivateDER()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
