// Package process runs a program that does one job after the other: each is a line of JSON on its standard input, and
// answered by a line on its standard output.
package process

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"
)

// Process is such a program. It does one job at a time.
type Process struct {
	in  io.Writer
	out *bufio.Reader
}

// Start starts the program, which ends with the test.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", cmd.Path, err, stderr.Bytes())
		}
	})
	return &Process{in, bufio.NewReader(out)}
}

// Do has the job done that j is in JSON, with the name of it in "do", and reads the answer into a. What the job fails
// with is the error.
func (p *Process) Do(j, a any) error {
	line, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	if line, err = p.out.ReadBytes('\n'); err != nil {
		return err
	}
	var failure struct {
		Failed string `json:"failed"`
	}
	if err := json.Unmarshal(line, &failure); err != nil {
		return err
	}
	if failure.Failed != "" {
		return errors.New(failure.Failed)
	}
	return json.Unmarshal(line, a)
}
