package server

import (
	"math"
	"net/http"
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

func limit(t testing.TB, perSecond float64, burst int) *limiter {
	t.Helper()
	l, err := newLimiter(Rate{perSecond, burst})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLimiter counts one sender over time.
func TestLimiter(t *testing.T) {
	const second = int64(time.Second)
	l, now := limit(t, 2, 5), int64(1e18)
	for i := range 5 {
		if wait := l.take(1, now); wait != 0 {
			t.Fatalf("request %d of a burst of 5 waits %s", i+1, wait)
		}
	}
	if wait := l.take(1, now); wait != time.Second/2 {
		t.Errorf("the sixth waits %s", wait)
	}
	if wait := l.take(2, now); wait != 0 {
		t.Errorf("another waits %s", wait)
	}
	now += second / 2
	if wait := l.take(1, now); wait != 0 {
		t.Errorf("half a second later one waits %s", wait)
	}
	if wait := l.take(1, now); wait != time.Second/2 {
		t.Errorf("and the next %s", wait)
	}
	// A clock that is set back does not lock anyone out for so long.
	now -= 3600 * second
	if wait := l.take(1, now); wait != time.Second/2 {
		t.Errorf("an hour before, one waits %s", wait)
	}
	// And after an hour without, there is one burst.
	now += 7200 * second
	for range 5 {
		if wait := l.take(1, now); wait != 0 {
			t.Errorf("after a time without, one waits %s", wait)
		}
	}
	if l.take(1, now) == 0 {
		t.Error("what was not used adds up")
	}
}

func TestLimiterOptions(t *testing.T) {
	for _, r := range []Rate{{PerSecond: -1}, {PerSecond: math.NaN()}, {PerSecond: math.Inf(1)}, {Burst: 1}, {PerSecond: 1, Burst: -1}, {PerSecond: 1e-9, Burst: 1}, {PerSecond: 1, Burst: 1e9}} {
		if _, err := newLimiter(r); err == nil {
			t.Errorf("%v is taken", r)
		}
	}
	if l, err := newLimiter(Rate{}); l != nil || err != nil {
		t.Errorf("%v %v", l, err)
	}
	if l := limit(t, 2.5, 0); l.most != 3*l.every {
		t.Errorf("without a burst it is %d", l.most/l.every)
	}
}

// TestLimiterBounded has a million addresses ask: nothing grows, and who has asked too often before is not forgotten for that.
func TestLimiterBounded(t *testing.T) {
	if size := unsafe.Sizeof(limiter{}); size > 1<<20+64<<10 {
		t.Errorf("a limiter has %d bytes", size)
	}
	l, now := limit(t, 1, 100), int64(1e18)
	for l.take(1, now) == 0 {
	}
	a := [16]byte{0x20, 0x01}
	i := 0
	if n := testing.AllocsPerRun(1, func() {
		for range 500_000 { // AllocsPerRun runs it twice
			a[4], a[5], a[6] = byte(i>>16), byte(i>>8), byte(i)
			l.take(l.addressKey(netip.AddrFrom16(a)), now)
			i++
		}
	}); n > 100 { // of which some are the runtime's
		t.Errorf("%v allocations in 500,000 requests", n)
	}
	if i != 1_000_000 {
		t.Errorf("%d addresses", i)
	}
	if l.take(1, now) == 0 {
		t.Error("who has asked too often is forgotten as soon as many others ask")
	}
}

// TestAddressKey takes a network of IPv6 for one sender, and each address of IPv4.
func TestAddressKey(t *testing.T) {
	l := limit(t, 1, 1)
	key := func(s string) uint64 { return l.addressKey(netip.MustParseAddr(s)) }
	if key("2001:db8:1:2::1") != key("2001:db8:1:2:ffff::9") {
		t.Error("a host has as many addresses as it likes")
	}
	for _, pair := range [][2]string{{"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"192.0.2.1", "192.0.2.2"}, {"::1", "0.0.0.1"}} {
		if key(pair[0]) == key(pair[1]) {
			t.Errorf("%v are one", pair)
		}
	}
}

// BenchmarkCountAddress is what Limits.Address costs a request.
func BenchmarkCountAddress(b *testing.B) {
	q := &request{Server: &Server{addresses: limit(b, 1e9, 1e9)}, r: &http.Request{RemoteAddr: "[2606:4700::1]:50000"}, now: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		if err := q.countAddress(); err != nil {
			b.Fatal(err)
		}
	}
}
