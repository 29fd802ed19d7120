//go:build cgo

package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
)

const (
	userPIN     = "1234-user"
	operatorPIN = "5678-operator"
)

// softHSM returns the path of SoftHSM's library. As root on a Debian it installs it, in
// bounded time; elsewhere the tests are skipped without it, or fail where CI=true.
func softHSM(t testing.TB) string {
	t.Helper()
	path, err := findSoftHSM()
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

var findSoftHSM = sync.OnceValues(func() (string, error) {
	look := func() string {
		if path := os.Getenv("SOFTHSM2_MODULE"); path != "" {
			return path
		}
		for _, pattern := range []string{
			"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
			"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
		} {
			if found, _ := filepath.Glob(pattern); len(found) > 0 {
				return found[0]
			}
		}
		return ""
	}
	if path := look(); path != "" {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Getuid() != 0 {
		return "", fmt.Errorf("SoftHSM is not installed (Debian: apt-get install softhsm2), and SOFTHSM2_MODULE is not set")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out []byte
	for _, args := range [][]string{{"install"}, {"update"}, {"install"}} {
		if args[0] == "install" {
			args = append(args, "--no-install-recommends", "softhsm2")
		}
		cmd := exec.CommandContext(ctx, apt, append([]string{"-qy"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.WaitDelay = time.Second
		if out, err = cmd.CombinedOutput(); err == nil {
			if path := look(); path != "" {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("softhsm2 cannot be installed: %v\n%s", err, out)
})

// device is a SoftHSM with tokens in a folder of its own. There is one at a time in a
// process, so that its tests are not parallel.
type device struct {
	*p11.Ctx
	module string
	t      testing.TB
}

func newDevice(t testing.TB) *device {
	t.Helper()
	module := softHSM(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	d := &device{p11.New(module), module, t}
	if d.Ctx == nil {
		t.Fatal("cannot load ", module)
	}
	d.check(d.Initialize())
	t.Cleanup(func() { _ = d.Finalize() })
	return d
}

func (d *device) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// token initialises a token and returns its slot.
func (d *device) token(label string) uint {
	d.t.Helper()
	slots, err := d.GetSlotList(true)
	d.check(err)
	slot := slots[len(slots)-1] // SoftHSM always has one more, which is free
	d.check(d.InitToken(slot, operatorPIN, label))
	slot = d.slot(label)
	s, err := d.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	d.check(err)
	d.check(d.Login(s, p11.CKU_SO, operatorPIN))
	d.check(d.InitPIN(s, userPIN))
	d.check(d.CloseSession(s))
	return slot
}

func (d *device) slot(label string) uint {
	d.t.Helper()
	slots, err := d.GetSlotList(true)
	d.check(err)
	for _, slot := range slots {
		if info, err := d.GetTokenInfo(slot); err == nil && info.Label == label {
			return slot
		}
	}
	d.t.Fatal("no token ", label)
	return 0
}

// session opens one that may write.
func (d *device) session(slot uint) p11.SessionHandle {
	d.t.Helper()
	s, err := d.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	d.check(err)
	if err := d.Login(s, p11.CKU_USER, userPIN); err != nil && !is(err, p11.CKR_USER_ALREADY_LOGGED_IN) {
		d.t.Fatal(err)
	}
	return s
}

type attributes = []*p11.Attribute

func (d *device) generate(slot uint, mechanism uint, label string, id []byte, public, private attributes) {
	d.t.Helper()
	s := d.session(slot)
	defer func() { _ = d.CloseSession(s) }()
	both := func(more attributes) attributes {
		return append(attributes{
			p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_ID, id),
		}, more...)
	}
	_, _, err := d.GenerateKeyPair(s, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, both(public), both(append(attributes{
		p11.NewAttribute(p11.CKA_PRIVATE, true), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
	}, private...)))
	d.check(err)
}

var oids = map[elliptic.Curve]asn1.ObjectIdentifier{
	elliptic.P224(): {1, 3, 132, 0, 33},
	elliptic.P256(): {1, 2, 840, 10045, 3, 1, 7},
	elliptic.P384(): {1, 3, 132, 0, 34},
	elliptic.P521(): {1, 3, 132, 0, 35},
}

func (d *device) ec(slot uint, label string, id []byte, curve elliptic.Curve, more ...*p11.Attribute) {
	d.t.Helper()
	params, err := asn1.Marshal(oids[curve])
	d.check(err)
	d.generate(slot, p11.CKM_EC_KEY_PAIR_GEN, label, id,
		attributes{p11.NewAttribute(p11.CKA_EC_PARAMS, params), p11.NewAttribute(p11.CKA_VERIFY, true)},
		append(attributes{p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_DERIVE, true)}, more...))
}

func (d *device) rsa(slot uint, label string, id []byte, bits int) {
	d.t.Helper()
	d.generate(slot, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, label, id,
		attributes{p11.NewAttribute(p11.CKA_MODULUS_BITS, bits), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}), p11.NewAttribute(p11.CKA_VERIFY, true)},
		attributes{p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_DECRYPT, true)})
}

// remove takes away the objects of a class.
func (d *device) remove(slot uint, label string, class uint) {
	d.t.Helper()
	s := d.session(slot)
	defer func() { _ = d.CloseSession(s) }()
	d.check(d.FindObjectsInit(s, Find{Label: label}.template(class)))
	found, _, err := d.FindObjects(s, 10)
	d.check(err)
	d.check(d.FindObjectsFinal(s))
	for _, o := range found {
		d.check(d.DestroyObject(s, o))
	}
}

// certificate puts a certificate of a key into the token.
func (d *device) certificate(slot uint, label string, id []byte, pub any) []byte {
	d.t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	d.check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: label}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, issuer)
	d.check(err)
	s := d.session(slot)
	defer func() { _ = d.CloseSession(s) }()
	_, err = d.CreateObject(s, attributes{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509),
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_ID, id),
		p11.NewAttribute(p11.CKA_SUBJECT, []byte(label)), p11.NewAttribute(p11.CKA_VALUE, der),
	})
	d.check(err)
	return der
}

// watched is a library that can be made to fail, and that notes what it is asked.
type watched struct {
	cryptoki
	mu     sync.Mutex
	fail   map[string][]error // the next errors of a function
	counts map[string]int
	mechs  []*p11.Mechanism

	attribute uint // has this value, whatever the object
	value     []byte
}

func watch(c cryptoki) *watched {
	return &watched{cryptoki: c, fail: map[string][]error{}, counts: map[string]int{}}
}

func (w *watched) next(function string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[function]++
	if all := w.fail[function]; len(all) > 0 {
		w.fail[function] = all[1:]
		return all[0]
	}
	return nil
}

func (w *watched) will(function string, errs ...error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[function] = errs
}

func (w *watched) count(function string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[function]
}

func (w *watched) Initialize(opts ...p11.InitializeOption) error {
	if err := w.next("Initialize"); err != nil {
		return err
	}
	return w.cryptoki.Initialize(opts...)
}

func (w *watched) GetSlotList(present bool) ([]uint, error) {
	if err := w.next("GetSlotList"); err != nil {
		return nil, err
	}
	return w.cryptoki.GetSlotList(present)
}

func (w *watched) GetTokenInfo(slot uint) (p11.TokenInfo, error) {
	if err := w.next("GetTokenInfo"); err != nil {
		return p11.TokenInfo{}, err
	}
	return w.cryptoki.GetTokenInfo(slot)
}

func (w *watched) OpenSession(slot, flags uint) (p11.SessionHandle, error) {
	if err := w.next("OpenSession"); err != nil {
		return 0, err
	}
	return w.cryptoki.OpenSession(slot, flags)
}

func (w *watched) CloseSession(s p11.SessionHandle) error {
	if err := w.next("CloseSession"); err != nil {
		return err
	}
	return w.cryptoki.CloseSession(s)
}

func (w *watched) GetSessionInfo(s p11.SessionHandle) (p11.SessionInfo, error) {
	if err := w.next("GetSessionInfo"); err != nil {
		return p11.SessionInfo{}, err
	}
	return w.cryptoki.GetSessionInfo(s)
}

func (w *watched) Login(s p11.SessionHandle, user uint, pin string) error {
	if err := w.next("Login"); err != nil {
		return err
	}
	return w.cryptoki.Login(s, user, pin)
}

func (w *watched) FindObjectsInit(s p11.SessionHandle, a []*p11.Attribute) error {
	if err := w.next("FindObjectsInit"); err != nil {
		return err
	}
	return w.cryptoki.FindObjectsInit(s, a)
}

func (w *watched) FindObjects(s p11.SessionHandle, most int) ([]p11.ObjectHandle, bool, error) {
	if err := w.next("FindObjects"); err != nil {
		return nil, false, err
	}
	return w.cryptoki.FindObjects(s, most)
}

func (w *watched) GetAttributeValue(s p11.SessionHandle, o p11.ObjectHandle, a []*p11.Attribute) ([]*p11.Attribute, error) {
	if err := w.next(fmt.Sprintf("GetAttributeValue %#x", a[0].Type)); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.value != nil && a[0].Type == w.attribute {
		return []*p11.Attribute{{Type: w.attribute, Value: w.value}}, nil
	}
	return w.cryptoki.GetAttributeValue(s, o, a)
}

func (w *watched) answer(attribute uint, value []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attribute, w.value = attribute, value
}

func (w *watched) SignInit(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle) error {
	w.note(m)
	if err := w.next("SignInit"); err != nil {
		return err
	}
	return w.cryptoki.SignInit(s, m, o)
}

func (w *watched) Sign(s p11.SessionHandle, message []byte) ([]byte, error) {
	if err := w.next("Sign"); err != nil {
		return nil, err
	}
	return w.cryptoki.Sign(s, message)
}

func (w *watched) DecryptInit(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle) error {
	w.note(m)
	if err := w.next("DecryptInit"); err != nil {
		return err
	}
	return w.cryptoki.DecryptInit(s, m, o)
}

func (w *watched) DeriveKey(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle, a []*p11.Attribute) (p11.ObjectHandle, error) {
	w.note(m)
	if err := w.next("DeriveKey"); err != nil {
		return 0, err
	}
	return w.cryptoki.DeriveKey(s, m, o, a)
}

func (w *watched) note(m []*p11.Mechanism) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mechs = append(w.mechs, m...)
}
