package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
)

// chaosRetry is the retry window of refresh tokens, and sureRetry for how long tests rely on it.
const (
	chaosRetry = time.Minute
	sureRetry  = 45 * time.Second
)

// front is a process that serves, as its clients see it.
type front struct {
	url    string
	client *http.Client
	// troubles counts how often it or what it needs has gone or come back. While the number is odd, and for who began
	// before it changed, errors are no wonder.
	troubles atomic.Int64
}

// newFront has connections of its own: none is left of a process that was killed.
func newFront(base string) *front {
	return &front{url: base, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
}

// chaos has clients whose requests get answers or none, remembers what was acknowledged, and looks whether it holds.
type chaos struct {
	issuer string
	retry  bool // whether there is a retry window
	fronts []*front

	secrets map[string]string
	appKey  *jwk.PrivateKey // of the client app, who signs assertions
	idpKey  *jwk.PrivateKey // of the trusted issuer
	devKey  *jwk.PrivateKey // of who makes proofs
	nonce   atomic.Pointer[string]

	mu           sync.Mutex
	problems     []string
	answers      map[string]int
	acknowledged int
	contests     map[string]int // how often several asked for the same at once, and all got an answer
	slow         []string
	began        time.Time
	families     []*lineage
	onces        []*once
	tokens       []*token
	members      []*member
	touched      map[checked]bool
	refresh      map[string]*lineage // whose a refresh token is
}

// checked is what can be looked at again.
type checked interface{ check(c *chaos) }

// newChaos has a client for each way of asking, which seed puts into the store.
func newChaos(t *testing.T, issuer string, retry bool) *chaos {
	t.Helper()
	c := &chaos{
		issuer: issuer, retry: retry, secrets: map[string]string{}, answers: map[string]int{}, contests: map[string]int{},
		touched: map[checked]bool{}, refresh: map[string]*lineage{}, began: time.Now(),
	}
	for _, k := range []**jwk.PrivateKey{&c.appKey, &c.idpKey, &c.devKey} {
		var err error
		if *k, err = jwk.Generate(jwa.ES256); err != nil {
			t.Fatal(err)
		}
	}
	c.nonce.Store(new(string))
	return c
}

// seed saves clients and issuer.
func (c *chaos) seed(t *testing.T, s *service) {
	t.Helper()
	set := func(k *jwk.PrivateKey) json.RawMessage {
		raw, err := jwk.Set{k.Public()}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	all := []string{"client_credentials", grant.GrantType, "refresh_token"}
	for _, x := range []server.Client{
		{ID: "web", Metadata: oauth.ClientMetadata{GrantTypes: all, Scope: "read write"}},
		{ID: "app", Metadata: oauth.ClientMetadata{GrantTypes: all, Scope: "read write", AuthMethod: clientauth.PrivateKeyJWT, JWKS: set(c.appKey)}},
		{ID: "opaque", Opaque: true, Metadata: oauth.ClientMetadata{GrantTypes: all, Scope: "read write"}},
		{ID: "api", ResourceServer: demoResource, Metadata: oauth.ClientMetadata{GrantTypes: all, Scope: "read write"}},
	} {
		saved, err := s.SaveClient(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		c.secrets[x.ID] = saved.Secret
	}
	if _, err := s.SaveIssuer(t.Context(), server.TrustedIssuer{
		Issuer: demoIssuer, JWKS: set(c.idpKey), Subjects: []string{"*"}, Scope: "read write", Refresh: true,
	}); err != nil {
		t.Fatal(err)
	}
}

// problem notes what must not happen. It does not fail the test, so that a test can show that it is noticed.
func (c *chaos) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.problems) < 500 {
		c.problems = append(c.problems, fmt.Sprintf("%v: ", time.Since(c.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// answer is that of a request.
type answer struct {
	lost   bool // there is none, or it is that something is out of order
	status int
	body   struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
		About   string `json:"error_description"`
		Active  *bool  `json:"active"`

		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
		Token  string `json:"registration_access_token"`
	}
}

func (a answer) ok() bool { return !a.lost && a.status/100 == 2 }

// refused reports whether the answer is that the grant, the assertion or the proof is no good.
func (a answer) refused() bool { return !a.lost && !a.ok() }

// post sends a request to one of the processes, in the name of a client with a secret, or none.
func (c *chaos) post(path, client string, header http.Header, pairs ...string) answer {
	f := c.fronts[mathrand.IntN(len(c.fronts))]
	return c.postTo(f, path, client, header, pairs...)
}

func (c *chaos) postTo(f *front, path, client string, header http.Header, pairs ...string) answer {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	if client == "app" && !form.Has("client_assertion") {
		form.Set("client_assertion", c.assertion())
	}
	if client == "app" {
		form.Set("client_assertion_type", clientauth.AssertionType)
	}
	r := newRequest(http.MethodPost, f.url+path, form.Encode())
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret := c.secrets[client]; secret != "" {
		r.SetBasicAuth(client, secret)
	}
	kind := path
	if g := form.Get("grant_type"); g != "" {
		kind += " " + g[strings.LastIndexByte(g, ':')+1:]
	}
	return c.send(f, r, kind)
}

func newRequest(method, target, body string) *http.Request {
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}

// send sends a request, and holds the answer to what a server may say at such a time.
func (c *chaos) send(f *front, r *http.Request, kind string) (a answer) {
	// Who sends it when all is well gets an answer; an odd number is not all well.
	before := f.troubles.Load()
	began := time.Now()
	resp, err := f.client.Do(r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	trouble := before%2 == 1 || f.troubles.Load() != before
	if err != nil {
		a.lost = true
		kind += " no answer"
		if !trouble {
			c.problem("%s: %v", kind, err)
		}
	} else {
		a.status = resp.StatusCode
		if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" {
			c.nonce.Store(&nonce)
		}
		if len(body) > 0 {
			if err := json.Unmarshal(body, &a.body); err != nil {
				c.problem("%s: %s: %v: %.200q", kind, resp.Status, err, body)
			}
		}
		kind += strings.TrimRight(fmt.Sprint(" ", a.status, " ", a.body.Error), " ")
		switch a.body.Error {
		case oauth.TemporarilyUnavailable:
			a.lost = true
			if !trouble || a.status != http.StatusServiceUnavailable || a.body.About == "" {
				c.problem("%s: %s", kind, body)
			}
		case oauth.InvalidGrant, oauth.InvalidClient, oauth.InvalidDPoPProof, oauth.UseDPoPNonce, oauth.InvalidToken:
		default:
			if !a.ok() {
				c.problem("%s: %s", kind, body)
			}
		}
	}
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[kind]++
	if took > 200*time.Millisecond && len(c.slow) < 1000 {
		c.slow = append(c.slow, fmt.Sprintf("%v at %v: %s", took.Round(time.Millisecond), began.Sub(c.began).Round(time.Millisecond), kind))
	}
	return a
}

// together sends the same n times at the same time.
func together(n int, send func() answer) []answer {
	out := make([]answer, n)
	if n == 1 {
		out[0] = send()
		return out
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() { out[i] = send() })
	}
	wg.Wait()
	return out
}

// tally counts answers.
func (c *chaos) tally(kind string, answers []answer) (won, refused, lost int) {
	for _, a := range answers {
		switch {
		case a.lost:
			lost++
		case a.ok():
			won++
		default:
			refused++
		}
	}
	if len(answers) > 1 && lost == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.contests[kind]++
	}
	return won, refused, lost
}

// done counts what was acknowledged and has to be there later.
func (c *chaos) done(what ...checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acknowledged++
	for _, x := range what {
		c.touched[x] = true
	}
}

// sofar is how much was acknowledged.
func (c *chaos) sofar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acknowledged
}

func (c *chaos) touch(x checked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched[x] = true
}

// once is an assertion or a proof, which is accepted once.
type once struct {
	mu   sync.Mutex
	kind string
	raw  string
	code string // of the refusal
	won  int
	// spent says that it was refused, and maybe that it may have been accepted without an answer.
	spent, maybe bool
	made         time.Time
}

func (c *chaos) newOnce(kind string) *once {
	now := time.Now()
	o := &once{kind: kind, made: now}
	switch kind {
	case "grant":
		r := c.registered(demoIssuer)
		r.Subject = "someone"
		o.raw, o.code = made(grant.Sign(context.Background(), c.idpKey, r, grant.Claims{})), oauth.InvalidGrant
	case "assertion":
		o.raw, o.code = c.assertion(), oauth.InvalidClient
	case "proof":
		if *c.nonce.Load() == "" {
			c.post("/token", "web", http.Header{"Dpop": {c.proof("")}}, "grant_type", "client_credentials")
		}
		o.raw, o.code = c.proof(*c.nonce.Load()), oauth.InvalidDPoPProof
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onces = append(c.onces, o)
	return o
}

func made(raw string, err error) string {
	if err != nil {
		panic(err)
	}
	return raw
}

// registered are claims for the server that are good for longer than a test takes.
func (c *chaos) registered(issuer string) jwt.Registered {
	now := time.Now()
	return jwt.Registered{Issuer: issuer, Subject: issuer, Audience: jwt.Audience{c.issuer}, IssuedAt: now, Expiry: now.Add(50 * time.Minute), ID: rand.Text()}
}

func (c *chaos) assertion() string {
	return made(clientauth.Sign(context.Background(), c.appKey, c.registered("app"), clientauth.Claims{}))
}

func (c *chaos) proof(nonce string) string {
	return made(dpop.Sign(context.Background(), c.devKey, jwt.Registered{IssuedAt: time.Now()}, dpop.Claims{Method: "POST", URL: c.issuer + "/token", Nonce: nonce}))
}

// present sends it n times at once. Who wins gets what it is good for.
func (c *chaos) present(o *once, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.touch(o)
	answers := together(n, func() answer {
		switch o.kind {
		case "grant":
			return c.post("/token", "web", nil, "grant_type", grant.GrantType, "assertion", o.raw)
		case "assertion":
			return c.post("/token", "app", nil, "grant_type", "client_credentials", "client_assertion", o.raw)
		default:
			return c.post("/token", "web", http.Header{"Dpop": {o.raw}}, "grant_type", "client_credentials")
		}
	})
	won, refused, lost := c.tally(o.kind, answers)
	for _, a := range answers {
		if a.refused() && a.body.Error != o.code && a.body.Error != oauth.UseDPoPNonce {
			c.problem("a %s is refused with %s: %s", o.kind, a.body.Error, a.body.About)
		}
		if a.ok() {
			o.won++
			c.done(o)
			if o.kind == "grant" {
				c.newFamily(a)
			} else if o.kind == "assertion" {
				c.newToken("app", a)
			} else {
				c.newToken("web", a)
			}
		}
	}
	switch {
	case o.won > 1:
		c.problem("a one-time %s was accepted %d times", o.kind, o.won)
	case won > 0 && o.spent:
		c.problem("a %s was accepted after it was refused", o.kind)
	case refused > 0 && o.won == 0 && lost == 0 && !o.maybe && time.Since(o.made) < time.Minute:
		c.problem("a %s was refused that nobody has used", o.kind)
	}
	o.spent = o.spent || refused > 0
	o.maybe = o.maybe || lost > 0
}

func (o *once) check(c *chaos) { c.present(o, 1) }

// token is an access token that was given without a refresh token.
type token struct {
	mu           sync.Mutex
	raw, client  string
	gone, unsure bool
}

func (c *chaos) newToken(client string, a answer) {
	t := &token{raw: a.body.Access, client: client}
	c.touch(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = append(c.tokens, t)
}

// active asks whether a token is good. It is not known where there is no answer.
func (c *chaos) active(client, raw string) (active, known bool) {
	a := c.post("/introspect", client, nil, "token", raw)
	if a.lost {
		return false, false
	}
	if a.body.Active == nil {
		c.problem("introspection: %d %+v", a.status, a.body)
		return false, false
	}
	return *a.body.Active, true
}

// revoke revokes a token as its client. It is not known where there is no answer.
func (c *chaos) revoke(client, raw string) (known bool) {
	a := c.post("/revoke", client, nil, "token", raw)
	if a.refused() {
		c.problem("revocation: %d %+v", a.status, a.body)
	}
	return a.ok()
}

func (t *token) check(c *chaos) {
	t.mu.Lock()
	defer t.mu.Unlock()
	active, known := c.active("api", t.raw)
	switch {
	case !known:
		return
	case t.unsure:
		t.gone, t.unsure = !active, false
	case active && t.gone:
		c.problem("a revoked token of %s is active", t.client)
	case !active && !t.gone:
		c.problem("a token of %s was lost", t.client)
	}
}

func (t *token) end(c *chaos) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return
	}
	if c.revoke(t.client, t.raw) {
		t.gone, t.unsure = true, false
		c.done(t)
		return
	}
	t.unsure = true
	c.touch(t)
}

// lineage is a grant: refresh tokens, each of which is exchanged for the next.
type lineage struct {
	mu      sync.Mutex
	chain   []string // the last is the one that is good
	access  string   // of the last answer
	gone    bool
	unsure  bool      // whether it is gone
	pending time.Time // since when the last may have been exchanged without an answer
	at      time.Time // no exchange was earlier that gave the last
}

func (c *chaos) newFamily(a answer) {
	f := &lineage{chain: []string{a.body.Refresh}, access: a.body.Access, at: time.Now()}
	if a.body.Refresh == "" {
		c.problem("a grant without a refresh token")
		return
	}
	c.touch(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.families = append(c.families, f)
	if c.refresh[a.body.Refresh] != nil {
		c.problems = append(c.problems, "a refresh token was given twice")
	}
	c.refresh[a.body.Refresh] = f
}

func (f *lineage) last() string { return f.chain[len(f.chain)-1] }

func (c *chaos) exchange(raw string, n int) []answer {
	answers := together(n, func() answer {
		return c.post("/token", "web", nil, "grant_type", "refresh_token", "refresh_token", raw)
	})
	for _, a := range answers {
		if a.refused() && a.body.Error != oauth.InvalidGrant {
			c.problem("a refresh token is refused with %d %s: %s", a.status, a.body.Error, a.body.About)
		}
	}
	return answers
}

// rotate exchanges the last token, n times at once. With a retry window all get the same successor, and without one gets it, and who
// comes too late ends the family.
func (c *chaos) rotate(f *lineage, n int) {
	c.touch(f)
	began := time.Now()
	answers := c.exchange(f.last(), n)
	won, refused, lost := c.tally("refresh token", answers)
	var next answer
	for _, a := range answers {
		switch {
		case !a.ok():
		case next.body.Refresh == "":
			next = a
		case next.body.Refresh != a.body.Refresh:
			c.problem("a refresh token has two successors")
		}
	}
	if won > 0 {
		c.done(f)
		c.mu.Lock()
		if other := c.refresh[next.body.Refresh]; other != nil || next.body.Refresh == "" {
			c.problems = append(c.problems, "a refresh token was given twice")
		}
		c.refresh[next.body.Refresh] = f
		c.mu.Unlock()
	}
	since := began
	if !f.pending.IsZero() {
		since = f.pending
	}
	sure := !f.unsure && (f.pending.IsZero() || c.retry && time.Since(since) < sureRetry)
	switch {
	case f.gone && won > 0:
		c.problem("a refresh token of a grant that has ended was exchanged")
	case f.gone:
		return
	case c.retry && refused > 0 && (sure || won > 0):
		c.problem("a refresh token is refused to its client: %d won, %d lost, pending %v", won, lost, !f.pending.IsZero())
	case !c.retry && won > 1:
		c.problem("a refresh token was exchanged %d times", won)
	case sure && won == 0 && lost == 0:
		c.problem("a refresh token is refused that nobody has used")
	}
	if won > 0 {
		f.chain, f.access, f.at, f.pending, f.unsure = append(f.chain, next.body.Refresh), next.body.Access, since, time.Time{}, !c.retry && lost > 0
	}
	if refused > 0 {
		f.gone, f.unsure = true, false
	} else if won == 0 {
		f.pending = since
	}
}

// replay presents a token that was exchanged before, the one before the last or an older one.
func (c *chaos) replay(f *lineage, older bool) {
	back := 2
	if older {
		back = 3
	}
	if len(f.chain) < back || !f.pending.IsZero() || f.unsure {
		return
	}
	within := c.retry && !older && !f.gone
	if within && time.Since(f.at) > sureRetry {
		return
	}
	c.touch(f)
	a := c.exchange(f.chain[len(f.chain)-back], 1)[0]
	switch {
	case a.lost:
		f.unsure = !within && !f.gone
	case within && a.ok() && a.body.Refresh != f.last():
		c.problem("a retry has another successor")
	case within && a.ok():
		f.access = a.body.Access
		c.done(f)
	case within:
		c.problem("a retry is refused")
		f.gone = true
	case a.ok():
		c.problem("a refresh token was exchanged again")
	default:
		f.gone = true
		c.done(f)
	}
}

func (c *chaos) endFamily(f *lineage) {
	if f.gone {
		return
	}
	if c.revoke("web", f.last()) {
		f.gone, f.unsure = true, false
		c.done(f)
		return
	}
	f.unsure = true
	c.touch(f)
}

func (f *lineage) check(c *chaos) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.pending.IsZero() {
		c.rotate(f, 1)
	}
	if !f.pending.IsZero() {
		return
	}
	active, known := c.active("web", f.last())
	switch {
	case !known:
		return
	case f.unsure:
		f.gone, f.unsure = !active, false
	case active && f.gone:
		c.problem("the refresh token of a grant that has ended is active")
	case !active && !f.gone:
		c.problem("a grant was lost")
		f.gone = true
	}
	if n := len(f.chain); n > 1 {
		if active, known := c.active("web", f.chain[n-2]); known && active {
			c.problem("a refresh token is active that was exchanged")
		}
	}
	if active, known := c.active("api", f.access); known && active == f.gone {
		c.problem("an access token is active: %v, and its grant has ended: %v", active, f.gone)
	}
	if f.gone {
		c.rotate(f, 1)
	}
}

// member is a client that has registered itself.
type member struct {
	mu                 sync.Mutex
	id, secret, manage string
	access             string
	gone, unsure       bool
	changed            time.Time
}

// own asks for a token in the name of the client.
func (m *member) own(c *chaos) answer {
	f := c.fronts[mathrand.IntN(len(c.fronts))]
	r := newRequest(http.MethodPost, f.url+"/token", "grant_type=client_credentials")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(m.id, m.secret)
	return c.send(f, r, "/token of a registered client")
}

func (c *chaos) register() {
	f := c.fronts[mathrand.IntN(len(c.fronts))]
	r := newRequest(http.MethodPost, f.url+"/register", "{}")
	r.Header.Set("Content-Type", "application/json")
	a := c.send(f, r, "/register")
	if !a.ok() {
		return
	}
	m := &member{id: a.body.Client, secret: a.body.Secret, manage: a.body.Token}
	c.done(m)
	if a := m.own(c); a.ok() {
		m.access = a.body.Access
	} else if a.refused() {
		c.problem("a client is refused that has just registered: %+v", a)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
}

func (m *member) end(c *chaos) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone || m.unsure {
		return
	}
	f := c.fronts[mathrand.IntN(len(c.fronts))]
	r := newRequest(http.MethodDelete, f.url+"/register/"+m.id, "")
	r.Header.Set("Authorization", "Bearer "+m.manage)
	a := c.send(f, r, "/register DELETE")
	if a.refused() {
		c.problem("a client is not removed: %+v", a)
	}
	m.gone, m.unsure, m.changed = a.ok(), a.lost, time.Now()
	if a.ok() {
		c.done(m)
	} else {
		c.touch(m)
	}
}

func (m *member) check(c *chaos) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(c.fronts) > 1 && time.Since(m.changed) < 5*time.Second {
		return // others know of it soon, and not at once
	}
	a := m.own(c)
	switch {
	case a.lost:
		return
	case m.unsure:
		if m.gone, m.unsure = a.refused(), false; !m.gone {
			m.access = "" // which may have ended, since it ends before its client
		}
	case a.ok() && m.gone:
		c.problem("a client is back that was removed")
	case a.refused() && !m.gone:
		c.problem("a registered client was lost")
	}
	if m.access == "" {
		return
	}
	if active, known := c.active("api", m.access); known && active == m.gone {
		c.problem("a token is active: %v, and its client was removed: %v", active, m.gone)
	}
}

// work does something, with several requests at once where they may ask for the same.
func (c *chaos) work(several int) {
	switch k := mathrand.IntN(100); {
	case k < 15:
		c.present(c.newOnce("grant"), several)
	case k < 25:
		c.present(c.newOnce("assertion"), several)
	case k < 35:
		c.present(c.newOnce("proof"), several)
	case k < 43:
		c.mu.Lock()
		o := recent(c.onces, 1000)
		c.mu.Unlock()
		if o != nil && (o.kind != "proof" || time.Since(o.made) < 30*time.Second) {
			c.present(o, 1)
		}
	case k < 50:
		if a := c.post("/token", "opaque", nil, "grant_type", "client_credentials"); a.ok() {
			c.done()
			c.newToken("opaque", a)
		} else if a.refused() {
			c.problem("a client is refused: %+v", a)
		}
	case k < 56:
		c.mu.Lock()
		t := recent(c.tokens, 200)
		c.mu.Unlock()
		if t != nil {
			t.end(c)
		}
	case k < 58:
		c.register()
	case k < 60:
		c.mu.Lock()
		m := recent(c.members, 20)
		c.mu.Unlock()
		if m != nil {
			m.end(c)
		}
	case k < 64:
		c.mu.Lock()
		t := recent(c.tokens, 1000)
		c.mu.Unlock()
		if t != nil {
			t.check(c)
		}
	default:
		c.mu.Lock()
		f := recent(c.families, 200)
		c.mu.Unlock()
		if f == nil || !f.mu.TryLock() {
			return
		}
		if k > 95 {
			f.mu.Unlock()
			f.check(c)
			return
		}
		defer f.mu.Unlock()
		switch {
		case k < 84:
			c.rotate(f, several)
		case k < 90:
			c.replay(f, false)
		case k < 92:
			c.replay(f, true)
		default:
			c.endFamily(f)
		}
	}
}

// recent returns one of the last of a list, or none.
func recent[T any](list []*T, n int) *T {
	n = min(n, len(list))
	if n == 0 {
		return nil
	}
	return list[len(list)-1-mathrand.IntN(n)]
}

// some is one of a list, if there is one.
func some[T checked](list []T) []checked {
	if len(list) == 0 {
		return nil
	}
	return []checked{list[mathrand.IntN(len(list))]}
}

// checkAll looks at all that was touched since the last time and some of the rest, or at everything.
func (c *chaos) checkAll(everything bool) {
	c.mu.Lock()
	all := slices.Collect(maps.Keys(c.touched))
	if !everything {
		for range 20 {
			all = append(all, some(c.families)...)
			all = append(all, some(c.tokens)...)
			all = append(all, some(c.members)...)
		}
	} else {
		all = nil
		for _, x := range c.families {
			all = append(all, x)
		}
		for _, x := range c.tokens {
			all = append(all, x)
		}
		for _, x := range c.members {
			all = append(all, x)
		}
		for _, x := range c.onces {
			all = append(all, x)
		}
	}
	c.mu.Unlock()
	next := make(chan checked)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for x := range next {
				x.check(c)
			}
		})
	}
	for _, x := range all {
		next <- x
	}
	close(next)
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.touched)
}

// report fails the test with what must not have happened, and says what has.
func (c *chaos) report(t *testing.T) {
	t.Helper()
	for _, p := range c.problems[:min(len(c.problems), 20)] {
		t.Error(p)
	}
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(c.answers)) {
		fmt.Fprintf(&b, "\n%7d %s", c.answers[k], k)
	}
	for _, s := range c.slow[:min(len(c.slow), 10)] {
		fmt.Fprintf(&b, "\n   slow: %s", s)
	}
	t.Logf("%d writes acknowledged, contests %v, %d answers after more than 0.2 s%s", c.acknowledged, c.contests, len(c.slow), b.String())
}
