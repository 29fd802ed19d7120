// Package store says what an authorization server keeps, and what it needs of the
// place where it keeps it.
//
// A program takes one of the two stores there are, and hands it to the server:
//
//	s := memstore.New()                                                       // one process; ends with it
//	s, err := sqlstore.SQLite(ctx, driver, "jot.db", sqlstore.Options{})      // one machine
//	s, err := sqlstore.PostgreSQL(ctx, driver, url, sqlstore.Options{})       // any number of processes
//
// [Store] is all of it, made of an interface for each need, so that a function can ask
// for what it uses. To write another store, run package storetest on it.
//
// # What is kept
//
//   - Documents: what people and programs administer (clients, trusted issuers, keys),
//     each replaced only by who has seen its latest version. Processes learn of each
//     other's changes by asking for a number.
//   - Grants: what refresh tokens stand for. A grant is one row, however often its token
//     is exchanged for the next: a token is the identifier of its grant, a number and
//     the server's MAC, so it need not be kept, and can be made again for who repeats a
//     request.
//   - Records: what ends by itself and may be taken once, such as opaque access tokens.
//   - Uses: which assertions and proofs have been accepted.
//   - Revocations: what ended before its time. JWTs are not kept, so they are refused by
//     what they have in common with it.
//
// # What is promised
//
// A method that has returned without an error has stored its effect where the end of
// the process, or with a database that of the machine, does not undo it. After one of the
// errors below nothing has changed; after any other it is done or not, as a whole. One
// statement decides each race, whichever process asks.
//
// The time is the caller's: methods take it as now, and what ends at a time has ended
// at that time itself. Times are kept in milliseconds. Nothing that has ended is
// returned, whether Sweep has removed it or not. Stores are safe for concurrent use, keep
// no slice that they are given, and return none that another caller sees.
//
// # Errors
//
//	store.not_found   there is none
//	store.conflict    there is another: a newer version, or the same identifier
//	store.invalid     what was given cannot be stored
//	store.closed      the store is closed
//
// Every other error is that of a database or a context. None holds what is stored.
package store

import (
	"context"
	"time"

	"github.com/jotsuite/jot/internal/fault"
)

var (
	errNotFound = fault.New("store.not_found", "", "there is none in the store")
	errConflict = fault.New("store.conflict", "", "the store has another")
	errInvalid  = fault.New("store.invalid", "", "this cannot be stored")
	errClosed   = fault.New("store.closed", "", "the store is closed")
)

// The errors of stores, for [errors.Is]. What fails with one of them has changed nothing.
var (
	// ErrNotFound: there is none, or it has ended (store.not_found).
	ErrNotFound error = errNotFound
	// ErrConflict: there is a newer version, or one with the same identifier (store.conflict).
	ErrConflict error = errConflict
	// ErrInvalid: an identifier or a body is not within the limits, or a time or a limit is
	// missing (store.invalid).
	ErrInvalid error = errInvalid
	// ErrClosed: Close was called before (store.closed).
	ErrClosed error = errClosed
)

const (
	// MaxName is the greatest length of an identifier in bytes.
	MaxName = 1024
	// MaxBody is the greatest length of a body in bytes.
	MaxBody = 1 << 20
)

// A Store is all that the server keeps.
type Store interface {
	DocumentStore
	GrantStore
	RecordStore
	UseStore
	RevocationStore

	// Sweep looks at some limit of what has ended at now, of each sort, removes it, and
	// reports whether there may be more. It is for a timer, in all processes: they do not wait
	// for one another.
	Sweep(ctx context.Context, now time.Time, limit int) (removed int, more bool, err error)
	// Ping fails if the store does not answer.
	Ping(ctx context.Context) error
	// Close waits for the calls in flight. Those that come later fail with ErrClosed.
	Close() error
}

// A Document is something small that is administered, such as a client.
type Document struct {
	Kind, ID string // names, see [ValidName]
	// Version is the number of the change that made the document what it is. Numbers
	// grow over all documents.
	Version int64
	Body    []byte // the server's; at most [MaxBody]
}

// A Change is the last that happened to a document.
type Change struct {
	Version  int64
	Kind, ID string
}

// KeepChanges is how long a deleted document is listed by Changes. A process that has not
// asked for as long forgets all that it knew.
const KeepChanges = time.Hour

// DocumentStore keeps documents.
type DocumentStore interface {
	// PutDocument replaces the document if its version is still d.Version, and makes one if
	// that is zero and there is none. Otherwise it is ErrConflict. It returns the new version.
	PutDocument(ctx context.Context, d Document) (version int64, err error)
	// Document returns a document, or ErrNotFound.
	Document(ctx context.Context, kind, id string) (Document, error)
	// DeleteDocument deletes a document, or it is ErrNotFound.
	DeleteDocument(ctx context.Context, now time.Time, kind, id string) error
	// Documents lists those of a kind whose ID is greater than after, in the order of the
	// bytes of their IDs, at most limit.
	Documents(ctx context.Context, kind, after string, limit int) ([]Document, error)
	// LastChange returns the number of the last change, zero if there was none.
	LastChange(ctx context.Context) (int64, error)
	// Changes lists the documents that were made, replaced or deleted by changes with greater numbers
	// than after, in their order, at most limit. No change with a number below one that was
	// returned comes later.
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
}

// A Grant is what a family of refresh tokens stands for.
type Grant struct {
	ID      string // a name, see [ValidName]; it is no secret if tokens have a MAC
	Client  string // a name: whose tokens they are
	Subject string // whose access it is, a name or empty

	// Key is what the client has to prove that it holds, such as the thumbprint of a DPoP
	// key. Where Bound is set no other is accepted (RFC 9449, Section 5). Otherwise it is
	// the key of the last rotation, by which a repetition is known.
	Key   string // a name or empty
	Bound bool

	Body []byte // the server's; at most [MaxBody]; it never changes

	// Seq is the number of the token that is valid.
	Seq     int64
	Created time.Time
	Rotated time.Time // when that token was first given out
	Expires time.Time // when it ends unless it is rotated before
	Until   time.Time // when the grant ends, however often it is rotated; not before Expires
}

// A Rotation is a request to exchange a refresh token for the next.
type Rotation struct {
	ID     string // of the grant
	Seq    int64  // of the token
	Client string // that was authenticated
	Key    string // that was proved, or empty

	// Retry is for how long the predecessor of the valid token is taken for the
	// repetition of a request whose answer was lost, and not for a stolen one.
	Retry time.Duration
	// Idle is for how long the next token is valid if it is not used; never after
	// Grant.Until. Zero leaves Grant.Expires as it is.
	Idle time.Duration
	// Access is for how long access tokens of the grant live at most: where the grant is
	// found to be stolen, its revocation is remembered for as long.
	Access time.Duration
}

// An Outcome is what became of a rotation.
type Outcome int

const (
	// Gone: there is no such grant or token, or no longer.
	Gone Outcome = iota
	// Foreign: the grant is another client's, or bound to another key. Nothing has changed.
	Foreign
	// Rotated: the token was valid and is no more; the next one is Grant.Seq.
	Rotated
	// Repeated: the token was rotated just now by the same client with the same key, which
	// gets the same next one. Nothing has changed.
	Repeated
	// Reused: the token was rotated before, so two have it, of whom one may be a thief
	// (RFC 9700, Section 4.14.2). The grant was revoked as by Revoke.
	Reused
)

// A GrantFilter says which grants are listed: those of the client, the subject, or
// both; one of them is set.
type GrantFilter struct {
	Client, Subject string
	After           string // an ID
	Limit           int
}

// GrantStore keeps grants.
type GrantStore interface {
	// AddGrant adds a grant. It is ErrConflict if there is one with its ID.
	AddGrant(ctx context.Context, g Grant) error
	// Rotate exchanges a token for the next. The grant is as it is afterwards, or was last
	// if it is Reused, and has nothing in it if it is Gone.
	Rotate(ctx context.Context, now time.Time, r Rotation) (Outcome, Grant, error)
	// Grant returns a grant, or ErrNotFound.
	Grant(ctx context.Context, now time.Time, id string) (Grant, error)
	// Grants lists grants in the order of the bytes of their IDs.
	Grants(ctx context.Context, now time.Time, f GrantFilter) ([]Grant, error)
}

// A Record is something that ends by itself, such as an opaque access token.
type Record struct {
	Kind    string // a name, see [ValidName]
	Key     string // any bytes, at most [MaxName]; of a secret a keyed hash
	Body    []byte // the server's; at most [MaxBody]
	Expires time.Time
}

// RecordStore keeps records.
type RecordStore interface {
	// AddRecord adds a record. It is ErrConflict if there is one that has not ended.
	AddRecord(ctx context.Context, now time.Time, r Record) error
	// Record returns a record, or ErrNotFound.
	Record(ctx context.Context, now time.Time, kind, key string) (Record, error)
	// TakeRecord returns a record and removes it. Of all who ask one gets it; to the
	// others it is ErrNotFound.
	TakeRecord(ctx context.Context, now time.Time, kind, key string) (Record, error)
}

// A Use is something that is accepted once until it ends.
type Use struct {
	Key     string // any bytes, at most [MaxName], such as a hash
	Expires time.Time
}

// UseStore remembers what was used.
type UseStore interface {
	// Use uses what is not used yet, in one step, and reports for each whether it was that:
	// fresh. Of equal keys the first is. What has ended at now is not.
	Use(ctx context.Context, now time.Time, uses ...Use) (fresh []bool, err error)
}

// A Target is what is revoked, or what a token has in common with it.
type Target struct {
	Sort Sort
	ID   string // a name, see [ValidName]
}

// A Sort is that of a [Target].
type Sort string

const (
	// OfToken is a single token, by its jti.
	OfToken Sort = "token"
	// OfGrant is a grant, with all tokens of it.
	OfGrant Sort = "grant"
	// OfClient is all that a client has.
	OfClient Sort = "client"
	// OfSubject is all access to what is a subject's.
	OfSubject Sort = "subject"
)

// A Revocation ends what was issued until At.
type Revocation struct {
	Target
	At time.Time
	// Expires is when all of it has ended anyway.
	Expires time.Time
}

// RevocationStore keeps revocations.
type RevocationStore interface {
	// Revoke revokes, and removes the grants that this concerns. It returns how many they were. Of a
	// revocation that is repeated the later times count. Many grants are removed in several
	// steps, after the revocation is stored.
	Revoke(ctx context.Context, r Revocation) (grants int, err error)
	// Revoked reports whether something that was issued then, and has these in common
	// with what is revoked, is revoked.
	Revoked(ctx context.Context, now, issued time.Time, of ...Target) (bool, error)
}
