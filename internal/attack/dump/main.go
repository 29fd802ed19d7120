// Command dump writes the catalogue of attacks as files, for the fronts that
// cannot import it: each distinct token and key into a file named by its hash, and
// one JSON object a line to standard output.
//
//	dump FOLDER [URL]
package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
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
	// Decrypt is the key that takes the encryption off before Key verifies.
	Decrypt     string `json:",omitempty"`
	AllowRSA1_5 bool   `json:",omitempty"`
	Policy      attack.Policy
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
	for _, c := range attack.Cases(fetch) {
		l := line{Title: c.Title(), NoCLI: c.NoCLI, Want: c.Want}
		if c.Form == attack.JSON && l.NoCLI == "" {
			l.NoCLI = "the command verifies compact tokens"
		}
		if l.NoCLI == "" {
			token, control := "", "" // where the attack is a key there is none
			if c.Form.HasToken() {
				token, control = c.Token(), c.Control()
			}
			var err error
			if l.Attack, err = write(folder, token, c.Form, c.Key, c.Policy); err != nil {
				return err
			}
			if l.Control, err = write(folder, control, c.Form, c.ControlKey, c.ControlPolicy); err != nil {
				return err
			}
		}
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

func write(folder, token string, form attack.Form, key attack.Key, p attack.Policy) (setup, error) {
	s := setup{Form: form, Kind: key.Kind, Alg: key.Alg, AllowRSA1_5: key.AllowRSA1_5, Policy: p}
	var err error
	if d := p.Decrypt; d != nil {
		s.Policy.Decrypt, s.AllowRSA1_5 = nil, d.AllowRSA1_5
		if s.Decrypt, err = store(folder, d.Data); err != nil {
			return s, err
		}
	}
	if s.Token, err = store(folder, []byte(token)); err != nil {
		return s, err
	}
	s.Key, err = store(folder, key.Data)
	return s, err
}

// store writes data unless it is there, and returns the name of its file.
func store(folder string, data []byte) (string, error) {
	name := fmt.Sprintf("%x", sha256.Sum256(data))
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return name, nil
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return name, errors.Join(err, f.Close())
}
