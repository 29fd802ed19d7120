package jwk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := b64url.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3394, Section 4.
func TestKeyWrapRFC3394(t *testing.T) {
	const (
		kek  = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
		data = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
	)
	ctx := context.Background()
	for section, c := range map[string]struct {
		alg  jwa.Algorithm
		enc  jwa.Encryption // of which only the size counts here
		want string
	}{
		"4.1": {jwa.A128KW, jwa.A128GCM, "1FA68B0A8112B447 AEF34BD8FB5A7B82 9D3E862371D2CFE5"},
		"4.2": {jwa.A192KW, jwa.A128GCM, "96778B25AE6CA435 F92B5B97C050AED2 468AB8A17AD84E5D"},
		"4.3": {jwa.A256KW, jwa.A128GCM, "64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7"},
		"4.4": {jwa.A192KW, jwa.A192GCM, "031D33264E15D332 68F24EC260743EDC E1C6C7DDEE725A93 6BA814915C6762D2"},
		"4.5": {jwa.A256KW, jwa.A192GCM, "A8F9BC1612C68B3F F6E6F4FBE30E71E4 769C8B80A32CB895 8CD5D17D6B254DA1"},
		"4.6": {jwa.A256KW, jwa.A256GCM, "28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B FB988B9B7A02DD21"},
	} {
		t.Run(section, func(t *testing.T) {
			k, err := jwk.NewSharedKey(c.alg, "", unhex(t, kek)[:c.alg.KeySize()])
			if err != nil {
				t.Fatal(err)
			}
			cek := unhex(t, data)[:c.enc.KeySize()]
			w := jwk.Wrapping{Encryption: c.enc}
			got, err := k.EncryptKey(ctx, cek, &w)
			if err != nil || !bytes.Equal(got, cek) || !bytes.Equal(w.EncryptedKey, unhex(t, c.want)) {
				t.Errorf("%x, %x, %v", got, w.EncryptedKey, err)
			}
			got, err = k.DecryptKey(ctx, &w)
			if err != nil || !bytes.Equal(got, cek) {
				t.Errorf("%x, %v", got, err)
			}
			for i := range w.EncryptedKey {
				bad := jwk.Wrapping{Encryption: c.enc, EncryptedKey: bytes.Clone(w.EncryptedKey)}
				bad.EncryptedKey[i] ^= 0x10
				got, err := k.DecryptKey(ctx, &bad)
				if got != nil {
					t.Error("a key beside the error")
				}
				wantCode(t, err, "dec.failed")
			}
		})
	}
}

const (
	// RFC 7518, Appendix C.
	bobPrivate = `{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}`
	alicePub   = `{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}`
	// RFC 8037, Appendix A.6, with the private key of RFC 7748, Section 6.1.
	xPrivate = `{"kty":"OKP","crv":"X25519","kid":"Bob","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08","d":"XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os"}`
	xEpk     = `{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}`
)

func TestRFC7518AppendixC(t *testing.T) {
	ctx := context.Background()
	k, err := mustParse(t, bobPrivate).DecryptionKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	epk := mustParse(t, alicePub)
	w := jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &epk, PartyU: []byte("Alice"), PartyV: []byte("Bob")}
	cek, err := k.DecryptKey(ctx, &w)
	if err != nil || b64url.EncodeToString(cek) != "VqqN6vgjbSBcIijNcacQGg" {
		t.Errorf("%x, %v", cek, err)
	}
	// Every input of the derivation counts.
	for name, w := range map[string]jwk.Wrapping{
		"apu": {Encryption: jwa.A128GCM, EphemeralKey: &epk, PartyU: []byte("alice"), PartyV: []byte("Bob")},
		"apv": {Encryption: jwa.A128GCM, EphemeralKey: &epk, PartyU: []byte("Alice"), PartyV: []byte("bob")},
		"cut": {Encryption: jwa.A128GCM, EphemeralKey: &epk, PartyU: []byte("AliceB"), PartyV: []byte("ob")},
		"enc": {Encryption: jwa.A128CBC_HS256, EphemeralKey: &epk, PartyU: []byte("Alice"), PartyV: []byte("Bob")},
	} {
		other, err := k.DecryptKey(ctx, &w)
		if err != nil || bytes.Equal(other[:16], cek) {
			t.Errorf("%s: %x, %v", name, other, err)
		}
	}
}

func TestRFC8037A6(t *testing.T) {
	if fipsEnforced {
		t.Skip("X25519 is not approved")
	}
	ctx := context.Background()
	private, err := mustParse(t, xPrivate).DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES_A128KW}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := ecdh.X25519().NewPrivateKey(unb64(t, "XasIfmJKikt54X-Lg4AO5m87sSkmGLb9HC-LJ_-I4Os"))
	if err != nil {
		t.Fatal(err)
	}
	// The example gives the shared secret alone, which only a remote key sees.
	var z []byte
	remote, err := jwk.NewRemoteDecryptionKey(jwa.ECDH_ES, "", d.PublicKey(), func(_ context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error) {
		peer := opts.(*ecdh.PublicKey)
		if !bytes.Equal(input, peer.Bytes()) {
			t.Error("two forms of one key differ")
		}
		var err error
		z, err = d.ECDH(peer)
		return z, err
	})
	if err != nil {
		t.Fatal(err)
	}
	epk := mustParse(t, xEpk)
	if _, err := remote.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &epk}); err != nil {
		t.Fatal(err)
	}
	if want := "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"; hex.EncodeToString(z) != want {
		t.Errorf("%x", z)
	}
	w := jwk.Wrapping{Encryption: jwa.A128GCM}
	cek := make([]byte, 16)
	if _, err := private.Public().EncryptKey(ctx, cek, &w); err != nil {
		t.Fatal(err)
	}
	if got, err := private.DecryptKey(ctx, &w); err != nil || !bytes.Equal(got, cek) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestRFC7517AppendixC(t *testing.T) {
	k, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("Thus from my lips, by yours, my sin is purged."))
	if err != nil {
		t.Fatal(err)
	}
	cek, err := k.DecryptKey(context.Background(), &jwk.Wrapping{
		Encryption: jwa.A128CBC_HS256, Salt: unb64(t, "2WCTcJZ1Rvd_CJuJripQ1w"), Count: 4096,
		EncryptedKey: unb64(t, "TrqXOwuNUfDV9VPTNbyGvEJ9JMjefAVn-TR1uIxR9p6hsRQh9Tk7BA"),
	})
	want := []byte{
		111, 27, 25, 52, 66, 29, 20, 78, 92, 176, 56, 240, 65, 208, 82, 112,
		161, 131, 36, 55, 202, 236, 185, 172, 129, 23, 153, 194, 195, 48, 253, 182,
	}
	if err != nil || !bytes.Equal(cek, want) {
		t.Errorf("%v, %v", cek, err)
	}
}

// TestRFC7520Encryption unwraps the keys of Section 5.
func TestRFC7520Encryption(t *testing.T) {
	dir := filepath.Join(testvectors.Dir(t), "rfc7520")
	files, err := filepath.Glob(filepath.Join(dir, "jwe", "5_*.json"))
	if err != nil || len(files) != 13 {
		t.Fatal(files, err)
	}
	type recipient struct {
		EPK          *jwk.JWK
		EncryptedKey string `json:"encrypted_key"`
		IV, Tag      string
		Salt         string
		Count        int    `json:"iteration_count"`
		CEK          string // of what has no encrypted key
	}
	ctx := context.Background()
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v struct {
				Input struct {
					Key json.RawMessage
					Pwd string
					Alg json.RawMessage
					Enc string
				}
				Generated     struct{ CEK string }
				EncryptingKey json.RawMessage `json:"encrypting_key"`
			}
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			var keys, algs, recipients []json.RawMessage
			if json.Unmarshal(v.EncryptingKey, &recipients) != nil || recipients == nil {
				recipients = []json.RawMessage{v.EncryptingKey}
			}
			if json.Unmarshal(v.Input.Key, &keys) != nil || keys == nil {
				keys = []json.RawMessage{v.Input.Key}
			}
			if json.Unmarshal(v.Input.Alg, &algs) != nil {
				algs = []json.RawMessage{v.Input.Alg}
			}
			if v.Input.Enc == "A128CBC-H256" {
				v.Input.Enc = "A128CBC-HS256" // a slip of the file
			}
			enc, ok := jwa.LookupEncryption(v.Input.Enc)
			if !ok {
				t.Fatal(v.Input.Enc)
			}
			for i, raw := range recipients {
				var name string
				if err := json.Unmarshal(algs[i], &name); err != nil {
					t.Fatal(err)
				}
				alg, ok := jwa.Lookup(name)
				if !ok {
					t.Fatal(name)
				}
				if fipsEnforced && (alg == jwa.RSA1_5 || alg == jwa.RSA_OAEP) {
					continue
				}
				var r recipient
				if raw != nil {
					if err := json.Unmarshal(raw, &r); err != nil {
						t.Fatal(err)
					}
				}
				b := jwk.Binding{Algorithms: []jwa.Algorithm{alg}, AllowRSA1_5DespitePaddingOracles: true}
				var k jwk.Decrypter
				switch {
				case v.Input.Pwd != "":
					k, err = jwk.NewPassword(alg, "", []byte(v.Input.Pwd))
				case alg.Symmetric():
					k, err = mustParse(t, string(keys[i])).SharedKey(b)
				default:
					k, err = mustParse(t, string(keys[i])).DecryptionKey(b)
				}
				if err != nil {
					t.Fatal(err)
				}
				w := jwk.Wrapping{
					Encryption: enc, EncryptedKey: unb64(t, r.EncryptedKey), IV: unb64(t, r.IV),
					Tag: unb64(t, r.Tag), Salt: unb64(t, r.Salt), Count: r.Count,
				}
				if r.EPK != nil {
					epk := r.EPK.Public()
					w.EphemeralKey = &epk
				}
				want := v.Generated.CEK
				if alg.Direct() {
					want = r.CEK
				}
				if alg == jwa.Dir {
					secret, _ := mustParse(t, string(keys[i])).Member("k")
					want = strings.Trim(string(secret), `"`)
				}
				cek, err := k.DecryptKey(ctx, &w)
				if err != nil || b64url.EncodeToString(cek) != want {
					t.Errorf("%s: %x, %v", alg, cek, err)
				}
			}
		})
	}
}

// The keys, protected headers and encrypted keys of draft-ietf-jose-hpke-encrypt,
// Appendix A, for key encryption.
var hpkeKE = []struct {
	alg                    jwa.Algorithm
	key, protected, wanted string
}{
	{
		jwa.ExperimentalHPKE0KEDraft22,
		`{"kty":"EC","crv":"P-256","x":"erH26InyPQifTIwmyKs63u4SUzglAHXNm2ZWT2LQ-rM","y":"GTGOC0_TnYc_Cm4dsgY8qdixil7AObs5-Xtk0QJeoH8","d":"MzJOwOcw1LDGZ-Ia6Zz5ay9zWUZKIhXkBcfq0dPA5Do","alg":"HPKE-0-KE","use":"enc","kid":"23i_7tQXiLxih47kQtE2yHy7d8q253Kp9R9i6aDyHng"}`,
		"eyJhbGciOiJIUEtFLTAtS0UiLCJraWQiOiIyM2lfN3RRWGlMeGloNDdrUXRFMnlIeTdkOHEyNTNLcDlSOWk2YUR5SG5nIiwiZW5jIjoiQTEyOEdDTSIsImVrIjoiQk4xRWI1bVFCZTgyLVRpWTJYc0xjWEhmb3ZjNWFxajRIRW5Ick10aFFoMDhqUDl5Vjd2U3VBZjZuYjNLQ3pSUWJmbHlGV2k3bDlrR3BtTm1xaTNYaW1RIn0",
		"lnz6tY7OMgEqr2dUBFLhbRV5SV5NnnE75YoGf8fdCdQ",
	},
	{
		jwa.ExperimentalHPKE1KEDraft22,
		`{"kty":"EC","crv":"P-384","x":"D7VTLUkObllwTg8aYvZPdcnNINDy25kvNre97TKptpQSB6-IjvHLCWQJHzlDiGYA","y":"njG34YWeObrJ8AUOH4lvqspRcCViqbkn2vUPbcTUUSOub44OkVrFqwznzkdIEKrT","d":"DJll4Ommwo21BHxww16GgoGaxXWPKFY6r_ppQ7wRempir7VQ4zr0r8_iqqHf9hUp","alg":"HPKE-1-KE","use":"enc","kid":"dCxtIy9H8XajATicOvCTQMh4ZPgz6YsOK5ssKHeWWEs"}`,
		"eyJhbGciOiJIUEtFLTEtS0UiLCJraWQiOiJkQ3h0SXk5SDhYYWpBVGljT3ZDVFFNaDRaUGd6NllzT0s1c3NLSGVXV0VzIiwiZW5jIjoiQTI1NkdDTSIsImVrIjoiQkxyVFI4SEpkcUY4eklnc2h5TmtvaVcyTHplbjdoa2VialhfRDhNMWVtaWg0Y3JlWFVEUnVtRFVRWFlCZjN5QXdOVWRaNHoyNUExaF9Bd3hPVTNGUWE3S09UT2ZPNUlYVkItT21IcFNVaEpQcHBHSXFyTjJkOWxWNWZpS0djUkVjZyJ9",
		"biPJlwnk1MoJKdzAXLS9go5jflQ68qihUJqreC4hALwF9nXjghFzKY6yj4hyUtRa",
	},
	{
		jwa.ExperimentalHPKE2KEDraft22,
		`{"kty":"EC","crv":"P-521","x":"AKA9Ra4-VaZVMoXlIbU2DNQSiKe92-zXuGI73CtGpibQbmyTpuLV4TN3UWcGHpO8krMaStuxuJOToVLqVUWm0zmF","y":"Ac-o4fIpIKZqPQKtEi7f04_vXnW-3BH2K14WSUp_tWsgSuHai8CGuWcwGkB5iKNpwOvh77Br0Vk69orojXETMy7W","d":"AdeDTmkW31gpYbnoI9V297i0tA28dNYR1VS2lRyn04x9UQItmnUG7fp2Wc9CQgGd1XCWYjtJsl9IQx8q0ylTKD2T","alg":"HPKE-2-KE","use":"enc","kid":"hsRjjUtVSsbXZr5gfmhzqZ-RSs-K_ofzOV09sHt6x8w"}`,
		"eyJhbGciOiJIUEtFLTItS0UiLCJraWQiOiJoc1JqalV0VlNzYlhacjVnZm1oenFaLVJTcy1LX29mek9WMDlzSHQ2eDh3IiwiZW5jIjoiQTI1NkdDTSIsImVrIjoiQkFFTUlGcWlGUHVFekhlb1RIVXFHenV0MWlVY0VsX0lUWGRjNlJKUEhfUWM4UzdQVkFfcHROMUttLXVMZG9TWWxfRmNlMmdabXpwbjlTRWpiZVRVOXMxOGJ3Q1pxUUpWcXhidF9jVXk2RklFZGsxUEh6c0F4a1Rfa0NJNjh5R3NJSVZWQ0JBYkROQWhEb1NBOWt3UGVMd29ESXlwUVgwWnBnbW9rVFhVUlVJM0NrVlJTUSJ9",
		"np-f7Zgo1yJFO4h5HJkPi8EYTsdGFCmnk16aTe4ft5EVXcZhu4HSGpWyNTjxbSKT",
	},
	{
		jwa.ExperimentalHPKE3KEDraft22,
		`{"kty":"OKP","crv":"X25519","x":"4XxzVQ5b1_2KId4eH7vCgtTMFS-xpFQdlewl7Ldgwmc","d":"nV8mMuP37Pu7zvd7i-Fqg8HLYpu2wWOZFb1FdkpV6iY","alg":"HPKE-3-KE","use":"enc","kid":"rZvhw8SPuKMGlrnzm-J4DZ-G4niXcJkKvb8tAbz4jJc"}`,
		"eyJhbGciOiJIUEtFLTMtS0UiLCJraWQiOiJyWnZodzhTUHVLTUdscm56bS1KNERaLUc0bmlYY0prS3ZiOHRBYno0akpjIiwiZW5jIjoiQTEyOEdDTSIsImVrIjoiWGJmaDE5cnBibHBDTHNjOGVqelhUSE9SY1hFa0IwUDJaNkhpcGpONV9VdyJ9",
		"T5egCQZlUyP8UKtq8XrfHgIbEdNLwID1-nupqh_APHw",
	},
	{
		jwa.ExperimentalHPKE4KEDraft22,
		`{"kty":"OKP","crv":"X25519","x":"1GM_SyXQMRrl63zxfzLXMceEBl0sCiz-zelITF6RNzA","d":"KHRpxZE4_rYNJ1CS_UuciujETp8lSLhI9QvBprbSJrA","alg":"HPKE-4-KE","use":"enc","kid":"YJ4yjnwAPBiPg-s9bFLjhl_SAyxXNkpe2bA9Gl1KkTw"}`,
		"eyJhbGciOiJIUEtFLTQtS0UiLCJraWQiOiJZSjR5am53QVBCaVBnLXM5YkZMamhsX1NBeXhYTmtwZTJiQTlHbDFLa1R3IiwiZW5jIjoiQTI1NkdDTSIsImVrIjoiOWQ0RG1iRjlnd0pjYjNGUzdKeDREMzJmLUt5ajVkR2trUEwxZV9VdGRsOCJ9",
		"OfsTC0qyAC2nF2yusu0Dsuz5Q_8Dj8ZJTJ4849pE_ya5c4hdCKx3Nsi2iDX6Ihuw",
	},
	{
		jwa.ExperimentalHPKE7KEDraft22,
		`{"kty":"EC","crv":"P-256","x":"1nm4Hz__urAJOmnQoT4-Cddab4mIgwNPFpo_mq__Huk","y":"0zf-qAB9KJP6qgtYNSP6MTdVBxzgBachQ2XdgCsOk8o","d":"8CpCdkAF51G_YJPb29O3LKLBKTibK4FHWO9lYehzLqE","alg":"HPKE-7-KE","use":"enc","kid":"SMa7O1lSKSi2LJCin1PfZRYA7KGKky5oSfaMO9UOYWA"}`,
		"eyJhbGciOiJIUEtFLTctS0UiLCJraWQiOiJTTWE3TzFsU0tTaTJMSkNpbjFQZlpSWUE3S0dLa3k1b1NmYU1POVVPWVdBIiwiZW5jIjoiQTI1NkdDTSIsImVrIjoiQkNreC1vcWRkMG9yNTYydXVJdy1ESzl3WnZRYlZMaWs0a1cxQWNXLXhrbTFNelgxMm5CWTAyc0J5b252S3ljTmNRZVp1WXh2dmc3RGEwcEQ5WWdOTDRRIn0",
		"w3y9z4g5rGR6jFE0-4fnEzw8ggQB-1ECteJLFkG9VOMsD7vUzwjUQocHQpza_rn8",
	},
}

func TestHPKEKeyEncryption(t *testing.T) {
	ctx := context.Background()
	for _, c := range hpkeKE {
		t.Run(c.alg.Name(), func(t *testing.T) {
			if fipsEnforced && c.alg.KeyType() == "OKP" {
				t.Skip("X25519 is not approved")
			}
			j := mustParse(t, c.key)
			if _, err := j.DecryptionKey(jwk.Binding{}); err == nil {
				t.Error("found without being named")
			}
			k, err := j.DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{c.alg}})
			if err != nil {
				t.Fatal(err)
			}
			var h struct{ Alg, Kid, Enc, Ek string }
			if err := json.Unmarshal(unb64(t, c.protected), &h); err != nil {
				t.Fatal(err)
			}
			if h.Alg != k.Algorithm().Name() || h.Kid != k.KeyID() {
				t.Errorf("header %v", h)
			}
			if thumbprint, err := j.Thumbprint(crypto.SHA256); err != nil || thumbprint != h.Kid {
				t.Errorf("thumbprint %s, %v", thumbprint, err)
			}
			enc, _ := jwa.LookupEncryption(h.Enc)
			w := jwk.Wrapping{Encryption: enc, Encapsulated: unb64(t, h.Ek), EncryptedKey: unb64(t, c.wanted)}
			cek, err := k.DecryptKey(ctx, &w)
			if err != nil || len(cek) != enc.KeySize() {
				t.Fatalf("%x, %v", cek, err)
			}
			// The Recipient_structure binds the content encryption.
			other := jwk.Wrapping{Encryption: jwa.A256GCM, Encapsulated: w.Encapsulated, EncryptedKey: w.EncryptedKey}
			if enc == jwa.A256GCM {
				other.Encryption = jwa.A128CBC_HS256
			}
			if enc.KeySize() == other.Encryption.KeySize() {
				_, err = k.DecryptKey(ctx, &other)
				wantCode(t, err, "dec.failed")
			}
			w.EncryptedKey[3] ^= 1
			_, err = k.DecryptKey(ctx, &w)
			wantCode(t, err, "dec.failed")
		})
	}
}

func TestHPKEIntegrated(t *testing.T) {
	ctx := context.Background()
	// draft-ietf-jose-hpke-encrypt, Appendix A.15 and A.9.
	for _, c := range []struct {
		alg        jwa.Algorithm
		key, token string
	}{
		{
			jwa.ExperimentalHPKE7Draft22,
			`{"kty":"EC","crv":"P-256","x":"z860carZ9CSxTjXo7MK65h_TaZX7ipi2iUh_Bh-VP54","y":"i9X0v8PwcNgbsoMhAz-_W2OPaFU--BQAgWVzJVOfedo","d":"nklFxo0VoD3POieIKD2I_6O4pyuoX1755y_r8My3kL4","alg":"HPKE-7","use":"enc","kid":"YGdLPiZno0vV3kJKu4kEMQEjK3_upFF2D_lFDf1FFwk"}`,
			"eyJhbGciOiJIUEtFLTciLCJraWQiOiJZR2RMUGlabm8wdlYza0pLdTRrRU1RRWpLM191cEZGMkRfbEZEZjFGRndrIn0.BL2AEDUZhRslwuzyKdVKVaGwBpFly_SgLlxy2wTg42Vyfob2tCdv0SgN6OMR16kilUZ17jafK0Gzw0plYKGm08Y..0-DVK3WNJxSSX4hn0KgFlV4vRS4iJLiNCmjl9J4QKCYiOzmdHmWXvB4MS56wOmpVhDbboVIC0wOBxsUlWIXIg6N9DSlu-iwlgiqrVj2v61LrX-qjB7MAg0X5DQJSOWg-saAkhf2lEJ4z0meZIdAlY93_vgAUHKoHsSp_EciL28JtLrBU18WHv34eHONzWsVYdj-ycaBqLUAkcfYrlNZrVpCR6OdNXkuOmkhqrIZjFEl67VZVY5NfbvyFRAkkqgd42wvATdGk2gw_jDZe1fvzGNuV-e5UCrHQ-5Es2rmsLe-nfeB_9iUe-2nZswWS2qndvz6ZANF9Kj2QMJXCLN7RRSLLjP58sxoyDZC8nRBdJxsJKXc8G5eYFLJ1Bc4w.",
		},
		{
			jwa.ExperimentalHPKE4Draft22,
			`{"kty":"OKP","crv":"X25519","x":"N5icT6hvBDpsc9a2t1mXfsDBGsvi4VNTNoINejK5nCY","d":"0EeYQgglJkckhiVP5aGzyrQHepapUd39QlbI53HnWOQ","alg":"HPKE-4","use":"enc","kid":"EMf0FmafX1CDECti7cvCWZddOvzvPf3_nmXI39eiO18"}`,
			"eyJhbGciOiJIUEtFLTQiLCJraWQiOiJFTWYwRm1hZlgxQ0RFQ3RpN2N2Q1daZGRPdnp2UGYzX25tWEkzOWVpTzE4In0.Y2SoN-pcwe65RNXeomaV8hgkqY5sBn1t9VLp2Y9_1UU..qQJ1rsCOLV0Z2sFQh1MjkYP2Lmu2O_4g2JWWxWSJNqgvPVmXoEoW7Ls7WNcW49aSYJiAmT_J_W3TfhP48qPpsAuaLP1MK4iA-hWF0LLfCAQM5wST86_eO2ewwSfXEwTsJoMeqw2A4lTifulJmNT8IXHzhU7SmmLuRoni_MUpD5NzCy7_M4yb5v1wQ0CcbjiBJZn14Y9dufP0v6kFoR50ca95rIflu54TH_i-Z9CReJHZBmlcKcsuejfP7HCpQx60VRCpFZ9IsSIQgGJu4QSMzQToDZW6vhnSQBzeqafxC4082Lrh3YlQ21CCJ6AjOEuStYvvtYd6Yem9GxG17Y_Q-b5yePFrn2gHa0j7avoqKQqTjiuTGjruFejEBjnj.",
		},
	} {
		t.Run(c.alg.Name(), func(t *testing.T) {
			if fipsEnforced && c.alg.KeyType() == "OKP" {
				t.Skip("X25519 is not approved")
			}
			k, err := mustParse(t, c.key).DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{c.alg}})
			if err != nil {
				t.Fatal(err)
			}
			p := strings.Split(c.token, ".")
			aad, encapsulated, ciphertext := []byte(p[0]), unb64(t, p[1]), unb64(t, p[3])
			plaintext, err := k.Open(ctx, encapsulated, aad, ciphertext)
			if err != nil || !bytes.HasPrefix(plaintext, []byte("You can trust us to stick with you")) {
				t.Fatalf("%.40q, %v", plaintext, err)
			}
			encapsulated, ciphertext, err = k.Public().Seal(aad, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			again, err := k.Open(ctx, encapsulated, aad, ciphertext)
			if err != nil || !bytes.Equal(again, plaintext) {
				t.Errorf("%.40q, %v", again, err)
			}
			_, err = k.Open(ctx, encapsulated, aad[1:], ciphertext)
			wantCode(t, err, "dec.failed")
			_, err = k.Open(ctx, encapsulated, aad, ciphertext[:15])
			wantCode(t, err, "dec.failed")
			_, err = k.Open(ctx, encapsulated[1:], aad, ciphertext)
			wantCode(t, err, "header.invalid")
		})
	}
}
