package keyset

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// Dir is the keys in a folder: JWKs, JWK sets, PEM and DER files, public, private and
// secret ones, whatever they are called. Folders in it, and names that begin with a dot,
// are passed over. At most 1000 files of 1 MiB, with 1000 keys.
//
// It looks into the folder when it is asked for keys, but at most once in an interval,
// and reads the files that have changed. A file that cannot be used is left out and
// reported by [Dir.Skipped]. Where it could be used before it keeps its keys for one
// interval more, because someone may be writing it; so does the whole folder if it
// cannot be read. A file that is deleted loses its keys at the next look.
//
// A private or secret key in a file that others than its owner have access to is
// refused, as is any file, and the folder itself, that everybody may write to (not on
// Windows, where modes mean nothing). Links are followed only to what is inside the
// folder, which suffices for the secrets that Kubernetes mounts.
//
// A private key without a kid gets its SHA-256 thumbprint for one, because it is meant
// to sign. Other keys without a kid fit tokens of any.
//
// A Dir is a [jwk.Source] and a [jwk.DecryptionSource]. It is safe for concurrent use;
// it has no goroutine and keeps no file open.
type Dir struct {
	path string
	o    DirOptions
	view atomic.Pointer[dirView]
	turn chan struct{} // has an element while a call looks into the folder
}

// DirOptions are the options of a [Dir]. The zero value is good.
type DirOptions struct {
	// Binding says what the keys are bound to.
	Binding jwk.Binding
	// Interval is the least time between two looks. Zero means 10 seconds.
	Interval time.Duration
	// AllowGroupRead accepts private keys that the group of their file may read, such as
	// those in a volume of Kubernetes with an fsGroup.
	AllowGroupRead bool
	// Clock is the time now; nil means time.Now. It is called concurrently.
	Clock func() time.Time
}

// SkippedFile says what in a [Dir] was left out, and why. The index and the kid are those
// of a key in a set, else 0 and empty.
type SkippedFile struct {
	Name string
	jwk.Skipped
}

const (
	maxFiles    = 1000
	maxFileKeys = 1000
	maxFile     = 1 << 20
)

// dirView is a folder as it was seen. It is immutable.
type dirView struct {
	looked     time.Time
	files      []dirFile // by name
	err        error     // the folder cannot be read
	set        jwk.Set   // public keys
	verifiers  *index    // and secret ones
	decrypters jwk.DecryptionSet
	signers    []jwk.Signer
	skipped    []SkippedFile
}

type dirFile struct {
	name    string
	info    fs.FileInfo
	read    time.Time
	keys    []fileKey
	skipped []SkippedFile
	kept    bool // the keys are those of an earlier look
}

// fileKey is a key with those of its halves that the file has.
type fileKey struct {
	public    jwk.Key
	signer    jwk.Signer
	decrypter jwk.Decrypter
}

// OpenDir reads the keys in a folder. An error says that it cannot be read; what is
// wrong with its files is for [Dir.Skipped].
func OpenDir(path string, o DirOptions) (*Dir, error) {
	orElse(&o.Interval, 10*time.Second)
	if o.Interval < 0 {
		return nil, errOptions.With("a negative Interval")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	d := &Dir{path: path, o: o, turn: make(chan struct{}, 1)}
	v := d.read(nil)
	if v.err != nil {
		return nil, v.err
	}
	d.view.Store(v)
	return d, nil
}

// Keys implements [jwk.Source].
func (d *Dir) Keys(_ context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	a := v.verifiers.find(q)
	return a.keys, a.err
}

// DecryptionKeys implements [jwk.DecryptionSource].
func (d *Dir) DecryptionKeys(ctx context.Context, q jwk.Query) ([]jwk.Decrypter, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	return v.decrypters.DecryptionKeys(ctx, q)
}

// Signer returns the private or secret key with that kid, or where it is empty the only
// one that there is. Errors are [jwk.ErrNoKey] and [jwk.ErrAmbiguous].
func (d *Dir) Signer(_ context.Context, kid string) (jwk.Signer, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	var found jwk.Signer
	for _, s := range v.signers {
		if kid != "" && s.KeyID() != kid {
			continue
		}
		if found != nil {
			return nil, jwk.ErrAmbiguous
		}
		found = s
	}
	if found == nil {
		return nil, jwk.ErrNoKey
	}
	return found, nil
}

// Set returns the public keys, for publishing them and for encryption.
func (d *Dir) Set(context.Context) (jwk.Set, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	return slices.Clone(v.set), nil
}

// Skipped returns what is left out at present, and why.
func (d *Dir) Skipped() []SkippedFile {
	v, err := d.look()
	if err != nil {
		return []SkippedFile{{".", jwk.Skipped{Err: err}}}
	}
	return slices.Clone(v.skipped)
}

// look returns what is in the folder. Who does not have the turn takes what is known.
func (d *Dir) look() (*dirView, error) {
	v := d.view.Load()
	if since := d.o.Clock().Sub(v.looked); since < 0 || since >= d.o.Interval {
		select {
		case d.turn <- struct{}{}:
			if now := d.view.Load(); now == v {
				v = d.read(v)
				d.view.Store(v)
			} else {
				v = now // another call has just looked
			}
			<-d.turn
		default:
		}
	}
	if v.err != nil {
		return nil, errUnreachable.Wrap(v.err)
	}
	return v, nil
}

// read looks into the folder. The path is opened anew, so that a folder that was
// replaced is noticed.
func (d *Dir) read(old *dirView) *dirView {
	v := &dirView{looked: d.o.Clock()}
	if old == nil {
		old = &dirView{err: errUnreachable}
	}
	root, err := os.OpenRoot(d.path)
	if err == nil {
		defer root.Close()
		err = v.readFiles(d, root, old)
	}
	switch {
	case err == nil:
		v.collect()
	case old.err == nil && !slices.ContainsFunc(old.skipped, SkippedFile.whole) && !errors.Is(err, ErrExposed):
		kept := *old
		kept.looked = v.looked
		kept.skipped = append(slices.Clone(old.skipped), SkippedFile{".", jwk.Skipped{Err: err}})
		return &kept
	default:
		v.err = err
	}
	return v
}

// whole reports whether it is the folder that could not be read.
func (s SkippedFile) whole() bool { return s.Name == "." }

func (v *dirView) readFiles(d *Dir, root *os.Root, old *dirView) error {
	info, err := root.Stat(".")
	if err == nil {
		err = writable(info)
	}
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), ".") // by name
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
	if len(entries) > maxFiles {
		return errTooMany.With(fmt.Sprintf("more than %d files", maxFiles))
	}
	for _, e := range entries {
		name := e.Name()
		i, found := slices.BinarySearchFunc(old.files, name, func(f dirFile, name string) int { return strings.Compare(f.name, name) })
		var before dirFile
		if found {
			before = old.files[i]
		}
		f := dirFile{name: name, read: v.looked}
		if f.info, err = root.Stat(name); err == nil {
			if f.info.IsDir() {
				continue
			}
			if before.same(f.info) {
				v.files = append(v.files, before)
				continue
			}
			err = f.load(root, d.o)
		}
		if err != nil {
			f.skipped = []SkippedFile{{name, jwk.Skipped{Err: err}}}
			if len(before.keys) > 0 && !before.kept && !errors.Is(err, ErrExposed) {
				f.keys, f.kept = before.keys, true
			}
		}
		v.files = append(v.files, f)
	}
	return nil
}

// same reports whether the file is as it was when it was read. One that had been written
// just before may have been written again without a sign of it.
func (f *dirFile) same(info fs.FileInfo) bool {
	return !f.kept && os.SameFile(f.info, info) && f.info.Size() == info.Size() &&
		f.info.Mode() == info.Mode() && f.info.ModTime().Equal(info.ModTime()) &&
		f.read.Sub(info.ModTime()) > 2*time.Second
}

// writable refuses what everybody may write to.
func writable(info fs.FileInfo) error {
	if info.Mode()&0o002 != 0 && runtime.GOOS != "windows" {
		return errExposed.With("everybody may write to " + info.Name())
	}
	return nil
}

// load reads the keys of a file.
func (f *dirFile) load(root *os.Root, o DirOptions) error {
	if !f.info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return errNoKeys.With("it is not a regular file")
	}
	file, err := root.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	if f.info, err = file.Stat(); err == nil {
		err = writable(f.info)
	}
	if err != nil {
		return err
	}
	data, err := readLimited(file, maxFile)
	if err != nil {
		return err
	}
	texts, read, err := split(data)
	if err != nil {
		return err
	}
	for i, text := range texts {
		desc, err := describe(text, read)
		if err == nil && desc.IsPrivate() {
			if err := f.secluded(o); err != nil {
				f.keys, f.skipped = nil, nil
				return err
			}
		}
		var keys []fileKey
		if err == nil {
			keys, err = bindFile(desc, o.Binding)
		}
		if err != nil {
			f.skipped = append(f.skipped, SkippedFile{f.name, jwk.Skipped{Index: i, KeyID: desc.KeyID(), Err: err}})
		}
		f.keys = append(f.keys, keys...)
	}
	if len(f.keys) == 0 && len(f.skipped) == 1 && len(texts) == 1 {
		return f.skipped[0].Err
	}
	return nil
}

// secluded refuses a private key that others have access to.
func (f *dirFile) secluded(o DirOptions) error {
	others := fs.FileMode(0o077)
	if o.AllowGroupRead {
		others = 0o037
	}
	if mode := f.info.Mode().Perm(); mode&others != 0 && runtime.GOOS != "windows" {
		return errExposed.With(fmt.Sprintf("private keys in a file of mode %#o: take all rights from group and others", mode))
	}
	return nil
}

var (
	errNoKeys  = jwk.ErrInvalid.(*fault.Error)
	errTooMany = jwk.ErrLimit.(*fault.Error)
)

type wireKeys struct {
	Keys []json.RawMessage `json:"keys"`
}

// split returns the keys of a set, or the whole file where it is no set, and what reads
// them.
func split(data []byte) (texts [][]byte, read func([]byte) (jwk.JWK, error), err error) {
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return [][]byte{data}, jwk.ParsePEM, nil
	default:
		return [][]byte{data}, jwk.ParseDER, nil
	}
	var set wireKeys
	if err := strictjson.Unmarshal(bytes.Clone(data), &set, strictjson.Limits{Bytes: maxFile, Members: 100 * maxFileKeys}); err != nil {
		return nil, nil, errNoKeys.Wrap(err)
	}
	if set.Keys == nil {
		return [][]byte{data}, jwk.Parse, nil
	}
	for _, raw := range set.Keys {
		texts = append(texts, raw)
	}
	return texts, jwk.Parse, nil
}

// describe reads one key. A private one without a kid is given one.
func describe(text []byte, read func([]byte) (jwk.JWK, error)) (jwk.JWK, error) {
	desc, err := read(text)
	if err == nil && desc.IsPrivate() && desc.KeyID() == "" && desc.KeyType() != "oct" {
		var kid string
		if kid, err = desc.Thumbprint(crypto.SHA256); err == nil {
			desc = desc.WithKeyID(kid)
		}
	}
	return desc, err
}

// bindFile makes the keys of a description, as a set with that key alone does: which of
// them it makes is decided there.
func bindFile(desc jwk.JWK, b jwk.Binding) ([]fileKey, error) {
	data, _ := desc.MarshalPrivateJSON() // what was read can be written
	data = slices.Concat([]byte(`{"keys":[`), data, []byte(`]}`))
	set, skipped, err := jwk.ParseSet(data, b)
	if len(skipped) > 0 {
		err = skipped[0].Err
	}
	if err != nil {
		return nil, err
	}
	var keys []fileKey
	for _, public := range set {
		k := fileKey{public: public}
		one := b
		one.Algorithms = []jwa.Algorithm{public.Algorithm()}
		switch key := public.(type) {
		case *jwk.SecretKey:
			k.signer = key
		case *jwk.SharedKey:
			k.decrypter = key
		case *jwk.PublicKey:
			if desc.IsPrivate() {
				k.signer, err = desc.PrivateKey(one)
			}
		case *jwk.EncryptionKey:
			if desc.IsPrivate() {
				k.decrypter, err = desc.DecryptionKey(one)
			}
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// collect puts the keys of all files together.
func (v *dirView) collect() {
	var verifiers jwk.Set
	total := 0
	for _, f := range v.files {
		v.skipped = append(v.skipped, f.skipped...)
		if total += len(f.keys); total > maxFileKeys {
			v.skipped = append(v.skipped, SkippedFile{f.name, jwk.Skipped{Err: errTooMany.With(fmt.Sprintf("more than %d keys in the folder", maxFileKeys))}})
			total -= len(f.keys)
			continue
		}
		for _, k := range f.keys {
			switch key := k.public.(type) {
			case *jwk.SecretKey:
				verifiers = append(verifiers, key)
			case *jwk.SharedKey:
			default:
				v.set = append(v.set, key)
				verifiers = append(verifiers, key)
			}
			if k.signer != nil {
				v.signers = append(v.signers, k.signer)
			}
			if k.decrypter != nil {
				v.decrypters = append(v.decrypters, k.decrypter)
			}
		}
	}
	v.verifiers = newIndex(verifiers)
}
