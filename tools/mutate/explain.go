package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// explanations reads accepted survivors: the key of a mutant on a line of its
// own, then its reason on indented lines. Empty lines and # comments are skipped.
func explanations(r io.Reader) (map[string]string, error) {
	out := map[string]string{}
	var key string
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, fmt.Errorf("line %d: a reason without a mutant", n)
			}
			out[key] = strings.TrimSpace(out[key] + " " + text)
		default:
			if key != "" && out[key] == "" {
				return nil, fmt.Errorf("line %d: the mutant above has no reason", n)
			}
			key = text
			if _, twice := out[key]; twice {
				return nil, fmt.Errorf("line %d: explained twice: %s", n, key)
			}
			out[key] = ""
		}
	}
	if key != "" && out[key] == "" {
		return nil, fmt.Errorf("the last mutant has no reason: %s", key)
	}
	return out, s.Err()
}
