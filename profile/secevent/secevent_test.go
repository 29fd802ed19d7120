package secevent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
)

const (
	now     = profiletest.Now
	revoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
)

type object = map[string]any

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "https://idp.example", "aud": "https://sp.example", "iat": now, "jti": "1", "txn": "8675309",
		"sub_id": object{"format": "email", "email": "alice@example.com"}, "events": object{revoked: object{}},
	}
)

func some() Policy {
	return Policy{
		Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"},
		JWT: jwt.Policy{Clock: profiletest.Clock},
	}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	other := func(p *Policy) { p.AnyProfile = true }
	untyped := func(p *Policy) { p.LegacyUntyped = true }
	drafts := func(p *Policy) { p.LegacyDrafts = true }
	item := object{"format": "catalog_item", "catalog_id": "c"}
	phone := object{"format": "phone", "phone": "+1 206 555 0123"}
	events := func(n int) object {
		out := object{}
		for i := range n {
			out["urn:e:"+strings.Repeat("x", i+1)] = object{}
		}
		return out
	}
	for name, tc := range map[string]struct {
		change []any
		typ    string // "-" is none; empty is Type
		policy func(*Policy)
		want   []string
	}{
		"all":                              {},
		"typ with application/":            {typ: "application/secevent+jwt"},
		"typ in capitals":                  {typ: "SECEVENT+JWT"},
		"without typ":                      {typ: "-", want: []string{"typ.mismatch"}},
		"typ JWT":                          {typ: "JWT", want: []string{"typ.mismatch"}},
		"typ of a logout token":            {typ: "logout+jwt", want: []string{"typ.mismatch"}},
		"without typ, legacy":              {typ: "-", policy: untyped},
		"typ JWT, legacy":                  {typ: "JWT", policy: untyped},
		"typ of a logout token, legacy":    {typ: "logout+jwt", policy: untyped, want: []string{"typ.mismatch"}},
		"a nonce":                          {change: []any{"nonce", "n"}},
		"a nonce, untyped":                 {typ: "-", policy: untyped, change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash, untyped":                 {typ: "-", policy: untyped, change: []any{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"scope, untyped":                   {typ: "-", policy: untyped, change: []any{"scope", "n"}, want: []string{"kind.mismatch"}},
		"client_id, untyped":               {typ: "JWT", policy: untyped, change: []any{"client_id", "n"}, want: []string{"kind.mismatch"}},
		"qsh, untyped":                     {typ: "JWT", policy: untyped, change: []any{"qsh", "n"}, want: []string{"kind.mismatch"}},
		"no iss":                           {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":                      {change: []any{"iss", "https://idp.example/"}, want: []string{"iss.mismatch"}},
		"no aud":                           {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another aud":                      {change: []any{"aud", "https://sp2.example"}, want: []string{"aud.mismatch"}},
		"several aud":                      {change: []any{"aud", []string{"https://sp2.example", "https://sp.example"}}},
		"no iat":                           {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"an iat in the future":             {change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"too old":                          {change: []any{"iat", now - 3661}, policy: func(p *Policy) { p.JWT.MaxAge = time.Hour }, want: []string{"iat.too_old"}},
		"old":                              {change: []any{"iat", now - 1e7}},
		"no jti":                           {change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"exp":                              {change: []any{"exp", now + 60}, want: []string{"exp.forbidden"}},
		"exp, any profile":                 {change: []any{"exp", now + 60}, policy: other},
		"expired, any profile":             {change: []any{"exp", now - 61}, policy: other, want: []string{"exp.expired"}},
		"sub":                              {change: []any{"sub", "alice"}, want: []string{"sub.forbidden"}},
		"sub, any profile":                 {change: []any{"sub", "alice"}, policy: other},
		"no txn":                           {change: []any{"txn", nil}},
		"a number for txn":                 {change: []any{"txn", 8675309}, want: []string{"json.type"}},
		"a number for txn, any profile":    {change: []any{"txn", 8675309}, policy: other, want: []string{"json.type"}},
		"a number for txn, legacy":         {change: []any{"txn", 8675309}, policy: drafts},
		"true for txn, legacy":             {change: []any{"txn", true}, policy: drafts, want: []string{"json.type"}},
		"null for txn":                     {change: []any{"txn", json.RawMessage("null")}, want: []string{"json.type"}},
		"toe":                              {change: []any{"toe", now - 1}},
		"a string for toe":                 {change: []any{"toe", "x"}, want: []string{"json.type"}},
		"no sub_id":                        {change: []any{"sub_id", nil}, want: []string{"claim.missing"}},
		"null for sub_id":                  {change: []any{"sub_id", json.RawMessage("null")}, want: []string{"claim.missing"}},
		"no sub_id, any profile":           {change: []any{"sub_id", nil}, policy: other},
		"a string for sub_id":              {change: []any{"sub_id", "alice"}, want: []string{"sub_id.invalid"}},
		"a sub_id without its member":      {change: []any{"sub_id", object{"format": "email"}}, want: []string{"sub_id.invalid"}},
		"the same, any profile":            {change: []any{"sub_id", object{"format": "email"}}, policy: other, want: []string{"sub_id.invalid"}},
		"a format that is not known":       {change: []any{"sub_id", item}, want: []string{"sub_id.unknown_format"}},
		"a format that is agreed on":       {change: []any{"sub_id", item}, policy: func(p *Policy) { p.Formats = []string{"catalog_item"} }},
		"another format is agreed on":      {change: []any{"sub_id", item}, policy: func(p *Policy) { p.Formats = []string{"item"} }, want: []string{"sub_id.unknown_format"}},
		"a draft's sub_id":                 {change: []any{"sub_id", phone}, want: []string{"sub_id.unknown_format"}},
		"a draft's sub_id, legacy":         {change: []any{"sub_id", phone}, policy: drafts},
		"no sub_id, legacy":                {change: []any{"sub_id", nil}, policy: drafts, want: []string{"claim.missing"}},
		"subject in the event":             {change: []any{"sub_id", nil, "events", object{revoked: object{"subject": phone}}}, want: []string{"claim.missing"}},
		"subject in the event, legacy":     {change: []any{"sub_id", nil, "events", object{revoked: object{"subject": phone}}}, policy: drafts},
		"a string for subject, legacy":     {change: []any{"sub_id", nil, "events", object{revoked: object{"subject": "alice"}}}, policy: drafts, want: []string{"sub_id.invalid"}},
		"null for subject, legacy":         {change: []any{"sub_id", nil, "events", object{revoked: object{"subject": nil}}}, policy: drafts, want: []string{"claim.missing"}},
		"a list of one event, legacy":      {change: []any{"sub_id", nil, "events", object{revoked: []any{}}}, policy: drafts, want: []string{"claim.missing", "events.invalid"}},
		"no events":                        {change: []any{"events", nil}, want: []string{"claim.missing"}},
		"no events, any profile":           {change: []any{"events", nil}, policy: other, want: []string{"claim.missing"}},
		"empty events":                     {change: []any{"events", object{}}, want: []string{"claim.missing"}},
		"a list of events":                 {change: []any{"events", []string{revoked}}, want: []string{"json.type"}},
		"two events":                       {change: []any{"events", events(2)}, want: []string{"events.not_sole"}},
		"two events, any profile":          {change: []any{"events", events(2)}, policy: other},
		"two events, legacy":               {change: []any{"sub_id", nil, "events", object{revoked: object{"subject": phone}, "urn:e": object{}}}, policy: func(p *Policy) { p.LegacyDrafts = true }, want: []string{"events.not_sole", "claim.missing"}},
		"sixteen events":                   {change: []any{"events", events(16)}, policy: other},
		"seventeen events":                 {change: []any{"events", events(17)}, policy: other, want: []string{"events.too_many"}},
		"an event that is null":            {change: []any{"events", object{revoked: nil}}, want: []string{"events.invalid"}},
		"an event that is a string":        {change: []any{"events", object{revoked: "x"}}, want: []string{"events.invalid"}},
		"an event that is a list":          {change: []any{"events", object{revoked: []string{}}}, want: []string{"events.invalid"}},
		"an event that is not known":       {change: []any{"events", object{"urn:ietf:params:scim:event:create": object{"x": 1}}}},
		"a relative type":                  {change: []any{"events", object{"session-revoked": object{}}}, want: []string{"events.invalid"}},
		"a type without a scheme":          {change: []any{"events", object{":x": object{}}}, want: []string{"events.invalid"}},
		"a type with another scheme":       {change: []any{"events", object{"a_b:x": object{}}}, want: []string{"events.invalid"}},
		"a type with a scheme of all":      {change: []any{"events", object{"Az09+-.:x": object{}}}},
		"a type with a sign for scheme":    {change: []any{"events", object{"a!b:x": object{}}}, want: []string{"events.invalid"}},
		"a type with a space":              {change: []any{"events", object{"urn:a b": object{}}}, want: []string{"events.invalid"}},
		"a type that is not ASCII":         {change: []any{"events", object{"urn:ü": object{}}}, want: []string{"events.invalid"}},
		"a logout token's":                 {change: []any{"events", object{logoutEvent: object{}}}, want: []string{"kind.mismatch"}},
		"a logout token's, any profile":    {change: []any{"events", object{logoutEvent: object{}}}, policy: other, want: []string{"kind.mismatch"}},
		"what nobody knows":                {change: []any{"x", 1}},
		"all that SSF says, any profile":   {policy: other},
		"an email address as mail has it":  {change: []any{"sub_id", object{"format": "email", "email": "Alice <a@example.com>"}}, want: []string{"sub_id.invalid"}},
		"members of an SSF complex":        {change: []any{"sub_id", object{"format": "complex", "user": object{"format": "opaque", "id": "1"}}}},
		"a claim of the wrong kind of all": {change: []any{"sub_id", item, "txn", 1, "exp", now + 60, "sub", "a"}, want: []string{"exp.forbidden", "sub.forbidden", "sub_id.unknown_format", "json.type"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			switch tc.typ {
			case "":
				tc.typ = Type
			case "-":
				tc.typ = ""
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ))
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func TestClaims(t *testing.T) {
	tok, err := verifier(t, some()).Verify(ctx, good.With("toe", now-1).Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err)
	c := tok.Claims
	if c.TransactionID != "8675309" || c.SubjectID.Email != "alice@example.com" || c.Occurred.Unix() != now-1 || string(c.Events[revoked]) != "{}" {
		t.Errorf("%+v", c)
	}
	// A draft's claims have the form of today.
	p := some()
	p.LegacyDrafts = true
	for _, old := range []profiletest.Claims{
		good.With("txn", 8675309, "sub_id", object{"format": "phone", "phone": "+1 206 555 0123"}),
		good.With("txn", 8675309, "sub_id", nil, "events", object{revoked: object{"subject": object{"subject_type": "phone", "phone": "+1 206 555 0123"}}}),
	} {
		tok, err = verifier(t, p).Verify(ctx, old.Sign(t, profiletest.Key(t), Type))
		profiletest.Want(t, err)
		if c := tok.Claims; c.TransactionID != "8675309" || c.SubjectID.PhoneNumber != "+12065550123" {
			t.Errorf("%+v", c)
		}
	}
	if err := new(TransactionID).UnmarshalJSON([]byte(`"\ud800"`)); err == nil {
		t.Error("half a character is read")
	}
	// encoding/json reads the same.
	var id TransactionID
	doc := []byte(`"a\u0062"`)
	if err := json.Unmarshal(doc, &id); err != nil || id != "ab" || string(doc) != `"a\u0062"` {
		t.Errorf("%q, %v", id, err)
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, change := range map[string]func(*Policy){
		"no issuer":          func(p *Policy) { p.Issuers = nil },
		"no audience":        func(p *Policy) { p.Audiences = nil },
		"an issuer too many": func(p *Policy) { p.JWT.Issuers = []string{"x"} },
		"all of it in JWT": func(p *Policy) {
			*p = Policy{JWT: jwt.Policy{Issuers: p.Issuers, Audiences: p.Audiences}}
		},
		"a type":               func(p *Policy) { p.JWT.Type = "x" },
		"a replay without age": func(p *Policy) { p.JWT.Replay = jwt.NewReplayCache(1) },
	} {
		p := some()
		change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(keys, Policy{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
	// The policy is copied.
	p := some()
	p.Formats = []string{"catalog_item"}
	v := verifier(t, p)
	p.Formats[0] = "x"
	_, err := v.Verify(ctx, good.With("sub_id", object{"format": "catalog_item"}).Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err)
}

// A token is good once where Replay says so, and one that is refused is not used up.
func TestReplay(t *testing.T) {
	p := some()
	p.JWT.Replay, p.JWT.MaxAge = jwt.NewReplayCache(8), time.Hour
	v := verifier(t, p)
	_, err := v.Verify(ctx, good.With("sub", "alice").Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "sub.forbidden")
	_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "jti.replayed")
}

func TestEncrypted(t *testing.T) {
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: key.Public()}, jwt.Header{Type: Type}, registered(), Claims{
		Events:    map[string]json.RawMessage{revoked: json.RawMessage(`{}`)},
		SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "1"},
	}, jwt.AllowMissingExpiry)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err, "token.encrypted")
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
	_, err = verifier(t, p).Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "token.signed")
}

func registered() jwt.Registered {
	return jwt.Registered{
		Issuer: "https://idp.example", Audience: jwt.Audience{"https://sp.example"}, ID: "1", IssuedAt: time.Unix(now, 0),
	}
}

// created is an event of one's own.
type created struct {
	Ref  string    `json:"ref"`
	At   time.Time `json:"at,omitzero,format:unix"`
	fail error
}

func (created) EventType() string                           { return "urn:ietf:params:scim:event:create" }
func (c created) Check(subject *subjectid.Identifier) error { return c.fail }

// unwritable is an event that has no JSON.
type unwritable struct{ Text string }

func (unwritable) EventType() string                 { return "urn:x" }
func (unwritable) Check(*subjectid.Identifier) error { return nil }

// impossible is a type that has none at all.
type impossible struct{ C chan int }

func (impossible) EventType() string                 { return "urn:x" }
func (impossible) Check(*subjectid.Identifier) error { return nil }

func TestSign(t *testing.T) {
	claims := Claims{SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "1"}, TransactionID: "t", Occurred: time.Unix(now-1, 0)}
	event := created{Ref: "https://scim.example/1", At: time.Unix(now, 0)}
	raw, err := Sign(ctx, profiletest.Key(t), registered(), claims, event)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err)
	if got, err := Read[created](&tok.Claims); err != nil || got.Ref != event.Ref || !got.At.Equal(event.At) {
		t.Errorf("%+v, %v", got, err)
	}
	if claims.Events != nil {
		t.Error("Sign has changed the claims that it was given")
	}
	claims.Events = map[string]json.RawMessage{revoked: json.RawMessage(`{}`)}
	if raw, err = SignAnyProfile(ctx, profiletest.Key(t), registered(), claims, event); err != nil || len(claims.Events) != 1 {
		t.Fatal(err, claims.Events)
	}
	_, err = verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err, "events.not_sole")
	p := some()
	p.AnyProfile = true
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)

	// Formats that are agreed on are the sender's affair, wherever they are.
	own := subjectid.Identifier{Format: "own", Raw: json.RawMessage(`{"format":"own","x":1}`)}
	for _, id := range []subjectid.Identifier{
		own,
		{Format: subjectid.Complex, Parts: map[string]subjectid.Identifier{"user": own}},
		{Format: subjectid.Aliases, Aliases: []subjectid.Identifier{own}},
	} {
		if _, err := Sign(ctx, profiletest.Key(t), registered(), Claims{SubjectID: &id}, event); err != nil {
			t.Errorf("%+v: %v", id, err)
		}
	}

	for name, tc := range map[string]struct {
		change func(*jwt.Registered, *Claims)
		events []Event
		claim  string // in the error
		any    bool   // SignAnyProfile refuses too
	}{
		"iss":          {func(r *jwt.Registered, c *Claims) { r.Issuer = "" }, nil, "iss", true},
		"aud":          {func(r *jwt.Registered, c *Claims) { r.Audience = nil }, nil, "aud", true},
		"iat":          {func(r *jwt.Registered, c *Claims) { r.IssuedAt = time.Time{} }, nil, "iat", true},
		"jti":          {func(r *jwt.Registered, c *Claims) { r.ID = "" }, nil, "jti", true},
		"exp":          {func(r *jwt.Registered, c *Claims) { r.Expiry = time.Unix(now+60, 0) }, nil, "exp", false},
		"sub":          {func(r *jwt.Registered, c *Claims) { r.Subject = "a" }, nil, "sub", false},
		"sub_id":       {func(r *jwt.Registered, c *Claims) { c.SubjectID = nil }, nil, "sub_id", false},
		"a sub_id":     {func(r *jwt.Registered, c *Claims) { c.SubjectID = &subjectid.Identifier{Format: "email"} }, nil, "sub_id", true},
		"events":       {func(r *jwt.Registered, c *Claims) { c.Events = nil }, nil, "events", true},
		"an empty one": {func(r *jwt.Registered, c *Claims) { c.Events = map[string]json.RawMessage{"urn:x": nil} }, nil, "events", true},
		"two events":   {nil, []Event{event}, "events", false},
		"a number":     {func(r *jwt.Registered, c *Claims) { c.TransactionID = "\x001" }, nil, "txn", true},
	} {
		r, c := registered(), claims
		if tc.change != nil {
			tc.change(&r, &c)
		}
		_, err := Sign(ctx, profiletest.Key(t), r, c, tc.events...)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != tc.claim {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := SignAnyProfile(ctx, profiletest.Key(t), r, c, tc.events...); (err != nil) != tc.any {
			t.Errorf("%s, any profile: %v", name, err)
		}
	}

	claims.Events = nil
	fail := errors.New("not today")
	for name, events := range map[string][]Event{
		"one that fails":     {created{fail: fail}},
		"two of one type":    {event, event},
		"one without UTF-8":  {unwritable{"\xff"}},
		"one without a JSON": {impossible{}},
	} {
		_, err := SignAnyProfile(ctx, profiletest.Key(t), registered(), claims, events...)
		if _, isClaim := errors.AsType[*jwt.ClaimError](err); err == nil || isClaim {
			t.Errorf("%s: %v", name, err)
		}
		if name == "one that fails" && (!errors.Is(err, fail) || !errors.Is(err, ErrEvent)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRead(t *testing.T) {
	const name = "urn:ietf:params:scim:event:create"
	for payload, want := range map[string]error{
		`{"ref":"x","and":"more"}`: nil,
		`{}`:                       nil,
		`{"ref":1}`:                ErrEvent,
		`{"at":"x"}`:               ErrEvent,
	} {
		c := Claims{Events: map[string]json.RawMessage{name: json.RawMessage(payload)}}
		if _, err := Read[created](&c); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", payload, err, want)
		}
		if string(c.Events[name]) != payload {
			t.Error("Read has changed the payload")
		}
	}
	if _, err := Read[created](&Claims{}); !errors.Is(err, ErrNoEvent) {
		t.Error(err)
	}
}

// The events of SSF itself are about a stream.
func TestStreamEvents(t *testing.T) {
	stream := &subjectid.Identifier{Format: subjectid.Opaque, ID: "f67e39a0a4d34d56b3aa1bc4cff0069f"}
	user := &subjectid.Identifier{Format: subjectid.Email, Email: "alice@example.com"}
	for name, tc := range map[string]struct {
		event   Event
		subject *subjectid.Identifier
		ok      bool
	}{
		"verification":               {Verification{State: "x"}, stream, true},
		"verification of nothing":    {Verification{State: "x"}, nil, false},
		"verification of a user":     {Verification{}, user, false},
		"enabled":                    {StreamUpdated{Status: "enabled"}, stream, true},
		"paused":                     {StreamUpdated{Status: "paused", Reason: "Internal error"}, stream, true},
		"disabled":                   {StreamUpdated{Status: "disabled"}, stream, true},
		"disabled, of a user":        {StreamUpdated{Status: "disabled"}, user, false},
		"a status that nobody knows": {StreamUpdated{Status: "stopped"}, stream, false},
		"no status":                  {StreamUpdated{}, stream, false},
	} {
		if err := tc.event.Check(tc.subject); errors.Is(err, ErrEvent) == tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// M3: a token of another kind is none of these, even where neither has a typ; the matrix of all kinds is in the folder above.
func TestAttack(t *testing.T) {
	p := some()
	p.LegacyUntyped, p.AnyProfile, p.LegacyDrafts = true, true, true
	v := verifier(t, p)
	for name, tc := range map[string]struct {
		claims profiletest.Claims
		typ    string
	}{
		"M3_id_token":         {good.With("events", nil, "sub_id", nil, "sub", "alice", "exp", now+60, "nonce", "n"), "JWT"},
		"M3_access_token":     {good.With("events", nil, "sub_id", nil, "sub", "alice", "exp", now+60, "scope", "read"), ""},
		"M3_login_hint_token": {good.With("events", nil, "exp", now+60), ""},
		"M9_logout_token":     {good.With("events", object{logoutEvent: object{}}, "sub_id", nil, "sub", "alice", "exp", now+60), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(ctx, tc.claims.Sign(t, profiletest.Key(t), tc.typ))
			if _, ok := errors.AsType[*jwt.RejectError](err); !ok {
				t.Errorf("accepted: %v", err)
			}
		})
	}
	t.Run("control", func(t *testing.T) {
		_, err := v.Verify(ctx, good.Sign(t, profiletest.Key(t), ""))
		profiletest.Want(t, err)
	})
	t.Run("A1_none", func(t *testing.T) { // RFC 8417 shows an unsecured token
		parts := strings.Split(good.Sign(t, profiletest.Key(t), Type), ".")
		_, err := v.Verify(ctx, base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"secevent+jwt","alg":"none"}`))+"."+parts[1]+".")
		profiletest.Want(t, err, "alg.none")
	})
}

// The token of the collected texts is of a draft: its phone number and its number for txn are why it is refused.
func TestSeeds(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testvectors.Seeds(t), "004_c3b52057abb3158f.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	for line := range strings.Lines(string(b)) {
		if parts := strings.Split(strings.TrimSpace(line), "."); len(parts) == 3 && strings.HasPrefix(line, "eyJ0eXAiOiJzZWNldmVudCtqd3Qi") {
			payload, err = base64.RawURLEncoding.DecodeString(parts[1])
		}
	}
	if err != nil || payload == nil {
		t.Fatal("the token is not there", err)
	}
	raw, err := jws.Sign(ctx, profiletest.Key(t), jws.Header{Type: Type}, payload)
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Issuers: []string{"https://idp.example.com/"}, Audiences: []string{"636C69656E745F6964"}, JWT: jwt.Policy{Clock: profiletest.Clock}}
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err, "sub_id.unknown_format", "json.type")
	p.LegacyDrafts = true
	tok, err := verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
	if tok.Claims.SubjectID.PhoneNumber != "+12065550123" || tok.Claims.TransactionID != "8675309" {
		t.Errorf("%+v", tok.Claims)
	}
}

// The examples of SSF, signed.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testvectors.Dir(t), "ssf", "ssf-1_0", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var claims profiletest.Claims
		if json.Unmarshal(b, &claims) != nil || claims["events"] == nil {
			continue
		}
		n++
		p := Policy{Formats: []string{"catalog_item"}, JWT: jwt.Policy{Clock: profiletest.Clock, AllowFutureIssuedAt: true}}
		p.Issuers = []string{claims["iss"].(string)}
		p.Audiences = []string{"receiver.example.com", "receiver.example.com/web", "636C69656E745F6964", "636C69656E745F6324"}
		raw := claims.Sign(t, profiletest.Key(t), Type)
		tok, err := verifier(t, p).Verify(ctx, raw)
		if strings.Contains(string(b), "+1 206") { // spaces that E.164 does not have
			profiletest.Want(t, err, "sub_id.invalid")
			p.LegacyDrafts = true
			tok, err = verifier(t, p).Verify(ctx, raw)
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		_, err1 := Read[Verification](&tok.Claims)
		_, err2 := Read[StreamUpdated](&tok.Claims)
		if errors.Is(err1, ErrEvent) || errors.Is(err2, ErrEvent) {
			t.Errorf("%s: %v, %v", filepath.Base(name), err1, err2)
		}
	}
	if n != 9 {
		t.Errorf("%d tokens", n)
	}
}

// The payload's buffer, the token, and what of the claims lies elsewhere.
func TestAllocations(t *testing.T) {
	raw := good.Sign(t, profiletest.Secret(t), Type)
	v := verifier(t, some())
	profiletest.Ceiling(t, 13, func() { _, _ = v.Verify(ctx, raw) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), Type)
	p := some()
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: p.Issuers, Audiences: p.Audiences, Type: Type, OptionalExpiry: true, Clock: profiletest.Clock,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plain.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
