package wycheproof

import (
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/jotsuite/jot/ext/ed448"
)

// TestX448 runs the agreement of ext/ed448. What the suite calls acceptable is taken,
// as RFC 7748 asks, unless the secret is zero, which RFC 8037, Section 3.2, refuses.
func TestX448(t *testing.T) {
	data, err := fs.ReadFile(wycheproof.TestVectors, "x448_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			Tests []struct {
				TcID                    int
				Comment, Result         string
				Flags                   []string
				Public, Private, Shared string
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	x := ed448.X448()
	run := 0
	for _, g := range file.TestGroups {
		for _, c := range g.Tests {
			run++
			accept := c.Result != "invalid" && !slices.Contains(c.Flags, "ZeroSharedSecret")
			public, private := unhex(t, c.Public), unhex(t, c.Private)
			if err := x.Check(public); (err == nil) != accept {
				t.Errorf("%d (%s) is %s in the suite; checked: %v", c.TcID, c.Comment, c.Result, err)
			}
			got, err := x.Agree(private, public)
			if (err == nil) != accept || accept && !slices.Equal(got, unhex(t, c.Shared)) {
				t.Errorf("%d (%s) is %s in the suite; here: %x, %v", c.TcID, c.Comment, c.Result, got, err)
			}
		}
	}
	if run != 510 {
		t.Errorf("%d cases were run, want 510", run)
	}
}
