package attack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/attack"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

// TestAttack runs the whole catalogue against the library.
func TestAttack(t *testing.T) {
	var visits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer server.Close()

	for _, c := range attack.Cases(server.URL) {
		t.Run(c.Title(), func(t *testing.T) {
			token := ""
			if c.Form.HasToken() {
				token = c.Token()
			}
			document := []byte(token)
			before := allocated()
			err := run(c.Form, token, document, c.Key, c.Policy)
			spent := allocated() - before
			switch got := codes(err); {
			case err == nil:
				t.Errorf("accepted; want refusal with %q", c.Want)
			case len(got) == 0:
				t.Errorf("refused without a code: %v; want %q", err, c.Want)
			default:
				for _, code := range got {
					if !slices.Contains(c.Want, code) {
						t.Errorf("refused with %q (%v); want %q", got, err, c.Want)
					}
				}
			}
			if strings.HasPrefix(c.ID, "L") && spent > 1<<20 {
				t.Errorf("%d bytes allocated for a refusal", spent)
			}
			control := ""
			if c.Form.HasToken() {
				control = c.Control()
			}
			if control == token && reflect.DeepEqual(c.ControlKey, c.Key) && reflect.DeepEqual(c.ControlPolicy, c.Policy) {
				t.Error("the control is the attack")
			}
			if err := run(c.Form, control, []byte(control), c.ControlKey, c.ControlPolicy); err != nil {
				t.Errorf("control refused with %q: %v", codes(err), err)
			}
		})
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("A6: a URL of a header was visited %d times", n)
	}
	for _, o := range attack.Others() {
		if o.Here() {
			check := checks[o.Title()]
			if check == nil {
				t.Errorf("%s says that it is checked here, and is not", o.Title())
				continue
			}
			t.Run(o.Title(), check)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// run reads the key as a program would and hands over the token, or the document,
// which is the same text.
func run(form attack.Form, token string, document []byte, key attack.Key, p attack.Policy) error {
	switch form {
	case attack.Private, attack.Public:
		description, err := jwk.Parse(key.Data)
		switch {
		case err != nil:
		case form == attack.Private:
			_, err = description.PrivateKey(jwk.Binding{})
		case description.KeyType() == "oct":
			_, err = description.SharedKey(jwk.Binding{})
		default:
			_, err = description.EncryptionKey(jwk.Binding{})
		}
		return err
	case attack.JWE, attack.JWEJSON:
		return decrypt(form, token, document, key, p)
	}
	keys, err := load(key, p.AllowWeakKey)
	if err != nil {
		return err
	}
	if form == attack.JSON {
		_, err := jws.VerifyJSON(context.Background(), keys, document, jws.Options{})
		return err
	}
	all := policy(p)
	if form == attack.Nested {
		inside, err := decrypters(*p.Decrypt)
		if err != nil {
			return err
		}
		all.Decryption = &jwt.Decryption{Keys: inside}
	}
	v, err := jwt.NewVerifier[map[string]any](keys, all)
	if err != nil {
		return err
	}
	_, err = v.Verify(context.Background(), token)
	return err
}

// decrypt is run for what is encrypted.
func decrypt(form attack.Form, token string, document []byte, key attack.Key, p attack.Policy) error {
	keys, err := decrypters(key)
	if err != nil {
		return err
	}
	var o jwe.Options
	for _, name := range p.Algs {
		alg, _ := jwa.Lookup(name)
		o.Algorithms = append(o.Algorithms, alg)
	}
	for _, name := range p.Encs {
		enc, _ := jwa.LookupEncryption(name)
		o.Encryptions = append(o.Encryptions, enc)
	}
	var m *jwe.Message
	if form == attack.JWE {
		m, err = jwe.Decrypt(background, keys, token, o)
	} else {
		m, err = jwe.DecryptJSON(background, keys, document, o)
	}
	switch {
	case err != nil && m != nil:
		return errors.New("there is a message beside the error")
	// J19; and nothing but the one error once a secret was used.
	case errors.Is(err, jwe.ErrDecrypt) && err != jwe.ErrDecrypt:
		return fmt.Errorf("%v says more than that it cannot be decrypted", err)
	}
	return err
}

func decrypters(key attack.Key) (jwk.DecryptionSet, error) {
	binding := jwk.Binding{AllowRSA1_5DespitePaddingOracles: key.AllowRSA1_5}
	if key.Alg != "" {
		alg, ok := jwa.Lookup(key.Alg)
		if !ok {
			return nil, errors.New("no such algorithm: " + key.Alg)
		}
		binding.Algorithms = []jwa.Algorithm{alg}
	}
	if key.Kind == attack.Password {
		k, err := jwk.NewPassword(binding.Algorithms[0], "", key.Data)
		return jwk.DecryptionSet{k}, err
	}
	description, err := jwk.Parse(key.Data)
	if err != nil {
		return nil, err
	}
	if description.KeyType() == "oct" {
		k, err := description.SharedKey(binding)
		return jwk.DecryptionSet{k}, err
	}
	k, err := description.DecryptionKey(binding)
	return jwk.DecryptionSet{k}, err
}

func policy(p attack.Policy) jwt.Policy {
	out := jwt.Policy{
		Issuers: p.Issuers, Audiences: p.Audiences, Type: p.Type, AnyIssuer: p.AnyIssuer, AnyAudience: p.AnyAudience,
		MaxAge: p.MaxAge, MaxLifetime: p.MaxLifetime, Clock: func() time.Time { return time.Unix(p.Now, 0) },
	}
	if p.NoLeeway {
		out.Leeway = jwt.NoLeeway
	}
	return out
}

func load(key attack.Key, weak bool) (jwk.Source, error) {
	var binding jwk.Binding
	if key.Alg != "" {
		alg, ok := jwa.Lookup(key.Alg)
		if !ok {
			return nil, errors.New("no such algorithm: " + key.Alg)
		}
		binding.Algorithms = []jwa.Algorithm{alg}
	}
	if key.Kind == attack.Secret {
		construct := jwk.NewSecretKey
		if weak {
			construct = jwk.NewSecretKeyShorterThanHash
		}
		k, err := construct(binding.Algorithms[0], "", key.Data)
		return jwk.Set{k}, err
	}
	if key.Kind == attack.JWKSet {
		set, skipped, err := jwk.ParseSet(key.Data, binding)
		if err == nil && len(set) == 0 && len(skipped) == 1 {
			err = skipped[0].Err
		}
		return set, err
	}
	parse := jwk.Parse
	if key.Kind == attack.PEM {
		parse = jwk.ParsePEM
	}
	description, err := parse(key.Data)
	if err != nil {
		return nil, err
	}
	if description.KeyType() == "oct" {
		k, err := description.SecretKey(binding)
		return jwk.Set{k}, err
	}
	k, err := description.PublicKey(binding)
	return jwk.Set{k}, err
}

func codes(err error) []string {
	var reject *jwt.RejectError
	if errors.As(err, &reject) {
		return reject.Codes()
	}
	if code := fault.CodeOf(err); code != "" {
		return []string{code}
	}
	return nil
}

// cases is the table for those who run nothing of it.
var cases = sync.OnceValue(func() []attack.Case { return attack.Cases("http://127.0.0.1:9") })

// TestTitles keeps names of tests unique, so that one can be run alone.
func TestTitles(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.Title()] {
			t.Errorf("%s is there twice", c.Title())
		}
		seen[c.Title()] = true
		if len(c.Want) == 0 {
			t.Errorf("%s wants no code", c.Title())
		}
	}
	for title := range checks {
		if !slices.ContainsFunc(attack.Others(), func(o attack.Other) bool { return o.Title() == title && o.Here() }) {
			t.Errorf("%s is checked and not in the table", title)
		}
	}
}

// TestCatalogue reads the catalogue itself: each of its ids is in the table.
func TestCatalogue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testvectors.Spec(t), "attacks.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range cases() {
		have[c.ID] = true
	}
	for _, o := range attack.Others() {
		have[o.ID] = true
	}
	for _, u := range attack.Uses() {
		have[u.ID] = true
	}
	_, body, _ := strings.Cut(string(text), "## The catalogue")
	count := 0
	want := func(id string) {
		count++
		if !have[id] {
			t.Errorf("%s of the catalogue is not in the table", id)
		}
	}
	for _, section := range strings.Split(body, "\n### ")[1:] {
		letter := section[:1]
		if !strings.Contains("ABCDEFGHJKLM", letter) {
			continue
		}
		_, list, _ := strings.Cut(section, "\n- ")
		if letter == "K" || letter == "L" { // a list without ids, numbered by place
			list, _, _ = strings.Cut(list, ". Measure")
			list = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(list, "")
			for i := range regexp.MustCompile(`[,;]`).Split(list, -1) {
				want(letter + itoa(i+1))
			}
			continue
		}
		own := regexp.MustCompile(`(?:^|[^A-Za-z0-9.-])` + letter + `(\d+)`)
		for _, m := range own.FindAllStringSubmatch("\n- "+list, -1) {
			want(letter + m[1])
		}
		// F4-F6 and the like.
		for _, m := range regexp.MustCompile(letter+`(\d+)-`+letter+`(\d+)`).FindAllStringSubmatch(list, -1) {
			for i := atoi(m[1]); i <= atoi(m[2]); i++ {
				want(letter + itoa(i))
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d ids found in the catalogue: has its form changed?", count)
	}
}

// TestUses holds that each test which is said to show an attack of group M is there, and that what none shows says who will.
func TestUses(t *testing.T) {
	if _, err := os.Stat(filepath.Join("..", "..", "oauth")); err != nil {
		t.Skip("this is a part of the library alone")
	}
	seen := map[string]bool{}
	texts := map[string]string{} // of the files of a test
	shown, open, tests := 0, 0, 0
	for _, u := range attack.Uses() {
		if seen[u.Title()] {
			t.Errorf("%s is there twice", u.Title())
		}
		seen[u.Title()] = true
		switch {
		case len(u.Tests) == 0 && u.Open == "":
			t.Errorf("%s is neither shown nor said to be open", u.Title())
		case len(u.Tests) == 0:
			open++
			t.Logf("%s: %s", u.Title(), u.Open)
		default:
			shown++
		}
		for _, name := range u.Tests {
			tests++
			folder, test, _ := strings.Cut(name, " ")
			test, part, _ := strings.Cut(test, "/")
			if _, ok := texts[folder+test]; !ok {
				texts[folder+test] = source(t, folder, test)
			}
			if text := texts[folder+test]; text == "" || !strings.Contains(text, part) {
				t.Errorf("%s: there is no test %s", u.Title(), name)
			}
		}
	}
	t.Logf("%d attacks are shown by %d tests and cases, %d are open", shown, tests, open)
}

// source is the text of the file in a folder of the library that has a test.
func source(t *testing.T, folder, test string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("func "+test+"(")) {
			return string(text)
		}
	}
	return ""
}
