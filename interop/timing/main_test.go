package main

import (
	"context"
	"io"
	"testing"

	"github.com/jotsuite/jot/jose/jwe"
)

// TestErrors holds that the classes are what they are called: good ones are decrypted
// and all others refused with one error. Times are no matter here.
func TestErrors(t *testing.T) {
	for _, e := range experiments() {
		if _, err := e.run(io.Discard, 4); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		text := ""
		for _, c := range e.classes {
			token := c.make()
			m, err := jwe.Decrypt(context.Background(), e.keys, token, jwe.Options{})
			if c.good {
				if err != nil || string(m.Plaintext) != string(plaintext) {
					t.Errorf("%s: %s: %v", e.name, c.name, err)
				}
				continue
			}
			if text == "" && err != nil {
				text = err.Error()
			}
			if m != nil || err == nil || err.Error() != text {
				t.Errorf("%s: %s: %v, and others %s", e.name, c.name, err, text)
			}
		}
	}
}

// TestWelch compares with values worked out by hand.
func TestWelch(t *testing.T) {
	// Means 2 and 4, variances 1 and 4, 3 samples each: -2 / sqrt(1/3 + 4/3).
	if got := welch([]float64{1, 2, 3}, []float64{2, 4, 6}); got > -1.5491 || got < -1.5492 {
		t.Error(got)
	}
}
