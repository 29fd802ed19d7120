package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestDocCommands holds that each command in the documents, and in the help, is one that the command line takes. What some of them do is
// shown elsewhere.
func TestDocCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(pages, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(text, -1) {
			texts[filepath.Base(name)] += string(m[1])
		}
	}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		_, examples, _ := strings.Cut(n.Detail, "Examples:")
		texts["help of "+n.Path()] = examples
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(newParser(&terminal{stdout: io.Discard, stderr: io.Discard}).Model.Node)

	n := 0
	for where, text := range texts {
		for line := range strings.Lines(text) {
			for part := range strings.SplitSeq(strings.TrimSpace(line), " | ") {
				if !strings.HasPrefix(part, "jot ") {
					continue
				}
				n++
				if _, err := newParser(&terminal{stdout: io.Discard, stderr: io.Discard}).Parse(shellWords(part)[1:]); err != nil {
					t.Errorf("%s: %s: %v", where, part, err)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("there are %d commands", n)
	}
}

// shellWords splits a command as a shell would that expands nothing.
func shellWords(line string) (list []string) {
	for _, m := range regexp.MustCompile(`(?:'[^']*'|"[^"]*"|\$\([^)]*\)|[^\s'"])+`).FindAllString(line, -1) {
		if strings.HasPrefix(m, "#") || m == ">" || m == "<" || strings.HasPrefix(m, ">") {
			break
		}
		list = append(list, strings.NewReplacer("'", "", `"`, "").Replace(m))
	}
	return list
}
