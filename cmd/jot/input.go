package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// The most that is read of a file or of stdin, in bytes.
const (
	maxInput   = 1 << 20  // many times any real token or key set
	maxText    = 16 << 20 // in which tokens are looked for, such as what a browser has recorded; all of one's tokens take 45 times as much memory
	maxContent = 16 << 20 // of what is encrypted
	maxSealed  = 24 << 20 // of it when it is encrypted, a third longer
)

// What a file is read for.
const (
	theToken    = "the token"
	theText     = "the text"
	theClaims   = "the claims"
	theKey      = "the key"
	theSecret   = "the secret"
	thePassword = "the password"
	theContent  = "the content"
	theSealed   = "the encrypted token"
)

// input reads what the arguments of one command name; stdin only once.
type input struct {
	term         *terminal
	stdinUsed    string // by which argument
	passwordRead []byte // from a file or descriptor
}

// token returns the text that TOKEN | @FILE | - names.
func (in *input) token(arg, what string) (string, error) {
	switch {
	case arg == "" && in.term.stdinTTY:
		return "", fail(exitUsage, "give @FILE, or - and the text on stdin", "no token given")
	case arg == "" || arg == "-":
		return in.text("-", what)
	case strings.HasPrefix(arg, "@"):
		return in.text(arg[1:], what)
	}
	if st, err := os.Stat(arg); err == nil && st.Mode().IsRegular() {
		return "", fail(exitUsage, "write @"+visible(arg), "%s is a file, and without an @ before it is taken for the text itself", quoted(arg))
	}
	in.term.warn("a token in an argument is seen by other users and kept by the shell; prefer - or @FILE")
	return arg, nil
}

// document is token without the empty argument and without the warning: for what
// is no secret. It returns nil where nothing was given.
func (in *input) document(arg string) ([]byte, error) {
	switch {
	case arg == "":
		return nil, nil
	case arg == "-":
		return in.file("-", theClaims)
	case strings.HasPrefix(arg, "@"):
		return in.file(arg[1:], theClaims)
	}
	return nil, fail(exitUsage, "write @"+visible(arg)+" for a file, or - for stdin; single claims are given with --claim", "the claims are read from @FILE or -")
}

func (in *input) text(name, what string) (string, error) {
	b, err := in.file(name, what)
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "", fail(exitUnreadable, "give a text that holds a token", "%s holds binary data [token.malformed]", label(name))
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if len(bytes.TrimSpace(b)) == 0 {
		return "", fail(exitUnreadable, "pipe a token into jot, or give @FILE", "%s is empty", label(name))
	}
	return string(b), nil
}

// file reads FILE, @FILE or - whole.
func (in *input) file(name, what string) ([]byte, error) {
	name = strings.TrimPrefix(name, "@")
	var r io.Reader
	if name == "-" {
		if in.stdinUsed != "" {
			return nil, fail(exitUsage, "give one of them as a file", "%s and %s cannot both be read from stdin", in.stdinUsed, what)
		}
		in.stdinUsed = what
		if in.term.stdinTTY {
			in.term.talk(bold, "jot:", "reading "+what+" from the terminal; end with Ctrl-D")
		}
		r = in.term.stdin
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fileFailure(name, err)
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.IsDir() {
			return nil, fail(exitFile, "give the name of a file", "%s is a directory", label(name))
		}
		r = f
	}
	most := limitOf(what)
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fileFailure(name, err)
	}
	if int64(len(b)) > most {
		hint, code := "", ""
		switch what {
		case theToken, theText:
			hint, code = "cut out the part with the token", " [token.too_large]"
		case theSealed:
			code = " [token.too_large]"
		case theKey, theSecret, thePassword:
			code = " [key.limit]"
		}
		return nil, fail(exitUnreadable, hint, "%s holds more than %d MB%s", label(name), most>>20, code)
	}
	return b, nil
}

func limitOf(what string) int64 {
	switch what {
	case theText:
		return maxText
	case theContent:
		return maxContent
	case theSealed:
		return maxSealed
	}
	return maxInput
}

func label(name string) string {
	if name == "-" {
		return "stdin"
	}
	return quoted(name)
}

func fileFailure(name string, err error) *failure {
	if errors.Is(err, fs.ErrNotExist) {
		return fail(exitFile, "check the name", "there is no file %s", label(name))
	}
	return fail(exitFile, "", "cannot read %s: %v", label(name), reason(err))
}

// reason is what an error of the file system says besides the name.
func reason(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
