package nonce

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

var ctx = context.Background()

func made(t *testing.T, at *time.Time, life time.Duration, secrets ...string) *Issuer {
	t.Helper()
	o := Options{Life: life, Clock: func() time.Time { return *at }}
	for _, s := range secrets {
		o.Secrets = append(o.Secrets, bytes.Repeat([]byte(s), 32))
	}
	n, err := NewIssuer(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func accepts(t *testing.T, n *Issuer, value string) bool {
	t.Helper()
	ok, err := n.Accepts(ctx, value)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestLife(t *testing.T) {
	for name, tc := range map[string]struct {
		life, later time.Duration
		want        bool
	}{
		"at once":             {0, 0, true},
		"five minutes":        {0, 5 * time.Minute, true},
		"more":                {0, 5*time.Minute + time.Second, false},
		"the life":            {time.Second, time.Second, true},
		"more than the life":  {time.Second, 2 * time.Second, false},
		"ahead":               {0, -time.Minute, true},
		"too far ahead":       {0, -61 * time.Second, false},
		"long before, or not": {0, -48 * time.Hour, false},
	} {
		at := time.Unix(1767268800, 0)
		n := made(t, &at, tc.life)
		value, err := n.New(ctx)
		if err != nil || len(value) != 32 {
			t.Fatal(value, err)
		}
		if at = at.Add(tc.later); accepts(t, n, value) != tc.want {
			t.Errorf("%s: not %v", name, tc.want)
		}
	}
}

// One secret is changed for another: both are good, until the first one is gone.
func TestSecrets(t *testing.T) {
	at := time.Unix(1767268800, 0)
	old, both, next := made(t, &at, 0, "a"), made(t, &at, 0, "b", "a"), made(t, &at, 0, "b")
	first, _ := old.New(ctx)
	second, _ := both.New(ctx)
	if !accepts(t, both, first) || !accepts(t, both, second) || !accepts(t, next, second) {
		t.Error("a secret that is shared is not")
	}
	if accepts(t, next, first) || accepts(t, old, second) || accepts(t, made(t, &at, 0), first) {
		t.Error("a value of another secret is accepted")
	}
	// The caller's slice is its own.
	secret := bytes.Repeat([]byte("a"), 32)
	n, err := NewIssuer(Options{Secrets: [][]byte{secret}, Clock: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	secret[0] = 'x'
	if !accepts(t, n, first) {
		t.Error("the secret has changed with the caller's slice")
	}
	for _, o := range []Options{{Life: -1}, {Secrets: [][]byte{make([]byte, 31)}}} {
		if _, err := NewIssuer(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if n, err := NewIssuer(Options{}); err != nil {
		t.Error(err)
	} else if v, _ := n.New(ctx); !accepts(t, n, v) {
		t.Error("the clock of the system is not used")
	}
}

// A value that differs in any character is not one.
func TestForged(t *testing.T) {
	at := time.Unix(1767268800, 0)
	n := made(t, &at, 0)
	value, _ := n.New(ctx)
	for i := range len(value) {
		c := "A"
		if value[i] == 'A' {
			c = "B"
		}
		if accepts(t, n, value[:i]+c+value[i+1:]) {
			t.Errorf("changed at %d, and accepted", i)
		}
	}
	for _, v := range []string{"", value[1:], value + "A", value + "=", strings.Repeat("!", 32), strings.Repeat("A", 1<<20)} {
		if accepts(t, n, v) {
			t.Errorf("%.40q is accepted", v)
		}
	}
	if at = at.Add(time.Second); func() bool { other, _ := n.New(ctx); return other == value }() {
		t.Error("the same value a second later")
	}
}

func FuzzAccepts(f *testing.F) {
	at := time.Unix(1767268800, 0)
	n, err := NewIssuer(Options{Secrets: [][]byte{make([]byte, 32)}, Clock: func() time.Time { return at }})
	if err != nil {
		f.Fatal(err)
	}
	value, _ := n.New(ctx)
	f.Add(value)
	f.Add("")
	f.Add(strings.Repeat("_", 32))
	f.Fuzz(func(t *testing.T, v string) {
		if ok, err := n.Accepts(ctx, v); err != nil || ok && v != value {
			// Of other times, a forger would have to guess the MAC.
			t.Errorf("%q: %v %v", v, ok, err)
		}
	})
}

func BenchmarkAccepts(b *testing.B) {
	n, err := NewIssuer(Options{})
	if err != nil {
		b.Fatal(err)
	}
	value, _ := n.New(ctx)
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := n.Accepts(ctx, value); !ok {
			b.Fatal("refused")
		}
	}
}
