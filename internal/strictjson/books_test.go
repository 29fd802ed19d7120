package strictjson

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"testing"
)

type large struct{ A, B, C, D string }

// costly has, for each thing that is paid for, a document where it is the last.
var costly = []struct {
	doc   string
	into  any
	price int // where a pointer has 64 bits
}{
	{`"s"`, new(any), 16},
	{`1 `, new(any), 16},
	{`[1]`, new(any), 56},
	{`["s"]`, new(any), 56},
	{`[true]`, new(any), 40},
	{`[[true,null],[false]]`, new(any), 192},
	{`{}`, new(any), 48},
	{`{"a":true}`, new(any), 336},
	{`{"a":true,"b":true,"c":true,"d":true,"e":true,"f":true,"g":true,"h":true}`, new(any), 336},
	{`{"a":true,"b":true,"c":true,"d":true,"e":true,"f":true,"g":true,"h":true,"i":true}`, new(any), 992},
	{string(objectOf(14)), new(any), 992},
	{string(objectOf(15)), new(any), 2304},
	{string(objectOf(29)), new(any), 4800},
	{string(objectOf(57)), new(any), 9664},
	{string(objectOf(500)), new(any), 76352},
	{`{}`, new(map[string]json.RawMessage), 48},
	{`{"a":1}`, new(map[string]json.RawMessage), 400},
	{string(objectOf(15)), new(map[string]json.RawMessage), 2784},
	{`{}`, new(map[string]large), 48},
	{`{"a":{}}`, new(map[string]large), 784},
	{`{"a":{},"b":{}}`, new(map[string]large), 848},
	{`{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{},"h":{},"i":{}}`, new(map[string]large), 2720},
	{`{}`, new(*large), 64},
	{`[{},{},{}]`, new([]large), 520},
	{`[1,2,3]`, new([]int64), 48},
	{`[{},{}]`, new([]*large), 200},
}

// payFor reads a document that may cost so much, and returns what it cost.
func payFor(doc string, into any, memory int) (paid int, err error) {
	v := reflect.ValueOf(into)
	pl, err := cachedPlan(v.Type().Elem(), reading)
	if err != nil {
		return 0, err
	}
	var p parser
	i := p.begin([]byte(doc), &Limits{})
	p.memory = memory
	p.end(p.value(i, pl, v.UnsafePointer()))
	return memory - p.memory, p.result()
}

const plenty = 1 << 30

// Who cannot pay for the last byte is refused.
func TestMemory(t *testing.T) {
	for _, c := range costly {
		paid, err := payFor(c.doc, c.into, plenty)
		if err != nil {
			t.Fatal(err)
		}
		if paid != c.price && math.MaxInt > math.MaxInt32 {
			t.Errorf("%.20s into %T costs %d, want %d", c.doc, c.into, paid, c.price)
		}
		if _, err := payFor(c.doc, c.into, paid); err != nil {
			t.Errorf("%.20s into %T: %v with just enough", c.doc, c.into, err)
		}
		for _, less := range []int{paid - 1, 0} {
			if _, err := payFor(c.doc, c.into, less); !errors.Is(err, ErrLimit) {
				t.Errorf("%.20s into %T: %v with %d of %d bytes, want json.limit", c.doc, c.into, err, less, paid)
			}
		}
		// What comes later, such as the end that is missing, is not looked at any more.
		short := c.doc[:len(c.doc)-1] + " "
		if paid, err = payFor(short, c.into, plenty); paid == 0 {
			continue
		}
		if _, limit := payFor(short, c.into, paid-1); !errors.Is(limit, ErrLimit) {
			t.Errorf("%.20s into %T: %v with a byte less than up to %v, want json.limit", short, c.into, limit, err)
		}
	}
}

// What is paid is what is allocated.
func TestPrices(t *testing.T) {
	for _, c := range costly {
		paid, _ := payFor(c.doc, c.into, plenty)
		const rounds = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			_, _ = payFor(c.doc, c.into, plenty)
		}
		runtime.ReadMemStats(&after)
		// The document's own copy is not paid for.
		allocated := int(after.TotalAlloc-before.TotalAlloc)/rounds - len(c.doc)
		// The prices are those of 64 bits.
		if paid < allocated-64-allocated/8 || paid > 2*allocated+64 && math.MaxInt > math.MaxInt32 {
			t.Errorf("%.20s into %T: %d bytes are paid for, %d allocated", c.doc, c.into, paid, allocated)
		}
	}
}

// objectOf returns an object of n members.
func objectOf(n int) []byte {
	m := make(map[string]bool, n)
	for i := range n {
		m[string(rune('a'+i%26))+string(rune('a'+i/26))] = true
	}
	b, _ := json.Marshal(m) // which always works
	return b
}
