package jwk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// A key for encryption has one algorithm, and may be restricted to some content
// encryptions. Package jwe is what most programs call with it.
func ExampleGenerateDecryptionKey() {
	var key *jwk.DecryptionKey
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "P-256")
	if err != nil {
		panic(err)
	}
	var pub *jwk.EncryptionKey = key.Public()
	private, err := key.PrivateJWK()
	fmt.Println(pub.Algorithm(), pub.KeyID() == key.KeyID(), pub.JWK().IsPrivate(), private.IsPrivate(), err)

	ctx := context.Background()
	cek := bytes.Repeat([]byte{7}, jwa.A256GCM.KeySize()) // a random one, else
	w := jwk.Wrapping{Encryption: jwa.A256GCM}
	if _, err := pub.EncryptKey(ctx, cek, &w); err != nil {
		panic(err)
	}
	fmt.Println(len(w.EncryptedKey), w.EphemeralKey.Curve())
	got, err := key.DecryptKey(ctx, &w)
	fmt.Println(bytes.Equal(got, cek), err)

	w.EncryptedKey[0] ^= 1
	_, err = key.DecryptKey(ctx, &w)
	fmt.Println(errors.Is(err, jwk.ErrDecrypt), err)
	w.EphemeralKey = nil
	_, err = key.DecryptKey(ctx, &w)
	fmt.Println(errors.Is(err, jwk.ErrWrapping), err)
	// Output:
	// ECDH-ES+A256KW true false true <nil>
	// 40 P-256
	// true <nil>
	// true it cannot be decrypted
	// true the header does not fit its key: "epk" is missing
}

func ExampleNewDecryptionKey() {
	private, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	key, err := jwk.NewDecryptionKey(jwa.ECDH_ES, "k1", private, jwa.A256GCM, jwa.A128GCM)
	fmt.Println(key, key.Encryptions(), err)
	pub, err := jwk.NewEncryptionKey(jwa.ECDH_ES, "k1", private.PublicKey(), jwa.A256GCM)
	fmt.Println(pub, pub.Encryptions(), err)
	// Output:
	// decryption key ECDH-ES "k1" [A256GCM A128GCM] <nil>
	// encryption key ECDH-ES "k1" [A256GCM] <nil>
}

// A key in a key management service: the function gets what came with the message.
func ExampleNewRemoteDecryptionKey() {
	service, err := ecdh.P256().GenerateKey(rand.Reader) // far away
	if err != nil {
		panic(err)
	}
	key, err := jwk.NewRemoteDecryptionKey(jwa.ECDH_ES, "k1", service.PublicKey(),
		func(_ context.Context, _ []byte, opts crypto.DecrypterOpts) ([]byte, error) {
			return service.ECDH(opts.(*ecdh.PublicKey))
		})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	w := jwk.Wrapping{Encryption: jwa.A128GCM}
	agreed, err := key.Public().EncryptKey(ctx, nil, &w)
	if err != nil {
		panic(err)
	}
	got, err := key.DecryptKey(ctx, &w)
	fmt.Println(len(got), bytes.Equal(agreed, got), err)
	_, err = key.PrivateJWK()
	fmt.Println(err)
	// Output:
	// 16 true <nil>
	// private and public keys are confused: the private key cannot be read
}

func ExampleNewSharedKey() {
	var key *jwk.SharedKey
	key, err := jwk.NewSharedKey(jwa.A128KW, "k1", []byte("0123456789abcdef"))
	fmt.Println(key, key.Algorithm(), key.Encryptions(), err)
	_, err = jwk.NewSharedKey(jwa.A128KW, "k1", []byte("too short"))
	fmt.Println(err)

	ctx := context.Background()
	w := jwk.Wrapping{Encryption: jwa.A128GCM}
	if _, err := key.EncryptKey(ctx, make([]byte, 16), &w); err != nil {
		panic(err)
	}
	cek, err := key.DecryptKey(ctx, &w)
	fmt.Println(len(w.EncryptedKey), len(cek), err)
	// Output:
	// shared key A128KW "k1" A128KW [] <nil>
	// the key is not valid: the secret must have 16 bytes
	// 24 16 <nil>
}

// A key for dir is the content encryption key.
func ExampleGenerateSharedKey() {
	key, err := jwk.GenerateSharedKey(jwa.Dir, jwa.A256GCM)
	if err != nil {
		panic(err)
	}
	sealed := key.AEAD().Seal(nil, nil, []byte("plaintext"), nil)
	plaintext, err := key.AEAD().Open(nil, nil, sealed, nil)
	fmt.Printf("%s %v %s\n", plaintext, err, key.JWK().Algorithm())
	// Output: plaintext <nil> A256GCM
}

func ExampleNewPassword() {
	key, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple"))
	if err != nil {
		panic(err)
	}
	_, err = key.DecryptKey(context.Background(), &jwk.Wrapping{
		Encryption: jwa.A128GCM, EncryptedKey: make([]byte, 24), Salt: make([]byte, 16), Count: 100_000_000,
	})
	fmt.Println(err)
	// Output: the header does not fit its key: "p2c" is below 1,000, or 310,000 in a new message, or above 1,200,000
}

// With HPKE the plaintext itself is encrypted to the key.
func ExampleEncryptionKey_Seal() {
	key, err := jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0Draft22, "")
	if err != nil {
		panic(err)
	}
	encapsulated, ciphertext, err := key.Public().Seal([]byte("header"), []byte("plaintext"))
	if err != nil {
		panic(err)
	}
	plaintext, err := key.Open(context.Background(), encapsulated, []byte("header"), ciphertext)
	fmt.Printf("%s %v\n", plaintext, err)
	// Output: plaintext <nil>
}

// One set has keys for signatures and for encryption.
func ExampleSet_Encrypters() {
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[
		{"kty":"EC","crv":"P-256","kid":"s","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
		{"kty":"EC","crv":"P-256","kid":"e","use":"enc","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}
	]}`), jwk.Binding{Encryptions: []jwa.Encryption{jwa.A256GCM}})
	fmt.Println(set, skipped, err)
	var found []jwk.Encrypter
	found, err = set.Encrypters(jwk.Query{Algorithm: "ECDH-ES"})
	fmt.Println(found, found[0].Encryptions(), err)
	// Output:
	// [public key ES256 "s" encryption key ECDH-ES "e"] [] <nil>
	// [encryption key ECDH-ES "e"] [A256GCM] <nil>
}

func ExampleParseDecryptionSet() {
	var keys jwk.DecryptionSet
	keys, skipped, err := jwk.ParseDecryptionSet([]byte(`{"keys":[
		{"kty":"oct","kid":"w","alg":"A128KW","k":"MDEyMzQ1Njc4OWFiY2RlZg"},
		{"kty":"oct","kid":"s","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}
	]}`), jwk.Binding{})
	fmt.Println(keys, skipped[0].KeyID, skipped[0].Err, err)
	var source jwk.DecryptionSource = keys
	var found []jwk.Decrypter
	found, err = source.DecryptionKeys(context.Background(), jwk.Query{Algorithm: "A128KW"})
	fmt.Println(found, err)
	// Output:
	// [shared key A128KW "w"] s the key is for another use: HS256 is not for encryption <nil>
	// [shared key A128KW "w"] <nil>
}

// An RSA key says no algorithm of encryption by itself.
func ExampleJWK_DecryptionKey() {
	j, err := jwk.Parse([]byte(`{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}`))
	if err != nil {
		panic(err)
	}
	key, err := j.DecryptionKey(jwk.Binding{})
	fmt.Println(key, err)
	pub, err := j.EncryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES_A128KW}})
	fmt.Println(pub, err)

	oct, err := jwk.Parse([]byte(`{"kty":"oct","alg":"A128GCM","k":"MDEyMzQ1Njc4OWFiY2RlZg"}`))
	if err != nil {
		panic(err)
	}
	shared, err := oct.SharedKey(jwk.Binding{})
	fmt.Println(shared, shared.Encryptions(), err)
	// Output:
	// decryption key ECDH-ES <nil>
	// encryption key ECDH-ES+A128KW <nil>
	// shared key dir [A128GCM] <nil>
}

// An Agreement teaches a curve. This one is P-256 under another name.
func ExampleAgreement() {
	c := ecdh.P256()
	agreement := jwk.Agreement{
		Curve: "X-Example",
		Check: func(public []byte) error {
			_, err := c.NewPublicKey(public)
			return err
		},
		Generate: func() ([]byte, error) {
			k, err := c.GenerateKey(rand.Reader)
			if err != nil {
				return nil, err
			}
			return k.Bytes(), nil
		},
		Public: func(private []byte) ([]byte, error) {
			k, err := c.NewPrivateKey(private)
			if err != nil {
				return nil, err
			}
			return k.PublicKey().Bytes(), nil
		},
		Agree: func(private, public []byte) ([]byte, error) {
			k, err := c.NewPrivateKey(private)
			if err != nil {
				return nil, err
			}
			p, err := c.NewPublicKey(public)
			if err != nil {
				return nil, err
			}
			return k.ECDH(p)
		},
	}
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X-Example", agreement)
	fmt.Println(key.JWK().Curve(), err)
	_, err = key.JWK().EncryptionKey(jwk.Binding{})
	fmt.Println(err)
	_, err = key.JWK().EncryptionKey(jwk.Binding{Agreements: []jwk.Agreement{agreement}})
	fmt.Println(err)
	// Output:
	// X-Example <nil>
	// the key is of an unknown kind: the key type "OKP" with the curve "X-Example" needs an Extension
	// <nil>
}
