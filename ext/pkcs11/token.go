//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// The failures, for errors.Is. What the library itself says is an Error of
// github.com/miekg/pkcs11, for errors.As.
var (
	// ErrNotFound: there is no such token, or no such key in it.
	ErrNotFound = errors.New("it is not there")
	// ErrAmbiguous: there are several of them.
	ErrAmbiguous = errors.New("there are several")
	// ErrUnsupported: the key, or what is wanted of it, is not known here.
	ErrUnsupported = errors.New("it is not supported")
	// ErrPIN: the token has refused the PIN, or it could not be had.
	ErrPIN = errors.New("the login was refused")
	// ErrClosed: the token was closed.
	ErrClosed = errors.New("the token is closed")
)

// Options say which token is used, and how.
type Options struct {
	// Module is the path of the PKCS #11 library.
	Module string
	// Token and Serial are the label of the token and its serial number. At least one
	// must be given, unless there is one token alone.
	Token, Serial string
	// PIN returns the PIN of the user, at each login. It is called by one goroutine at a
	// time. Nil is for tokens that ask for none.
	PIN func() (string, error)
	// Sessions is how many operations run at once. Zero means 8.
	Sessions int
	// Observe is told of every error of the token: also of those that the caller does not
	// see, because the operation was repeated, or because of why a decryption fails nothing
	// is said. It may be called by several goroutines at once.
	Observe func(error)
}

const defaultSessions = 8

// cryptoki is what is used of the library.
type cryptoki interface {
	Initialize(opts ...p11.InitializeOption) error
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetTokenInfo(slot uint) (p11.TokenInfo, error)
	OpenSession(slot uint, flags uint) (p11.SessionHandle, error)
	CloseSession(s p11.SessionHandle) error
	GetSessionInfo(s p11.SessionHandle) (p11.SessionInfo, error)
	Login(s p11.SessionHandle, user uint, pin string) error
	FindObjectsInit(s p11.SessionHandle, template []*p11.Attribute) error
	FindObjects(s p11.SessionHandle, most int) ([]p11.ObjectHandle, bool, error)
	FindObjectsFinal(s p11.SessionHandle) error
	GetAttributeValue(s p11.SessionHandle, o p11.ObjectHandle, a []*p11.Attribute) ([]*p11.Attribute, error)
	SignInit(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle) error
	Sign(s p11.SessionHandle, message []byte) ([]byte, error)
	DecryptInit(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle) error
	Decrypt(s p11.SessionHandle, ciphertext []byte) ([]byte, error)
	DeriveKey(s p11.SessionHandle, m []*p11.Mechanism, o p11.ObjectHandle, a []*p11.Attribute) (p11.ObjectHandle, error)
	DestroyObject(s p11.SessionHandle, o p11.ObjectHandle) error
}

// Token is a token with its sessions. It is safe for concurrent use.
type Token struct {
	o     Options
	c     cryptoki
	turns chan struct{} // has an element for each operation that runs

	mu      sync.Mutex
	closed  bool
	refused error  // why there is no other login
	era     uint64 // counts how often the token was lost
	known   bool   // slot is that of this era
	slot    uint
	idle    []session // of this era
}

// session is an open session. What is known of a token holds for one era.
type session struct {
	handle p11.SessionHandle
	era    uint64
}

// Open loads the library, finds the token and logs in.
func Open(o Options) (*Token, error) {
	ctx := p11.New(o.Module)
	if ctx == nil {
		return nil, fmt.Errorf("pkcs11: %q cannot be loaded as a PKCS #11 library", o.Module)
	}
	return open(o, ctx)
}

func open(o Options, c cryptoki) (*Token, error) {
	if o.Sessions < 0 {
		return nil, errors.New("pkcs11: a negative number of sessions")
	}
	if o.Sessions == 0 {
		o.Sessions = defaultSessions
	}
	t := &Token{o: o, c: c, turns: make(chan struct{}, o.Sessions)}
	if err := t.initialize(); err != nil {
		return nil, err
	}
	if err := t.do(context.Background(), func(session) error { return nil }); err != nil {
		return nil, err
	}
	return t, nil
}

// initialize initialises the library, unless another part of the program has.
func (t *Token) initialize() error {
	if err := t.c.Initialize(); err != nil && !is(err, p11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return failed("the library cannot be initialised", err)
	}
	return nil
}

// Close closes the sessions, after which the token has logged the program out unless
// others use it. It waits for operations that run, and lets no other begin.
func (t *Token) Close() error {
	t.mu.Lock()
	before := t.closed
	t.closed = true
	t.mu.Unlock()
	if before {
		return nil
	}
	for range cap(t.turns) {
		t.turns <- struct{}{}
	}
	t.mu.Lock()
	t.end()
	t.mu.Unlock()
	for range cap(t.turns) {
		<-t.turns
	}
	return nil
}

// end closes the sessions that are not in use. The lock is held.
func (t *Token) end() {
	for _, s := range t.idle {
		_ = t.c.CloseSession(s.handle) // it may be closed already
	}
	t.idle = nil
}

// do runs an operation in a session, and again if the token was lost.
func (t *Token) do(ctx context.Context, op func(session) error) error {
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	again, err := t.try(op)
	if again {
		_, err = t.try(op)
	}
	return err
}

// try runs an operation, and reports whether another attempt may go better.
func (t *Token) try(op func(session) error) (again bool, err error) {
	s, err := t.session()
	if err == nil {
		err = op(s)
	}
	again = is(err, lost...)
	t.mu.Lock()
	if again && s.era == t.era {
		t.era++
		t.known = false
		t.end()
	}
	switch {
	case s.handle == 0:
	// Where a login was refused, an operation waits for it.
	case s.era != t.era, errors.Is(err, ErrPIN):
		_ = t.c.CloseSession(s.handle) // it may be closed already
	default:
		t.idle = append(t.idle, s)
	}
	t.mu.Unlock()
	if err != nil && t.o.Observe != nil {
		t.o.Observe(err)
	}
	return again, err
}

// lost are the errors of a token that was taken away or reset, and of handles from
// before that.
var lost = []uint{
	p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_DEVICE_REMOVED, p11.CKR_TOKEN_NOT_PRESENT,
	p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_SLOT_ID_INVALID, p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_DEVICE_ERROR,
	p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_KEY_HANDLE_INVALID, p11.CKR_OPERATION_ACTIVE, p11.CKR_TOKEN_NOT_RECOGNIZED,
}

// fatal are the errors of a login that no other attempt makes better.
var fatal = []uint{p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED, p11.CKR_PIN_LOCKED}

func is(err error, codes ...uint) bool {
	e, ok := errors.AsType[p11.Error](err)
	return ok && slices.Contains(codes, uint(e))
}

func failed(what string, err error) error { return fmt.Errorf("pkcs11: %s: %w", what, err) }

// session returns one that is logged in.
func (t *Token) session() (session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := session{era: t.era}
	switch n := len(t.idle); {
	case t.closed:
		return s, failed("there is no session", ErrClosed)
	case n > 0:
		s = t.idle[n-1]
		t.idle = t.idle[:n-1]
		return s, nil
	case t.refused != nil:
		return s, t.refused
	}
	if !t.known {
		slot, err := t.find()
		if is(err, p11.CKR_CRYPTOKI_NOT_INITIALIZED) {
			if err = t.initialize(); err == nil {
				slot, err = t.find()
			}
		}
		if err != nil {
			return s, err
		}
		t.slot, t.known = slot, true
	}
	handle, err := t.c.OpenSession(t.slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return s, failed("no session can be opened", err)
	}
	if err := t.login(handle); err != nil {
		_ = t.c.CloseSession(handle)
		return s, err
	}
	s.handle = handle
	return s, nil
}

// find returns the slot that the token is in.
func (t *Token) find() (uint, error) {
	slots, err := t.c.GetSlotList(true)
	if err != nil {
		return 0, failed("the slots cannot be listed", err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := t.c.GetTokenInfo(slot)
		if err != nil || info.Flags&p11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		if (t.o.Token == "" || t.o.Token == info.Label) && (t.o.Serial == "" || t.o.Serial == info.SerialNumber) {
			found = append(found, slot)
		}
	}
	what := fmt.Sprintf("the token %q %q", t.o.Token, t.o.Serial)
	switch len(found) {
	case 0:
		return 0, failed(what, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return 0, failed(what, ErrAmbiguous)
}

// login logs in, unless the program is. The lock is held.
func (t *Token) login(s p11.SessionHandle) error {
	info, err := t.c.GetSessionInfo(s)
	if err != nil {
		return failed("a session says nothing of its state", err)
	}
	if t.o.PIN == nil || info.State == p11.CKS_RO_USER_FUNCTIONS || info.State == p11.CKS_RW_USER_FUNCTIONS {
		return nil
	}
	return t.authenticate(s, p11.CKU_USER)
}

// authenticate hands the PIN to the token. The lock is held.
func (t *Token) authenticate(s p11.SessionHandle, user uint) error {
	pin, err := t.o.PIN()
	if err != nil {
		return fmt.Errorf("pkcs11: %w: the PIN cannot be had: %w", ErrPIN, err)
	}
	err = t.c.Login(s, user, pin)
	if err == nil || is(err, p11.CKR_USER_ALREADY_LOGGED_IN) {
		return nil
	}
	err = fmt.Errorf("pkcs11: %w: %w", ErrPIN, err)
	if is(err, fatal...) {
		t.refused = err
	}
	return err
}
