package main

// The rules of what jot writes:
//
//   - Data goes to stdout, talk to stderr. A pipe gets data and nothing else.
//   - An error is one line "error: …"; where something can be done about it, one
//     line "hint: …" follows. A warning is one line "warning: …".
//   - What comes from a token, a key or an argument goes through [visible] first:
//     whatever a terminal might obey, and whatever cannot be seen, is written as a
//     JSON escape. In JSON that is the same value; elsewhere it is what to look at.
//   - Colour is used only on a terminal, never where NO_COLOR is set or TERM is
//     dumb, and never as the only sign of anything.
//   - A time is written as 2026-09-30 12:00 UTC (in 3 h).
//   - Private and secret key material is written by `key new` and `key convert`, and
//     by nothing else, unless it is itself what `decrypt` decrypts.
//   - A password is asked for on the terminal, without echo, and never shown.
//   - What `decrypt` decrypts is written as it is to a pipe or a file. A terminal gets
//     it made visible, and nothing that is not text.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal is where a command reads and writes.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stdinTTY       bool
	stdoutTTY      bool
	outColour      bool
	errColour      bool
	broken         error // the first failure to write to stdout

	// ask asks for a password on the terminal and shows nothing of it. It is nil where
	// nobody is there to be asked.
	ask func(question string) ([]byte, error)
}

func processTerminal() *terminal {
	colour := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &terminal{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		stdinTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		stdoutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		outColour: colour && term.IsTerminal(int(os.Stdout.Fd())),
		errColour: colour && term.IsTerminal(int(os.Stderr.Fd())),
		ask:       askTerminal,
	}
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

func paint(on bool, colour, s string) string {
	if !on {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// talk writes one line to stderr, made visible.
func (t *terminal) talk(colour, label, text string) {
	fmt.Fprintf(t.stderr, "%s %s\n", paint(t.errColour, colour, label), visible(oneLine(text)))
}

func (t *terminal) warn(format string, args ...any) {
	t.talk(yellow, "warning:", fmt.Sprintf(format, args...))
}

// data writes s to stdout as it is: the caller has made it visible. A failure is
// reported by [run] at the end.
func (t *terminal) data(s string) {
	if t.broken == nil {
		_, t.broken = io.WriteString(t.stdout, s)
	}
}

// line writes v to stdout as one line of JSON, without escaping what only HTML minds.
func (t *terminal) line(v any) {
	s, err := asLine(v)
	t.broken = errors.Join(t.broken, err)
	t.data(s)
}

func asLine(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return visible(b.String()), err
}

// heading is a label of the human output of stdout.
func (t *terminal) heading(s string) string { return paint(t.outColour, bold, s) }

// failure is an error with its exit code and what can be done about it.
type failure struct {
	code      int
	msg, hint string
}

func (f *failure) Error() string { return f.msg }

func fail(code int, hint, format string, args ...any) *failure {
	return &failure{code: code, msg: fmt.Sprintf(format, args...), hint: hint}
}

// asFailure is err with its exit code; an error without one is a refusal.
func asFailure(err error) *failure {
	var f *failure
	if !errors.As(err, &f) {
		f = fail(exitRefused, "", "%v%s", err, inCode(err))
	}
	return f
}

// report writes an error as the user sees it.
func (t *terminal) report(f *failure) {
	if f.msg != "" {
		t.talk(red, "error:", f.msg)
	}
	if f.hint != "" {
		t.talk(yellow, "hint:", f.hint)
	}
}

// visible returns s with every character that a terminal might obey or that
// cannot be seen (controls, bidirectional marks, odd spaces, bytes that are not
// UTF-8) written as the escape that JSON has for it. Line feeds stay.
func visible(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '\n' && (c < ' ' || c > '~') {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s {
		switch {
		case r == '\n', r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine keeps a message to the one line that it is promised to be.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// quoted is a value from outside in a sentence: cut, made visible, in quotes.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return `"` + visible(oneLine(s)) + `"`
}

// pretty indents JSON, keeping its order and every digit. What is not JSON is
// returned as it is, made visible.
func pretty(raw []byte, prefix string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), prefix, "  "); err != nil {
		return visible(string(raw))
	}
	return visible(b.String())
}

// moment writes a time and how far it is from now.
func moment(t, now time.Time) string {
	return t.UTC().Format("2006-01-02 15:04 UTC") + " (" + distance(t.Sub(now)) + ")"
}

func distance(d time.Duration) string {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	size := d.Abs()
	var s string
	switch {
	case size < time.Second:
		return "now"
	case size < time.Minute:
		s = count(size, time.Second, "s")
	case size < time.Hour:
		s = count(size, time.Minute, "min")
	case size < 2*day:
		s = count(size, time.Hour, "h")
	case size < 2*year:
		s = count(size, day, "days")
	default:
		s = count(size, year, "years")
	}
	if d < 0 {
		return s + " ago"
	}
	return "in " + s
}

func count(d, unit time.Duration, name string) string {
	return strconv.FormatInt(int64(d/unit), 10) + " " + name
}

// numericDate reads a date of a claim, RFC 7519, Section 2, from its JSON.
func numericDate(raw []byte) (time.Time, bool) {
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
	// Year 1 to year 9999: what time.Format writes with four digits.
	if err != nil || f < -62135596800 || f >= 253402300800 {
		return time.Time{}, false
	}
	whole := int64(f)
	return time.Unix(whole, int64((f-float64(whole))*1e9)), true
}
