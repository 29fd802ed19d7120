package jwt

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// F17: two verifiers that share what was seen.
func TestReplayAcrossVerifiers(t *testing.T) {
	seen := NewReplayCache(8)
	a := hs(t, func(p *Policy) { p.Replay = seen })
	b := hs(t, func(p *Policy) { p.Replay = seen })
	_, err := a.Verify(ctx, forge(plain, good))
	accept(t, err)
	_, err = b.Verify(ctx, forge(plain, good))
	want(t, err, "jti.replayed")
	if !errors.Is(err, ErrReplay) || !strings.Contains(err.Error(), "jti.replayed: jti: want ") {
		t.Errorf("%v", err)
	}
	_, err = b.Verify(ctx, forge(plain, with("jti", `"2"`)))
	accept(t, err)
	// Another token with the same identifier is the same one.
	_, err = b.Verify(ctx, forge(plain, with("jti", `"2"`, "sub", `"bob"`)))
	want(t, err, "jti.replayed")
}

// B2: (r, n-s) verifies as well, so a hash of the token is no identity.
func TestReplayECDSATwin(t *testing.T) {
	key := privateKey(t, jwa.ES256)
	raw := sample(t, key)
	i := strings.LastIndexByte(raw, '.')
	sig, err := b64url.DecodeString(raw[i+1:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	twin := raw[:i+1] + b64url.EncodeToString(sig)

	p := policy()
	_, err = verifier[order](t, jwk.Set{key.Public()}, p).Verify(ctx, twin)
	accept(t, err)
	p.Replay, p.CacheSize = NewReplayCache(8), 8
	v := verifier[order](t, jwk.Set{key.Public()}, p)
	_, err = v.Verify(ctx, raw)
	accept(t, err)
	_, err = v.Verify(ctx, twin)
	want(t, err, "jti.replayed")
}

type recorder struct {
	calls []string
	err   error
}

func (r *recorder) Seen(_ context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	r.calls = append(r.calls, fmt.Sprint(issuer, " ", id, " ", ttl))
	return false, r.err
}

func TestReplayIsAskedLast(t *testing.T) {
	r := new(recorder)
	v := hs(t, func(p *Policy) { p.Replay = r })
	for _, raw := range []string{
		spoil(forge(plain, good)), forge(plain, with("exp", "1")), forge(plain, with("aud", `"x"`)), forge(plain, with("jti", "-")), forge(plain, good+"x"),
	} {
		if _, err := v.Verify(ctx, raw); err == nil {
			t.Error("accepted")
		}
	}
	// A selector that does not hold is a refusal too.
	s := hs(t, func(p *Policy) { p.Replay, p.Selector = r, "sub" })
	if _, err := s.accept(ctx, &Token[struct{}]{head: new(head), payload: []byte(good)}, "bob", nil); err == nil {
		t.Error("accepted")
	}
	if r.calls != nil {
		t.Errorf("asked for a token that is refused anyway: %v", r.calls)
	}
	_, err := v.Verify(ctx, forge(plain, good))
	accept(t, err)
	age := hs(t, func(p *Policy) { p.Replay, p.OptionalExpiry, p.MaxAge = r, true, 10*time.Minute })
	_, err = age.Verify(ctx, forge(plain, with("exp", "-")))
	accept(t, err)
	ignore := hs(t, func(p *Policy) { p.Replay, p.IgnoreExpiry, p.MaxAge, p.Leeway = r, true, 10*time.Minute, NoLeeway })
	_, err = ignore.Verify(ctx, forge(plain, with("exp", "1")))
	accept(t, err)
	want := []string{issuer + " 1 1h1m0s", issuer + " 1 9m20s", issuer + " 1 8m20s"}
	if fmt.Sprint(r.calls) != fmt.Sprint(want) {
		t.Errorf("asked %v, want %v", r.calls, want)
	}

	r.err = errors.New("the store is down")
	if _, err := v.Verify(ctx, forge(plain, good)); err != r.err {
		t.Errorf("%v", err)
	}
}

func TestReplayCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewReplayCache(3)
		use := func(issuer, id string, ttl time.Duration) string {
			seen, err := c.Seen(ctx, issuer, id, ttl)
			if err != nil {
				if !errors.Is(err, ErrReplay) {
					t.Errorf("%v", err)
				}
				return "full"
			}
			return fmt.Sprint(seen)
		}
		for i, step := range []struct {
			issuer, id string
			ttl        time.Duration
			want       string
			wait       time.Duration // afterwards
		}{
			{"a", "1", 3 * time.Second, "false", 0},
			{"a", "1", 3 * time.Second, "true", 0},
			{"b", "1", time.Second, "false", 0},
			{"a", "11", 2 * time.Second, "false", 0},
			{"a1", "1", time.Second, "full", 0}, // not the same as a and 11
			{"b", "1", time.Second, "true", time.Second},
			{"b", "1", time.Second, "false", 0}, // the first is dead, and so is the token
			{"c", "1", time.Second, "full", 0},
			{"a", "1", time.Second, "true", 2 * time.Second},
			{"c", "1", time.Second, "false", 0},
			{"c", "2", time.Second, "false", 0},
			{"c", "3", time.Second, "false", 0},
			{"c", "4", time.Second, "full", 0},
		} {
			if got := use(step.issuer, step.id, step.ttl); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
			time.Sleep(step.wait)
		}
	})
}

func TestReplayCacheFull(t *testing.T) {
	v := hs(t, func(p *Policy) { p.Replay = NewReplayCache(1) })
	_, err := v.Verify(ctx, forge(plain, good))
	accept(t, err)
	_, err = v.Verify(ctx, forge(plain, with("jti", `"2"`)))
	want(t, err, "jti.full")
	defer func() {
		if recover() == nil {
			t.Error("a cache of no entries")
		}
	}()
	NewReplayCache(0)
}

func TestReplayConcurrently(t *testing.T) {
	v := hs(t, func(p *Policy) { p.Replay = NewReplayCache(100) })
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				if _, err := v.Verify(ctx, forge(plain, with("jti", fmt.Sprintf(`"%d"`, i)))); err == nil {
					accepted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 20 {
		t.Errorf("%d of 20 tokens were accepted", n)
	}
}
