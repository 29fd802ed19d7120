package keyset

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// A folder is a Dir for tests, with a clock that goes on from look to look.
type folder struct {
	*Dir
	t    *testing.T
	path string
	mu   sync.Mutex
	now  time.Time
}

func newFolder(t *testing.T, o DirOptions, files map[string][]byte) *folder {
	t.Helper()
	f := &folder{t: t, path: t.TempDir(), now: time.Now().Add(time.Hour)}
	for name, data := range files {
		f.write(name, data)
	}
	o.Clock = func() time.Time {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.now
	}
	d, err := OpenDir(f.path, o)
	if err != nil {
		t.Fatal(err)
	}
	f.Dir = d
	return f
}

func (f *folder) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// later lets the next call look again.
func (f *folder) later() { f.pass(10 * time.Second) }

func (f *folder) write(name string, data []byte) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

// kids returns those of the public set.
func (f *folder) kids() string {
	f.t.Helper()
	set, err := f.Set(bg)
	if err != nil {
		f.t.Fatal(err)
	}
	var all []string
	for _, k := range set {
		all = append(all, k.KeyID())
	}
	return strings.Join(all, " ")
}

// codes returns the names and codes of what was skipped.
func (f *folder) codes() string {
	var all []string
	for _, s := range f.Skipped() {
		all = append(all, s.Name+" "+fault.CodeOf(s.Err))
	}
	return strings.Join(all, ", ")
}

func privateJWK(t testing.TB, kid string) []byte {
	t.Helper()
	key, err := jwk.Generate(jwa.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := key.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	data, err := desc.WithKeyID(kid).MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func publicJWK(t testing.TB, kid string) []byte {
	t.Helper()
	desc, err := jwk.Parse(privateJWK(t, kid))
	if err != nil {
		t.Fatal(err)
	}
	data, err := desc.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func setOf(keys ...[]byte) []byte {
	var all []string
	for _, k := range keys {
		all = append(all, string(k))
	}
	return []byte(`{"keys":[` + strings.Join(all, ",") + `]}`)
}

func TestDirForms(t *testing.T) {
	ec, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := ec.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	private, err := desc.MarshalPrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	public, err := desc.Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	der, err := desc.Public().MarshalDER()
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(`{"kty":"oct","kid":"hmac","alg":"HS256","k":"` + strings.Repeat("A", 43) + `"}`)
	wrap := []byte(`{"kty":"oct","kid":"wrap","alg":"A128KW","k":"` + strings.Repeat("A", 22) + `"}`)
	exchange, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	if err != nil {
		t.Fatal(err)
	}
	desc, _ = exchange.PrivateJWK()
	decrypts, err := desc.WithKeyID("x").MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	f := newFolder(t, DirOptions{}, map[string][]byte{
		"a.jwk": privateJWK(t, "a"), "b": append([]byte("\n \t\r"), publicJWK(t, "b")...), "c.json": setOf(publicJWK(t, "c1"), publicJWK(t, "c2")),
		"d.pem": private, "e.pem": public, "f.der": der, "g": secret, "h": wrap, "i": decrypts,
		".hidden": []byte("?"),
	})
	if err := os.Mkdir(filepath.Join(f.path, "z"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.later()
	if got := f.Skipped(); len(got) > 0 {
		t.Errorf("skipped %v", got)
	}
	// The private PEM has the thumbprint that Generate gave; the public ones have no kid.
	if got, want := f.kids(), "a b c1 c2 "+ec.KeyID()+"   x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, kid := range []string{"a", ec.KeyID(), "hmac"} {
		s, err := f.Signer(bg, kid)
		if err != nil {
			t.Errorf("%s: %v", kid, err)
			continue
		}
		raw, err := jws.Sign(bg, s, jws.Header{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(bg, f, raw, jws.Options{}); err != nil {
			t.Errorf("%s: %v", kid, err)
		}
	}
	for kid, code := range map[string]string{"": "key.ambiguous", "b": "key.none", "x": "key.none", "wrap": "key.none"} {
		_, err := f.Signer(bg, kid)
		wantCode(t, err, code)
	}
	for kid, alg := range map[string]string{"wrap": "A128KW", "x": "ECDH-ES"} {
		if keys, err := f.DecryptionKeys(bg, jwk.Query{Algorithm: alg, KeyID: kid}); err != nil || len(keys) != 1 {
			t.Errorf("%s: %v", kid, err)
		}
	}
	// What is for publishing can be published.
	set, err := f.Set(bg)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := set.MarshalJSON(); err != nil || strings.Contains(string(data), `"d"`) {
		t.Error(err)
	}
	if _, err := newFolder(t, DirOptions{}, map[string][]byte{"only": privateJWK(t, "k")}).Signer(bg, ""); err != nil {
		t.Error(err)
	}
	_, err = newFolder(t, DirOptions{}, map[string][]byte{"1": privateJWK(t, "k"), "2": privateJWK(t, "k")}).Signer(bg, "k")
	wantCode(t, err, "key.ambiguous")
}

func TestDirBinding(t *testing.T) {
	key, err := jwk.Generate(jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	desc, _ := key.PrivateJWK()
	if desc, err = desc.With("alg", nil); err != nil {
		t.Fatal(err)
	}
	data, err := desc.WithKeyID("r").MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	f := newFolder(t, DirOptions{Binding: jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RS256, jwa.PS256}}}, map[string][]byte{"r": data})
	for _, alg := range []string{"RS256", "PS256"} {
		if _, err := f.Keys(bg, jwk.Query{Algorithm: alg, KeyID: "r"}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	_, err = f.Signer(bg, "r")
	wantCode(t, err, "key.ambiguous")
	// A secret that may sign alone verifies nothing.
	f = newFolder(t, DirOptions{}, map[string][]byte{
		"s": []byte(`{"kty":"oct","alg":"HS256","kid":"s","key_ops":["sign"],"k":"` + strings.Repeat("A", 43) + `"}`),
	})
	if _, err := f.Signer(bg, "s"); err != nil {
		t.Error(err)
	}
	_, err = f.Keys(bg, jwk.Query{Algorithm: "HS256", KeyID: "s"})
	wantCode(t, err, "key.use")
}

func TestDirSkips(t *testing.T) {
	good, private := publicJWK(t, "good"), privateJWK(t, "k")
	big := make([]byte, maxFile+1)
	many := slices.Repeat([][]byte{good}, maxFileKeys+1)
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty":           {nil, "key.invalid"},
		"text":            {[]byte("read me"), "key.invalid"},
		"half JWK":        {private[:len(private)-3], "json.syntax"},
		"half set":        {setOf(private)[:len(private)], "json.syntax"},
		"no key":          {[]byte(`{}`), "key.invalid"},
		"a member twice":  {[]byte(`{"keys":[],"keys":[]}`), "json.duplicate"},
		"keys, no array":  {[]byte(`{"keys":{}}`), "json.type"},
		"keys null":       {[]byte(`{"keys":null}`), "key.invalid"},
		"unknown":         {[]byte(`{"kty":"XX"}`), "key.unsupported"},
		"a broken PEM":    {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA"), "key.invalid"},
		"large":           {big, "key.limit"},
		"too many keys":   {setOf(many...), "key.limit"},
		"may not sign":    {append(private[:len(private)-1:len(private)-1], `,"key_ops":["verify"]}`...), "key.use"},
		"an unusable one": {setOf([]byte(`{"kty":"oct","kid":"s","k":"AA"}`)), "key.invalid|key.unsupported|alg.mismatch"},
	} {
		f := newFolder(t, DirOptions{}, map[string][]byte{"bad": c.data, "good": good})
		if f.kids() != "good" {
			t.Errorf("%s: %s", name, f.kids())
		}
		skipped := f.Skipped()
		if len(skipped) != 1 || skipped[0].Name != "bad" || !slices.Contains(strings.Split(c.code, "|"), fault.CodeOf(skipped[0].Err)) {
			t.Errorf("%s: %v (%s)", name, skipped, f.codes())
		}
		desc, _ := jwk.Parse(private)
		d, _ := desc.Member("d")
		if strings.Contains(fmt.Sprintf("%v %+v", skipped, skipped), string(d[1:9])) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	// The others of a set work, and the place of the bad one is told.
	f := newFolder(t, DirOptions{}, map[string][]byte{"set": setOf(publicJWK(t, "a"), []byte(`{"kty":"EC","kid":"b"}`), []byte(`7`), publicJWK(t, "d"))})
	if f.kids() != "a d" {
		t.Error(f.kids())
	}
	got := f.Skipped()
	if len(got) != 2 || got[0].Index != 1 || got[0].KeyID != "b" || got[1].Index != 2 || f.codes() != "set key.unsupported, set json.type" {
		t.Errorf("%v, %s", got, f.codes())
	}
	// A set without keys is fine.
	if f := newFolder(t, DirOptions{}, map[string][]byte{"set": setOf()}); len(f.Skipped()) > 0 {
		t.Error(f.Skipped())
	}
}

func TestDirLimits(t *testing.T) {
	if raceEnabled {
		t.Skip("slow")
	}
	set := setOf(slices.Repeat([][]byte{publicJWK(t, "k")}, maxFileKeys-1)...)
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": set, "b": setOf(publicJWK(t, "b1"), publicJWK(t, "b2")), "c": publicJWK(t, "c")})
	if got := f.kids(); strings.Contains(got, "b") || !strings.HasSuffix(got, " c") || f.codes() != "b key.limit" {
		t.Errorf("%d bytes of kids, %s", len(got), f.codes())
	}
	for i := range maxFiles - 2 {
		f.write(fmt.Sprint("n", i), nil)
	}
	f.later()
	f.later()
	_, _ = f.Set(bg)
	f.later()
	_, err := f.Set(bg)
	wantCode(t, err, "key.limit")
	f.remove("n0")
	f.later()
	if _, err := f.Set(bg); err != nil {
		t.Error(err)
	}
}

func TestDirReloads(t *testing.T) {
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": publicJWK(t, "a"), "b": publicJWK(t, "b")})
	f.write("c", publicJWK(t, "c"))
	f.remove("a")
	f.pass(10*time.Second - 1)
	if got := f.kids(); got != "a b" {
		t.Errorf("%s within the interval", got)
	}
	f.pass(1)
	if got := f.kids(); got != "b c" {
		t.Errorf("%s after it", got)
	}
	// A file that is replaced, and one that is written over in the same size.
	f.write("new", publicJWK(t, "n"))
	if err := os.Rename(filepath.Join(f.path, "new"), filepath.Join(f.path, "b")); err != nil {
		t.Fatal(err)
	}
	f.write("c", publicJWK(t, "C"))
	f.later()
	if got := f.kids(); got != "n C" {
		t.Error(got)
	}
	// A clock that is set back.
	f.remove("b")
	f.pass(-time.Hour)
	if got := f.kids(); got != "C" {
		t.Error(got)
	}
	// What has not changed is not read again.
	f.later()
	f.kids()
	before := f.view.Load().files
	f.later()
	f.kids()
	if after := f.view.Load().files; &after[0].keys[0] != &before[0].keys[0] {
		t.Error("a file was read again")
	}
	// Times that were set back hide nothing.
	old := time.Now().Add(-time.Hour)
	path := filepath.Join(f.path, "c")
	for i, change := range []func(){
		func() { f.write("c", publicJWK(t, "longer")) },
		func() { // before "c" goes, whose place in the file system it could take
			f.write("new", publicJWK(t, "second"))
			if err := os.Rename(filepath.Join(f.path, "new"), path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		f.later()
		f.kids()
		change()
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		f.later()
		if got := f.kids(); got != []string{"longer", "second"}[i] {
			t.Error(got)
		}
	}
	// The whole folder is replaced.
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "o"), publicJWK(t, "o"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(f.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, f.path); err != nil {
		t.Fatal(err)
	}
	f.later()
	if got := f.kids(); got != "o" {
		t.Error(got)
	}
}

// Just after it was written, a file may be written again without a sign of it.
func TestDirReadsYoungFilesAgain(t *testing.T) {
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": publicJWK(t, "a")})
	path := filepath.Join(f.path, "a")
	at := f.now.Add(10*time.Second - 2*time.Second)
	touch := func() {
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	touch()
	f.later()
	f.kids()
	f.write("a", publicJWK(t, "b"))
	touch()
	f.later()
	if got := f.kids(); got != "b" {
		t.Error(got)
	}
}

// A file that cannot be read keeps its keys for one interval: someone may be writing it.
func TestDirHalfWritten(t *testing.T) {
	a := publicJWK(t, "a")
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": a, "b": publicJWK(t, "b")})
	f.write("a", a[:20])
	f.later()
	if f.kids() != "a b" || f.codes() != "a json.syntax" {
		t.Errorf("%s, skipped %s", f.kids(), f.codes())
	}
	f.write("a", publicJWK(t, "a2"))
	f.later()
	if f.kids() != "a2 b" || f.codes() != "" {
		t.Errorf("%s, skipped %s", f.kids(), f.codes())
	}
	f.write("a", nil)
	f.later()
	if f.kids() != "a2 b" || f.codes() != "a key.invalid" {
		t.Errorf("%s, skipped %s", f.kids(), f.codes())
	}
	f.later()
	if f.kids() != "b" || f.codes() != "a key.invalid" {
		t.Errorf("%s, skipped %s", f.kids(), f.codes())
	}
	f.later()
	if f.kids() != "b" || f.codes() != "a key.invalid" {
		t.Errorf("%s, skipped %s", f.kids(), f.codes())
	}
}

func TestDirGone(t *testing.T) {
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": publicJWK(t, "a")})
	away := f.path + "-away"
	if err := os.Rename(f.path, away); err != nil {
		t.Fatal(err)
	}
	f.later()
	if f.kids() != "a" || len(f.Skipped()) != 1 || !errors.Is(f.Skipped()[0].Err, os.ErrNotExist) {
		t.Errorf("%s, %v", f.kids(), f.Skipped())
	}
	f.later()
	for _, call := range []func() error{
		func() error { _, err := f.Set(bg); return err },
		func() error { _, err := f.Signer(bg, ""); return err },
		func() error { _, err := f.Keys(bg, jwk.Query{}); return err },
		func() error { _, err := f.DecryptionKeys(bg, jwk.Query{}); return err },
	} {
		err := call()
		wantCode(t, err, "keys.unreachable")
		if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	if got := f.codes(); got != ". keys.unreachable" {
		t.Error(got)
	}
	f.later()
	if got := f.codes(); got != ". keys.unreachable" {
		t.Error(got)
	}
	if err := os.Rename(away, f.path); err != nil {
		t.Fatal(err)
	}
	f.later()
	if f.kids() != "a" || f.codes() != "" {
		t.Errorf("%s, %v", f.kids(), f.Skipped())
	}
	if _, err := OpenDir(away, DirOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	_, err := OpenDir(f.path, DirOptions{Interval: -1})
	wantCode(t, err, "keys.options")
}

func TestDirModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	secret := []byte(`{"kty":"oct","kid":"hmac","alg":"HS256","k":"` + strings.Repeat("A", 43) + `"}`)
	for _, c := range []struct {
		mode          os.FileMode
		public, group bool // accepted: public keys, private ones with AllowGroupRead
		private       bool
	}{
		{0o600, true, true, true},
		{0o400, true, true, true},
		{0o640, true, true, false},
		{0o440, true, true, false},
		{0o644, true, false, false},
		{0o604, true, false, false},
		{0o660, true, false, false},
		{0o610, true, false, false},
		{0o601, true, false, false},
		{0o602, false, false, false},
		{0o666, false, false, false},
	} {
		for name, f := range map[string]struct {
			data []byte
			o    DirOptions
			want bool
		}{
			"public":         {publicJWK(t, "k"), DirOptions{}, c.public},
			"private":        {privateJWK(t, "k"), DirOptions{}, c.private},
			"in a set":       {setOf(publicJWK(t, "p"), privateJWK(t, "k")), DirOptions{}, c.private},
			"secret":         {secret, DirOptions{}, c.private},
			"AllowGroupRead": {privateJWK(t, "k"), DirOptions{AllowGroupRead: true}, c.group},
		} {
			dir := newFolder(t, f.o, map[string][]byte{"k": f.data})
			if dir.codes() != "" {
				t.Fatal(dir.Skipped())
			}
			if err := os.Chmod(filepath.Join(dir.path, "k"), c.mode); err != nil {
				t.Fatal(err)
			}
			// There is no delay, as for what someone may be writing.
			dir.later()
			want := ""
			if !f.want {
				want = "k keys.exposed"
			}
			if got := dir.codes(); got != want {
				t.Errorf("%s, mode %#o: skipped %q, want %q", name, c.mode, got, want)
			}
			if !f.want && (dir.kids() != "" || len(dir.view.Load().signers) > 0) {
				t.Errorf("%s, mode %#o: the key is used", name, c.mode)
			}
		}
	}
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": publicJWK(t, "a")})
	if err := os.Chmod(f.path, 0o757); err != nil {
		t.Fatal(err)
	}
	f.later()
	_, err := f.Set(bg)
	wantCode(t, err, "keys.exposed")
	_, err = OpenDir(f.path, DirOptions{})
	wantCode(t, err, "keys.exposed")
}

func TestDirStaysInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(outside, publicJWK(t, "outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFolder(t, DirOptions{}, map[string][]byte{"good": publicJWK(t, "good")})
	for link, target := range map[string]string{
		"absolute": outside,
		"relative": filepath.Join("..", "..", filepath.Base(filepath.Dir(outside)), "key"),
		"nowhere":  "not there",
		"circle":   "circle",
		"itself":   filepath.Join(f.path, "good"),
		"via":      "absolute",
	} {
		if err := os.Symlink(target, filepath.Join(f.path, link)); err != nil {
			t.Skip(err)
		}
	}
	f.later()
	if f.kids() != "good" || len(f.Skipped()) != 6 {
		t.Errorf("%s, %v", f.kids(), f.Skipped())
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := exec.Command("mkfifo", "-m", "600", filepath.Join(f.path, "pipe")).Run(); err == nil {
		f.later()
		if f.kids() != "good" || !strings.Contains(f.codes(), "pipe key.invalid") {
			t.Errorf("%s, %v", f.kids(), f.Skipped())
		}
	}
}

// How Kubernetes mounts a secret, and changes it: the link ..data is replaced.
func TestDirKubernetes(t *testing.T) {
	f := newFolder(t, DirOptions{}, nil)
	version := func(name, kid string) {
		dir := filepath.Join(f.path, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "key"), privateJWK(t, kid), 0o400); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(f.path, "..tmp")); err != nil {
			t.Skip(err)
		}
		if err := os.Rename(filepath.Join(f.path, "..tmp"), filepath.Join(f.path, "..data")); err != nil {
			t.Skip(err)
		}
	}
	version("..1", "one")
	if err := os.Symlink(filepath.Join("..data", "key"), filepath.Join(f.path, "key")); err != nil {
		t.Skip(err)
	}
	f.later()
	if f.kids() != "one" || f.codes() != "" {
		t.Errorf("%s, %v", f.kids(), f.Skipped())
	}
	version("..2", "two")
	f.later()
	if f.kids() != "two" || f.codes() != "" {
		t.Errorf("%s, %v", f.kids(), f.Skipped())
	}
}

func TestDirConcurrent(t *testing.T) {
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": privateJWK(t, "a")})
	b := publicJWK(t, "b")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				if i == 0 {
					f.write(fmt.Sprint("b", n%3), b)
				}
				f.pass(5 * time.Second)
				if _, err := f.Keys(bg, jwk.Query{Algorithm: "EdDSA", KeyID: "a"}); err != nil {
					t.Error(err)
				}
				_ = f.Skipped()
				if _, err := f.Signer(bg, "a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDirWarm(t *testing.T) {
	f := newFolder(t, DirOptions{}, map[string][]byte{"a": publicJWK(t, "a")})
	q := jwk.Query{Algorithm: "EdDSA", KeyID: "a"}
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Keys(bg, q) }); n > 0 && !raceEnabled && testing.CoverMode() == "" {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFile(f *testing.F) {
	private := privateJWK(f, "k")
	f.Add(private)
	f.Add(setOf(private, publicJWK(f, "p")))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, read, err := split(data)
		for _, text := range texts {
			desc, err := describe(text, read)
			if err != nil {
				continue
			}
			keys, err := bindFile(desc, jwk.Binding{})
			for _, k := range keys {
				if k.public == nil || err != nil {
					t.Error("half a key")
				}
			}
		}
		if err != nil && fault.CodeOf(err) == "" {
			t.Errorf("%v has no code", err)
		}
	})
}
