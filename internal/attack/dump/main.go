// Command dump writes the catalogue of attacks as files, for the fronts that
// cannot import it: each token and key into a file of its own, and one JSON
// object a line to standard output.
//
//	dump FOLDER [URL]
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jotsuite/jot/internal/attack"
)

// setup is one token with what it is verified by; files are relative to the folder.
type setup struct {
	Form       attack.Form
	Token, Key string
	Kind       attack.Kind
	Alg        string
	Policy     attack.Policy
}

type line struct {
	Title, NoCLI    string
	Want            []string
	Attack, Control setup
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: dump FOLDER [URL]")
		os.Exit(2)
	}
	fetch := "http://127.0.0.1:9"
	if len(os.Args) > 2 {
		fetch = os.Args[2]
	}
	if err := dump(os.Args[1], fetch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dump(folder, fetch string) error {
	out := json.NewEncoder(os.Stdout)
	for i, c := range attack.Cases(fetch) {
		l := line{Title: c.Title(), NoCLI: c.NoCLI, Want: c.Want}
		if c.Form == attack.JSON && l.NoCLI == "" {
			l.NoCLI = "the command verifies compact tokens"
		}
		if l.NoCLI == "" {
			token, control := "", "" // of a key to sign with there is none
			if c.Form != attack.Private {
				token, control = c.Token(), c.Control()
			}
			var err error
			if l.Attack, err = write(folder, fmt.Sprintf("%d-attack", i), token, c.Form, c.Key, c.Policy); err != nil {
				return err
			}
			if l.Control, err = write(folder, fmt.Sprintf("%d-control", i), control, c.Form, c.ControlKey, c.ControlPolicy); err != nil {
				return err
			}
		}
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func write(folder, name, token string, form attack.Form, key attack.Key, p attack.Policy) (setup, error) {
	s := setup{Form: form, Token: name + ".token", Key: name + ".key", Kind: key.Kind, Alg: key.Alg, Policy: p}
	if err := os.WriteFile(filepath.Join(folder, s.Token), []byte(token), 0o600); err != nil {
		return s, err
	}
	return s, os.WriteFile(filepath.Join(folder, s.Key), key.Data, 0o600)
}
