package matrix

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a process of Node.js that runs npm/peer.mjs over the package jose.
type node struct {
	in  io.Writer
	out *bufio.Reader
}

// job and answer are what npm/peer.mjs reads and writes.
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

type answer struct{ Token, Plaintext, AAD, Error string }

// startNode starts it, after it has installed what npm/package-lock.json has. Where
// there is no Node.js it returns nil; with CI=true in the environment that is a failure,
// so that a matrix never passes there for want of a peer.
func startNode(t *testing.T) *node {
	t.Helper()
	if lack := lacks(); lack != "" {
		const message = "%s: install Node.js 20 or newer with npm to compare with jose"
		if os.Getenv("CI") == "true" {
			t.Fatalf(message, lack)
		}
		t.Logf(message, lack)
		return nil
	}
	if !installed() {
		install := exec.Command("npm", "ci")
		install.Dir = "npm"
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	cmd := exec.Command("node", "peer.mjs")
	cmd.Dir = "npm"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in := must(cmd.StdinPipe())
	out := must(cmd.StdoutPipe())
	check(cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v\n%s", err, stderr.Bytes())
		}
	})
	return &node{in, bufio.NewReader(out)}
}

// lacks says what is missing to run it.
func lacks() string {
	if _, err := exec.LookPath("npm"); err != nil {
		return "there is no npm"
	}
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "there is no node"
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "v%d.", &major); err != nil || major < 20 {
		return "node is " + strings.TrimSpace(string(out))
	}
	return ""
}

// installed reports whether the version of the lock file is there.
func installed() bool {
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	var there struct{ Version string }
	check(json.Unmarshal(must(os.ReadFile(filepath.Join("npm", "package-lock.json"))), &lock))
	data, err := os.ReadFile(filepath.Join("npm", "node_modules", "jose", "package.json"))
	return err == nil && json.Unmarshal(data, &there) == nil && there.Version == lock.Packages["node_modules/jose"].Version
}

func (n *node) do(j job) (answer, error) {
	if _, err := n.in.Write(append(must(json.Marshal(j)), '\n')); err != nil {
		return answer{}, err
	}
	line, err := n.out.ReadBytes('\n')
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, errors.New(a.Error)
	}
	return a, nil
}

func (n *node) crypter() crypter {
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

// TestLock holds that the lock file names the versions and no registry, so that each
// machine asks its own; npm/.npmrc has npm write it so.
func TestLock(t *testing.T) {
	lock := string(must(os.ReadFile(filepath.Join("npm", "package-lock.json"))))
	if strings.Contains(lock, `"resolved"`) || !strings.Contains(lock, `"integrity": "sha512-`) {
		t.Error("npm/package-lock.json names where a package came from, or not what it is")
	}
}
