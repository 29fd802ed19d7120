package matrix

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jotsuite/jot/interop/node"
	"github.com/jotsuite/jot/interop/process"
)

// peer is the package jose, in a process of Node.js.
type peer struct{ *process.Process }

// job and answer are what npm/encryption.mjs reads and writes.
type job struct {
	Do        string          `json:"do"`
	Form      string          `json:"form,omitempty"`
	Alg       string          `json:"alg"`
	Enc       string          `json:"enc"`
	Key       json.RawMessage `json:"key"`
	Count     int             `json:"p2c,omitempty"`
	Zip       string          `json:"zip,omitempty"`
	AAD       string          `json:"aad,omitempty"`
	Plaintext string          `json:"plaintext,omitempty"`
	Token     string          `json:"token,omitempty"`
}

type answer struct{ Token, Plaintext, AAD string }

// startNode returns nil where there is no Node.js.
func startNode(t *testing.T) *peer {
	t.Helper()
	if p := node.Start(t); p != nil {
		return &peer{p}
	}
	return nil
}

func (n *peer) do(j job) (a answer, err error) {
	err = n.Do(j, &a)
	return a, err
}

func (n *peer) crypter() crypter {
	return crypter{
		name: "jose",
		write: func(c combination, plaintext string) (string, error) {
			j := job{Do: "write", Alg: c.alg, Enc: c.enc, Key: c.public(), Plaintext: plaintext}
			if strings.HasPrefix(c.alg, "PBES2") {
				j.Count = count
			}
			a, err := n.do(j)
			return a.Token, err
		},
		read: func(c combination, token string) (string, error) {
			a, err := n.do(job{Do: "read", Alg: c.alg, Enc: c.enc, Key: json.RawMessage(c.key), Token: token})
			return a.Plaintext, err
		},
	}
}
