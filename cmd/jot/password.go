package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/term"
)

// passwordFlags say where a password comes from, if not from the terminal. It never
// comes from an argument or from the environment, which others can read.
type passwordFlags struct {
	PasswordFile string `placeholder:"FILE" help:"Read the password from FILE, without one final newline, instead of asking for it."`
	PasswordFD   *int   `name:"password-fd" placeholder:"N" help:"Read the password from the open file descriptor N."`
}

func (p passwordFlags) given() bool { return p.PasswordFile != "" || p.PasswordFD != nil }

// password returns the password of what, which is asked for where the flags do not say
// where it is; one that is to be set is asked for twice.
func (in *input) password(p passwordFlags, what string, set bool) ([]byte, error) {
	if !p.given() {
		return in.askPassword(what, set)
	}
	if in.passwordRead == nil {
		data, err := in.passwordBytes(p)
		if err != nil {
			return nil, err
		}
		in.passwordRead = withoutNewline(data)
	}
	return checkPassword(in, in.passwordRead, set)
}

func (in *input) passwordBytes(p passwordFlags) ([]byte, error) {
	switch {
	case p.PasswordFile != "" && p.PasswordFD != nil:
		return nil, fail(exitUsage, "", "give one of --password-file and --password-fd")
	case p.PasswordFile != "":
		return in.file(p.PasswordFile, thePassword)
	case *p.PasswordFD == 0:
		return in.file("-", thePassword)
	case *p.PasswordFD < 0:
		return nil, fail(exitUsage, "as in: jot … --password-fd 3 3<FILE", "--password-fd takes the number of an open descriptor")
	}
	f := os.NewFile(uintptr(*p.PasswordFD), "descriptor")
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInput))
	if err != nil {
		return nil, fail(exitFile, "as in: jot … --password-fd 3 3<FILE", "cannot read descriptor %d: %s", *p.PasswordFD, reason(err))
	}
	return data, nil
}

// withoutNewline takes one final newline away, which editors and echo write.
func withoutNewline(data []byte) []byte {
	data, cut := bytes.CutSuffix(data, []byte("\n"))
	if cut {
		data = bytes.TrimSuffix(data, []byte("\r"))
	}
	return data
}

func (in *input) askPassword(what string, set bool) ([]byte, error) {
	ask := in.term.ask
	if ask == nil {
		return nil, errNoTerminal(what)
	}
	question := "password of " + what
	if set {
		question = "new password for " + what
	}
	password, err := ask(question + ": ")
	if err == nil && set && len(password) > 0 {
		var again []byte
		if again, err = ask("the same again: "); err == nil && !bytes.Equal(password, again) {
			return nil, fail(exitUsage, "", "the two passwords differ")
		}
	}
	if err != nil {
		if errors.Is(err, errNoTTY) {
			return nil, errNoTerminal(what)
		}
		return nil, fail(exitFile, "", "cannot ask for the password: %s", reason(err))
	}
	return checkPassword(in, password, set)
}

func errNoTerminal(what string) error {
	return fail(exitUsage, "give --password-file FILE or --password-fd N", "there is no terminal to ask for the password of %s", what)
}

// short is the length under which a new password is warned of.
const short = 12

func checkPassword(in *input, password []byte, set bool) ([]byte, error) {
	if len(password) == 0 {
		return nil, fail(exitNoKey, "", "the password is empty [key.weak]")
	}
	if set && len(password) < short {
		in.term.warn("the password has fewer than %d bytes: who gets the file can try passwords without end", short)
	}
	return password, nil
}

var errNoTTY = errors.New("there is no terminal")

// askTerminal asks on the terminal itself, whatever stdin and stdout are, and shows
// nothing of the answer.
func askTerminal(question string) ([]byte, error) {
	in, out := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		in, out = "CONIN$", "CONOUT$"
	}
	r, err := os.OpenFile(in, os.O_RDWR, 0)
	if err != nil {
		return nil, errNoTTY
	}
	defer r.Close()
	w, err := os.OpenFile(out, os.O_WRONLY, 0)
	if err != nil {
		return nil, errNoTTY
	}
	defer w.Close()
	fd := int(r.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, errNoTTY
	}
	// Who interrupts the question gets the echo back.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	defer func() { signal.Stop(interrupted); close(done) }()
	go func() {
		select {
		case <-interrupted:
			_ = term.Restore(fd, state)
			fmt.Fprintln(w)
			os.Exit(130)
		case <-done:
		}
	}()
	fmt.Fprint(w, visible(oneLine(question)))
	password, err := term.ReadPassword(fd)
	fmt.Fprintln(w)
	return password, err
}
