package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"jot":   func() { os.Exit(runProcess()) },
		"exits": exits,
		"halve": remake(func(b []byte) []byte { return b[:len(b)/2] }),
		"trim":  remake(bytes.TrimSpace),
		"big":   func() { write(os.Args[1], bytes.Repeat([]byte("x"), maxInput+1)) },
	})
}

// TestScript runs the manual: each script shows one use of the command.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// Else each command that the race detector watches sleeps a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
	})
}

// exits is the scripts' way to ask for an exact exit code: exits 4 jot verify …
func exits() {
	want, err := strconv.Atoi(os.Args[1])
	if err != nil || os.Args[2] != "jot" {
		fmt.Fprintln(os.Stderr, "usage: exits CODE jot …")
		os.Exit(125)
	}
	if got := run(os.Args[3:], processTerminal(), time.Now); got != want {
		fmt.Fprintf(os.Stderr, "exit code %d, want %d\n", got, want)
		os.Exit(1)
	}
}

// remake is a command that writes a changed copy of a file.
func remake(change func([]byte) []byte) func() {
	return func() {
		b, err := os.ReadFile(os.Args[1])
		if err != nil {
			panic(err)
		}
		write(os.Args[2], change(b))
	}
}

func write(name string, b []byte) {
	if err := os.WriteFile(name, b, 0o600); err != nil {
		panic(err)
	}
}
