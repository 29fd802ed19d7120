// Command instructions runs one operation under Valgrind, for what is lost in the noise
// of time: what jot adds to an RSA signature is a two-thousandth of it.
//
//	GOWORK=off go build -o instructions ./bench/instructions
//	GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=main.repeat ./instructions RS256 jot 20
//
// What Valgrind has collected, divided by the number, is the instructions of one
// signature; with bare in place of jot, those of the standard library's.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/jotsuite/jot/interop/bench"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: instructions ALG LIBRARY NUMBER")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for _, op := range bench.Signatures(args[0]) {
		if op.Library != args[1] {
			continue
		}
		if err := op.Run(); err != nil { // what is made once is made here
			return err
		}
		return repeat(n, op.Run)
	}
	return fmt.Errorf("%s has no signature with %s", args[1], args[0])
}

//go:noinline
func repeat(n int, f func() error) error {
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}
