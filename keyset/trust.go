package keyset

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwk"
)

const defaultTrust = 1000

// Trust has the issuers that a program accepts, each with its own keys. It is a
// [jwk.Source] for a policy that says how a token names its issuer:
//
//	jwt.Policy{AnyIssuer: true, Selector: "iss", …}
//
// The keys of one issuer never verify the token of another, and a token of an issuer
// that is not in it is refused before anything is fetched. The zero value is empty and
// ready for use; issuers are added and removed while tokens are verified.
type Trust struct {
	// Max is the most issuers and tenants that it takes. Zero means 1000.
	Max int

	mu    sync.Mutex // for those who change it
	table atomic.Pointer[trustTable]
}

// trustTable never changes.
type trustTable struct {
	issuers   map[string]jwk.Source
	templates []*template
}

var noTrust trustTable

func (t *Trust) now() *trustTable {
	if table := t.table.Load(); table != nil {
		return table
	}
	return &noTrust
}

// Add makes keys those of an issuer, in place of any that it had. The identifier is
// compared exactly.
func (t *Trust) Add(issuer string, keys jwk.Source) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now()
	_, known := old.issuers[issuer]
	switch {
	case issuer == "" || keys == nil:
		return errOptions.With("an issuer has a name and keys")
	case !known && len(old.issuers) >= t.most():
		return errOptions.With(fmt.Sprintf("there are %d issuers already", t.most()))
	}
	next := &trustTable{maps.Clone(old.issuers), old.templates}
	if next.issuers == nil {
		next.issuers = map[string]jwk.Source{}
	}
	next.issuers[issuer] = keys
	t.table.Store(next)
	return nil
}

func (t *Trust) most() int {
	if t.Max > 0 {
		return t.Max
	}
	return defaultTrust
}

// Remove refuses the tokens of an issuer from now on. What it was added with is left
// as it is.
func (t *Trust) Remove(issuer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now()
	next := &trustTable{maps.Clone(old.issuers), old.templates}
	delete(next.issuers, issuer)
	t.table.Store(next)
}

// Issuers returns the names of the issuers, sorted, without those of templates.
func (t *Trust) Issuers() []string { return slices.Sorted(maps.Keys(t.now().issuers)) }

// Keys asks the source of the issuer that the query's Selector names.
func (t *Trust) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	table := t.now()
	if keys, ok := table.issuers[q.Selector]; ok {
		return keys.Keys(ctx, q)
	}
	for _, m := range table.templates {
		if tenant, ok := m.Tenant(q.Selector); ok {
			return m.keys(ctx, q, tenant)
		}
	}
	return nil, errStranger
}

// Close closes the sources that templates have made. Those that were added are their
// owners' to close.
func (t *Trust) Close() error {
	for _, m := range t.now().templates {
		m.close()
	}
	return nil
}

// Template is a family of issuers that differ in one segment of their path, such as the
// tenants of a provider.
type Template struct {
	// Issuer has a name in braces where the tenant stands, in place of one whole segment
	// of its path: "https://login.microsoftonline.com/{tenantid}/v2.0".
	Issuer string
	// Tenants are those that are accepted. Where there are none, AnyTenant must be set.
	Tenants []string
	// AnyTenant accepts every tenant: whoever the provider gives one can then make tokens
	// that verify. Look at [Template.Tenant] of the verified issuer.
	AnyTenant bool
	// Keys are the keys of all tenants, as providers publish them that have one set. A key
	// in it whose JWK has an "issuer" is for that issuer alone; the braces there stand for
	// any tenant, too. Nil means that each tenant has keys of its own, which are found by
	// discovery, with Options, when its first token comes.
	Keys *Remote
	// Options are for the sources that are made where Keys is nil. File must be empty.
	Options Options
}

// template is a Template in use.
type template struct {
	Template
	prefix, suffix string
	most           int
	clock          func() time.Time
	interval       time.Duration

	mu      sync.Mutex
	closed  bool
	tenants atomic.Pointer[map[string]*tenant]
}

// tenant is an issuer whose keys are looked for since made.
type tenant struct {
	*Issuer
	made time.Time
}

// AddTemplate accepts the tokens of a family of issuers. Of tenants that are not named
// but have keys of their own, it takes as many as Max; one that turns out not to exist
// gives way to another after [Options.MinInterval], so that invented tenants cause at
// most Max fetches in that time.
func (t *Trust) AddTemplate(m Template) error {
	prefix, suffix, err := m.split()
	if err != nil {
		return err
	}
	if (len(m.Tenants) == 0) != m.AnyTenant {
		return errOptions.With("a template names its Tenants, or is for AnyTenant")
	}
	for _, tenant := range m.Tenants {
		if !isTenant(tenant) {
			return errOptions.With(fmt.Sprintf("%.100q is no segment of a path", tenant))
		}
	}
	o, err := m.Options.normalize()
	if err != nil {
		return err
	}
	if m.Keys == nil {
		if m.Options.File != "" {
			return errOptions.With("a file is for one source, and a template makes several")
		}
		if _, err := NewIssuer(prefix+"x"+suffix, m.Options); err != nil {
			return err
		}
	}
	m.Tenants = slices.Clone(m.Tenants)
	added := &template{Template: m, prefix: prefix, suffix: suffix, most: t.most(), clock: o.Clock, interval: o.MinInterval}
	added.tenants.Store(&map[string]*tenant{})
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.now()
	t.table.Store(&trustTable{old.issuers, append(slices.Clip(old.templates), added)})
	return nil
}

// split returns what stands before and after the tenant.
func (m *Template) split() (prefix, suffix string, err error) {
	prefix, rest, _ := strings.Cut(m.Issuer, "{")
	_, suffix, ok := strings.Cut(rest, "}")
	_, path, _ := strings.Cut(prefix, "://")
	switch {
	case !ok || strings.ContainsAny(suffix, "{}"),
		!strings.Contains(path, "/") || !strings.HasSuffix(prefix, "/"),
		suffix != "" && suffix[0] != '/':
		return "", "", errOptions.With("the Issuer of a template has one segment of its path in braces")
	}
	return prefix, suffix, nil
}

// Tenant returns the tenant of an issuer of the family, whether or not it is accepted,
// and whether issuer is one.
func (m Template) Tenant(issuer string) (string, bool) {
	prefix, suffix, err := m.split()
	if err != nil {
		return "", false
	}
	return between(issuer, prefix, suffix)
}

// Tenant is the same with what was split before, for tenants that are accepted.
func (m *template) Tenant(issuer string) (string, bool) {
	tenant, ok := between(issuer, m.prefix, m.suffix)
	return tenant, ok && (m.AnyTenant || slices.Contains(m.Tenants, tenant))
}

func between(issuer, prefix, suffix string) (string, bool) {
	rest, ok := strings.CutPrefix(issuer, prefix)
	tenant, ok2 := strings.CutSuffix(rest, suffix)
	return tenant, ok && ok2 && isTenant(tenant)
}

// isTenant reports whether s is one segment of a path and never anything else.
func isTenant(s string) bool {
	return s != "" && len(s) <= 128 && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
	})
}

func (m *template) keys(ctx context.Context, q jwk.Query, name string) ([]jwk.Verifier, error) {
	if m.Keys == nil {
		source, err := m.source(name)
		if err != nil {
			return nil, err
		}
		return source.Keys(ctx, q)
	}
	a, err := m.Keys.find(ctx, &q)
	switch {
	case err != nil:
		return nil, err
	case a.err != nil:
		return nil, a.err
	}
	other := func(i int) bool { return !vouches(a.issuers[i], q.Selector) }
	n := 0
	for i := range a.issuers {
		if other(i) {
			n++
		}
	}
	switch n {
	case 0:
		return a.keys, nil
	case len(a.keys):
		return nil, errOtherIssuer
	}
	fit := make([]jwk.Verifier, 0, len(a.keys)-n)
	for i, k := range a.keys {
		if !other(i) {
			fit = append(fit, k)
		}
	}
	return fit, nil
}

var (
	errOtherIssuer = jwk.ErrNoKey.(*fault.Error).With("the key is for another issuer")
	errNoRoom      = jwk.ErrNoKey.(*fault.Error).Wrap(errUntrusted.With("there is no room for another tenant now"))
)

// vouches reports whether a key of that issuer is for tokens of another name for it.
func vouches(keyIssuer, issuer string) bool {
	if keyIssuer == "" || keyIssuer == issuer {
		return true
	}
	of := Template{Issuer: keyIssuer}
	_, ok := of.Tenant(issuer)
	return ok
}

// source returns the keys of a tenant that has its own.
func (m *template) source(name string) (*Issuer, error) {
	if known := (*m.tenants.Load())[name]; known != nil {
		return known.Issuer, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := *m.tenants.Load()
	if known := all[name]; known != nil {
		return known.Issuer, nil
	}
	if m.closed {
		return nil, errClosed
	}
	now := m.clock()
	next := maps.Clone(all)
	if len(next) >= m.most {
		for other, t := range next {
			if t.snap.Load() == nil && !now.Before(t.made.Add(m.interval)) {
				t.cancel()
				delete(next, other)
			}
		}
	}
	if len(next) >= m.most {
		return nil, errNoRoom
	}
	i, _ := NewIssuer(m.prefix+name+m.suffix, m.Options) // AddTemplate has tried another tenant
	next[name] = &tenant{i, now}
	m.tenants.Store(&next)
	return i, nil
}

func (m *template) close() {
	m.mu.Lock()
	m.closed = true
	all := *m.tenants.Load()
	m.mu.Unlock()
	for _, t := range all {
		_ = t.Close()
	}
}
