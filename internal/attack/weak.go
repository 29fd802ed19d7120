package attack

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// weakKeys is group G: secrets that are too short, or no secrets at all.
func weakKeys() []Case {
	var out []Case
	for _, s := range []struct {
		alg string
		h   crypto.Hash
		n   int
	}{
		{"HS256", crypto.SHA256, 31},
		{"HS256", crypto.SHA256, 6},
		{"HS256", crypto.SHA256, 1},
		{"HS384", crypto.SHA384, 47},
		{"HS512", crypto.SHA512, 63},
		{"HS512", crypto.SHA512, 32},
	} {
		short, header := seed("short", s.n), `{"alg":"`+s.alg+`"}`
		long := seed("short", s.h.Size())
		name := fmt.Sprintf("%s_%d_bytes", s.alg, s.n)
		token, control := fixed(mac(s.h, short).compact(header, claims())), fixed(mac(s.h, long).compact(header, claims()))
		out = append(out, Case{
			ID: "G1", Name: name + "_file", Token: token, Control: control, Want: []string{"key.weak"},
			Key: Key{Kind: Secret, Data: short, Alg: s.alg}, ControlKey: Key{Kind: Secret, Data: long, Alg: s.alg},
		}, Case{
			ID: "G1", Name: name + "_JWK", Token: token, Control: control, Want: []string{"key.weak"},
			Key: one(octJWK(s.alg, short)), ControlKey: one(octJWK(s.alg, long)),
		}, Case{
			ID: "G1", Name: name + "_set", Token: token, Control: control, Want: []string{"key.weak", "key.none"},
			Key: set(octJWK(s.alg, short)), ControlKey: set(octJWK(s.alg, long)),
		}, Case{
			// The opt-out is for length alone: a short secret still has to be the right one.
			ID: "G1", Name: name + "_opted_out_wrong_secret", Control: token, Want: []string{"sig.invalid"}, Policy: Policy{AllowWeakKey: true},
			Token: fixed(mac(s.h, long).compact(header, claims())), Key: Key{Kind: Secret, Data: short, Alg: s.alg},
		})
	}
	empty := fixed(mac(crypto.SHA256, nil).compact(`{"alg":"HS256"}`, claims()))
	for _, weak := range []bool{false, true} {
		out = append(out, Case{
			ID: "G2", Name: fmt.Sprintf("empty_file_opt_out_%t", weak), Token: empty, Policy: Policy{AllowWeakKey: weak},
			Key: Key{Kind: Secret, Alg: "HS256"}, ControlKey: Key{Kind: Secret, Alg: "HS256", Data: secret}, Want: []string{"key.weak", "key.invalid"},
		})
	}
	out = append(out, Case{
		ID: "G2", Name: "empty_JWK", Token: empty, Key: one(octJWK("HS256", nil)), ControlKey: octKey, Want: []string{"key.weak", "key.invalid"},
	})

	// A public key, or a private one, that somebody saved as the secret: here the
	// token is MACed with the very bytes, so only the key's form is wrong.
	rsa := rsaKeys()["rsa"]
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(p256))
	ssh := ssh("ssh-ed25519", edPair[32:])
	for _, f := range []struct{ name, text string }{
		{"PEM_public", pemText("PUBLIC KEY", spki(rsa.public()))},
		{"PEM_public_CRLF", strings.ReplaceAll(pemText("PUBLIC KEY", spki(rsa.public())), "\n", "\r\n")},
		{"PEM_public_after_text", "the key:\n" + pemText("PUBLIC KEY", spki(rsa.public()))},
		{"PEM_private", pemText("PRIVATE KEY", pkcs8)},
		{"PEM_certificate", pemText("CERTIFICATE", cert(p256, "known"))},
		{"PEM_PKCS1", pemText("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsa.public()))},
		{"DER_SPKI", string(spki(&p256.PublicKey))},
		{"DER_SPKI_RSA", string(spki(rsa.public()))},
		{"DER_PKCS1", string(x509.MarshalPKCS1PublicKey(rsa.public()))},
		{"DER_PKCS8", string(pkcs8)},
		{"DER_certificate", string(cert(p256, "known"))},
		{"JWK_public", string(ecJWK(p256))},
		{"JWK_oct", string(octKey.Data)},
		{"JWK_set", string(set(ecJWK(p256)).Data)},
		{"JWK_white_space", "\n " + string(rsa.jwk())},
		{"OpenSSH_public", ssh},
		{"OpenSSH_private", string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1\x00" + string(seed("ssh", 200)))}))},
	} {
		name, data := "secret_is_"+f.name, []byte(f.text)
		// The command takes one final newline off a secret file.
		bytes := strings.TrimSuffix(strings.TrimSuffix(f.text, "\n"), "\r")
		out = append(out, Case{
			ID: "G5", Name: name, Want: []string{"key.invalid"},
			Token: fixed(mac(crypto.SHA256, []byte(bytes)).compact(`{"alg":"HS256"}`, claims())),
			Key:   Key{Kind: Secret, Data: data, Alg: "HS256"}, ControlKey: Key{Kind: Secret, Data: secret, Alg: "HS256"},
		}, Case{
			ID: "G5", Name: name + "_opted_out", Want: []string{"key.invalid"}, Policy: Policy{AllowWeakKey: true},
			Token: fixed(mac(crypto.SHA256, data).compact(`{"alg":"HS256"}`, claims())),
			Key:   Key{Kind: Secret, Data: data, Alg: "HS256"}, ControlKey: Key{Kind: Secret, Data: secret, Alg: "HS256"},
		}, Case{
			ID: "G5", Name: name + "_inside_a_JWK", Want: []string{"key.invalid"},
			Token: fixed(mac(crypto.SHA256, data).compact(`{"alg":"HS256"}`, claims())),
			Key:   one(octJWK("HS256", data)), ControlKey: octKey,
		})
	}
	return out
}

func octJWK(alg string, k []byte) []byte {
	return object("kty", "oct", "alg", alg, "k", b64.EncodeToString(k))
}
